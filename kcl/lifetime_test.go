package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// keepsAll keeps what it is given, as it must not.
type keepsAll struct {
	kcl.Defaults

	fail   error
	during []string // the data of the first record, as each call saw it
	kept   []kcl.Record
	cloned []kcl.Record
}

func (k *keepsAll) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	if len(in.Records) == 0 {
		return nil
	}
	k.during = append(k.during, string(in.Records[0].Data))
	k.kept = append(k.kept, in.Records...)
	k.cloned = append(k.cloned, in.Records[0].Clone())
	return k.fail
}

// Data is good in each try, and in DeadLetter, and overwritten afterwards.
func TestDataIsGoodUntilTheRecordsAreDone(t *testing.T) {
	t.Parallel()
	for _, fail := range []error{nil, errors.New("failed")} {
		synctest.Test(t, func(t *testing.T) {
			s := kcltest.NewStream(1)
			s.PutAs(0, "a", "data of a")
			k := &keepsAll{fail: fail}
			var dead string
			w, err := kcl.New(kcl.Config{
				ApplicationName: "a", StreamName: "s", WorkerID: "w", Source: s, Leases: new(lease.Mem), MaxAttempts: 3,
				DeadLetter: func(_ context.Context, in kcl.DeadLetterInput) error {
					dead = string(in.Records[0].Data)
					return nil
				},
			}, func(kcl.ShardInfo) kcl.RecordProcessor { return k })
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := w.Run(ctx); err != nil {
				t.Fatal(err)
			}
			calls := 1
			if fail != nil {
				calls = 3
			}
			if want := strings.Repeat("data of a;", calls); strings.Join(k.during, ";")+";" != want {
				t.Errorf("the calls saw %q", k.during)
			}
			if fail != nil && dead != "data of a" {
				t.Errorf("DeadLetter saw %q", dead)
			}
			if string(k.kept[0].Data) != strings.Repeat("\xdb", len("data of a")) || k.kept[0].PartitionKey != "a" {
				t.Errorf("who keeps a record has %+v", k.kept[0])
			}
			if c := k.cloned[0]; string(c.Data) != "data of a" || c.PartitionKey != "a" {
				t.Errorf("who clones a record has %+v", c)
			}
		})
	}
}

// lentPages is a stream of one shard, whose pages' strings are each parts of one.
type lentPages struct {
	*kcltest.Stream

	pages int
	mu    sync.Mutex // guards all
	all   []weak.Pointer[byte]
	out   atomic.Int64 // pages that are not released
}

func (s *lentPages) Open(string, checkpoint.Position) kcl.ShardReader { return &lentReader{s: s} }

// held returns how many pages are in memory, of how many.
func (s *lentPages) held() (held, lent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.all {
		if p.Value() != nil {
			held++
		}
	}
	return held, len(s.all)
}

type lentReader struct {
	s *lentPages
	n int
}

func (r *lentReader) Next(ctx context.Context, _ kcl.Room) (kcl.Page, error) {
	p := kcl.Page{At: time.Now()}
	if r.n == r.s.pages {
		<-ctx.Done()
		return p, context.Cause(ctx)
	}
	const records, digits = 100, 30
	var b strings.Builder
	b.Grow(2 * records * digits)
	for i := range records {
		fmt.Fprintf(&b, "%0*d%0*d", digits, 1_000_000+1000*r.n+i, digits, i)
	}
	all := b.String()
	r.s.mu.Lock()
	r.s.all = append(r.s.all, weak.Make(unsafe.StringData(all)))
	r.s.mu.Unlock()
	for i := range records {
		at := 2 * digits * i
		p.Records = append(p.Records, kcl.Record{
			SequenceNumber: all[at : at+digits], PartitionKey: all[at+digits : at+2*digits], Data: []byte("x"), ApproximateArrivalTimestamp: time.Now(),
		})
	}
	r.n++
	r.s.out.Add(1)
	p.Release = func() { r.s.out.Add(-1) }
	return p, nil
}

func (*lentReader) Close() {}

// dawdler checkpoints in one of the ways there are, and fails with some records.
type dawdler struct {
	kcl.Defaults

	way      int
	prepared *checkpoint.PreparedCheckpoint
	calls    int
}

