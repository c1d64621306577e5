package bulkbench_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esutil"
	"github.com/opensearch-project/opensearch-go/v4"
	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"
	"github.com/opensearch-project/opensearch-go/v4/opensearchutil"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/cputime"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

const (
	indexName = "bulkbench"
	flush     = 5 << 20 // bytes of a request
	workers   = 4
)

// documents are those of a cut, in memory.
type documents []document

type document struct {
	place string // of its record, which is its id
	data  []byte
}

func documentsOf(n, size int) (all documents) {
	for i := range n {
		d := fmt.Appendf(nil, `{"number":%d,"at":"2016-02-25T13:%02d:%02dZ","user":{"id":%d,"name":"user %d"},"ok":%t,"text":"`, i, i/60%60, i%60, i*7919%100_003, i%977, i%3 == 0)
		d = append(append(d, strings.Repeat("lorem ipsum dolor ", size/18+1)[:size-len(d)-2]...), `"}`...)
		all = append(all, document{fmt.Sprintf("4957%052d.0", i), d})
	}
	return all
}

func (d documents) Len() int { return len(d) }

func (d documents) Document(i int) processors.Document {
	return processors.Document{Size: len(d[i].data), Arrival: time.UnixMilli(1456405200000)}
}

func (d documents) Read(i int, buf []byte) (place, data []byte, err error) {
	n := len(d[i].data)
	buf = append(append(buf[:0], d[i].data...), d[i].place...)
	return buf[n:], buf[:n:n], nil
}

// indexer has all documents indexed at a cluster.
type indexer func(tb testing.TB, endpoint string, gzip bool, d documents) func()

func ours(tb testing.TB, endpoint string, gzip bool, d documents) func() {
	tb.Helper()
	x, err := esarchive.New(esarchive.Config{
		Endpoints: []string{endpoint}, IndexName: indexName, IndexRotationPeriod: esarchive.NoRotation,
		MaxRequestBytes: flush, Parallel: workers, GZIP: gzip,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		in := processors.IndexInput{ShardID: "s", Documents: d, MayGoOn: func() error { return nil }, Tried: func(processors.BulkEvent) {}, Logger: zap.NewNop()}
		i := x.Open(in)
		if err := i.Run(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		if o := i.Outcome(); o.Indexed != int64(len(d)) {
			tb.Fatalf("%d of %d, %+v", o.Indexed, len(d), o.Failed[:1])
		}
	}
}

func opensearchGo(tb testing.TB, endpoint string, gzip bool, d documents) func() {
	tb.Helper()
	c, err := opensearchapi.NewClient(opensearchapi.Config{Client: opensearch.Config{Addresses: []string{endpoint}, CompressRequestBody: gzip}})
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		x, err := opensearchutil.NewBulkIndexer(opensearchutil.BulkIndexerConfig{Client: c, NumWorkers: workers, FlushBytes: flush, Index: indexName})
		if err != nil {
			tb.Fatal(err)
		}
		for i := range d {
			item := opensearchutil.BulkIndexerItem{Action: "index", DocumentID: d[i].place, Body: bytes.NewReader(d[i].data)}
			if err := x.Add(tb.Context(), item); err != nil {
				tb.Fatal(err)
			}
		}
		closeAll(tb, x.Close)
		if s := x.Stats(); s.NumFailed > 0 || s.NumIndexed+s.NumCreated != uint64(len(d)) {
			tb.Fatalf("%+v", s)
		}
	}
}

func goElasticsearch(tb testing.TB, endpoint string, gzip bool, d documents) func() {
	tb.Helper()
	c, err := elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{endpoint}, CompressRequestBody: gzip})
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		x, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: c, NumWorkers: workers, FlushBytes: flush, Index: indexName})
		if err != nil {
			tb.Fatal(err)
		}
		for i := range d {
			item := esutil.BulkIndexerItem{Action: "index", DocumentID: d[i].place, Body: bytes.NewReader(d[i].data)}
			if err := x.Add(tb.Context(), item); err != nil {
				tb.Fatal(err)
			}
		}
		closeAll(tb, x.Close)
		if s := x.Stats(); s.NumFailed > 0 || s.NumIndexed+s.NumCreated != uint64(len(d)) {
			tb.Fatalf("%+v", s)
		}
	}
}

func closeAll(tb testing.TB, end func(context.Context) error) {
	tb.Helper()
	if err := end(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkBulk measures each of them in turn.
func BenchmarkBulk(b *testing.B) {
	clusters := map[string]string{"canned": canned(b)}
	if real := os.Getenv("SEARCH_ENDPOINT"); real != "" {
		clusters["real"] = real
	}
	indexers := []struct {
		name string
		make indexer
	}{{"ours", ours}, {"opensearch-go", opensearchGo}, {"go-elasticsearch", goElasticsearch}}
	for _, size := range []int{500, 1000} {
		for cluster, endpoint := range clusters {
			all := documentsOf(map[string]int{"canned": 20_000, "real": 5_000}[cluster], size)
			for _, gzip := range []bool{false, true} {
				for _, x := range indexers {
					if cluster == "real" && x.name == "go-elasticsearch" {
						continue // it refuses all products but its own
					}
					b.Run(fmt.Sprintf("%s/%dB/gzip=%v/%s", cluster, size, gzip, x.name), func(b *testing.B) {
						measure(b, x.make(b, endpoint, gzip, all), len(all))
					})
				}
			}
		}
	}
}

func measure(b *testing.B, run func(), n int) {
	b.Helper()
	run() // connections and pools
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used := cputime.Used()
	for b.Loop() {
		run()
	}
	used = cputime.Used() - used
	runtime.ReadMemStats(&after)
	all := float64(b.N) * float64(n)
	b.ReportMetric(float64(used.Nanoseconds())/all, "cpu-ns/doc")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/all, "allocs/doc")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/all, "B-alloc/doc")
}

// TestTheyAreMeasured: each of them has all documents indexed.
func TestTheyAreMeasured(t *testing.T) {
	t.Parallel()
	endpoint := canned(t)
	d := documentsOf(100, 500)
	for name, x := range map[string]indexer{"ours": ours, "opensearch-go": opensearchGo, "go-elasticsearch": goElasticsearch} {
		t.Run(name, func(t *testing.T) {
			x(t, endpoint, false, d)() // it counts
		})
	}
}
