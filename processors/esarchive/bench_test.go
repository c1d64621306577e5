package esarchive_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/internal/cputime"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// instant takes every document at once.
type instant struct{ items []esarchive.Item }

func (instant) Cluster() esarchive.Cluster { return esarchive.Cluster{} }

func (i instant) Bulk(_ context.Context, _ []byte, n int) ([]esarchive.Item, *esarchive.Fault) {
	return i.items[:n], nil
}

// BenchmarkLoop is what the loop itself takes: reading documents, checking them, writing
// action lines, and the bookkeeping.
func BenchmarkLoop(b *testing.B) {
	items := make([]esarchive.Item, 100_000)
	for i := range items {
		items[i].Status = 201
	}
	for _, size := range []int{500, 1000} {
		for name, ids := range map[string]esarchive.IDs{"ids of sequences": {}, "ids of a field": {Field: "user.id", VersionField: "v"}} {
			b.Run(fmt.Sprintf("%d bytes, %s", size, name), func(b *testing.B) {
				index, err := esarchive.NewWith(esarchive.Config{IndexName: "logs", IDs: ids}, instant{items})
				if err != nil {
					b.Fatal(err)
				}
				const n = 20_000
				documents := many(n, size)
				b.ReportAllocs()
				b.SetBytes(int64(n * size))
				began := cputime.Used()
				for b.Loop() {
					x := index.Open(processors.IndexInput{ShardID: "s", Documents: documents, Tried: func(processors.BulkEvent) {}})
					if err := x.Run(b.Context()); err != nil || x.Outcome().Indexed != n {
						b.Fatal(x.Outcome().Indexed, err)
					}
				}
				documentsDone := float64(n * b.N)
				b.ReportMetric(float64((cputime.Used()-began).Nanoseconds())/documentsDone, "cpu-ns/document")
			})
		}
	}
}

// many returns n documents of a size, as people write them.
func many(n, size int) cut {
	c := make(cut, n)
	for i := range c {
		text := fmt.Sprintf(`{"ts":"2026-02-25T13:00:00.%03dZ","user":{"id":"u-%d","roles":["admin","editor"],"active":true},"v":%d,"status":200,"ms":18.4,"url":"https://www.example.com/p/%d?ref=home","agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36","tags":["a","b"],"text":"said \"so\"`, i%1000, i, i, i)
		for len(text) < size-3 {
			text += `","k` + strconv.Itoa(len(text)) + `":"` + strings.Repeat("value ", min(8, 1+(size-len(text))/12))
		}
		c[i] = part{fmt.Sprintf("495%053d.0", i), text + `"}`, arrivedAt()}
	}
	return c
}
