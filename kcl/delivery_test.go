package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// watchful is a processor that notes when and why it lost its lease.
type watchful struct {
	recorder

	slow  bool // its call lasts until its context is done
	ended chan error
	lost  chan error
}

func (p *watchful) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	if p.slow {
		<-ctx.Done()
		p.ended <- context.Cause(ctx)
		return ctx.Err()
	}
	return p.recorder.ProcessRecords(ctx, in)
}

func (p *watchful) LeaseLost(_ context.Context, in kcl.LeaseLostInput) { p.lost <- in.Cause }

// vmware-go-kcl never told a processor that its lease was lost (ZOMBIE is
// defined and not sent), so it went on for ever.
func TestPeer8TheProcessorIsToldThatItsLeaseIsLost(t *testing.T) {
	t.Parallel()
	const failover = 10 * time.Second
	steal := func(table *lease.Mem, l lease.Lease) error {
		_, err := table.Take(context.Background(), l, lease.Claim{Owner: "thief", Instance: "thief-1"})
		return err
	}
	tests := []struct {
		name  string
		slow  bool
		steal bool // else the table is out of reach
		limit time.Duration
	}{
		{"when another worker takes it", false, true, failover * 3 / 10},
		{"when another worker takes it during a call", true, true, failover * 3 / 10},
		{"when the table is out of reach, before another may take it", false, false, failover * 9 / 10},
		{"when the table is out of reach during a call", true, false, failover * 9 / 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, cut := kcltest.NewStream(1), new(lease.Mem), new(atomic.Bool)
				table.Fault = func(context.Context, string, string, bool) error {
					if cut.Load() {
						return errors.New("out of reach")
					}
					return nil
				}
				s.Put(0, "a")
				p := &watchful{recorder: recorder{j: new(journal)}, slow: tt.slow, ended: make(chan error, 9), lost: make(chan error, 9)}
				cfg := config(s, table, "me")
				cfg.FailoverTime = failover
				var start time.Time
				time.AfterFunc(7*time.Second, func() {
					start = time.Now()
					if !tt.steal {
						cut.Store(true)
					} else if err := steal(table, row(t, table, 0)); err != nil {
						t.Error(err)
					}
				})
				done := make(chan struct{})
				go func() {
					defer close(done)
					if err := run(t, 16*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return p }); err != nil {
						t.Errorf("Run = %v", err)
					}
				}()
				cause := <-p.lost
				if took := time.Since(start); took > tt.limit {
					t.Errorf("told after %v, want at most %v", took, tt.limit)
				}
				if !errors.Is(cause, kcl.ErrLeaseLost) {
					t.Errorf("LeaseLost because of %v", cause)
				}
				if tt.slow {
					if cause := <-p.ended; !errors.Is(cause, kcl.ErrLeaseLost) {
						t.Errorf("the call ended because of %v", cause)
					}
				}
				<-done
				if len(p.lost) > 0 && tt.steal {
					t.Error("LeaseLost was called twice")
				}
			})
		})
	}
}

// A kinsumer client got bytes without a key or a place, and a child's records
// could come before those of its parent that another client was still reading.
func TestPeer26ParentsComeFirstAlsoAcrossWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, j := kcltest.NewStream(2), new(journal)
		table := new(lease.Mem)
		for i := range 60 {
			s.Put(0, fmt.Sprintf("long-%d", i))
		}
		s.Split(0) // 2 and 3, which are ready long before their parent is done
		for i := range 20 {
			s.Put(1, fmt.Sprintf("other-%d", i))
			s.Put(2, fmt.Sprintf("left-%d", i))
			s.Put(3, fmt.Sprintf("right-%d", i))
		}
		s.Merge(3, 1) // 4, whose parents are done at very different times
		s.Put(4, "merged")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var workers sync.WaitGroup
		for _, id := range []string{"a", "b", "c"} {
			w, err := kcl.New(config(s, table, id), func(kcl.ShardInfo) kcl.RecordProcessor {
				return &recorder{j: j, fail: func(string, int) error { time.Sleep(300 * time.Millisecond); return nil }}
			})
			if err != nil {
				t.Fatal(err)
			}
			workers.Go(func() {
				if err := w.Run(ctx); err != nil {
					t.Errorf("Run = %v", err)
				}
			})
		}
		workers.Wait()
		checkOrder(t, s, j.words())
	})
}

// batcher is a processor that keeps records and writes them to a sink when it
// has many, or has had some for long: what archivers do.
type batcher struct {
	kcl.Defaults

	size  int
	every time.Duration
	write func(shard string, batch []string) error

	shard string
	batch []string
	last  checkpoint.Position
	first time.Time
	calls atomic.Int32
	twice *atomic.Bool // two calls ran at once
}

