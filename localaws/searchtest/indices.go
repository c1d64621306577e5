package searchtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func testIndexLife(t *testing.T, i index) {
	t.Helper()
	exists := func(want int) {
		t.Helper()
		if got := i.ask(t, http.MethodHead, "/"+i.name, "").status; got != want {
			t.Errorf("HEAD is answered %d, want %d", got, want)
		}
	}
	exists(http.StatusNotFound)
	i.must(t, http.MethodPut, "/"+i.name, "")
	exists(http.StatusOK)
	refusal{bad, "resource_already_exists_exception", "already exists", ""}.checkAnswer(t, "a second PUT", i.ask(t, http.MethodPut, "/"+i.name, ""))
	out := i.must(t, http.MethodGet, "/"+i.name, "")
	described, _ := out[i.name].(map[string]any)
	if described["aliases"] == nil || described["mappings"] == nil || described["settings"] == nil {
		t.Errorf("the index is described as %v", out)
	}
	i.must(t, http.MethodDelete, "/"+i.name, "")
	exists(http.StatusNotFound)
}

func testMissing(t *testing.T, i index) {
	t.Helper()
	for _, path := range []string{"", "/_mapping", "/_settings", "/_count", "/_search"} {
		refusal{http.StatusNotFound, "index_not_found_exception", "no such index", ""}.checkAnswer(t, "GET "+path, i.ask(t, http.MethodGet, "/"+i.name+path, ""))
	}
	refusal{http.StatusNotFound, "index_not_found_exception", "no such index", ""}.checkAnswer(t, "DELETE", i.ask(t, http.MethodDelete, "/"+i.name, ""))
	out := i.ask(t, http.MethodGet, "/_alias/"+i.name, "")
	if out.status != http.StatusNotFound || out.json(t)["error"] != "alias ["+i.name+"] missing" {
		t.Errorf("an alias that is not there is answered %d: %s", out.status, out.body)
	}
}

func testBlocks(t *testing.T, i index) {
	t.Helper()
	other := i.name + "-other"
	i.wantIndexed(t, "0", "{}")
	fullDisk := http.StatusTooManyRequests
	if i.Typed {
		fullDisk = http.StatusForbidden
	}
	for _, row := range []struct {
		block, reason string
		status        int
	}{
		{"read_only", "blocked by: [FORBIDDEN/5/index read-only (api)];", http.StatusForbidden},
		{"write", "blocked by: [FORBIDDEN/8/index write (api)];", http.StatusForbidden},
		{"read_only_allow_delete", "/12/", fullDisk},
	} {
		i.must(t, http.MethodPut, "/"+i.name+"/_settings", `{"index.blocks.`+row.block+`":true}`)
		list := i.bulk(t, i.line("index", "1")+"{}\n"+i.lineOf("index", other, row.block)+"{}\n")
		refusal{row.status, "cluster_block_exception", row.reason, ""}.check(t, row.block, list[0].Status, list[0].Error)
		if list[1].Status != http.StatusCreated {
			t.Errorf("another index is answered %d, %v", list[1].Status, list[1].Error)
		}
		i.must(t, http.MethodPut, "/"+i.name+"/_settings", `{"index":{"blocks":{"`+row.block+`":null}}}`)
		i.wantIndexed(t, row.block, "{}")
	}
	if got := len(i.found(t)); got != 4 {
		t.Errorf("the index has %d documents, want 4", got)
	}
}

func testClosed(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "0", "{}")
	i.must(t, http.MethodPost, "/"+i.name+"/_close", "")
	i.wantRefused(t, "1", "{}", refusal{bad, "index_closed_exception", "closed", ""})
	i.must(t, http.MethodPost, "/"+i.name+"/_open", "")
}

func (i index) alias(t *testing.T, actions ...string) {
	t.Helper()
	i.must(t, http.MethodPost, "/_aliases", `{"actions":[`+strings.Join(actions, ",")+`]}`)
}

