package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

// A worker at LATEST dies before its first checkpoint. What was put after it
// began must not be skipped by its successor, which begins later.
func TestLatestWithFailoverBeforeTheFirstCheckpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "before")
		time.Sleep(time.Minute)
		cfg := config(s, table, "one")
		cfg.InitialPosition = kcl.Latest()
		ctx, crash := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			w, err := kcl.New(cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
				return &recorder{j: j, keep: true, fail: func(c string, _ int) error {
					if c == "stop" {
						return errors.New("no checkpoint at the end either")
					}
					return nil
				}}
			})
			if err != nil {
				t.Error(err)
				return
			}
			_ = w.Run(ctx)
		})
		time.Sleep(2 * time.Second)
		s.Put(0, "first", "second")
		time.Sleep(2 * time.Second)
		crash()
		wg.Wait()
		s.Put(0, "third")
		time.Sleep(5 * time.Minute)
		after := new(journal)
		cfg.WorkerID = "two"
		if err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: after} }); err != nil {
			t.Error(err)
		}
		if got, want := strings.Join(after.words(), " "), "first second third"; got != want {
			t.Errorf("the successor processed %q, want %q", got, want)
		}
	})
}

// A lease that a Java worker created at LATEST has no instant: the first worker
// of ours that holds it stores one.
func TestLatestOfAJavaWorkerGetsAnInstant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		table.Put(lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.Latest), Range: s.Shard(0).Range})
		begun := time.Now()
		if err := run(t, 5*time.Second, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
			return &recorder{j: new(journal), keep: true}
		}); err != nil {
			t.Error(err)
		}
		at := row(t, table, 0).Checkpoint
		if at.SequenceNumber != checkpoint.Latest || at.Arrival.Before(begun) || at.Arrival.After(begun.Add(time.Second)) {
			t.Errorf("checkpoint %v of %v, want LATEST of about %v", at, at.Arrival, begun)
		}
	})
}

// A lease that a Java worker made at AT_TIMESTAMP has no instant: the worker's
// own is taken, or without one the oldest record, so that nothing is skipped.
func TestAtTimestampOfAJavaWorker(t *testing.T) {
	t.Parallel()
	for _, configured := range []bool{false, true} {
		t.Run(fmt.Sprintf("configured %v", configured), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				s.Put(0, "old")
				time.Sleep(time.Minute)
				cfg, want := config(s, table, "me"), "old new"
				if configured {
					cfg.InitialPosition, want = kcl.AtTimestamp(time.Now()), "new"
				}
				s.Put(0, "new")
				table.Put(lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.AtTimestamp), Range: s.Shard(0).Range})
				if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Error(err)
				}
				if got := strings.Join(j.words(), " "); got != want {
					t.Errorf("processed %q, want %q", got, want)
				}
			})
		})
	}
}

// aggregate puts an aggregated record of the given user records.
func aggregate(s *kcltest.Stream, shard int, words ...string) {
	var a kpl.Aggregator
	for _, w := range words {
		a.Add(kpl.UserRecord{PartitionKey: "k" + w, Data: []byte(w)})
	}
	s.Put(shard, string(a.Append(nil)))
}

// A Java worker checkpointed at sub-sequence number 3 of an aggregated record
// of ten: the six after it are delivered, and then what follows.
func TestCheckpointWithinAnAggregatedRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "before")
		aggregate(s, 0, "u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9")
		s.Put(0, "after")
		table.Put(lease.Lease{
			Key: s.Shard(0).ID, Range: s.Shard(0).Range,
			Checkpoint: checkpoint.At(s.Records(0)[1].SequenceNumber, 3, time.Time{}),
		})
		if err := run(t, 5*time.Second, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		if got, want := strings.Join(j.words(), " "), "u4 u5 u6 u7 u8 u9 after"; got != want {
			t.Errorf("processed %q, want %q", got, want)
		}
	})
}

