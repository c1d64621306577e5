//go:build search

package referees_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// TestReferee delivers documents to a server that we did not write, which is left as it
// is. Those tests follow that restart it.
func TestReferee(t *testing.T) {
	t.Parallel()
	r := newReferee(t)
	tests := []struct {
		name string
		run  func(t *testing.T, r referee)
	}{
		{"documents of two hours are in an index of each", testTwoHours},
		{"ids that are delivered again replace themselves", testAgain},
		{"without ids each document is there, once", testNoIDs},
		{"a document that conflicts with the mapping fails with the reason, and no other", testMappingConflict},
		{"with FastFail it fails at once", testFastFail},
		{"the later version of an id of a field is kept", testVersions},
		{"a create of an id of a field that is there fails with 409", testCreateOfField},
		{"documents wait for a read-only index", testReadOnly},
		{"requests are as large as the node takes them", testKnownLimit},
		{"requests that are too large become smaller", testUnknownLimit},
		{"compressed requests arrive", testCompressed},
		{"routing goes with a document", testRouting},
		{"a pipeline that is not there fails its documents with the reason", testPipeline},
		{"an alias without an index to write to fails its documents with the reason", testAliasOfTwo},
		{"data streams take creates", testDataStream},
		{"looks find nothing wrong, and change nothing", testLooks},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, r)
		})
	}
}

func testTwoHours(t *testing.T, r referee) {
	t.Helper()
	name := r.name()
	c := r.config(t, name)
	c.IndexRotationPeriod = esarchive.OneHour
	list := makeDocuments(0, 900)
	hours := map[string]documents{}
	for i := range list {
		list[i].at = noon().Add(55*time.Minute + time.Duration(i)*time.Second) // 12:55:00 to 13:09:59
		hour := name + list[i].at.Format("-2006-01-02-15")
		hours[hour] = append(hours[hour], list[i])
	}
	e := new(events)
	wantIndexed(t, deliver(t, index(t, c), e, list), list)
	if len(hours) != 2 {
		t.Fatalf("the documents are of %d hours", len(hours))
	}
	for hour, list := range hours {
		r.wantAll(t, hour, list)
	}
}

func testAgain(t *testing.T, r referee) {
	t.Helper()
	name := r.name()
	x, list := index(t, r.config(t, name)), makeDocuments(0, 500)
	for range 2 {
		wantIndexed(t, deliver(t, x, new(events), list), list)
	}
	r.wantAll(t, name, list)
	for _, d := range r.all(t, name) {
		if d.Version != 2 {
			t.Errorf("the document %s has version %d, want 2", d.ID, d.Version)
		}
	}
}

func testNoIDs(t *testing.T, r referee) {
	t.Helper()
	name := r.name()
	c := r.config(t, name)
	c.IDs.None = true
	list := makeDocuments(0, 500)
	wantIndexed(t, deliver(t, index(t, c), new(events), list), list)
	var want, got []string
	for _, d := range list {
		want = append(want, strings.TrimSpace(d.data))
	}
	for _, d := range r.all(t, name) {
		got = append(got, string(d.Source))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("there are %d documents, want the %d that were delivered", len(got), len(want))
	}
}

// conflicting returns 100 documents of which the 50th conflicts with the mapping.
func conflicting() documents {
	list := makeDocuments(0, 100)
	list[50].data = `{"n":{"not":"a number"}}`
	return list
}

func (r referee) wantConflict(t *testing.T, name string, o processors.IndexOutcome, list documents) processors.DocumentFailure {
	t.Helper()
	if o.Indexed != 99 || len(o.Failed) != 1 {
		t.Fatalf("%d documents were indexed, and %d failed; want 99 and 1: %+v", o.Indexed, len(o.Failed), o.Failed)
	}
	f := o.Failed[0]
	if f.Document != 50 || f.Code != "400" || f.ID != list[50].place || f.Index != name || (f.Type == "log") != r.typed ||
		!strings.Contains(f.Message, "mapper_parsing_exception: failed to parse field [n] of type [long]") {
		t.Errorf("the failure is %+v", f)
	}
	r.wantAll(t, name, slices.Delete(slices.Clone(list), 50, 51))
	return f
}

func testMappingConflict(t *testing.T, r referee) {
	t.Helper()
	name, list := r.name(), conflicting()
	c := r.config(t, name)
	c.RetryDuration = seconds(3)
	begun := time.Now()
	f := r.wantConflict(t, name, deliver(t, index(t, c), new(events), list)[0], list)
	if f.Attempts < 2 || f.Ended.Sub(begun) < 2*time.Second {
		t.Errorf("it was tried %d times in %v, want for 3 s", f.Attempts, f.Ended.Sub(begun))
	}
	for _, d := range r.all(t, name) {
		if d.Version != 1 {
			t.Errorf("the document %s was written %d times", d.ID, d.Version)
		}
	}
}

