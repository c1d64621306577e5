package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

// packed makes an aggregated record of about size bytes of user records with so
// much data each.
func packed(size, data int) (record []byte, users int) {
	a := kpl.Aggregator{MaxBytes: size}
	u := kpl.UserRecord{PartitionKey: "k", Data: make([]byte, data)}
	for a.Add(u) {
	}
	return a.Append(nil), a.Len()
}

// each is a stream whose shards have one page each, and then wait.
type each struct {
	*kcltest.Stream

	page []kcl.Record
}

func (s each) Open(string, checkpoint.Position) kcl.ShardReader { return &onePage{page: s.page} }

type onePage struct{ page []kcl.Record }

func (r *onePage) Next(ctx context.Context, _ kcl.Room) (kcl.Page, error) {
	if r.page == nil {
		<-ctx.Done()
		return kcl.Page{}, context.Cause(ctx)
	}
	p := kcl.Page{At: time.Now(), BehindLatest: time.Minute, Records: r.page}
	r.page = nil
	return p, nil
}

func (*onePage) Close() {}

// pageOf makes a page of n aggregated records that share their data, so that
// only what is built of them takes memory.
func pageOf(n, size, data int) (page []kcl.Record, users int) {
	record, users := packed(size, data)
	for i := range n {
		page = append(page, kcl.Record{SequenceNumber: strconv.Itoa(1000 + i), PartitionKey: "k", Data: record, ApproximateArrivalTimestamp: time.Now()})
	}
	return page, n * users
}

// gauge is what all processors of a test share: they meet in their first call.
type gauge struct {
	shards int

	mu    sync.Mutex
	ready int
	seen  map[string]int
	most  int
	users int

	all     chan struct{} // every shard is in its first call
	release chan struct{} // which may end
	ended   chan struct{} // every shard has had its records
}

type gauged struct {
	kcl.Defaults

	g     *gauge
	shard string
	met   bool
}

func (p *gauged) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	g := p.g
	g.mu.Lock()
	if g.most = max(g.most, len(in.Records)); !p.met {
		p.met = true
		if g.ready++; g.ready == g.shards {
			close(g.all)
		}
	}
	if g.seen[p.shard] += len(in.Records); g.seen[p.shard] == g.users {
		if delete(g.seen, p.shard); len(g.seen) == 0 {
			close(g.ended)
		}
	}
	g.mu.Unlock()
	<-g.release
	return nil
}

func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A page of a megabyte may hold 170,000 user records. What is built of them at
// once is bounded and counted, and nothing of it stays.
func TestAggregatesKeepTheMemoryBound(t *testing.T) { //nolint:paralleltest // it measures the whole process
	const shards = 4
	for _, data := range []int{50, 0} {
		page, users := pageOf(3, 1<<20, data)
		g := &gauge{shards: shards, all: make(chan struct{}), release: make(chan struct{}), ended: make(chan struct{}), seen: map[string]int{}, users: users}
		w, err := kcl.New(kcl.Config{
			ApplicationName: "a", StreamName: "s", WorkerID: "w", Source: each{kcltest.NewStream(shards), page}, Leases: new(lease.Mem), MaxBytes: 64 << 20,
		}, func(i kcl.ShardInfo) kcl.RecordProcessor {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.seen[i.ShardID] = 0
			return &gauged{g: g, shard: i.ShardID}
		})
		if err != nil {
			t.Fatal(err)
		}
		before := live()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		<-g.all
		during, counted := live()-before, w.Snapshot().BytesInUse
		close(g.release)
		<-g.ended
		after := live() - before
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		t.Logf("figure memory, %d shards with %d user records of %d bytes = %d KiB in a call of %d, %d KiB after it; %d KiB counted",
			shards, users, data, during>>10, g.most, after>>10, counted>>10)
		if limit := int64(32 << 20); during > limit || after > limit {
			t.Errorf("%d and %d bytes are live, more than %d", during, after, limit)
		}
		if built, pages := int64(shards*128*g.most), int64(shards*(3<<20)); counted < pages+built-1<<20 || counted > 2*pages+2*built+1<<20 { // the next page is taken to be as large
			t.Errorf("%d bytes are counted; the pages have %d, and %d were built", counted, pages, built)
		}
		if used := w.Snapshot().BytesInUse; used != 0 {
			t.Errorf("%d bytes are counted at the end", used)
		}
	}
}

