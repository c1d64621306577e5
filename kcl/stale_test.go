package kcl_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// staleTable is a table whose List does not show one row yet.
type staleTable struct {
	*lease.Mem

	hidden string
}

func (s staleTable) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list, unreadable, err := s.Mem.List(ctx)
	return slices.DeleteFunc(list, func(l lease.Lease) bool { return l.Key == s.hidden }), unreadable, err
}

// The list that a child's lease is taken from does not show its parent, which
// another worker is still processing: nothing of the child may be delivered.
func TestParentThatTheListDoesNotShow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "parent")
		s.Split(0)
		s.Put(1, "left")
		s.Put(2, "right")
		parent, left, right := s.Shard(0), s.Shard(1), s.Shard(2)
		table.Put(lease.Lease{Key: parent.ID, Range: parent.Range, Owner: "other", Counter: 3, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		for _, child := range []kcl.Shard{left, right} {
			table.Put(lease.Lease{Key: child.ID, Range: child.Range, Parents: []string{parent.ID}, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		}
		time.AfterFunc(time.Minute, func() {
			l := row(t, table, 0)
			l.Checkpoint = checkpoint.Sentinel(checkpoint.ShardEnd)
			j.note("ended")
			table.Put(l)
		})
		if err := run(t, 2*time.Minute, config(s, staleTable{table, parent.ID}, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		before, after, _ := strings.Cut(j.String(), "ended")
		if before != "" || !strings.Contains(after, "ok:left") || !strings.Contains(after, "ok:right") {
			t.Errorf("calls: %s", j)
		}
	})
}

// The list is torn: it shows neither the parent, which ended and was deleted,
// nor its children, which have begun. The parent must not be created again.
func TestTornListDoesNotReviveAnEndedParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "parent")
		s.Split(0)
		s.Put(1, "left")
		s.Put(2, "right")
		for i := 1; i <= 2; i++ {
			table.Put(lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Parents: []string{s.Shard(0).ID}, Checkpoint: s.Records(i)[0].Position()})
		}
		if err := run(t, 2*time.Minute, config(s, staleTable{table, s.Shard(1).ID}, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		if slices.Contains(j.words(), "parent") {
			t.Errorf("the parent was read again: %s", j)
		}
	})
}

// panicker panics in one of its calls, and must not be called after that.
type panicker struct {
	recorder

	in     string
	broken bool
}

func (p *panicker) enter(call string) {
	if p.broken {
		p.j.note("called again: %s", call)
	}
	if call == p.in {
		p.broken = true
		panic(call)
	}
}

func (p *panicker) Initialize(context.Context, kcl.InitializationInput) error {
	p.enter("Initialize")
	return nil
}

func (p *panicker) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	p.enter("ProcessRecords")
	return in.Checkpointer.Checkpoint(ctx)
}

func (p *panicker) LeaseLost(context.Context, kcl.LeaseLostInput) { p.enter("LeaseLost") }

func (p *panicker) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	if err := in.Checkpointer.Checkpoint(ctx); err != nil {
		return err
	}
	p.enter("ShardEnded")
	return nil
}

func (p *panicker) ShutdownRequested(context.Context, kcl.ShutdownRequestedInput) error {
	p.enter("ShutdownRequested")
	return nil
}

// A processor that panicked, in whatever call, gets no other; the shard goes
// on, and Run ends.
func TestNoCallAfterAPanic(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Initialize", "ProcessRecords", "LeaseLost", "ShardEnded", "ShutdownRequested"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				s.Put(0, "a")
				if call == "ShardEnded" {
					s.Split(0)
				}
				n := 0
				if err := run(t, 30*time.Second, config(s, table, "me"), func(i kcl.ShardInfo) kcl.RecordProcessor {
					if i.ShardID != s.Shard(0).ID {
						return &recorder{j: new(journal)}
					}
					if n++; n > 1 {
						return &recorder{j: j}
					}
					return &panicker{recorder: recorder{j: j}, in: call}
				}); err != nil {
					t.Error(err)
				}
				if strings.Contains(j.String(), "called again") {
					t.Errorf("calls: %s", j)
				}
				if call == "ShardEnded" && n != 1 {
					t.Errorf("%d processors for a shard that had ended", n)
				}
				if l := row(t, table, 0); l.Checkpoint.IsSentinel() && !l.Finished() || l.Owner != "" {
					t.Errorf("left at %v, owner %q", l.Checkpoint, l.Owner)
				}
			})
		})
	}
}