func (b *batcher) enter() {
	if b.calls.Add(1) > 1 {
		b.twice.Store(true)
	}
}

func (b *batcher) leave() { b.calls.Add(-1) }

func (b *batcher) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	b.enter()
	defer b.leave()
	for _, r := range in.Records {
		if len(b.batch) == 0 {
			b.first = time.Now()
		}
		b.batch, b.last = append(b.batch, string(r.Data)), r.Position()
	}
	if len(b.batch) < b.size && (len(b.batch) == 0 || time.Since(b.first) < b.every) {
		return nil
	}
	return b.flush(ctx, in.Checkpointer)
}

func (b *batcher) flush(ctx context.Context, cp kcl.Checkpointer) error {
	if len(b.batch) == 0 {
		return nil
	}
	if err := b.write(b.shard, b.batch); err != nil {
		return err
	}
	b.batch = nil
	return cp.CheckpointAt(ctx, b.last)
}

func (b *batcher) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	b.enter()
	defer b.leave()
	if err := b.flush(ctx, in.Checkpointer); err != nil {
		return err
	}
	return in.Checkpointer.Checkpoint(ctx)
}

// harlow's ScanBatch completed the lease of a closed shard before the buffered
// tail was delivered: a crash there lost the tail and let the children begin.
func TestPeer29AShardEndsAfterItsBufferedTail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tail = 50
		s := kcltest.NewStream(1)
		for i := range tail {
			s.Put(0, strconv.Itoa(i))
		}
		s.Split(0)
		s.Put(1, "child")
		var mu sync.Mutex // guards sunk and up
		var sunk []string
		up := false
		table := &lease.Mem{}
		table.Fault = func(_ context.Context, op, key string, applied bool) error {
			mu.Lock()
			defer mu.Unlock()
			if l, err := table.Get(context.Background(), key); applied && op != "createChild" && err == nil && l.Key == s.Shard(0).ID && l.Finished() && len(sunk) < tail {
				t.Errorf("after %s the shard counts as done, with %d of %d records delivered", op, len(sunk), tail)
			}
			return nil
		}
		factory := func(i kcl.ShardInfo) kcl.RecordProcessor {
			return &batcher{size: 100, every: time.Hour, shard: i.ShardID, twice: new(atomic.Bool), write: func(_ string, batch []string) error {
				mu.Lock()
				defer mu.Unlock()
				if !up {
					return errors.New("the sink is down")
				}
				sunk = append(sunk, batch...)
				return nil
			}}
		}
		if err := run(t, time.Minute, config(s, table, "one"), factory); err != nil {
			t.Errorf("Run = %v", err)
		}
		if l := row(t, table, 0); l.Finished() || l.Checkpoint.SequenceNumber != checkpoint.TrimHorizon {
			t.Errorf("with nothing delivered the checkpoint is %v", l.Checkpoint)
		}
		up = true
		cfg := config(s, table, "two")
		if err := run(t, time.Minute, cfg, func(i kcl.ShardInfo) kcl.RecordProcessor {
			b := factory(i).(*batcher)
			b.size = map[bool]int{true: 100, false: 1}[i.ShardID == s.Shard(0).ID]
			return b
		}); err != nil {
			t.Errorf("Run = %v", err)
		}
		if len(sunk) != tail+1 || sunk[0] != "0" || sunk[tail-1] != "49" || sunk[tail] != "child" {
			t.Errorf("delivered %q", sunk)
		}
	})
}

// harlow's ScanBatch flushed from two goroutines, by time and by size: batches
// and checkpoints overtook each other.
func TestPeer30BatchesAndCheckpointsDoNotOvertakeEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const shards = 16
		s, table := kcltest.NewStream(shards), new(lease.Mem)
		var (
			mu      sync.Mutex
			sunk    = make(map[string][]string)
			at      = make(map[string]checkpoint.Position)
			flushes int
			twice   atomic.Bool
		)
		cfg := config(s, table, "me")
		cfg.TickInterval = 70 * time.Millisecond
		cfg.Hooks.Checkpointed = func(e kcl.CheckpointEvent) {
			mu.Lock()
			defer mu.Unlock()
			if e.Checkpoint.Compare(at[e.ShardID].ExtendedSequenceNumber) < 0 {
				t.Errorf("the checkpoint of %s went from %v back to %v", e.ShardID, at[e.ShardID], e.Checkpoint)
			}
			at[e.ShardID] = e.Checkpoint
		}
		stop := make(chan struct{})
		go func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(30 * time.Millisecond):
					s.Put(i%shards, strconv.Itoa(i))
				}
			}
		}()
		s.Poll = 100 * time.Millisecond
		if err := run(t, 15*time.Second, cfg, func(i kcl.ShardInfo) kcl.RecordProcessor {
			return &batcher{size: 4, every: 200 * time.Millisecond, shard: i.ShardID, twice: &twice, write: func(shard string, batch []string) error {
				time.Sleep(150 * time.Millisecond) // longer than a tick
				mu.Lock()
				defer mu.Unlock()
				flushes++
				sunk[shard] = append(sunk[shard], batch...)
				return nil
			}}
		}); err != nil {
			t.Errorf("Run = %v", err)
		}
		close(stop)
		if twice.Load() {
			t.Error("a processor was called twice at once")
		}
		for shard, words := range sunk {
			for i := 1; i < len(words); i++ {
				if a, b := words[i-1], words[i]; checkpoint.CompareDecimal(a, b) >= 0 {
					t.Errorf("of %s, %s came before %s", shard, a, b)
				}
			}
		}
		if flushes < 100 {
			t.Errorf("only %d flushes", flushes)
		}
	})
}