func testFastFail(t *testing.T, r referee) {
	t.Helper()
	name, list := r.name(), conflicting()
	c := r.config(t, name)
	c.FastFail = true
	if f := r.wantConflict(t, name, deliver(t, index(t, c), new(events), list)[0], list); f.Attempts != 1 {
		t.Errorf("it was tried %d times, want once", f.Attempts)
	}
}

func testVersions(t *testing.T, r referee) {
	t.Helper()
	name := r.name()
	c := r.config(t, name)
	c.IDs.Field, c.IDs.VersionField = "user.id", "v"
	var list documents
	for i, v := range []int{5, 3, 9, 7} {
		list = append(list, document{place: fmt.Sprintf("%d.0", i), data: fmt.Sprintf(`{"user":{"id":"u"},"v":%d}`, v), at: noon()})
	}
	o := deliver(t, index(t, c), new(events), list)[0]
	if o.Indexed != 2 || o.Superseded != 2 || len(o.Failed) != 0 {
		t.Errorf("%d documents were indexed, %d superseded, %d failed; want 2, 2 and none", o.Indexed, o.Superseded, len(o.Failed))
	}
	if got := r.all(t, name); len(got) != 1 || got[0].Version != 9 || got[0].ID != "u" {
		t.Errorf("the index has %+v", got)
	}
}

func testCreateOfField(t *testing.T, r referee) {
	t.Helper()
	name := r.name()
	c := r.config(t, name)
	c.IDs.Field, c.Operation = "id", esarchive.OpCreate
	list := documents{{"1.0", `{"id":"a","n":1}`, noon()}, {"2.0", `{"id":"a","n":2}`, noon()}}
	o := deliver(t, index(t, c), new(events), list)[0]
	if o.Indexed != 1 || len(o.Failed) != 1 || o.Failed[0].Code != "409" || o.Failed[0].Attempts != 1 || o.Failed[0].Document != 1 {
		t.Errorf("the outcome is %+v", o)
	}
	if got := r.all(t, name); len(got) != 1 || string(got[0].Source) != `{"id":"a","n":1}` {
		t.Errorf("the index has %+v", got)
	}
}

func testReadOnly(t *testing.T, r referee) {
	t.Helper()
	name, list := r.name(), makeDocuments(0, 300)
	r.create(t, name)
	for _, block := range []string{"read_only", "read_only_allow_delete"} {
		r.ask(t, http.MethodPut, "/"+name+"/_settings", `{"index.blocks.`+block+`":true}`)
		e := new(events)
		ended := make(chan []processors.IndexOutcome, 1)
		c := r.config(t, name)
		c.FastFail = true // it is no mistake of a document's
		go func() { ended <- deliver(t, index(t, c), e, list) }()
		select {
		case o := <-ended:
			t.Errorf("%s: the documents did not wait: %+v", block, o[0])
		case <-time.After(3 * time.Second):
			if e.total() != 0 {
				t.Errorf("%s: %d documents were indexed", block, e.total())
			}
			r.ask(t, http.MethodPut, "/"+name+"/_settings", `{"index.blocks.`+block+`":null}`)
			wantIndexed(t, <-ended, list)
		}
	}
	r.wantAll(t, name, list)
}

func testKnownLimit(t *testing.T, r referee) {
	t.Helper()
	name, list := r.name(), makeDocuments(0, 9000) // 3.5 MB, to a node that takes 1 MiB
	e := new(events)
	wantIndexed(t, deliver(t, index(t, r.config(t, name)), e, list), list)
	r.wantAll(t, name, list)
	if e.failed > 0 || e.requests > 8 {
		t.Errorf("there were %v; want few, and none that failed", e)
	}
}

// silent hides what the cluster says of itself.
type silent struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/_bulk") {
		return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody, Request: r, Header: make(http.Header)}, nil
	}
	return s.Transport.RoundTrip(r)
}

func testUnknownLimit(t *testing.T, r referee) {
	t.Helper()
	name, list := r.name(), makeDocuments(0, 9000)
	huge := document{"9.0", `{"text":"` + strings.Repeat("x", 1<<20) + `"}`, noon()}
	transport := &http.Transport{ExpectContinueTimeout: time.Second} // as ours has it
	t.Cleanup(transport.CloseIdleConnections)
	c := r.config(t, name)
	c.Transport, c.FastFail, c.Engine = silent{transport}, true, "OpenSearch_2.19"
	if r.typed {
		c.Engine = "Elasticsearch_6.8"
	}
	e := new(events)
	o := deliver(t, index(t, c), e, append(slices.Clone(list), huge))[0]
	if o.Indexed != int64(len(list)) || len(o.Failed) != 1 || o.Failed[0].Code != "413" || o.Failed[0].Document != len(list) {
		t.Errorf("%d of %d documents were indexed, %d failed; there were %v", o.Indexed, len(list), len(o.Failed), e)
		for _, f := range o.Failed[:min(2, len(o.Failed))] {
			t.Errorf("one failed: %+v", f)
		}
	}
	r.wantAll(t, name, list)
	if e.failed == 0 {
		t.Errorf("no request was too large: %v", e)
	}
}

