package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// waiting is a processor that waits in the call of one name until its context
// ends, giving a sign of life now and then.
type waiting struct {
	recorder

	call  string
	beats int // 20 s apart
	took  map[string][]string
}

func (p *waiting) wait(ctx context.Context, call string) error {
	if call != p.call {
		return nil
	}
	begun := time.Now()
	for range p.beats {
		time.Sleep(20 * time.Second)
		deadline.Beat(ctx)
	}
	<-ctx.Done()
	late, ok := context.Cause(ctx).(interface{ Timeout() bool })
	p.took[call] = append(p.took[call], fmt.Sprint(time.Since(begun), ok && late.Timeout()))
	return ctx.Err()
}

func (p *waiting) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	return errors.Join(p.wait(ctx, "Initialize"), p.recorder.Initialize(ctx, in))
}

func (p *waiting) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	if err := p.wait(ctx, "ProcessRecords"); err != nil {
		return err
	}
	return p.recorder.ProcessRecords(ctx, in)
}

func (p *waiting) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	return errors.Join(p.wait(ctx, "ShardEnded"), p.recorder.ShardEnded(ctx, in))
}

func (p *waiting) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	return errors.Join(p.wait(ctx, "ShutdownRequested"), p.recorder.ShutdownRequested(ctx, in))
}

func (p *waiting) LeaseLost(ctx context.Context, in kcl.LeaseLostInput) {
	_ = p.wait(ctx, "LeaseLost")
	p.recorder.LeaseLost(ctx, in)
}

// A call ends after CallTimeout without a sign of life, and its error is one
// like any other.
func TestCallTimeout(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Initialize", "ProcessRecords", "ShardEnded", "ShutdownRequested", "LeaseLost", "DeadLetter"} {
		for _, beats := range []int{0, 5} {
			t.Run(fmt.Sprintf("%s, %d signs of life", call, beats), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, j, took := kcltest.NewStream(1), new(journal), map[string][]string{}
					s.Put(0, "a")
					if call == "ShardEnded" {
						s.Split(0)
					}
					cfg := config(s, new(lease.Mem), "me")
					cfg.CallTimeout, cfg.MaxAttempts, cfg.ShutdownTimeout = 30*time.Second, 2, 10*time.Minute
					var errs []string
					cfg.Hooks.Processed = func(e kcl.BatchEvent) {
						if e.Err != nil {
							errs = append(errs, e.Err.Error())
						}
					}
					made := func() *waiting { return &waiting{recorder: recorder{j: j}, call: call, beats: beats, took: took} }
					if call == "DeadLetter" {
						cfg.DeadLetter = func(ctx context.Context, _ kcl.DeadLetterInput) error { return made().wait(ctx, call) }
					}
					if err := run(t, 4*time.Minute, cfg, func(i kcl.ShardInfo) kcl.RecordProcessor {
						p := made()
						if i.ShardID != s.Shard(0).ID {
							p.call = ""
						}
						if call == "DeadLetter" {
							p.fail = func(call string, _ int) error { return map[string]error{"a": kcl.GiveUp(errors.New("boom"))}[call] }
						}
						return p
					}); err != nil {
						t.Error(err)
					}
					want := fmt.Sprint(30*time.Second+time.Duration(beats)*20*time.Second, true)
					if len(took[call]) == 0 || took[call][0] != want {
						t.Errorf("it took %v, want %s", took[call], want)
					}
					if call == "ProcessRecords" && (len(took[call]) < 2 || errs[0] != "no answer within 30s: context canceled") {
						t.Errorf("delivered %d times, with %q", len(took[call]), errs)
					}
				})
			})
		}
	}
}

// Without CallTimeout a call lasts as long as it likes. It is told after
// WarnAfter, and then each minute; a quick one never is.
func TestLongCallsAreTold(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"factory", "Initialize", "ProcessRecords", "DeadLetter", "none"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, n := kcltest.NewStream(1), 0
				for i := range 20 {
					time.AfterFunc(time.Duration(i)*10*time.Second, func() { s.Put(0, "a") })
				}
				cfg := config(s, new(lease.Mem), "me")
				log, lines := logged()
				cfg.Logger, cfg.WarnAfter = log, 15*time.Second
				long := func(in string) {
					if in == call && n == 0 {
						n++
						time.Sleep(150 * time.Second)
					} else {
						time.Sleep(time.Second)
					}
				}
				cfg.DeadLetter = func(context.Context, kcl.DeadLetterInput) error { long("DeadLetter"); return nil }
				if err := run(t, 5*time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
					long("factory")
					return &recorder{j: new(journal), fail: func(c string, _ int) error {
						long(map[string]string{"init": "Initialize", "a": "ProcessRecords"}[c])
						if call == "DeadLetter" && c == "a" {
							return kcl.GiveUp(errors.New("boom"))
						}
						return nil
					}}
				}); err != nil {
					t.Error(err)
				}
				var told []string
				for _, l := range lines.FilterMessage("call runs long").All() {
					told = append(told, fmt.Sprint(l.ContextMap()["call"], " ", l.ContextMap()["duration"], " ", l.ContextMap()["shard_id"]))
				}
				var want []string
				if call != "none" {
					for _, after := range []string{"15s", "1m15s", "2m15s"} {
						want = append(want, call+" "+after+" "+s.Shard(0).ID)
					}
				}
				if !slices.Equal(told, want) {
					t.Errorf("told\n     %s\nwant %s", strings.Join(told, ", "), strings.Join(want, ", "))
				}
			})
		})
	}
}

