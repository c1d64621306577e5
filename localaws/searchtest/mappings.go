package searchtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// types are those of the fields of the test's index, with a dot for each level.
//
// A document is answered when its shard knows the mapping, which on a real server can be
// a moment before a request for the mapping shows it: when what its master does has passed, it
// does. The local cluster has one state, and refuses to be asked to wait.
func (i index) types(t *testing.T) map[string]string {
	t.Helper()
	i.ask(t, http.MethodGet, "/_cluster/health?wait_for_events=languid&timeout=30s", "")
	out := i.must(t, http.MethodGet, "/"+i.name+"/_mapping", "")
	var mapping map[string]any
	for _, one := range out {
		mapping, _ = one.(map[string]any)["mappings"].(map[string]any)
	}
	if below, ok := mapping["_doc"].(map[string]any); ok && i.Typed {
		mapping = below
	}
	types := make(map[string]string)
	flatten(types, "", mapping)
	return types
}

func flatten(types map[string]string, path string, mapping map[string]any) {
	properties, _ := mapping["properties"].(map[string]any)
	for name, p := range properties {
		field, _ := p.(map[string]any)
		kind, _ := field["type"].(string)
		if kind == "" {
			kind = "object"
		}
		types[path+name] = kind
		flatten(types, path+name+".", field)
	}
}

func testDynamic(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "1", `{"long":1,"float":1.5,"exp":1e3,"bool":true,"text":"x","empty":"","day":"2026-01-02","month":"2026-01",`+
		`"time":"2026-01-02T03:04:05.678Z","zone":"2026-01-02T03:04:05+02:00","slashes":"2026/01/02","slashed":"2026/01/02 03:04:05",`+
		`"year":"2026","digits":"20260102","noday":"2026-13-02","short":"2026-1-2","spaced":"2026-01-02 03:04:05",`+
		`"object":{"in":{"ner":1}},"a.b":2,"list":[1,2],"nested":[[1]],"null":null,"none":[],"quoted":"7"}`)
	want := map[string]string{
		"long": "long", "float": "float", "exp": "float", "bool": "boolean", "text": "text", "empty": "text", "day": "date", "month": "date",
		"time": "date", "zone": "date", "slashes": "date", "slashed": "date", "year": "text", "digits": "text", "noday": "text", "short": "text",
		"spaced": "text", "object": "object", "object.in": "object", "object.in.ner": "long", "a": "object", "a.b": "long",
		"list": "long", "nested": "long", "quoted": "text",
	}
	got := i.types(t)
	for name, kind := range want {
		if got[name] != kind {
			t.Errorf("%s is of type %q, want %s", name, got[name], kind)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("there are %v besides", got)
	}
}

// first is a document of fields that others are to meet.
const first = `{"long":1,"float":1.5,"bool":true,"text":"x","date":"2026-01-02","object":{"n":1}}`

func testConflicts(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "0", first)
	of := func(field, kind string) string {
		return fmt.Sprintf("failed to parse field [%s] of type [%s] in document with id '1'", field, kind)
	}
	concrete := func(name string) string {
		return "object mapping for [object] tried to parse field [" + name + "] as object, but found a concrete value"
	}
	rows := []struct{ source, reason, cause string }{
		{`{"long":"x"}`, of("long", "long"), "illegal_argument_exception"},
		{`{"long":true}`, of("long", "long"), "json_parse_exception"},
		{`{"long":{"x":1}}`, of("long", "long"), "json_parse_exception"},
		{`{"long":[1,"x"]}`, of("long", "long"), "illegal_argument_exception"},
		{`{"long":1e30}`, of("long", "long"), ""},
		{`{"long":9223372036854775808}`, of("long", "long"), ""},
		{`{"float":"x"}`, of("float", "float"), "number_format_exception"},
		{`{"float":true}`, of("float", "float"), "json_parse_exception"},
		{`{"float":{"x":1}}`, of("float", "float"), "json_parse_exception"},
		{`{"bool":"x"}`, of("bool", "boolean"), "illegal_argument_exception"},
		{`{"bool":1}`, of("bool", "boolean"), "json_parse_exception"},
		{`{"bool":{"x":1}}`, of("bool", "boolean"), "json_parse_exception"},
		{`{"text":{"x":1}}`, of("text", "text"), "illegal_state_exception"},
		{`{"date":"x"}`, of("date", "date"), "illegal_argument_exception"},
		{`{"date":true}`, of("date", "date"), "illegal_argument_exception"},
		{`{"date":{"x":1}}`, of("date", "date"), "illegal_state_exception"},
		{`{"object":1}`, concrete("object"), ""},
		{`{"object":"x"}`, concrete("object"), ""},
		{`{"object":[1]}`, concrete("null"), ""},
		{`{"object":{"n":"x"}}`, of("object.n", "long"), "illegal_argument_exception"},
		{`{"long.x":1}`, "Could not dynamically add mapping for field [long.x]. Existing mapping for [long] must be of type object but found [long].", ""},
	}
	for _, row := range rows {
		i.wantRefused(t, "1", row.source, refusal{bad, "mapper_parsing_exception", row.reason, row.cause})
	}
	if got := len(i.found(t)); got != 1 {
		t.Errorf("the index has %d documents, want 1", got)
	}
}