// An aggregated record that cannot be split is delivered whole and counted,
// also if it stands at a checkpoint that was made within it.
func TestMalformedAggregateIsDeliveredWhole(t *testing.T) {
	t.Parallel()
	for _, sub := range []int64{0, 3} {
		t.Run(fmt.Sprintf("checkpoint at sub-sequence number %d", sub), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				s.Put(0, "\xf3\x89\x9a\xc2broken")
				s.Put(0, "after")
				table.Put(lease.Lease{
					Key: s.Shard(0).ID, Range: s.Shard(0).Range,
					Checkpoint: checkpoint.At(s.Records(0)[0].SequenceNumber, sub, time.Time{}),
				})
				malformed := 0
				cfg := config(s, table, "me")
				cfg.Hooks.AggregatesMalformed = func(_ string, n int) { malformed += n }
				if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Error(err)
				}
				want := []string{"after"}
				if sub > 0 {
					want = []string{"\xf3\x89\x9a\xc2broken", "after"}
				}
				if got := j.words(); !slices.Equal(got, want) || malformed != 1 {
					t.Errorf("processed %q with %d malformed, want %q with 1", got, malformed, want)
				}
			})
		})
	}
}

// It comes after a checkpoint that was made within it, though its place is before
// that: if no processor takes it, it is dead-lettered.
func TestMalformedAggregateAtTheCheckpointIsDeadLettered(t *testing.T) {
	t.Parallel()
	const broken = "\xf3\x89\x9a\xc2broken"
	errBroken := errors.New("broken")
	for name, tt := range map[string]struct {
		factory kcl.ProcessorFactory
		want    string
		at      int // the record at the checkpoint
	}{
		"with those after it": {kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error { return kcl.GiveUp(errBroken) }), broken + "after", 1},
		"alone": {kcl.HandleEach(func(_ context.Context, _ kcl.ShardInfo, r kcl.Record) error {
			if string(r.Data) == broken {
				return kcl.GiveUp(errBroken)
			}
			return nil
		}), broken, 1},
		"with a panic": {kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error { panic(errBroken) }), broken + "after", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, dead := kcltest.NewStream(1), new(lease.Mem), ""
				s.Put(0, broken, "after")
				table.Put(lease.Lease{
					Key: s.Shard(0).ID, Range: s.Shard(0).Range,
					Checkpoint: checkpoint.At(s.Records(0)[0].SequenceNumber, 3, time.Time{}),
				})
				cfg := config(s, table, "me")
				cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error { dead += wordsOf(in.Records); return nil }
				if err := run(t, time.Minute, cfg, tt.factory); err != nil {
					t.Error(err)
				}
				if at := row(t, table, 0).Checkpoint; dead != tt.want || at.SequenceNumber != s.Records(0)[tt.at].SequenceNumber {
					t.Errorf("dead-lettered %q, and the checkpoint is %v; want %q and that of record %d", dead, at, tt.want, tt.at)
				}
			})
		})
	}
}

// User records outside the shard's range are dropped by the rule that was
// chosen, counted, and the checkpoint passes them.
func TestHashRangeRules(t *testing.T) {
	t.Parallel()
	const inside, outside = "0", "340282366920938463463374607431768211455"
	const kplKey, first = "a", "k" // the partition keys that the record may be put with
	tests := []struct {
		rule    kcl.HashRangeRule
		put     string
		want    string
		dropped int
	}{
		{kcl.Config{}.HashRangeRule, kplKey, "a c z", 1},
		{kcl.Config{}.HashRangeRule, first, "a b c z", 0},
		{kcl.HashRangeKPL, kplKey, "a c z", 1},
		{kcl.HashRangeKPL, first, "a b c z", 0},
		{kcl.HashRangeJava, kplKey, "z", 3},
		{kcl.HashRangeJava, first, "z", 3},
		{kcl.HashRangeEach, kplKey, "a c z", 1},
		{kcl.HashRangeEach, first, "a c z", 1},
		{kcl.HashRangeOff, kplKey, "a b c z", 0},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint("rule ", tt.rule, " put with ", tt.put), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
				var a kpl.Aggregator
				for i, w := range []string{"a", "b", "c"} {
					u := kpl.UserRecord{PartitionKey: "k", HasExplicitHashKey: true, ExplicitHashKey: inside, Data: []byte(w)}
					if i == 1 {
						u.ExplicitHashKey = outside
					}
					a.Add(u)
				}
				s.PutAs(0, tt.put, string(a.Append(nil)), "z")
				dropped := 0
				cfg := config(s, table, "me")
				cfg.HashRangeRule = tt.rule
				cfg.Hooks.UserRecordsDropped = func(_ string, n int) { dropped += n }
				if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Error(err)
				}
				if got := strings.Join(j.words(), " "); got != tt.want || dropped != tt.dropped {
					t.Errorf("processed %q and dropped %d, want %q and %d", got, dropped, tt.want, tt.dropped)
				}
			})
		})
	}
}