func testCompressed(t *testing.T, r referee) {
	t.Helper()
	name, list := r.name(), makeDocuments(0, 3000)
	c := r.config(t, name)
	c.GZIP = true
	e := new(events)
	wantIndexed(t, deliver(t, index(t, c), e, list), list)
	r.wantAll(t, name, list)
	if e.failed > 0 {
		t.Errorf("there were %v", e)
	}
}

func testRouting(t *testing.T, r referee) {
	t.Helper()
	name, list := r.name(), makeDocuments(7, 20)
	r.create(t, name)
	c := r.config(t, name)
	c.RoutingField = "shard"
	wantIndexed(t, deliver(t, index(t, c), new(events), list), list)
	for _, d := range r.all(t, name) {
		if d.Routing != "7" {
			t.Errorf("the document %s has the routing %q, want 7", d.ID, d.Routing)
		}
	}
}

// wantFailed fails the test unless all documents failed with a reason.
func wantFailed(t *testing.T, o processors.IndexOutcome, list documents, code, reason string) {
	t.Helper()
	if o.Indexed != 0 || len(o.Failed) != len(list) {
		t.Fatalf("%d documents were indexed, %d failed; want all %d to fail", o.Indexed, len(o.Failed), len(list))
	}
	if f := o.Failed[0]; f.Code != code || !strings.Contains(f.Message, reason) || f.Attempts < 1 {
		t.Errorf("the failure is %+v; want %s, …%s…", f, code, reason)
	}
}

func testPipeline(t *testing.T, r referee) {
	t.Helper()
	name, list := r.name(), makeDocuments(0, 20)
	c := r.config(t, name)
	c.Pipeline, c.RetryDuration = "nope", seconds(0)
	wantFailed(t, deliver(t, index(t, c), new(events), list)[0], list, "400", "pipeline with id [nope] does not exist")
	r.ask(t, http.MethodPut, "/_ingest/pipeline/"+name, `{"processors":[]}`)
	c.Pipeline = name
	wantIndexed(t, deliver(t, index(t, c), new(events), list), list)
	r.wantAll(t, name, list)
}

func testAliasOfTwo(t *testing.T, r referee) {
	t.Helper()
	name, list := r.name(), makeDocuments(0, 20)
	r.create(t, name+"-1")
	r.create(t, name+"-2")
	r.ask(t, http.MethodPost, "/_aliases", fmt.Sprintf(`{"actions":[{"add":{"index":"%[1]s-1","alias":%[1]q}},{"add":{"index":"%[1]s-2","alias":%[1]q}}]}`, name))
	c := r.config(t, name)
	c.RetryDuration = seconds(1)
	x := index(t, c)
	code := "400"
	if r.typed { // which refuses the request as a whole
		code = "OS.AliasWithMultipleIndicesNotAllowed"
	}
	wantFailed(t, deliver(t, x, new(events), list)[0], list, code, "no write index is defined for alias ["+name+"]")
	if err := x.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "OS.AliasWithMultipleIndicesNotAllowed") {
		t.Errorf("the check says %v", err)
	}
}

func testDataStream(t *testing.T, r referee) {
	t.Helper()
	if r.typed {
		return // it has none
	}
	name, list := r.name(), makeDocuments(0, 100)
	r.ask(t, http.MethodPut, "/_index_template/"+name, `{"index_patterns":["`+name+`"],"data_stream":{"timestamp_field":{"name":"when"}}}`)
	r.ask(t, http.MethodPut, "/_data_stream/"+name, "")
	c := r.config(t, name)
	c.Operation = esarchive.OpCreate
	x := index(t, c)
	for range 2 { // the second time 409 says that they are there
		wantIndexed(t, deliver(t, x, new(events), list), list)
	}
	r.wantAll(t, name, list)
	for _, d := range r.all(t, name) {
		if d.Version != 1 {
			t.Errorf("the document %s has version %d, want 1", d.ID, d.Version)
		}
	}
}

func testLooks(t *testing.T, r referee) {
	t.Helper()
	name := r.name()
	x := index(t, r.config(t, name))
	for _, when := range []string{"before", "after"} {
		for _, look := range x.Looks(t.Context()) {
			if look.Status == esarchive.LookWrong {
				t.Errorf("%s the index is there %s is wrong: %s", when, look.What, look.Text)
			}
		}
		if when == "before" {
			if _, exists := r.indices(t)[name]; exists {
				t.Error("the looks made the index")
			}
			r.create(t, name)
		}
	}
}
