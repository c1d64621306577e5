package sim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
	"github.com/shardmill/shardmill/processors/transform"
)

// documentsPrefix is where the worlds with documents have those that failed.
const documentsPrefix = errorsPrefix + "documents/"

// index has a world's archivers index their records as documents.
func (w *world) index(m *machine, cfg *processors.Config) {
	retry := w.dice().upTo(20*time.Second, "retries", 0).Truncate(time.Second)
	x, err := esarchive.New(esarchive.Config{
		Endpoints: []string{"http://127.0.0.1:1", "http://127.0.0.1:2"}, Engine: "OpenSearch_2.19",
		IndexName: "records", IndexRotationPeriod: esarchive.OneHour, RetryDuration: &retry,
		FastFail: w.dice().below(2, "fails fast", 0) == 0, PauseWhenDown: w.dice().below(2, "pauses", 0) == 0,
		MaxRequestBytes: 64 << 10, Parallel: 1, // so that a world replays
		RequestTimeout: m.clocked(20 * time.Second), Transport: toCluster{m}, Logger: w.logger(m),
	})
	if err != nil {
		w.violate("the index is refused: %v", err)
		return
	}
	cfg.Index, cfg.Compression, cfg.ErrorOutputPrefix, cfg.ParallelPuts = x, "", documentsPrefix, 1
	cfg.Transform = &processors.Transform{
		Function: transform.Each("document", func(_ context.Context, r *transform.Record) transform.Result {
			return transform.Result{Status: transform.Ok, Data: documentOf(string(r.Data))}
		}),
		Hints: processors.TransformHints{SizeInMBs: 0.2, IntervalInSeconds: w.dice().below(3, "batches", 0)},
	}
}

// documentOf returns the document of a record. Some are malformed.
func documentOf(record string) []byte {
	if len(record)%11 == 3 {
		return []byte(record)
	}
	return fmt.Appendf(nil, `{"record":%q}`, record)
}

// recordOf returns the record of a document.
func recordOf(document string) string {
	var d struct{ Record string }
	if json.Unmarshal([]byte(document), &d) == nil && d.Record != "" {
		return d.Record
	}
	return document
}

// cluster is where documents are, by index and id.
type cluster struct {
	w *world

	mu   sync.Mutex // guards what follows
	held map[string]string
}

// toCluster is the cluster as one machine sees it.
type toCluster struct{ m *machine }

// RoundTrip implements http.RoundTripper.
func (n toCluster) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, m := r.Context(), n.m
	if r.Method != http.MethodPost {
		return answerOf(r, http.StatusForbidden, `{}`), m.send(ctx, "ask the cluster", func(context.Context) error { return nil })
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	if m.meets(sinkDown, "bulk") {
		if m.throw("bulk hangs") < 0.5 {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		return nil, errNet
	}
	answer, err := fetched(func(apply func(context.Context) error) error { return m.send(ctx, "bulk", apply) }, func(context.Context) (string, error) {
		return m.w.cluster.take(m, body), nil
	})
	status := http.StatusOK
	switch {
	case errors.Is(err, lease.ErrThrottled):
		status, answer = http.StatusTooManyRequests, `{"error":{"type":"es_rejected_execution_exception","reason":"busy"},"status":429}`
	case err != nil:
		return nil, err
	}
	return answerOf(r, status, answer), nil
}

func answerOf(r *http.Request, status int, answer string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(answer)),
		Body: io.NopCloser(strings.NewReader(answer)), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// take indexes the documents of a request, but for some, and answers, but for some.
func (c *cluster) take(m *machine, body []byte) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := int64(time.Since(c.w.begun))
	calmed := c.w.calmed()
	var items []string
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	for i := 0; i+1 < len(lines); i += 2 {
		var action struct {
			Index struct {
				Index string `json:"_index"`
				ID    string `json:"_id"`
			}
		}
		source := string(lines[i+1])
		if err := json.Unmarshal(lines[i], &action); err != nil || action.Index.ID == "" || !json.Valid(lines[i+1]) {
			c.w.violate("a request has the lines %.200s and %.200s: %v", lines[i], source, err)
		}
		name := action.Index.Index + " " + action.Index.ID
		if old, ok := c.held[name]; ok && old != source {
			c.w.violate("%s of %s replaces that of %s", name, source, old)
		}
		switch {
		case !calmed && len(source)%17 == 5: // in the calm it would hold up a shard for its retries
			items = append(items, `{"index":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse"}}}`)
			continue
		case !calmed && m.dice.below(20, "item "+name, now) == 0:
			items = append(items, `{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"busy"}}}`)
			continue
		case !calmed && m.dice.below(60, "forgotten "+name, now) == 0:
			c.w.count("documents that an answer lacks")
		default:
			items = append(items, fmt.Sprintf(`{"index":{"_id":%q,"status":201}}`, action.Index.ID))
		}
		if _, ok := c.held[name]; ok {
			c.w.count("documents indexed again")
		}
		c.held[name] = source
	}
	c.w.count("bulk requests")
	return `{"took":1,"errors":false,"items":[` + strings.Join(items, ",") + `]}`
}

// records returns the records that are in the index, each with how many documents it is.
func (c *cluster) records() map[string]int {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for _, document := range c.held {
		out[recordOf(document)]++
	}
	return out
}

// inTheIndex is where a record is that is in no object. It may have been told lost: who
// sent it had its lease taken before the checkpoint, and then it expired.
const inTheIndex = "the index"

// judgeDocuments notes the records that are in the index: each is one document of it. It
// may be in an error object, too.
func (w *world) judgeDocuments(in map[string][]string) {
	indexed := w.cluster.records()
	for record, n := range indexed {
		if n > 1 {
			w.violate("%s is %d documents", record, n)
		}
		if len(in[record]) == 0 {
			in[record] = []string{inTheIndex}
		}
	}
	w.add("documents", len(indexed))
}