// What the processor has checkpointed is no dead letter, be it in the call that
// failed; what is one is told, from the first to the last.
func TestDeadLettersAreNotCheckpointed(t *testing.T) {
	t.Parallel()
	errBad := errors.New("bad record")
	for _, tt := range []struct {
		name    string
		done    int // records that the processor checkpoints before it fails
		end     func() error
		want    string // the dead ones
		lines   int
		attempt int // in which it fails so
	}{
		{"none", 0, func() error { return kcl.GiveUp(errBad) }, "a b c d e", 1, 1},
		{"some", 2, func() error { return kcl.GiveUp(errBad) }, "c d e", 1, 1},
		{"some, at the last try", 2, func() error { return errBad }, "c d e", 1, 4},
		{"some, and it panics", 2, func() error { panic(errBad) }, "c d e", 1, 1},
		{"all but one", 4, func() error { return kcl.GiveUp(errBad) }, "e", 1, 1},
		{"all", 5, func() error { return kcl.GiveUp(errBad) }, "", 0, 1},
		{"all, and it panics", 5, func() error { panic(errBad) }, "", 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table := kcltest.NewStream(1), new(lease.Mem)
				s.Page = 1
				aggregate(s, 0, "a", "b", "c", "d", "e")
				s.Put(0, "f")
				cfg := config(s, table, "me")
				log, lines := logged()
				cfg.Logger = log
				if tt.name == "some, and it panics" || tt.name == "all, and it panics" {
					cfg.MaxAttempts = 1
				}
				var dead, after []string
				counted := 0
				cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
					for _, r := range in.Records {
						dead = append(dead, string(r.Data))
					}
					return nil
				}
				cfg.Hooks.DeadLettered = func(e kcl.BatchEvent) {
					if counted += e.Records; e.Bytes != int64(e.Records) || !errors.Is(e.Err, errBad) {
						t.Errorf("told of %+v", e)
					}
				}
				failed := false
				if err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
					return process(func(in kcl.ProcessRecordsInput) error {
						if failed || string(in.Records[0].Data) == "f" {
							for _, r := range in.Records {
								after = append(after, string(r.Data))
							}
							return in.Checkpointer.Checkpoint(t.Context())
						}
						if in.Attempt < tt.attempt {
							return errBad
						}
						failed = true
						if tt.done > 0 {
							if err := in.Checkpointer.CheckpointAt(t.Context(), in.Records[tt.done-1].Position()); err != nil {
								t.Error(err)
							}
						}
						return tt.end()
					})
				}); err != nil {
					t.Error(err)
				}
				if got := strings.Join(dead, " "); got != tt.want || counted != len(dead) || !slices.Equal(after, []string{"f"}) {
					t.Errorf("dead: %q, want %q; %d counted; after it came %q", got, tt.want, counted, after)
				}
				toldOfDead(t, lines.FilterMessage("records dead-lettered").All(), tt.lines, s.Records(0)[0], int64(tt.done))
			})
		})
	}
}

// toldOfDead checks that there are so many lines, and that each names the first
// user record of r that is dead, and the last one.
func toldOfDead(t *testing.T, told []observer.LoggedEntry, want int, r kcl.Record, first int64) {
	t.Helper()
	if len(told) != want {
		t.Errorf("told %d times, want %d", len(told), want)
	}
	for _, l := range told {
		for _, at := range []struct {
			sub int64
			key string
		}{{first, "first_sequence_number"}, {4, "last_sequence_number"}} {
			if r.SubSequenceNumber = at.sub; l.ContextMap()[at.key] != r.Position().String() {
				t.Errorf("told %s %v, want %v", at.key, l.ContextMap()[at.key], r.Position())
			}
		}
	}
}

// keeper keeps the context of Initialize.
type keeper struct {
	kcl.Defaults

	ctx context.Context //nolint:containedctx // whether it stays good is what is tested
}

func (k *keeper) Initialize(ctx context.Context, _ kcl.InitializationInput) error {
	k.ctx = ctx
	return nil
}

func (k *keeper) ProcessRecords(context.Context, kcl.ProcessRecordsInput) error { return nil }

// The context of Initialize stays good, whatever limit calls have.
func TestTheContextOfInitializeStaysGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(1)
		cfg := config(o, o, "me")
		cfg.CallTimeout = time.Minute
		k := new(keeper)
		_, stop := running(t, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return k })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if err := k.ctx.Err(); err != nil {
			t.Errorf("it ended while the lease is held: %v, %v", err, context.Cause(k.ctx))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if k.ctx.Err() == nil {
			t.Error("it outlives the lease")
		}
	})
}
