package searchtest

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func testInfo(t *testing.T, i index) {
	t.Helper()
	version, _ := i.must(t, http.MethodGet, "/", "")["version"].(map[string]any)
	number, _ := version["number"].(string)
	if _, isOpenSearch := version["distribution"]; number == "" || isOpenSearch == i.Typed {
		t.Errorf("the version is %v", version)
	}
}

func testNodes(t *testing.T, i index) {
	t.Helper()
	out := i.must(t, http.MethodGet, "/_nodes/http?filter_path=nodes.*.version,nodes.*.http.max_content_length_in_bytes", "")
	nodes, _ := out["nodes"].(map[string]any)
	for _, n := range nodes {
		node, _ := n.(map[string]any)
		settings, _ := node["http"].(map[string]any)
		length, _ := settings["max_content_length_in_bytes"].(float64)
		if len(out) != 1 || len(node) != 2 || node["version"] == "" || length < 1 || i.MaxContentLength > 0 && int(length) != i.MaxContentLength {
			t.Errorf("the answer is %v", out)
		}
	}
	if len(nodes) != 1 {
		t.Errorf("there are %d nodes, want 1", len(nodes))
	}
}

func testVersions(t *testing.T, i index) {
	t.Helper()
	for n, want := range []item{
		{"index", i.name, "1", 1, "created", http.StatusCreated, nil},
		{"index", i.name, "1", 2, "updated", http.StatusOK, nil},
	} {
		if got := i.one(t, "1", fmt.Sprintf(`{"n":%d}`, n)); got != want {
			t.Errorf("the item is %+v, want %+v", got, want)
		}
	}
	if got := i.found(t); got["1"] != `{"n":1}` || len(got) != 1 {
		t.Errorf("the index has %v", got)
	}
}

func testSources(t *testing.T, i index) {
	t.Helper()
	want := map[string]string{
		"a": `{ "spaces" :  [1 , 2 ] }`, "b": `{"é":"ü \u00e9 \" \\ / <>&"}`, "c": `{}`,
		"d": `{"big":123456789012345,"f":1.50,"neg":-0.0,"null":null,"deep":{"er":{"x":[{"y":1}]}}}`,
	}
	var body strings.Builder
	for id, source := range want {
		body.WriteString(i.line("index", id) + source + "\n")
	}
	i.bulk(t, body.String())
	if got := i.found(t); !maps.Equal(got, want) {
		t.Errorf("the index has %v, want %v", got, want)
	}
}

func testGet(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "1", `{"n":1}`)
	var got hit
	out := i.ask(t, http.MethodGet, "/"+i.name+"/_doc/1", "")
	if err := json.Unmarshal(out.body, &got); err != nil || out.status != http.StatusOK || string(got.Source) != `{"n":1}` || got.Version != 1 {
		t.Errorf("the document is answered %d: %s", out.status, out.body)
	}
	if out = i.ask(t, http.MethodGet, "/"+i.name+"/_doc/2", ""); out.status != http.StatusNotFound || out.json(t)["found"] != false {
		t.Errorf("a document that is not there is answered %d: %s", out.status, out.body)
	}
}

func testOwnIDs(t *testing.T, i index) {
	t.Helper()
	line := i.line("index", "")
	list := i.bulk(t, line+"{}\n"+line+"{}\n")
	if len(list) != 2 || list[0].ID == "" || list[0].ID == list[1].ID || list[0].Status != http.StatusCreated {
		t.Errorf("the items are %+v", list)
	}
	if got := len(i.found(t)); got != 2 {
		t.Errorf("the index has %d documents, want 2", got)
	}
}

func testNumericID(t *testing.T, i index) {
	t.Helper()
	list := i.bulk(t, i.line("index", "", `"_id":7`)+"{}\n")
	if list[0].ID != "7" || list[0].Status != http.StatusCreated {
		t.Errorf("the item is %+v", list[0])
	}
}