// harlow told an expired checkpoint by the text of the error, and went on at
// the oldest record without a word.
func TestPeer35AnExpiredCheckpointIsALossThatIsTold(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		t.Run(fmt.Sprintf("the service refuses %v", refuse), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				s.RefuseTrimmed = refuse
				s.Put(0, "a", "b", "c", "d")
				time.Sleep(25 * time.Hour)
				s.Put(0, "e")
				s.Trim(0, 3)
				at := s.Records(0)[0].Position()
				table.Put(lease.Lease{Key: s.Shard(0).ID, Range: s.Shard(0).Range, Checkpoint: at})
				cfg := config(s, table, "me")
				var lost []kcl.LossEvent
				cfg.Hooks.RecordsLost = func(e kcl.LossEvent) { lost = append(lost, e) }
				if err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Errorf("Run = %v", err)
				}
				if len(lost) != 1 || lost[0].After.ExtendedSequenceNumber != at.ExtendedSequenceNumber || lost[0].Before.SequenceNumber != s.Records(0)[3].SequenceNumber {
					t.Errorf("told %+v, want one loss between a and d", lost)
				}
				if got := strings.Join(j.words(), " "); got != "d e" {
					t.Errorf("processed %q", got)
				}
			})
		})
	}
}

// The same: no text of another error is taken for an expired checkpoint.
func TestPeer35NoTextMakesACheckpointExpired(t *testing.T) {
	t.Parallel()
	texts := []string{
		kcl.ErrTrimmed.Error(), "InvalidArgumentException: StartingSequenceNumber refers to a trimmed record",
		"ExpiredIteratorException: Iterator expired", "The sequence number is before the trim horizon",
	}
	for _, text := range texts {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				s.Put(0, "a", "b", "c", "d")
				table.Put(lease.Lease{Key: s.Shard(0).ID, Range: s.Shard(0).Range, Checkpoint: s.Records(0)[1].Position()})
				reads := 0
				s.Fail = func(context.Context, string) error {
					if reads++; reads <= 2 {
						return errors.New(text)
					}
					return nil
				}
				cfg := config(s, table, "me")
				cfg.Hooks.RecordsLost = func(e kcl.LossEvent) { t.Errorf("told %+v", e) }
				if err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
					return &recorder{j: j, fail: func(c string, attempt int) error {
						if c == "c" && attempt < 3 {
							return fmt.Errorf("%s: %w", text, kcl.ErrTrimmed)
						}
						return nil
					}}
				}); err != nil {
					t.Errorf("Run = %v", err)
				}
				if got := strings.Join(j.words(), " "); got != "c d" {
					t.Errorf("processed %q, want what follows the checkpoint", got)
				}
			})
		})
	}
}

// oneByOne checkpoints after each record and dies after some.
type oneByOne struct {
	recorder

	die string
}

func (p *oneByOne) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	for _, r := range in.Records {
		p.j.note("ok:%s", r.Data)
		if err := in.Checkpointer.CheckpointAt(ctx, r.Position()); err != nil {
			return err
		}
		if string(r.Data) == p.die {
			return kcl.GiveUp(errors.New("died"))
		}
	}
	return nil
}

func (p *oneByOne) ShutdownRequested(context.Context, kcl.ShutdownRequestedInput) error { return nil }

