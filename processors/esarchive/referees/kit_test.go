//go:build search

package referees_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// referee is a server that we did not write, as scripts/search.sh starts it.
type referee struct {
	endpoint, script string
	typed            bool // Elasticsearch 6.8
}

func newReferee(t *testing.T) referee {
	t.Helper()
	value := func(name string) string {
		v := os.Getenv(name)
		if v == "" {
			t.Fatalf("$%s is not set; scripts/search.sh sets it", name)
		}
		return v
	}
	return referee{value("SEARCH_ENDPOINT"), value("SEARCH_SCRIPT"), value("SEARCH_SERVER") == "elasticsearch"}
}

// run has the referee's script do something to the server.
func (r referee) run(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, r.script, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %v: %w: %s", r.script, args, err, out)
	}
	return nil
}

// restart ends the server gently, and starts it with settings for as long as the test
// takes.
func (r referee) restart(t *testing.T, settings ...string) {
	t.Helper()
	if err := r.run(t.Context(), append([]string{"restart"}, settings...)...); err != nil {
		t.Fatal(err)
	}
	if len(settings) > 0 {
		t.Cleanup(func() {
			if err := r.run(context.Background(), "restart"); err != nil {
				t.Error(err)
			}
		})
	}
}

// ask makes a request that is to succeed.
func (r referee) ask(t *testing.T, method, path, body string) []byte {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, r.endpoint+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	out, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	answer, err := io.ReadAll(out.Body)
	if err = errors.Join(err, out.Body.Close()); err != nil || out.StatusCode != http.StatusOK {
		t.Fatalf("%s %s is answered %d, %v: %.500s", method, path, out.StatusCode, err, answer)
	}
	return answer
}

// name is that of an index of the test's own.
func (r referee) name() string {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	return "referee-" + hex.EncodeToString(random[:])
}

// create makes an index of two shards, which share the server's queue.
func (r referee) create(t *testing.T, name string) {
	t.Helper()
	r.ask(t, http.MethodPut, "/"+name, `{"settings":{"index":{"number_of_shards":2,"number_of_replicas":0}}}`)
}

// stored is a document in the cluster.
type stored struct {
	Index   string          `json:"_index"`
	ID      string          `json:"_id"`
	Version int64           `json:"_version"`
	Source  json.RawMessage `json:"_source"`
	Routing string          `json:"_routing"`
}

// all returns all documents of the indices of a name, each by itself.
func (r referee) all(t *testing.T, name string) []stored {
	t.Helper()
	r.ask(t, http.MethodPost, "/"+name+"/_refresh", "")
	var all []stored
	after := ""
	for {
		var page struct {
			Hits struct {
				Hits []struct {
					stored
					Sort json.RawMessage
				}
			}
		}
		out := r.ask(t, http.MethodPost, "/"+name+"/_search", `{"size":5000,"version":true,"sort":[{"_id":"asc"}]`+after+`}`)
		if err := json.Unmarshal(out, &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Hits.Hits) == 0 {
			return all
		}
		for _, h := range page.Hits.Hits {
			all = append(all, h.stored)
			after = `,"search_after":` + string(h.Sort)
		}
	}
}

// documents are those of a cut.
type documents []document

type document struct {
	place, data string
	at          time.Time
}

func (d documents) Len() int { return len(d) }

func (d documents) Document(i int) processors.Document {
	return processors.Document{Size: len(d[i].data), Arrival: d[i].at}
}

func (d documents) Read(i int, buf []byte) (place, data []byte, err error) {
	return []byte(d[i].place), append(buf[:0], d[i].data...), nil
}

// noon is when documents arrive, unless they say.
func noon() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) }

// makeDocuments returns so many documents of a shard, about 400 bytes each.
func makeDocuments(shard, n int) documents {
	list := make(documents, n)
	for i := range list {
		list[i] = document{
			place: fmt.Sprintf("4957%048d%04d.%d", shard, i, i%3),
			data: fmt.Sprintf(`{"shard":%d,"n":%d,"when":"2026-11-29T12:%02d:%02dZ","ok":%t,"amount":%d.5,"text":"%s","nested":{"k":[%d,%d]}}`+"\n",
				shard, i, i/60%60, i%60, i%2 == 0, i, strings.Repeat("pâte ", 50), i, i+1),
			at: noon(),
		}
	}
	return list
}