func testCreate(t *testing.T, i index) {
	t.Helper()
	list := i.bulk(t, i.line("create", "1")+`{"n":1}`+"\n"+i.line("create", "1")+`{"n":2}`+"\n")
	if list[0].Status != http.StatusCreated || list[0].Operation != "create" {
		t.Errorf("the first create is answered %+v", list[0])
	}
	refusal{http.StatusConflict, "version_conflict_engine_exception", "[1]: version conflict, document already exists (current version [1])", ""}.
		check(t, "the second create", list[1].Status, list[1].Error)
	if got := i.found(t); got["1"] != `{"n":1}` {
		t.Errorf("the index has %v", got)
	}
}

func testExternal(t *testing.T, i index) {
	t.Helper()
	steps := []struct {
		version, kind string
		want          int
	}{
		{"5", "external", http.StatusCreated},
		{"5", "external", http.StatusConflict},
		{"4", "external", http.StatusConflict},
		{`"9"`, "external", http.StatusOK},
		{"9", "external_gte", http.StatusOK},
		{"8", "external_gte", http.StatusConflict},
	}
	for _, s := range steps {
		got := i.bulk(t, i.line("index", "1", `"version":`+s.version, `"version_type":"`+s.kind+`"`)+`{"v":`+s.version+"}\n")[0]
		if got.Status != s.want {
			t.Errorf("version %s, %s, is answered %d, %v; want %d", s.version, s.kind, got.Status, got.Error, s.want)
		}
		if s.want == http.StatusConflict {
			refusal{s.want, "version_conflict_engine_exception", "version conflict, current version [", ""}.check(t, "version "+s.version, got.Status, got.Error)
		}
	}
	if got := i.bulk(t, i.line("index", "0", `"version":0`, `"version_type":"external"`)+"{}\n")[0]; got.Status != http.StatusCreated || got.Version != 0 {
		t.Errorf("version 0 is answered %+v", got)
	}
	if got := i.one(t, "1", `{"v":10}`); got.Version != 10 || got.Status != http.StatusOK {
		t.Errorf("a write without a version is answered %+v", got)
	}
}

func testDelete(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "1", "{}")
	list := i.bulk(t, i.line("delete", "1")+i.line("delete", "2"))
	if list[0].Status != http.StatusOK || list[0].Result != "deleted" || list[1].Status != http.StatusNotFound || list[1].Result != "not_found" {
		t.Errorf("the items are %+v", list)
	}
	if got := i.found(t); len(got) != 0 {
		t.Errorf("the index has %v", got)
	}
}

func testOrder(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "0", `{"n":1}`)
	other := i.name + "-other"
	var body strings.Builder
	for n := range 60 {
		name, source := i.name, `{"n":1}`
		if n%3 == 1 {
			name = other
		}
		if n%5 == 2 && name == i.name {
			source = `{"n":"x"}`
		}
		body.WriteString(i.lineOf("index", name, strconv.Itoa(n)) + source + "\n")
	}
	for n, got := range i.bulk(t, body.String()) {
		want := http.StatusCreated
		switch {
		case n%5 == 2 && n%3 != 1:
			want = http.StatusBadRequest
		case n == 0:
			want = http.StatusOK
		}
		if got.ID != strconv.Itoa(n) || got.Status != want || (got.Index == other) != (n%3 == 1) {
			t.Errorf("item %d is %+v, want status %d", n, got, want)
		}
	}
}

// testHalf has the mapping made before: the items of a request go to several shards
// side by side, and whichever is first would decide it.
func testHalf(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "0", `{"n":0}`)
	list := i.bulk(t, i.line("index", "1")+`{"n":1}`+"\n"+i.line("index", "2")+`{"n":{"x":1}}`+"\n"+i.line("index", "3")+`{"n":3}`+"\n")
	if list[0].Status != http.StatusCreated || list[1].Status != http.StatusBadRequest || list[2].Status != http.StatusCreated {
		t.Errorf("the items are %+v", list)
	}
	if got := i.found(t); !maps.Equal(got, map[string]string{"0": `{"n":0}`, "1": `{"n":1}`, "3": `{"n":3}`}) {
		t.Errorf("the index has %v", got)
	}
}