// What a processor returns is not taken for the library's own: the shard is
// given up like after any other error, and its lease released.
func TestErrorsOfProcessorsAreTheirOwn(t *testing.T) {
	t.Parallel()
	for _, err := range []error{kcl.ErrTrimmed, kcl.ErrShutdown, kcl.ErrLeaseLost, kcl.ErrShardNotFound, context.Canceled} {
		t.Run(err.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				s.Put(0, "a")
				var told error
				cfg := config(s, table, "me")
				cfg.Hooks.Processed = func(e kcl.BatchEvent) { told = e.Err }
				if err := run(t, 8*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
					return &recorder{j: j, fail: func(c string, _ int) error {
						if c == "a" {
							return err
						}
						return nil
					}}
				}); err != nil {
					t.Error(err)
				}
				if got, want := j.String(), "init a#1 a#2 a#3 a#4 lost"; got != want {
					t.Errorf("calls %s, want %s", got, want)
				}
				if l := row(t, table, 0); l.Owner != "" || told != err { //nolint:errorlint // the very error
					t.Errorf("owner %q; the hook was told %v", l.Owner, told)
				}
			})
		})
	}
}

// A processor panics because its lease was lost under it: it is not told.
func TestNoCallAfterAPanicForALostLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "a")
		time.AfterFunc(5*time.Second, func() {
			if _, err := table.Take(context.Background(), row(t, table, 0), lease.Claim{Owner: "thief", Instance: "thief-1"}); err != nil {
				t.Error(err)
			}
		})
		if err := run(t, 12*time.Second, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
			return &lostAndPanics{recorder{j: j}}
		}); err != nil {
			t.Error(err)
		}
		if got := j.String(); got != "init panics" {
			t.Errorf("calls: %s", got)
		}
	})
}

type lostAndPanics struct{ recorder }

func (p *lostAndPanics) ProcessRecords(ctx context.Context, _ kcl.ProcessRecordsInput) error {
	<-ctx.Done()
	p.j.note("panics")
	panic("its client is gone")
}

// A tick that checkpoints something earlier and then fails must not make the
// worker forget what the processor has accepted since.
func TestFailedTickKeepsWhatWasAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		s.Put(0, "a", "b", "c")
		cfg := config(s, table, "me")
		cfg.TickInterval = time.Second
		recs := s.Records(0)
		ticks, got := 0, 0
		err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			return ticker(func(ctx context.Context, in kcl.ProcessRecordsInput) error {
				got += len(in.Records)
				if len(in.Records) > 0 {
					return nil
				}
				switch ticks++; ticks {
				case 1:
					if err := in.Checkpointer.CheckpointAt(ctx, recs[0].Position()); err != nil {
						t.Error(err)
					}
					return context.DeadlineExceeded
				case 2, 3:
					return context.DeadlineExceeded
				case 4:
					return in.Checkpointer.CheckpointAt(ctx, recs[2].Position())
				}
				return nil
			})
		})
		if err != nil || got != 3 || row(t, table, 0).Checkpoint.SequenceNumber != recs[2].SequenceNumber {
			t.Errorf("Run = %v; %d records, checkpoint %v", err, got, row(t, table, 0).Checkpoint)
		}
	})
}

// ticker is a processor of one function that gets the context.
type ticker func(context.Context, kcl.ProcessRecordsInput) error

func (ticker) Initialize(context.Context, kcl.InitializationInput) error { return nil }

func (f ticker) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	return f(ctx, in)
}
func (ticker) LeaseLost(context.Context, kcl.LeaseLostInput)                       {}
func (ticker) ShardEnded(context.Context, kcl.ShardEndedInput) error               { return nil }
func (ticker) ShutdownRequested(context.Context, kcl.ShutdownRequestedInput) error { return nil }

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