// wantAll fails the test unless the indices of a name have these documents, each once
// and as it was, and no others.
func (r referee) wantAll(t *testing.T, name string, lists ...documents) {
	t.Helper()
	have := make(map[string]stored)
	for _, d := range r.all(t, name) {
		if _, twice := have[d.ID]; twice {
			t.Errorf("the document %s is there twice", d.ID)
		}
		have[d.ID] = d
	}
	lost, differ := 0, 0
	for _, list := range lists {
		for _, d := range list {
			got, ok := have[d.place]
			switch {
			case !ok:
				lost++
			case !bytes.Equal(got.Source, bytes.TrimSpace([]byte(d.data))):
				differ++
			}
			delete(have, d.place)
		}
	}
	if lost > 0 || differ > 0 || len(have) > 0 {
		t.Errorf("of %s %d documents are lost, %d differ, and %d are of nobody", name, lost, differ, len(have))
	}
}

// events counts what requests were made.
type events struct {
	mu       sync.Mutex
	indexed  int64
	requests int
	failed   int // as a whole
	rejected int
	statuses map[int]int
	more     chan struct{} // closed at the next, if anybody waits
}

func (e *events) add(b processors.BulkEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.statuses == nil {
		e.statuses = make(map[int]int)
	}
	e.requests++
	e.indexed += b.Indexed
	e.statuses[b.Status]++
	if b.Err != nil {
		e.failed++
	}
	if b.Rejected {
		e.rejected++
	}
	if e.more != nil {
		close(e.more)
		e.more = nil
	}
}

// wait returns when so many documents are in the index.
func (e *events) wait(ctx context.Context, indexed int64) error {
	for {
		e.mu.Lock()
		if e.indexed >= indexed {
			e.mu.Unlock()
			return nil
		}
		if e.more == nil {
			e.more = make(chan struct{})
		}
		more := e.more
		e.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// total is how many documents are in the index.
func (e *events) total() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.indexed
}

func (e *events) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return fmt.Sprintf("%d requests, %d failed whole, %d met a rejection, by status %v", e.requests, e.failed, e.rejected, e.statuses)
}

// config is one for the referee.
func (r referee) config(t *testing.T, name string) esarchive.Config {
	t.Helper()
	retry := 2 * time.Minute
	c := esarchive.Config{
		Endpoints: []string{r.endpoint}, IndexName: name, IndexRotationPeriod: esarchive.NoRotation, RetryDuration: &retry,
		RequestTimeout: 20 * time.Second, Logger: zaptest.NewLogger(t),
	}
	if r.typed {
		c.TypeName = "log"
	}
	return c
}

// index returns an Index of a config.
func index(t *testing.T, c esarchive.Config) *esarchive.Index {
	t.Helper()
	x, err := esarchive.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// deliver brings the documents of shards to an index, all at the same time.
func deliver(t *testing.T, x *esarchive.Index, e *events, lists ...documents) []processors.IndexOutcome {
	t.Helper()
	outcomes := make([]processors.IndexOutcome, len(lists))
	var running sync.WaitGroup
	for i, list := range lists {
		running.Go(func() {
			one := x.Open(processors.IndexInput{ShardID: fmt.Sprintf("shardId-%012d", i), Stream: "orders", Documents: list, Tried: e.add})
			if err := one.Run(t.Context()); err != nil {
				t.Errorf("shard %d: %v", i, err)
			}
			outcomes[i] = one.Outcome()
		})
	}
	running.Wait()
	return outcomes
}

// wantIndexed fails the test unless all documents are in the index, by the outcomes.
func wantIndexed(t *testing.T, outcomes []processors.IndexOutcome, lists ...documents) {
	t.Helper()
	for i, o := range outcomes {
		if o.Indexed != int64(len(lists[i])) || len(o.Failed) > 0 {
			t.Errorf("shard %d: %d of %d documents were indexed, %d failed", i, o.Indexed, len(lists[i]), len(o.Failed))
			for _, f := range o.Failed[:min(2, len(o.Failed))] {
				t.Errorf("one failed: %+v", f)
			}
		}
	}
}

func seconds(n int) *time.Duration {
	d := time.Duration(n) * time.Second
	return &d
}