func testAlias(t *testing.T, i index) {
	t.Helper()
	alias := i.name + "-alias"
	i.wantIndexed(t, "0", "{}")
	i.alias(t, fmt.Sprintf(`{"add":{"index":%q,"alias":%q}}`, i.name, alias))
	got := i.bulk(t, i.lineOf("index", alias, "1")+"{}\n")[0]
	if got.Status != http.StatusCreated || got.Index != i.name {
		t.Errorf("the item is %+v", got)
	}
	out := i.must(t, http.MethodGet, "/_alias/"+alias, "")
	if _, ok := out[i.name]; !ok || len(out) != 1 {
		t.Errorf("the alias is of %v", out)
	}
	if out = i.must(t, http.MethodGet, "/"+alias, ""); out[i.name] == nil {
		t.Errorf("GET of the alias tells of %v", out)
	}
	i.alias(t, fmt.Sprintf(`{"remove":{"index":%q,"alias":%q}}`, i.name, alias))
	if status := i.ask(t, http.MethodGet, "/_alias/"+alias, "").status; status != http.StatusNotFound {
		t.Errorf("an alias that was removed is answered %d", status)
	}
}

func testAliases(t *testing.T, i index) {
	t.Helper()
	alias, other := i.name+"-alias", i.name+"-2"
	i.must(t, http.MethodPut, "/"+i.name, "")
	i.must(t, http.MethodPut, "/"+other, "")
	i.alias(t, fmt.Sprintf(`{"add":{"index":%q,"alias":%q}}`, i.name, alias), fmt.Sprintf(`{"add":{"index":%q,"alias":%q}}`, other, alias))
	body := i.lineOf("index", alias, "1") + "{}\n" + i.line("index", "2") + "{}\n"
	want := refusal{bad, "illegal_argument_exception", "no write index is defined for alias [" + alias + "]. The write index may be explicitly disabled", ""}
	if i.Typed { // which refuses the others as well
		i.wantWhole(t, body, want)
	} else {
		list := i.bulk(t, body)
		want.check(t, "the alias", list[0].Status, list[0].Error)
		if list[1].Status != http.StatusCreated {
			t.Errorf("the index beside it is answered %+v", list[1])
		}
	}
	i.alias(t, fmt.Sprintf(`{"add":{"index":%q,"alias":%q,"is_write_index":true}}`, other, alias))
	if got := i.bulk(t, body)[0]; got.Status != http.StatusCreated || got.Index != other {
		t.Errorf("with an index that is written to the item is %+v", got)
	}
}

func testTemplate(t *testing.T, i index) {
	t.Helper()
	i.must(t, http.MethodPut, "/_template/"+i.name, fmt.Sprintf(`{"index_patterns":["%s*"],"mappings":%s,"aliases":{"%s-alias":{}}}`,
		i.name, i.mapping(`{"properties":{"k":{"type":"long"}}}`), i.name))
	i.name += "-1"
	i.wantRefused(t, "1", `{"k":"x"}`, refusal{bad, "mapper_parsing_exception", "failed to parse field [k] of type [long]", ""})
	i.wantIndexed(t, "2", `{"k":"7"}`)
	if got := i.foundIn(t, strings.TrimSuffix(i.name, "-1")+"-alias"); len(got) != 1 {
		t.Errorf("the alias of the template has %v", got)
	}
}

func testPipelines(t *testing.T, i index) {
	t.Helper()
	i.must(t, http.MethodPut, "/_ingest/pipeline/"+i.name, `{"processors":[]}`)
	list := i.bulk(t, i.line("index", "1", `"pipeline":"nope"`)+"{}\n"+i.line("index", "2", `"pipeline":"`+i.name+`"`)+"{}\n"+i.line("index", "3")+"{}\n")
	refusal{bad, "illegal_argument_exception", "pipeline with id [nope] does not exist", ""}.check(t, "an unknown pipeline", list[0].Status, list[0].Error)
	if list[1].Status != http.StatusCreated || list[2].Status != http.StatusCreated {
		t.Errorf("the items are %+v", list)
	}
	list = items(t, i.ask(t, http.MethodPost, "/_bulk?pipeline=nope", i.line("index", "1")+"{}\n"))
	refusal{bad, "illegal_argument_exception", "pipeline with id [nope] does not exist", ""}.check(t, "an unknown pipeline of all", list[0].Status, list[0].Error)
}

