package redshiftarchive_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shardmill/shardmill/internal/cputime"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// sump is a store that reads what is put, and keeps what is small.
type sump struct {
	mu   sync.Mutex // guards what follows
	held map[string][]byte
}

const keeps = 64 << 10

func (s *sump) Put(_ context.Context, o processors.Object) error {
	var b bytes.Buffer
	if _, err := io.Copy(&b, o.Body); err != nil {
		return err
	}
	if b.Len() <= keeps {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held[o.Key] = b.Bytes()
	}
	return nil
}

func (s *sump) Head(_ context.Context, _, key string) (map[string]string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.held[key]
	return nil, ok, nil
}

func (*sump) Get(context.Context, string, string, int64, int64, io.Writer) error {
	return processors.ErrNotFound
}

func (s *sump) Read(_ context.Context, _, key string, _ int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.held[key]; ok {
		return b, nil
	}
	return nil, processors.ErrNotFound
}

func (s *sump) List(_ context.Context, _, prefix string) (keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.held {
		if strings.HasPrefix(key, prefix) && len(keys) < 1000 {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func (s *sump) Delete(_ context.Context, _, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, key)
	return nil
}

func (*sump) Check(context.Context, string) error { return nil }

// canned is a database that says that it has loaded.
type canned struct{ objects atomic.Int64 }

func (c *canned) Load(_ context.Context, t redshiftarchive.Try) error {
	c.objects.Add(int64(len(t.Ledger.Objects)))
	return nil
}

func (*canned) Check(context.Context, redshiftarchive.Tables) error { return nil }

// journey is a stream of clicks on its way.
type journey struct {
	stream  *kcltest.Stream
	records int64
}

// newJourney makes so many records of about 600 bytes of JSON.
func newJourney(records int) *journey {
	j := &journey{stream: kcltest.NewStream(2), records: int64(records)}
	j.stream.Poll, j.stream.Page = time.Millisecond, 1000
	r := rand.New(rand.NewPCG(1, 2))
	for n := range records {
		j.stream.Put(n%2, fmt.Sprintf(`{"ts":"2016-02-25T13:%02d:%02d.%03dZ","session":"%016x%016x","user":%d,"path":"/products/%d/reviews?page=%d",`+
			`"agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36","ip":"10.%d.%d.%d",`+
			`"referrer":"https://www.example.com/search?q=%x","latency_ms":%d,"trace":"%016x%016x%016x%016x","cart":[{"sku":"sku-%06d","qty":%d},{"sku":"sku-%06d","qty":%d}]}`+"\n",
			n/60%60, n%60, r.IntN(1000), r.Uint64(), r.Uint64(), r.IntN(100_000), r.IntN(5000), r.IntN(20),
			r.IntN(20)+90, r.IntN(256), r.IntN(256), r.IntN(256), r.Uint32(), r.IntN(3000), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), r.IntN(1_000_000), r.IntN(5), r.IntN(1_000_000), r.IntN(5)))
	}
	return j
}

// archive has a worker archive the stream, and what it staged loaded by a canned COPY, if
// anything is.
func (j *journey) archive(b *testing.B, load *processors.Load) {
	b.Helper()
	store, db := &sump{held: make(map[string][]byte)}, new(canned)
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var processed, delivered atomic.Int64
	cfg := config()
	cfg.Ledger = "loaded"
	cfg.Staging.Load, cfg.Staging.Hints = load, processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 300}
	cfg.Staging.Hooks.Delivered = func(e processors.DeliveredEvent) { delivered.Add(e.Records) }
	a, err := processors.New(cfg.Staging, store)
	if err != nil {
		b.Fatal(err)
	}
	worker := kcl.Config{
		ApplicationName: "app", StreamName: "clicks", StreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks", Source: j.stream, Leases: new(lease.Mem), WorkerID: "w",
		FailoverTime: time.Second, ShutdownTimeout: time.Minute, MaxBytes: 64 << 20,
		Hooks: kcl.Hooks{Processed: func(e kcl.BatchEvent) {
			if processed.Add(int64(e.Records)) == j.records {
				stop() // what is left is delivered
			}
		}},
	}
	if err := a.Configure(&worker); err != nil {
		b.Fatal(err)
	}
	w, err := kcl.New(worker, a.Processor)
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		b.Fatal(err)
	}
	if got := delivered.Load(); got != j.records {
		b.Fatalf("%d of %d records were delivered", got, j.records)
	}
	if load == nil {
		return
	}
	cfg.Staging.Hooks = processors.Hooks{}
	ctx, stop = context.WithCancel(b.Context())
	defer stop()
	var loaded int64
	cfg.Hooks.Loaded = func(e redshiftarchive.LoadedEvent) {
		if loaded += e.Records; loaded == j.records {
			stop()
		}
	}
	l, err := redshiftarchive.New(cfg, store, db)
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Run(ctx, nil); err != nil || loaded != j.records {
		b.Fatalf("%d of %d records were loaded: %v", loaded, j.records, err)
	}
}

// BenchmarkLoad is the way of records from a stream in memory to a COPY that is canned, with
// a ledger, against the same records archived to S3 alone, in one run. They take turns; the
// median of the turns' ratios counts.
func BenchmarkLoad(b *testing.B) {
	j := newJourney(200_000)
	measured := func(load *processors.Load) (computed, passed float64) {
		begun, used := time.Now(), cputime.Used()
		j.archive(b, load)
		return (cputime.Used() - used).Seconds(), time.Since(begun).Seconds()
	}
	var computed, passed, each []float64
	for turn := 0; b.Loop(); turn++ {
		var cpu, wall [2]float64
		for i := range cpu {
			i = (i + turn) % len(cpu)
			cpu[i], wall[i] = measured([]*processors.Load{nil, {}}[i])
		}
		computed, passed, each = append(computed, cpu[0]/cpu[1]), append(passed, wall[0]/wall[1]), append(each, cpu[1]/float64(j.records))
	}
	median := func(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }
	b.ReportMetric(median(computed), "loaded-of-s3-alone-by-CPU")
	b.ReportMetric(median(passed), "loaded-of-s3-alone-by-records/s")
	b.ReportMetric(1e9*median(each), "cpu-ns/record")
}