// batched puts one aggregated record that makes three batches.
func batched(s *kcltest.Stream) {
	a := kpl.Aggregator{MaxBytes: math.MaxInt}
	for range 25_000 {
		a.Add(kpl.UserRecord{PartitionKey: "k"})
	}
	s.Put(0, string(a.Append(nil)))
}

// A page of many batches is no reason to stop late: the next holder goes on
// after the last batch, within the aggregated record.
func TestStopBetweenBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		batched(s)
		var got []string
		for holding := range 3 {
			ctx, stop := context.WithCancel(t.Context())
			w, err := kcl.New(config(s, table, "me"), kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, recs []kcl.Record) error {
				for i, r := range recs {
					if want := int64(len(got)*10_000 + i); r.SubSequenceNumber != want {
						return fmt.Errorf("user record %d came, want %d", r.SubSequenceNumber, want)
					}
				}
				got = append(got, fmt.Sprint(holding, ":", len(recs)))
				stop()
				time.Sleep(time.Second) // which the batch takes
				return nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
			stop()
		}
		if want := "[0:10000 1:10000 2:5000]"; fmt.Sprint(got) != want {
			t.Errorf("batches %v, want %s: one in each holding", got, want)
		}
	})
}

// Whoever is to let go of what it holds is told between the batches of a page.
func TestPressureBetweenBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kcltest.NewStream(2)
		batched(s)
		for range 10 {
			s.Put(1, "x")
		}
		cfg := config(s, new(lease.Mem), "me")
		cfg.MaxBytes = 64 << 20
		var calls []string
		if err := run(t, 30*time.Second, cfg, func(i kcl.ShardInfo) kcl.RecordProcessor {
			return process(func(in kcl.ProcessRecordsInput) error {
				if i.ShardID != s.Shard(0).ID {
					time.Sleep(time.Second)
					return nil
				}
				if in.Pressure {
					in.Hold(0)
				} else {
					in.Hold(1 << 30)
					time.Sleep(5 * time.Second)
				}
				calls = append(calls, fmt.Sprint(len(in.Records), " ", in.Pressure))
				return nil
			})
		}); err != nil {
			t.Error(err)
		}
		if len(calls) < 4 || calls[0] != "10000 false" || calls[1] != "0 true" || calls[2] != "10000 false" {
			t.Errorf("calls with so many records, under pressure or not: %q", calls)
		}
	})
}

// A batch that fails is delivered again by itself: those before it are done.
func TestBatchIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kcltest.NewStream(1)
		batched(s)
		var calls []string
		if err := run(t, 20*time.Second, config(s, new(lease.Mem), "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
			return process(func(in kcl.ProcessRecordsInput) error {
				first := in.Records[0].SubSequenceNumber
				calls = append(calls, fmt.Sprintf("%d+%d#%d", first, len(in.Records), in.Attempt))
				if first == 10_000 && in.Attempt == 1 {
					return errors.Join(in.Checkpointer.CheckpointAt(t.Context(), in.Records[499].Position()), errors.New("boom"))
				}
				return nil
			})
		}); err != nil {
			t.Error(err)
		}
		if want := "[0+10000#1 10000+10000#1 10500+9500#2 20000+5000#1]"; fmt.Sprint(calls) != want {
			t.Errorf("calls %v, want %s", calls, want)
		}
	})
}

// clinging is a processor that keeps what it has and says so in each call.
type clinging struct {
	kcl.Defaults

	calls *int
}

func (p clinging) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	if *p.calls++; *p.calls > 1000 {
		in.Hold(0)
		return nil
	}
	in.Hold(1 << 20)
	return nil
}

// A processor under pressure that cannot let go is not asked again at once.
func TestPressureIsNoBusyLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, calls := kcltest.NewStream(1), 0
		s.Put(0, "a", "b", "c", "d")
		cfg := config(s, new(lease.Mem), "me")
		cfg.MaxBytes = 1
		if err := run(t, 20*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return clinging{calls: &calls} }); err != nil {
			t.Error(err)
		}
		if calls > 100 {
			t.Errorf("called %d times in 20 s", calls)
		}
	})
}
