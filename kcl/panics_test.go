package kcl_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

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