func (d *dawdler) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	if len(in.Records) == 0 {
		return nil
	}
	d.calls++
	middle := in.Records[len(in.Records)/2]
	switch d.way {
	case 0:
		return in.Checkpointer.CheckpointAt(ctx, middle.Position())
	case 1:
		if d.calls == 1 {
			var err error
			d.prepared, err = in.Checkpointer.PrepareAt(ctx, middle.Position(), []byte("state"))
			return err
		}
	case 2:
		if d.calls == 1 {
			return kcl.FailedAt(middle, errors.New("failed"))
		}
		return in.Checkpointer.Checkpoint(ctx)
	case 3:
		return kcl.GiveUp(kcl.FailedAt(middle, errors.New("failed")))
	}
	return nil
}

// What a worker remembers of records does not keep their pages in memory.
func TestNothingKeepsAPage(t *testing.T) { //nolint:paralleltest // it needs the garbage collector to find things
	each := kcl.HandleEach(func(_ context.Context, _ kcl.ShardInfo, r kcl.Record) error {
		if strings.HasSuffix(r.PartitionKey, "9") {
			return kcl.GiveUp(errors.New("failed"))
		}
		return nil
	})
	factories := map[string]kcl.ProcessorFactory{
		"HandleEach": each,
		"Handle":     kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error { return nil }),
	}
	for i, name := range []string{"CheckpointAt", "PrepareAt", "FailedAt", "GiveUp", "no checkpoint"} {
		factories[name] = func(kcl.ShardInfo) kcl.RecordProcessor { return &dawdler{way: i} }
	}
	for name, factory := range factories { //nolint:paralleltest // as above
		t.Run(name, func(t *testing.T) {
			s := &lentPages{Stream: kcltest.NewStream(1), pages: 5}
			var last kcl.BatchEvent
			ready := make(chan struct{}, 1000)
			w, err := kcl.New(kcl.Config{
				ApplicationName: "a", StreamName: "s", WorkerID: "w", Source: s, Leases: new(lease.Mem), TickInterval: time.Millisecond,
				DeadLetter: func(context.Context, kcl.DeadLetterInput) error { return nil },
				Hooks: kcl.Hooks{Processed: func(e kcl.BatchEvent) {
					last = e
					ready <- struct{}{}
				}},
			}, factory)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			held := -1
			for range 1000 { // until the last page is done; the worker still runs
				select {
				case <-ready:
				case <-time.After(10 * time.Millisecond):
				}
				if w.Snapshot().Shards == nil || s.out.Load() != 0 {
					continue
				}
				runtime.GC()
				var lent int
				if held, lent = s.held(); lent == s.pages && held == 0 {
					break
				}
			}
			if held != 0 {
				t.Errorf("%d of %d pages are kept", held, s.pages)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			runtime.KeepAlive(last)
			runtime.KeepAlive(w)
		})
	}
}

// sharedPages is a stream of one shard that hands out the records that it has.
type sharedPages struct {
	*kcltest.Stream

	recs []kcl.Record
}

func (s *sharedPages) Open(string, checkpoint.Position) kcl.ShardReader { return &sharedReader{s: s} }

type sharedReader struct {
	s    *sharedPages
	read bool
}

func (r *sharedReader) Next(ctx context.Context, _ kcl.Room) (kcl.Page, error) {
	if r.read {
		<-ctx.Done()
		return kcl.Page{}, context.Cause(ctx)
	}
	r.read = true
	return kcl.Page{Records: r.s.recs, Plain: true}, nil
}

func (*sharedReader) Close() {}

// What is left out of a page, as it was dead-lettered, is still where it was: the
// source may have lent the records.
func TestAPageIsNotChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sharedPages{Stream: kcltest.NewStream(1)}
		s.Put(0, "a", "b", "c")
		s.recs = s.Records(0)
		cfg := config(s, new(lease.Mem), "me")
		cfg.MaxAttempts = 1
		cfg.DeadLetter = func(context.Context, kcl.DeadLetterInput) error { return nil }
		if err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			return process(func(in kcl.ProcessRecordsInput) error {
				if err := in.Checkpointer.CheckpointAt(t.Context(), in.Records[0].Position()); err != nil {
					t.Error(err)
				}
				panic("all but the first")
			})
		}); err != nil {
			t.Error(err)
		}
		var kept []string
		for _, r := range s.recs {
			kept = append(kept, string(r.Data))
		}
		if got := strings.Join(kept, " "); got != "a b c" {
			t.Errorf("the source has %q", got)
		}
	})
}