// The record at the checkpoint has expired. AWS may refuse the iterator or
// begin at the oldest record; either way reading goes on there, and the gap is
// reported unless the checkpoint says that nothing can be missing.
func TestTrimmedCheckpoint(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprintf("refused %v, checkpoint older than a day %v", refuse, old), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
					s.Put(0, "a", "b")
					at := s.Records(0)[0].Position()
					if old {
						time.Sleep(25 * time.Hour)
					}
					s.Put(0, "c")
					s.Trim(0, 2)
					s.RefuseTrimmed = refuse
					table.Put(lease.Lease{Key: s.Shard(0).ID, Range: s.Shard(0).Range, Checkpoint: at})
					var lost []kcl.LossEvent
					cfg := config(s, table, "me")
					cfg.Hooks.RecordsLost = func(e kcl.LossEvent) { lost = append(lost, e) }
					if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
						t.Error(err)
					}
					if got := strings.Join(j.words(), " "); got != "c" {
						t.Errorf("processed %q, want c", got)
					}
					switch {
					case !old && len(lost) > 0:
						t.Errorf("reported %v, but nothing can be missing", lost)
					case old && (len(lost) != 1 || lost[0].After.SequenceNumber != at.SequenceNumber || lost[0].Before.SequenceNumber != s.Records(0)[2].SequenceNumber):
						t.Errorf("reported %v", lost)
					}
				})
			})
		}
	}
}

// An idle shard's checkpoint is written again with a later time, so that its
// age does not look like a loss; not while a processor keeps records.
func TestIdleShardIsMarked(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("keeps records %v", keep), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table := kcltest.NewStream(1), new(lease.Mem)
				s.Put(0, "a")
				put := time.Now()
				time.AfterFunc(30*time.Minute, func() { s.Put(0, "b") })
				atMark := make(chan lease.Lease, 1)
				time.AfterFunc(170*time.Minute, func() { atMark <- row(t, table, 0) })
				n := 0
				if err := run(t, 3*time.Hour, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
					return &recorder{j: new(journal), fail: func(c string, _ int) error { n++; return nil }, keepAfter: map[bool]string{true: "b"}[keep]}
				}); err != nil {
					t.Error(err)
				}
				marked := (<-atMark).Checkpoint
				if age := marked.Arrival.Sub(put); keep != (age < time.Hour) {
					t.Errorf("the checkpoint %v says that all before %v is done", marked, age)
				}
			})
		})
	}
}

// The memory budget is full of what processors hold, and no records come: the
// one that holds most is asked to let go, and reading goes on.
func TestBudgetFullOnAnIdleStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(3), new(lease.Mem)
		for shard := range 3 {
			for range 20 {
				s.Put(shard, strings.Repeat("x", 1000))
			}
		}
		cfg := config(s, table, "me")
		cfg.MaxBytes = 16 << 10
		var mu sync.Mutex
		got, pressed := 0, 0
		err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			var held int64
			return process(func(in kcl.ProcessRecordsInput) error {
				mu.Lock()
				defer mu.Unlock()
				got += len(in.Records)
				for _, r := range in.Records {
					held += int64(len(r.Data))
				}
				if in.Pressure {
					pressed++
					held = 0
				}
				in.Hold(held)
				return nil
			})
		})
		if err != nil || got != 60 || pressed == 0 {
			t.Errorf("Run = %v; %d of 60 records, %d times under pressure", err, got, pressed)
		}
	})
}

