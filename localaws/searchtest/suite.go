package searchtest

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Cluster is what the suite talks to. It has no security, or Client sees to it.
type Cluster struct {
	Endpoint string
	Client   *http.Client

	// Typed is a cluster of Elasticsearch 6: documents have a mapping type, and there are
	// no data streams.
	Typed bool

	MaxContentLength int // http.max_content_length, at most a few MiB; 0 if its limit is not to be tried
}

// Run checks a cluster. Every test uses indices of its own, with random names, and
// leaves them there.
func Run(t *testing.T, c Cluster) {
	t.Helper()
	tests := []struct {
		name string
		run  func(t *testing.T, i index)
		want bool
	}{
		{"the cluster says what it is", testInfo, true},
		{"nodes say how large a body may be", testNodes, true},
		{"a document is created, and then updated", testVersions, true},
		{"documents come back as they were sent", testSources, true},
		{"one document is got by its id", testGet, true},
		{"a document without an id is given one", testOwnIDs, true},
		{"an id may be a number", testNumericID, true},
		{"create refuses an id that is there, and changes nothing", testCreate, true},
		{"of external versions the greater one is kept", testExternal, true},
		{"a deleted document is gone", testDelete, true},
		{"items are answered in their order, whatever became of them", testOrder, true},
		{"one item that fails does not keep the others from the index", testHalf, true},
		{"a document may follow an empty line", testEmptyLines, true},
		{"the index of the path is that of lines without one", testPathIndex, true},
		{"bodies may be compressed", testGzip, true},
		{"an answer may be asked for compressed", testGzipAnswer, true},
		{"filter_path leaves what it names", testFilters, true},
		{"what is malformed is refused item by item", testMalformed, true},
		{"a request without a newline at its end is refused whole", testNoNewline, true},
		{"a newline in a document makes the request one that is refused whole", testNewlineInside, true},
		{"action lines that cannot be read refuse the request whole", testActions, true},
		{"what does not go together refuses the request whole", testInvalid, true},
		{"requests that there are not are refused", testUnknown, true},
		{"a body of an unknown kind is refused", testContentType, true},
		{"a body that is too large is refused, with nothing to read", testTooLarge, c.MaxContentLength > 0},
		{"names that are none of an index are refused", testNames, true},
		{"the first value of a field decides its type", testDynamic, true},
		{"values that a field does not take are refused", testConflicts, true},
		{"values that a field takes are taken", testCoercions, true},
		{"a document that is refused leaves no mapping behind", testNoTrace, true},
		{"a field that came to be in a document holds in it", testWithin, true},
		{"names of fields are refused that there cannot be", testFieldNames, true},
		{"a mapping that is given is kept to", testGivenMapping, true},
		{"a strict mapping takes no other fields", testStrict, true},
		{"a mapping has no more fields than its limit", testFieldLimit, true},
		{"documents may not be nested too deep", testDepth, true},
		{"an index has one mapping type", testOneType, c.Typed},
		{"a mapping type is refused, or needed", testTypes, true},
		{"a create without an id is refused whole", testCreateNeedsID, c.Typed},
		{"an index is there when it was made, and gone when it was deleted", testIndexLife, true},
		{"an index that is not there is said to be missing", testMissing, true},
		{"blocks of an index refuse its items", testBlocks, true},
		{"a closed index refuses its items", testClosed, true},
		{"an alias of one index is written through", testAlias, true},
		{"an alias of several indices needs one that is written to", testAliases, true},
		{"an index template decides mappings", testTemplate, true},
		{"an unknown pipeline refuses its items", testPipelines, true},
		{"routing comes back", testRouting, true},
		{"data streams take creates with a time", testDataStream, !c.Typed},
		{"a data stream has the same id once in each index", testRollover, !c.Typed},
		{"documents are counted, and read page by page", testPaging, true},
	}
	for _, test := range tests {
		if !test.want {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var random [8]byte
			_, _ = rand.Read(random[:]) // never fails
			test.run(t, index{c, "searchtest-" + hex.EncodeToString(random[:])})
		})
	}
}

// index is a test's own, whether or not it was made.
type index struct {
	Cluster
	name string
}

// answer is what a request was answered with.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask makes a request.
func (i index) ask(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, i.Endpoint+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	out, err := i.Client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	text, err := io.ReadAll(out.Body)
	_ = out.Body.Close() // it was read to its end
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", method, path, err)
	}
	return answer{out.StatusCode, out.Header, text}
}

// must makes a request that is to succeed, and reads its answer into a value.
func (i index) must(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	out := i.ask(t, method, path, body)
	if out.status != http.StatusOK {
		t.Fatalf("%s %s is answered %d: %s", method, path, out.status, out.body)
	}
	return out.json(t)
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("the answer is no JSON object: %v: %q", err, a.body)
	}
	return v
}

// reason is an error's, as an answer tells it.
type reason struct {
	Type   string
	Reason string
	Cause  *reason `json:"caused_by"`
}

func (r *reason) String() string {
	if r == nil {
		return "no error"
	}
	s := r.Type + ": " + r.Reason
	if r.Cause != nil {
		s += ", caused by " + r.Cause.String()
	}
	return s
}

// item is what became of an item.
type item struct {
	Operation string
	Index     string `json:"_index"`
	ID        string `json:"_id"`
	Version   int64  `json:"_version"`
	Result    string
	Status    int
	Error     *reason
}