func testEmptyLines(t *testing.T, i index) {
	t.Helper()
	i.bulk(t, "\n"+i.line("index", "1")+"{}\n\n\n"+i.line("index", "2")+"{}\n\n")
	if got := len(i.found(t)); got != 2 {
		t.Errorf("the index has %d documents, want 2", got)
	}
}

func testPathIndex(t *testing.T, i index) {
	t.Helper()
	path := "/" + i.name + "/_bulk"
	if i.Typed {
		path = "/" + i.name + "/_doc/_bulk"
	}
	list := items(t, i.ask(t, http.MethodPut, path, `{"index":{"_id":"1"}}`+"\n{}\n"+i.lineOf("index", i.name+"-2", "2")+"{}\n"))
	if list[0].Index != i.name || list[1].Index != i.name+"-2" {
		t.Errorf("the items are %+v", list)
	}
}

func testGzip(t *testing.T, i index) {
	t.Helper()
	body := compressed(t, i.line("index", "1")+`{"n":1}`+"\n")
	list := items(t, i.ask(t, http.MethodPost, "/_bulk", body, "Content-Encoding", "gzip", "Content-Type", "application/x-ndjson"))
	if list[0].Status != http.StatusCreated || i.found(t)["1"] != `{"n":1}` {
		t.Errorf("the items are %+v", list)
	}
}

func testGzipAnswer(t *testing.T, i index) {
	t.Helper()
	out := i.ask(t, http.MethodPost, "/_bulk", i.line("index", "1")+"{}\n", "Accept-Encoding", "gzip")
	if out.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("the answer's headers are %v", out.header)
	}
	z, err := gzip.NewReader(strings.NewReader(string(out.body)))
	if err != nil {
		t.Fatal(err)
	}
	if out.body, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	if list := items(t, out); list[0].Status != http.StatusCreated {
		t.Errorf("the items are %+v", list)
	}
}

func testFilters(t *testing.T, i index) {
	t.Helper()
	i.wantIndexed(t, "1", `{"n":1}`)
	good, bad := i.line("index", "1")+`{"n":1}`+"\n", i.line("index", "2")+`{"n":{}}`+"\n"
	for _, row := range []struct{ paths, body, want string }{
		{"errors,items.*.status", good + bad, `{"errors":true,"items":[{"index":{"status":200}},{"index":{"status":400}}]}`},
		{"errors,items.*.status,items.*.error.type,error,status", bad, `{"errors":true,"items":[{"index":{"status":400,"error":{"type":"mapper_parsing_exception"}}}]}`},
		{"items.*.error.type", good + bad, `{"items":[{"index":{"error":{"type":"mapper_parsing_exception"}}}]}`},
		{"items.*.error", good, `{}`},
		{"**.status", good, `{"items":[{"index":{"status":200}}]}`},
		{"items.index.status", good, `{"items":[{"index":{"status":200}}]}`},
		{"items.*.st*", good, `{"items":[{"index":{"status":200}}]}`},
		{"nope", good, `{}`},
		{"-items,-took", good, `{"errors":false}`},
	} {
		if got := string(i.ask(t, http.MethodPost, "/_bulk?filter_path="+row.paths, row.body).body); got != row.want {
			t.Errorf("%s leaves %s, want %s", row.paths, got, row.want)
		}
	}
	refusal{http.StatusBadRequest, "illegal_argument_exception", "The bulk request must be terminated by a newline", ""}.
		checkAnswer(t, "what is refused, and is not filtered,", i.ask(t, http.MethodPost, "/_bulk?filter_path=items.*.status", "x"))
}
