package searchtest

import (
	"net/http"
	"strings"
	"testing"
)

const bad = http.StatusBadRequest

func testMalformed(t *testing.T, i index) {
	t.Helper()
	parsing := func(reason, cause string) refusal { return refusal{bad, "mapper_parsing_exception", reason, cause} }
	rows := []struct {
		source string
		want   refusal
	}{
		{`{"n":1}{"n":2}`, parsing("failed to parse", "illegal_argument_exception")},
		{`{"n":1} 7`, parsing("failed to parse", "illegal_argument_exception")},
		{`{"n":1} x`, parsing("failed to parse", "json_parse_exception")},
		{`hello`, parsing("failed to parse", "not_x_content_exception")},
		{`[{"n":1}]`, parsing("failed to parse", "not_x_content_exception")},
		{`"x"`, parsing("failed to parse", "not_x_content_exception")},
		{`null`, parsing("failed to parse", "not_x_content_exception")},
		{`{"n":`, parsing("failed to parse", "json_e_o_f_exception")},
		{`{"n":1,"n":2}`, parsing("failed to parse", "json_parse_exception")},
		{``, parsing("failed to parse, document is empty", "")},
		{`{"s":` + "\"\xff\"}", parsing("failed to parse", "")},
	}
	for _, row := range rows {
		i.wantRefused(t, "1", row.source, row.want)
	}
	list := i.bulk(t, i.line("index", "", `"_id":""`)+"{}\n")
	refusal{bad, "illegal_argument_exception", "if _id is specified it must not be empty", ""}.check(t, "an empty id", list[0].Status, list[0].Error)
}

func testNoNewline(t *testing.T, i index) {
	t.Helper()
	i.wantWhole(t, i.line("index", "1")+"{}\n"+i.line("index", "2")+"{}",
		refusal{bad, "illegal_argument_exception", "The bulk request must be terminated by a newline", ""})
	if out := i.ask(t, http.MethodHead, "/"+i.name, ""); out.status != http.StatusNotFound {
		t.Errorf("a request that was refused made the index: %d", out.status)
	}
}

// unreadable is how a request is refused of which a line cannot be read: Elasticsearch
// 6 takes it for its own fault.
func (i index) unreadable() int {
	if i.Typed {
		return http.StatusInternalServerError
	}
	return bad
}

func testNewlineInside(t *testing.T, i index) {
	t.Helper()
	i.wantWhole(t, i.line("index", "1")+"{\"n\":\n1}\n"+i.line("index", "2")+"{}\n", refusal{i.unreadable(), "json_parse_exception", "", ""})
	i.wantWhole(t, i.line("index", "1")+"{}\n"+i.line("index", "2")+"{\"n\":\n{}}\n",
		refusal{bad, "illegal_argument_exception", "Malformed action/metadata line [5], expected FIELD_NAME but found [END_OBJECT]", ""})
	if out := i.ask(t, http.MethodHead, "/"+i.name, ""); out.status != http.StatusNotFound {
		t.Errorf("a request that was refused made the index: %d", out.status)
	}
}

func testActions(t *testing.T, i index) {
	t.Helper()
	i.wantWhole(t, "x\n{}\n", refusal{i.unreadable(), "json_parse_exception", "", ""})
	i.wantWhole(t, i.line("index", "1", `"nope":1`)+"{}\n",
		refusal{bad, "illegal_argument_exception", "Action/metadata line [1] contains an unknown parameter [nope]", ""})
	i.wantWhole(t, i.line("index", "1")+"{}\n"+i.line("index", "2", `"nope":1`)+"{}\n",
		refusal{bad, "illegal_argument_exception", "Action/metadata line [3] contains an unknown parameter [nope]", ""})
	i.wantWhole(t, `["index"]`+"\n{}\n", refusal{bad, "illegal_argument_exception", "Malformed action/metadata line [1], expected START_OBJECT", ""})
	i.wantWhole(t, `{"index":{"_index":{"a":1}}}`+"\n{}\n",
		refusal{bad, "illegal_argument_exception", "Malformed action/metadata line [1], expected a simple value for field [_index] but found [START_OBJECT]", ""})
	unknown := refusal{bad, "illegal_argument_exception", "Malformed action/metadata line [1], expected", ""}
	if i.Typed { // which overlooks it
		unknown = refusal{bad, "action_request_validation_exception", "no requests added", ""}
	}
	i.wantWhole(t, i.line("upsert", "1")+"{}\n", unknown)
}

func testInvalid(t *testing.T, i index) {
	t.Helper()
	invalid := func(reason string) refusal { return refusal{bad, "action_request_validation_exception", reason, ""} }
	noIndex := `{"index":{"_id":"1"}}`
	if i.Typed {
		noIndex = `{"index":{"_type":"_doc","_id":"1"}}`
	}
	i.wantWhole(t, noIndex+"\n{}\n", invalid("Validation Failed: 1: index is missing;"))
	i.wantWhole(t, i.line("index", strings.Repeat("i", 513))+"{}\n", invalid("is too long, must be no longer than 512 bytes but was: 513;"))
	i.wantWhole(t, i.line("index", "", `"version":1`, `"version_type":"external"`)+"{}\n", invalid("an id must be provided if version type or value are set;"))
	i.wantWhole(t, i.line("index", "1", `"version":-1`, `"version_type":"external"`)+"{}\n", invalid("illegal version value [-1] for version type [EXTERNAL];"))
	i.wantWhole(t, i.line("create", "1", `"version":1`, `"version_type":"external"`)+"{}\n", invalid("create operations only support internal versioning. use index instead;"))
	i.wantWhole(t, i.line("index", "1"), invalid("no requests added;"))
	i.wantWhole(t, "\n", invalid("no requests added;"))
	i.wantWhole(t, "", refusal{bad, "parse_exception", "request body is required", ""})
	i.wantIndexed(t, strings.Repeat("i", 512), "{}")
}