func testCoercions(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "0", first)
	for _, source := range []string{
		`{"long":1.5}`, `{"long":"7"}`, `{"long":""}`, `{"long":null}`, `{"long":[1,2]}`, `{"long":9223372036854775807}`, `{"long":1e3}`,
		`{"float":1}`, `{"float":"1.5"}`, `{"bool":"true"}`, `{"bool":"false"}`, `{"bool":""}`,
		`{"text":1}`, `{"text":true}`, `{"text":["a",1]}`, `{"date":123}`, `{"date":"2026-01-02T03:04:05Z"}`, `{"date":"2026"}`,
		`{"object":null}`, `{"object":{}}`, `{"object":[{"n":1},{"n":2}]}`, `{"object.n":3}`, `{"object.more":3}`,
	} {
		i.wantIndexed(t, "1", source)
	}
}

func testNoTrace(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "0", `{"n":1}`)
	i.wantRefused(t, "1", `{"fresh":"x","n":"x"}`, refusal{bad, "mapper_parsing_exception", "failed to parse field [n]", ""})
	if got := i.types(t); len(got) != 1 {
		t.Errorf("the fields are %v, want n alone", got)
	}
	i.wantIndexed(t, "2", `{"fresh":1}`)
}

func testWithin(t *testing.T, i index) {
	t.Helper()
	for _, source := range []string{`{"a":[1,"x"]}`, `{"b":[{"c":1},{"c":"x"}]}`} {
		if got := i.one(t, "1", source); got.Status != bad {
			t.Errorf("%s is answered %d, %v", source, got.Status, got.Error)
		}
	}
	for _, source := range []string{`{"d":[{"e":1},{"f":"x"}]}`, `{"g":[1,2]}`, `{"h":["a","b"]}`} {
		i.wantIndexed(t, "1", source)
	}
	for _, source := range []string{`{"i":12345678901234567890}`, `{"j":1e400}`} {
		if got := i.one(t, "1", source); got.Status != bad {
			t.Errorf("%s is answered %d, %v", source, got.Status, got.Error)
		}
	}
}

func testFieldNames(t *testing.T, i index) {
	t.Helper()
	i.wantRefused(t, "1", `{"":1}`, refusal{bad, "mapper_parsing_exception", "failed to parse", "illegal_argument_exception"})
	i.wantIndexed(t, "2", `{"_foo":1}`)
	got := i.one(t, "3", `{"_id":"x"}`)
	if got.Status != bad || !strings.Contains(got.Error.String(), "Field [_id] is a metadata field and cannot be added inside a document. Use the index API request parameters.") {
		t.Errorf("the field _id is answered %d, %v", got.Status, got.Error)
	}
	i.wantIndexed(t, "4", `{"o":{"_id":"x"}}`)
}

// mapping is one with a mapping type around it where there are some.
func (i index) mapping(inner string) string {
	if i.Typed {
		return `{"_doc":` + inner + `}`
	}
	return inner
}

func testGivenMapping(t *testing.T, i index) {
	t.Helper()
	i.must(t, http.MethodPut, "/"+i.name, `{"mappings":`+i.mapping(`{"properties":{"k":{"type":"keyword"},"o":{"properties":{"l":{"type":"integer"}}}}}`)+`}`)
	i.wantIndexed(t, "1", `{"k":"2026-01-02","o":{"l":1},"more":1}`)
	i.wantRefused(t, "2", `{"o":{"l":"x"}}`, refusal{bad, "mapper_parsing_exception", "failed to parse field [o.l] of type [integer]", ""})
	if got := i.types(t); got["k"] != "keyword" || got["o.l"] != "integer" || got["more"] != "long" {
		t.Errorf("the fields are %v", got)
	}
}

func testStrict(t *testing.T, i index) {
	t.Helper()
	i.must(t, http.MethodPut, "/"+i.name, `{"mappings":`+i.mapping(`{"dynamic":"strict","properties":{"k":{"type":"keyword"},"o":{"dynamic":"false","properties":{}}}}`)+`}`)
	i.wantIndexed(t, "1", `{"k":"x","o":{"more":1}}`)
	i.wantRefused(t, "2", `{"more":1}`,
		refusal{bad, "strict_dynamic_mapping_exception", "mapping set to strict, dynamic introduction of [more] within [_doc] is not allowed", ""})
	if got := i.types(t); len(got) != 2 {
		t.Errorf("the fields are %v", got)
	}
}

func testFieldLimit(t *testing.T, i index) {
	t.Helper()
	i.must(t, http.MethodPut, "/"+i.name, `{"settings":{"index.mapping.total_fields.limit":3}}`)
	i.wantIndexed(t, "1", `{"a":1,"text":"counts twice"}`)
	i.wantRefused(t, "2", `{"b":1}`, refusal{bad, "illegal_argument_exception", "Limit of total fields [3]", ""})
}

func testDepth(t *testing.T, i index) {
	t.Helper()
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	i.wantIndexed(t, "1", nested(20))
	if got := i.one(t, "2", nested(23)); got.Status != bad {
		t.Errorf("23 levels are answered %d, %v", got.Status, got.Error)
	}
}