// line is an action line for the test's index, with a mapping type where there are
// some. Members are further ones, as JSON: `"routing":"k"`.
func (i index) line(operation, id string, members ...string) string {
	return i.lineOf(operation, i.name, id, members...)
}

func (i index) lineOf(operation, name, id string, members ...string) string {
	all := []string{`"_index":` + quoted(name)}
	if i.Typed {
		all = append(all, `"_type":"_doc"`)
	}
	if id != "" {
		all = append(all, `"_id":`+quoted(id))
	}
	return `{"` + operation + `":{` + strings.Join(append(all, members...), ",") + "}}\n"
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(text)
}

// bulk makes a bulk request that is to be answered item by item.
func (i index) bulk(t *testing.T, body string) []item {
	t.Helper()
	return items(t, i.ask(t, http.MethodPost, "/_bulk", body))
}

func items(t *testing.T, out answer) []item {
	t.Helper()
	if out.status != http.StatusOK {
		t.Fatalf("the request is answered %d: %s", out.status, out.body)
	}
	var v struct {
		Errors bool
		Items  []map[string]item
	}
	if err := json.Unmarshal(out.body, &v); err != nil {
		t.Fatalf("the answer is none: %v: %q", err, out.body)
	}
	var list []item
	failed := false
	for _, entry := range v.Items {
		for operation, one := range entry {
			one.Operation = operation
			list = append(list, one)
			failed = failed || one.Error != nil
		}
	}
	if failed != v.Errors {
		t.Errorf("the answer says errors: %t; of its items that is %t: %s", v.Errors, failed, out.body)
	}
	return list
}

// one indexes a document by an id, and says what became of it.
func (i index) one(t *testing.T, id, source string) item {
	t.Helper()
	list := i.bulk(t, i.line("index", id)+source+"\n")
	if len(list) != 1 {
		t.Fatalf("there are %d items in the answer, want 1", len(list))
	}
	return list[0]
}

// wantIndexed fails the test unless a document was indexed.
func (i index) wantIndexed(t *testing.T, id, source string) {
	t.Helper()
	if got := i.one(t, id, source); got.Status != http.StatusCreated && got.Status != http.StatusOK {
		t.Errorf("the document %s is answered %d, %v", source, got.Status, got.Error)
	}
}

// refusal is how an item, or a request, is refused. The reason is a part of the
// server's.
type refusal struct {
	status       int
	kind, reason string
	cause        string // type of the error's cause; "" for any
}

// check fails the test unless an error is as wanted.
func (want refusal) check(t *testing.T, what string, status int, got *reason) {
	t.Helper()
	if status != want.status || got == nil || got.Type != want.kind || !strings.Contains(got.Reason, want.reason) ||
		(want.cause != "" && (got.Cause == nil || got.Cause.Type != want.cause)) {
		t.Errorf("%s is answered %d, %v; want %d, %s: …%s… (%s)", what, status, got, want.status, want.kind, want.reason, want.cause)
	}
}

// wantRefused fails the test unless a document is refused.
func (i index) wantRefused(t *testing.T, id, source string, want refusal) {
	t.Helper()
	got := i.one(t, id, source)
	want.check(t, "the document "+shortened(source), got.Status, got.Error)
}

// wantWhole fails the test unless a bulk request is refused as a whole.
func (i index) wantWhole(t *testing.T, body string, want refusal) {
	t.Helper()
	want.checkAnswer(t, "the request "+shortened(body), i.ask(t, http.MethodPost, "/_bulk", body))
}

func (want refusal) checkAnswer(t *testing.T, what string, out answer) {
	t.Helper()
	var v struct {
		Error  *reason
		Status int
	}
	if err := json.Unmarshal(out.body, &v); err != nil {
		t.Errorf("%s is answered %d: %q", what, out.status, out.body)
		return
	}
	if v.Status != out.status {
		t.Errorf("%s is answered %d, but says %d", what, out.status, v.Status)
	}
	want.check(t, what, out.status, v.Error)
}

func shortened(s string) string { return s[:min(len(s), 120)] }

// found returns the documents of the test's index, by id, after a refresh.
func (i index) found(t *testing.T) map[string]string {
	t.Helper()
	return i.foundIn(t, i.name)
}

func (i index) foundIn(t *testing.T, name string) map[string]string {
	t.Helper()
	i.must(t, http.MethodPost, "/"+name+"/_refresh", "")
	out := i.ask(t, http.MethodPost, "/"+name+"/_search", `{"size":1000}`)
	documents := make(map[string]string)
	for _, h := range hits(t, out) {
		documents[h.ID] = string(h.Source)
	}
	return documents
}

// hit is a document that was found.
type hit struct {
	Index   string          `json:"_index"`
	ID      string          `json:"_id"`
	Source  json.RawMessage `json:"_source"`
	Routing string          `json:"_routing"`
	Version int64           `json:"_version"`
}

func hits(t *testing.T, out answer) []hit {
	t.Helper()
	var v struct{ Hits struct{ Hits []hit } }
	if err := json.Unmarshal(out.body, &v); err != nil || out.status != http.StatusOK {
		t.Fatalf("the search is answered %d: %q", out.status, out.body)
	}
	return v.Hits.Hits
}

func compressed(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