// harlow's checkpoint has no sub-sequence number: a stop within an aggregated
// record loses the rest of it, or repeats all of it.
func TestPeer36AStopWithinAnAggregatedRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		want := []string{"before"}
		s.Put(0, "before")
		for r := range 3 {
			var words []string
			for i := range 5 {
				words = append(words, fmt.Sprintf("%d.%d", r, i))
			}
			aggregate(s, 0, words...)
			want = append(want, words...)
		}
		s.Put(0, "after")
		want = append(want, "after")
		for i := 1; i <= len(want); i += 2 { // a life ends after each second record
			cfg := config(s, table, fmt.Sprintf("worker-%d", i))
			// What was given up is left alone for a failover time.
			if err := run(t, 25*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
				return &oneByOne{recorder: recorder{j: j}, die: want[min(i, len(want)-1)]}
			}); err != nil {
				t.Errorf("Run = %v", err)
			}
		}
		if got := j.words(); !slices.Equal(got, want) {
			t.Errorf("processed\n got %q\nwant %q", got, want)
		}
	})
}

// telegraf and go-kinesis went away on an answer without an iterator before they
// had handled its records: the tail of every closed shard was lost.
func TestPeer55TheLastPageOfAShardIsDelivered(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3, 4} {
		t.Run(fmt.Sprintf("%d records", n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, j := kcltest.NewStream(1), new(journal)
				var want []string
				for i := range n {
					want = append(want, fmt.Sprintf("tail-%d", i))
				}
				s.Put(0, want...)
				s.Split(0)
				s.Put(1, "child")
				if err := run(t, time.Minute, config(s, new(lease.Mem), "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Errorf("Run = %v", err)
				}
				if got := j.words(); !slices.Equal(got, append(want, "child")) {
					t.Errorf("processed %q", got)
				}
			})
		})
	}
}

// In conduit's connector an acknowledgement did nothing.
func TestPeer57AnAcknowledgedBatchIsInTheTable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "a", "b", "c", "d", "e")
		factory := kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, recs []kcl.Record) error {
			for _, r := range recs {
				j.note("ok:%s", r.Data)
			}
			return nil
		})
		cfg := config(s, table, "one")
		cfg.Hooks.Checkpointed = func(e kcl.CheckpointEvent) {
			if got := row(t, table, 0).Checkpoint; got.ExtendedSequenceNumber != e.Checkpoint.ExtendedSequenceNumber {
				t.Errorf("the table has %v, told was %v", got, e.Checkpoint)
			}
			j.note("checkpoint")
		}
		if err := run(t, 8*time.Second, cfg, factory); err != nil {
			t.Errorf("Run = %v", err)
		}
		cfg.WorkerID = "two"
		s.Put(0, "f")
		if err := run(t, 8*time.Second, cfg, factory); err != nil {
			t.Errorf("Run = %v", err)
		}
		if got, want := j.String(), "ok:a ok:b ok:c checkpoint ok:d ok:e checkpoint ok:f checkpoint"; got != want {
			t.Errorf("calls\n got %s\nwant %s", got, want)
		}
	})
}

// The Java KCL moves on to the next batch when processRecords throws, whether
// or not anything was checkpointed.
func TestPeer78AFailedBatchIsNeverPassedOver(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	tests := []struct {
		name  string
		fails int // how often e fails
		how   func() error
		keep  bool // the processor does not checkpoint
	}{
		{"once", 1, func() error { return boom }, false},
		{"once, with nothing checkpointed before", 1, func() error { return boom }, true},
		{"more often than it is tried before the shard is given up", 10, func() error { return boom }, false},
		{"as often, with nothing checkpointed before", 10, func() error { return boom }, true},
		{"by panics", 3, func() error { panic(boom) }, false},
		{"by panics, more often than they are borne", 10, func() error { panic(boom) }, true},
		{"for good", 1, func() error { return kcl.GiveUp(boom) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				s.Put(0, "a", "b", "c", "d", "e", "f", "g", "h")
				fails := 0
				if err := run(t, time.Hour, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
					return &recorder{j: j, keep: tt.keep, fail: func(c string, _ int) error {
						if c == "g" && fails < tt.fails {
							t.Errorf("g came before e was processed: %s", j)
						}
						if c == "e" && fails < tt.fails {
							fails++
							return tt.how()
						}
						return nil
					}}
				}); err != nil {
					t.Errorf("Run = %v", err)
				}
				var first []string // each record's first acceptance
				for _, w := range j.words() {
					if !slices.Contains(first, w) {
						first = append(first, w)
					}
				}
				if got := strings.Join(first, " "); got != "a b c d e f g h" || fails != tt.fails {
					t.Errorf("processed %q, with %d failures", got, fails)
				}
				if got, want := row(t, table, 0).Checkpoint.SequenceNumber, s.Records(0)[7].SequenceNumber; got != want {
					t.Errorf("checkpoint %s, want %s", got, want)
				}
			})
		})
	}
}
