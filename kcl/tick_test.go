package kcl_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

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

// A processor that has something done elsewhere is called when it asks, without ticks
// and without records; wishes that come together are one.
func TestWake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		s.Put(0, "a")
		begin := time.Now()
		var calls []time.Duration
		err := run(t, time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
			return ticker(func(_ context.Context, in kcl.ProcessRecordsInput) error {
				if len(in.Records) == 0 {
					calls = append(calls, time.Since(begin))
					return nil
				}
				begin = time.Now()
				in.Wake()
				in.Wake()
				for _, d := range []time.Duration{7 * time.Second, 13 * time.Second, time.Hour} {
					time.AfterFunc(d, in.Wake)
				}
				return nil
			})
		})
		if want := []time.Duration{0, 7 * time.Second, 13 * time.Second}; err != nil || !slices.Equal(calls, want) {
			t.Errorf("Run = %v; calls without records after %v, want %v", err, calls, want)
		}
	})
}

// belated is a processor whose first Initialize takes too long, and that keeps the context
// of the last one.
type belated struct {
	kcl.Defaults

	calls *int
	ctx   context.Context //nolint:containedctx // it is good for the whole holding
	used  func(context.Context)
}

func (l *belated) Initialize(ctx context.Context, _ kcl.InitializationInput) error {
	l.ctx = ctx
	if *l.calls++; *l.calls == 1 {
		time.Sleep(3 * time.Minute)
	}
	return nil
}

func (l *belated) ProcessRecords(context.Context, kcl.ProcessRecordsInput) error {
	l.used(l.ctx)
	return nil
}

// An Initialize that returns after its limit is called again: the context that it would
// keep has ended.
func TestALateInitialize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		s.Put(0, "a")
		cfg := config(s, table, "me")
		cfg.CallTimeout = time.Minute
		calls, alive := 0, 0
		err := run(t, 10*time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			return &belated{calls: &calls, used: func(ctx context.Context) {
				if ctx.Err() == nil {
					alive++
				}
			}}
		})
		if err != nil || calls != 2 || alive != 1 {
			t.Errorf("Run = %v; %d calls of Initialize, %d calls with a context that is good", err, calls, alive)
		}
	})
}