func testRouting(t *testing.T, i index) {
	t.Helper()
	i.bulk(t, i.line("index", "1", `"routing":"k"`)+"{}\n")
	i.must(t, http.MethodPost, "/"+i.name+"/_refresh", "")
	found := hits(t, i.ask(t, http.MethodPost, "/"+i.name+"/_search", "{}"))
	if len(found) != 1 || found[0].Routing != "k" {
		t.Errorf("there are %+v", found)
	}
}

func (i index) stream(t *testing.T) {
	t.Helper()
	i.must(t, http.MethodPut, "/_index_template/"+i.name, `{"index_patterns":["`+i.name+`*"],"data_stream":{}}`)
}

func testDataStream(t *testing.T, i index) {
	t.Helper()
	i.stream(t)
	const source = `{"@timestamp":"2026-01-01T00:00:00Z"}` + "\n"
	create := func(id, source string) item { return i.bulk(t, i.line("create", id)+source)[0] }
	i.wantRefused(t, "1", `{"@timestamp":"2026-01-01T00:00:00Z"}`,
		refusal{bad, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams", ""})
	got := create("1", source)
	if got.Status != http.StatusCreated || got.Index != ".ds-"+i.name+"-000001" {
		t.Errorf("the create is answered %+v", got)
	}
	if got = create("", source); got.Status != http.StatusCreated || got.ID == "" {
		t.Errorf("a create without an id is answered %+v", got)
	}
	if got = create("1", source); got.Status != http.StatusConflict {
		t.Errorf("a second create is answered %d, %v", got.Status, got.Error)
	}
	want := refusal{bad, "mapper_parsing_exception", "failed to parse", "illegal_argument_exception"}
	for _, source := range []string{`{"a":1}`, `{"@timestamp":["2026-01-01","2026-01-02"]}`} {
		got = create("2", source+"\n")
		want.check(t, source, got.Status, got.Error)
	}
	if got := i.found(t); len(got) != 2 {
		t.Errorf("the stream has %v", got)
	}
	out := i.must(t, http.MethodGet, "/_data_stream/"+i.name, "")
	if streams, _ := out["data_streams"].([]any); len(streams) != 1 {
		t.Errorf("the streams are %v", out)
	}
}

func testRollover(t *testing.T, i index) {
	t.Helper()
	i.stream(t)
	i.must(t, http.MethodPut, "/_data_stream/"+i.name, "")
	body := i.line("create", "1") + `{"@timestamp":"2026-01-01"}` + "\n"
	first := i.bulk(t, body)[0]
	i.must(t, http.MethodPost, "/"+i.name+"/_rollover", "")
	second := i.bulk(t, body)[0]
	if first.Status != http.StatusCreated || second.Status != http.StatusCreated || first.Index == second.Index {
		t.Errorf("the creates are answered %+v and %+v", first, second)
	}
	i.must(t, http.MethodPost, "/"+i.name+"/_refresh", "")
	if got := i.must(t, http.MethodGet, "/"+i.name+"/_count", "")["count"]; got != 2.0 {
		t.Errorf("the stream has %v documents, want 2", got)
	}
}

func testPaging(t *testing.T, i index) {
	t.Helper()
	var body strings.Builder
	for n := range 25 {
		body.WriteString(i.line("index", fmt.Sprintf("%03d", n)) + "{}\n")
	}
	i.bulk(t, body.String())
	i.must(t, http.MethodPost, "/"+i.name+"/_refresh", "")
	if got := i.must(t, http.MethodGet, "/"+i.name+"/_count", "")["count"]; got != 25.0 {
		t.Errorf("the index has %v documents, want 25", got)
	}
	var seen []string
	after := ""
	for range 4 {
		for _, h := range hits(t, i.ask(t, http.MethodPost, "/"+i.name+"/_search", `{"size":10,"sort":[{"_id":"asc"}]`+after+`}`)) {
			seen = append(seen, h.ID)
			after = `,"search_after":["` + h.ID + `"]`
		}
	}
	if len(seen) != 25 || seen[0] != "000" || seen[24] != "024" {
		t.Errorf("the pages have %v", seen)
	}
}