func testUnknown(t *testing.T, i index) {
	t.Helper()
	refusal{bad, "illegal_argument_exception", "contains unrecognized parameter: [nope]", ""}.
		checkAnswer(t, "an unknown parameter", i.ask(t, http.MethodPost, "/_bulk?nope=1", i.line("index", "1")+"{}\n"))
	if out := i.ask(t, http.MethodDelete, "/_bulk", ""); out.status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE /_bulk is answered %d: %s", out.status, out.body)
	}
}

func testContentType(t *testing.T, i index) {
	t.Helper()
	out := i.ask(t, http.MethodPost, "/_bulk", i.line("index", "1")+"{}\n", "Content-Type", "text/plain")
	if out.status != http.StatusNotAcceptable || out.json(t)["error"] != "Content-Type header [text/plain] is not supported" {
		t.Errorf("text/plain is answered %d: %s", out.status, out.body)
	}
	for _, kind := range []string{"application/x-ndjson", "application/json; charset=UTF-8"} {
		if out = i.ask(t, http.MethodPost, "/_bulk", i.line("index", "1")+"{}\n", "Content-Type", kind); out.status != http.StatusOK {
			t.Errorf("%s is answered %d: %s", kind, out.status, out.body)
		}
	}
}

// testTooLarge compresses what is too large: to a body that is too large as it is sent,
// a server may answer while it still comes, and close the connection.
func testTooLarge(t *testing.T, i index) {
	t.Helper()
	of := func(size int) string {
		line := i.line("index", "1")
		rest := size - len(line) - len(`{"s":""}`) - 1
		return line + `{"s":"` + strings.Repeat("x", rest) + `"}` + "\n"
	}
	headers := []string{"Content-Encoding", "gzip", "Content-Type", "application/x-ndjson"}
	out := i.ask(t, http.MethodPost, "/_bulk", compressed(t, of(i.MaxContentLength+1)), headers...)
	if out.status != http.StatusRequestEntityTooLarge || len(out.body) != 0 {
		t.Errorf("a body that is too large is answered %d: %s", out.status, out.body)
	}
	if out = i.ask(t, http.MethodPost, "/_bulk", of(i.MaxContentLength)); out.status != http.StatusOK {
		t.Errorf("a body as large as it may be is answered %d: %s", out.status, out.body)
	}
}

func testNames(t *testing.T, i index) {
	t.Helper()
	rows := []struct{ name, reason string }{
		{"Upper", "must be lowercase"},
		{"a b", "must not contain the following characters"},
		{"a,b", "must not contain the following characters"},
		{"a/b", "must not contain the following characters"},
		{"a#b", "must not contain '#'"},
		{"-a", "must not start with '_', '-', or '+'"},
		{"_a", "must not start with '_', '-', or '+'"},
		{"..", "must not be '.' or '..'"},
		{strings.Repeat("a", 256), "is too long, (256 > 255)"},
	}
	for _, row := range rows {
		got := i.bulk(t, i.lineOf("index", row.name, "1")+"{}\n")[0]
		refusal{bad, "invalid_index_name_exception", row.reason, ""}.check(t, "the name "+shortened(row.name), got.Status, got.Error)
	}
	refusal{bad, "invalid_index_name_exception", "must be lowercase", ""}.checkAnswer(t, "PUT /Upper", i.ask(t, http.MethodPut, "/Upper", ""))
}

func testOneType(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "1", "{}")
	got := i.bulk(t, `{"index":{"_index":"`+i.name+`","_type":"other","_id":"2"}}`+"\n{}\n")[0]
	refusal{bad, "illegal_argument_exception", "as the final mapping would have more than 1 type", ""}.check(t, "another type", got.Status, got.Error)
}

func testTypes(t *testing.T, i index) {
	t.Helper()
	if i.Typed {
		i.wantWhole(t, `{"index":{"_index":"`+i.name+`","_id":"2"}}`+"\n{}\n",
			refusal{bad, "action_request_validation_exception", "Validation Failed: 1: type is missing;", ""})
		return
	}
	i.wantWhole(t, `{"index":{"_index":"`+i.name+`","_type":"log","_id":"2"}}`+"\n{}\n",
		refusal{bad, "illegal_argument_exception", "Action/metadata line [1] contains an unknown parameter [_type]", ""})
}

func testCreateNeedsID(t *testing.T, i index) {
	t.Helper()
	i.wantWhole(t, i.line("create", "")+"{}\n",
		refusal{bad, "action_request_validation_exception", "an id must be provided if version type or value are set;", ""})
}
