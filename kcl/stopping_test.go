package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// waiter waits in a call until the shard is to stop.
type waiter struct {
	kcl.Defaults

	in     string // the call
	early  bool   // it does not wait
	calls  *[]string
	failed error
}

func (w waiter) wait(call string, stopping <-chan struct{}) error {
	*w.calls = append(*w.calls, call)
	if call != w.in {
		return nil
	}
	if !w.early {
		<-stopping
	}
	return fmt.Errorf("waiting: %w", w.failed)
}

func (w waiter) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	return w.wait("process", in.Stopping)
}

func (w waiter) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	if err := w.wait("end", in.Stopping); err != nil {
		return err
	}
	return w.Defaults.ShardEnded(ctx, in)
}

func (w waiter) ShutdownRequested(context.Context, kcl.ShutdownRequestedInput) error {
	*w.calls = append(*w.calls, "shutdown")
	return nil
}

// TestStopping: a call that waits is ended by a stop, and that is no failure, though each
// other one is: the records are no dead letters, and the processor is asked to shut down.
func TestStopping(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	for _, c := range []struct {
		name    string
		waiter  waiter
		want    string // calls
		letters int
	}{
		{"in a call", waiter{in: "process", failed: kcl.ErrStopping}, "[process shutdown]", 0},
		{"at the shard's end", waiter{in: "end", failed: kcl.ErrStopping}, "[process end shutdown]", 0},
		{"another error", waiter{in: "process", failed: errors.New("boom")}, "[process shutdown]", 1},
		{"nothing stops", waiter{in: "process", early: true, failed: kcl.ErrStopping}, "[process end]", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := kcltest.NewStream(1)
				s.Put(0, "a", "b")
				s.Split(0)
				cfg := config(s, new(lease.Mem), "me")
				letters, told := 0, 0
				cfg.MaxAttempts = 1
				cfg.DeadLetter = func(context.Context, kcl.DeadLetterInput) error { letters++; return nil }
				cfg.Hooks.Processed = func(e kcl.BatchEvent) {
					if e.Err != nil {
						told++
					}
				}
				var calls []string
				begun := time.Now()
				if err := run(t, minute, cfg, func(i kcl.ShardInfo) kcl.RecordProcessor {
					if i.ShardID != s.Shard(0).ID {
						return process(func(kcl.ProcessRecordsInput) error { return nil })
					}
					w := c.waiter
					w.calls = &calls
					return w
				}); err != nil {
					t.Error(err)
				}
				if took := time.Since(begun); took > minute+time.Second {
					t.Errorf("it stopped after %v", took-minute)
				}
				if got := fmt.Sprint(calls); got != c.want || letters != c.letters || told != c.letters {
					t.Errorf("calls %v, want %v; %d dead letters, told of %d failures, want %d", got, c.want, letters, told, c.letters)
				}
			})
		})
	}
}

// TestStoppingAtARecord: those before it are accepted, those from it on are not.
func TestStoppingAtARecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		s.Put(0, "a", "b", "c")
		cfg := config(s, table, "me")
		told := ""
		cfg.Hooks.Processed = func(e kcl.BatchEvent) { told += fmt.Sprint(e.Records, e.Err) }
		if err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return partly{} }); err != nil {
			t.Error(err)
		}
		if l := row(t, table, 0); l.Checkpoint.SequenceNumber != s.Records(0)[1].SequenceNumber || told != "2 <nil>" {
			t.Errorf("the checkpoint is %v, told %q", l.Checkpoint, told)
		}
	})
}

// partly takes two records in, waits with the third, and checkpoints when it is to stop.
type partly struct{ kcl.Defaults }

func (partly) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	<-in.Stopping
	return kcl.FailedAt(in.Records[2], kcl.ErrStopping)
}

func (partly) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}