// process is a processor of one function.
type process func(kcl.ProcessRecordsInput) error

func (process) Initialize(context.Context, kcl.InitializationInput) error { return nil }
func (p process) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	return p(in)
}
func (process) LeaseLost(context.Context, kcl.LeaseLostInput)                       {}
func (process) ShardEnded(context.Context, kcl.ShardEndedInput) error               { return nil }
func (process) ShutdownRequested(context.Context, kcl.ShutdownRequestedInput) error { return nil }

// Ticks come while there is nothing to read, and while reading fails.
func TestTicks(t *testing.T) {
	t.Parallel()
	for _, failing := range []bool{false, true} {
		t.Run(fmt.Sprintf("reading fails %v", failing), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, j := kcltest.NewStream(1), new(journal)
				if failing {
					s.Fail = func(context.Context, string) error { return errors.New("boom") }
				}
				cfg := config(s, new(lease.Mem), "me")
				cfg.TickInterval = 700 * time.Millisecond
				if err := run(t, 10*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Error(err)
				}
				if n := strings.Count(j.String(), "tick"); n < 12 || n > 14 {
					t.Errorf("%d ticks in about ten seconds", n)
				}
			})
		})
	}
}

// A worker was stopped after it had read that a shard ended. Others finished
// the parent and the child and deleted the child's lease; the stopped one must
// not create it again.
func TestStalledWorkerCannotReviveAFinishedChild(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "a")
		s.Split(0)
		var stalled atomic.Bool
		table.Fault = func(_ context.Context, op, _ string, applied bool) error {
			if op == "createChild" && !applied && stalled.CompareAndSwap(false, true) {
				time.Sleep(5 * time.Minute) // SIGSTOP: not even its context is heard
			}
			return nil
		}
		var wg sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		wg.Go(func() {
			w, _ := kcl.New(config(s, table, "stalled"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: new(journal)} })
			_ = w.Run(ctx)
		})
		time.Sleep(4 * time.Second)
		wg.Go(func() {
			w, _ := kcl.New(config(s, table, "healthy"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} })
			_ = w.Run(ctx)
		})
		time.Sleep(2 * time.Minute)
		// The healthy worker has the children now. One is finished and deleted.
		child := row(t, table, 1)
		child.Checkpoint = checkpoint.Sentinel(checkpoint.ShardEnd)
		table.Put(child)
		if err := table.Delete(t.Context(), child); err != nil {
			t.Fatal(err)
		}
		s.Edit(1, func(sh *kcl.Shard) { sh.EndingSequenceNumber, sh.Range = "99999", lease.HashRange{} })
		s.Edit(2, func(sh *kcl.Shard) { sh.Range.Start, sh.ParentIDs = "0", nil })
		wg.Wait()
		if _, err := table.Get(t.Context(), child.Key); !errors.Is(err, lease.ErrNotFound) {
			t.Errorf("the finished child's lease is back: %v", err)
		}
		if !stalled.Load() {
			t.Error("nothing was stalled")
		}
	})
}

// A lease at LATEST says from its creation on from which instant: the worker
// that creates it may die before anyone takes it.
func TestLatestHasItsInstantFromTheCreationOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		table.Fault = func(_ context.Context, op, _ string, _ bool) error {
			if op == "take" {
				return lease.ErrThrottled
			}
			return nil
		}
		cfg := config(s, table, "me")
		cfg.InitialPosition = kcl.Latest()
		begun := time.Now()
		if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: new(journal)} }); err != nil {
			t.Error(err)
		}
		if at := row(t, table, 0).Checkpoint; at.SequenceNumber != checkpoint.Latest || !at.Arrival.Equal(begun.Truncate(time.Millisecond)) {
			t.Errorf("checkpoint %v of %v, want LATEST of %v", at, at.Arrival, begun)
		}
	})
}
