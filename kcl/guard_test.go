package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// ways are how a call may end that is neither a return nor a crash of the
// process.
func ways() map[string]func() {
	return map[string]func(){
		"panic":  func() { panic("ouch") },
		"Goexit": runtime.Goexit,
		"Goexit with a deferred panic": func() {
			defer func() { panic("ouch") }()
			runtime.Goexit()
		},
		"a panic that a deferred Goexit hides": func() {
			defer runtime.Goexit()
			panic("ouch")
		},
	}
}

// harmful is a recorder that does harm in one of its calls.
type harmful struct {
	recorder

	call string
	harm func()
}

func (p *harmful) does(call string) {
	if call == p.call {
		p.harm()
	}
}

func (p *harmful) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	p.does("Initialize")
	return p.recorder.Initialize(ctx, in)
}

func (p *harmful) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	p.does("ProcessRecords")
	return p.recorder.ProcessRecords(ctx, in)
}

func (p *harmful) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	p.does("ShardEnded")
	return p.recorder.ShardEnded(ctx, in)
}

func (p *harmful) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	p.does("ShutdownRequested")
	return p.recorder.ShutdownRequested(ctx, in)
}

func (p *harmful) LeaseLost(ctx context.Context, in kcl.LeaseLostInput) {
	p.does("LeaseLost")
	p.recorder.LeaseLost(ctx, in)
}

// logged returns a logger, and the lines that are at least warnings.
func logged() (*zap.Logger, *observer.ObservedLogs) {
	core, lines := observer.New(zapcore.WarnLevel)
	return zap.New(core), lines
}

// Whatever a processor, a factory or DeadLetter does with its goroutine, its
// shard is given up and told, its lease is free when Run returns nil, and the
// other shard has its records.
func TestHarmEndsOneShardAtMost(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"factory", "Initialize", "ProcessRecords", "ShardEnded", "ShutdownRequested", "LeaseLost", "DeadLetter"} {
		for how, harm := range ways() {
			t.Run(call+", "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, table, good, bad := kcltest.NewStream(2), new(lease.Mem), new(journal), new(journal)
					s.Put(0, "a")
					s.Put(1, "b")
					if call == "ShardEnded" {
						s.Split(0)
					}
					cfg := config(s, table, "me")
					log, lines := logged()
					cfg.Logger = log
					if call == "DeadLetter" {
						cfg.DeadLetter = func(context.Context, kcl.DeadLetterInput) error { harm(); return nil }
					}
					if err := run(t, time.Minute, cfg, func(i kcl.ShardInfo) kcl.RecordProcessor {
						switch {
						case i.ShardID == s.Shard(1).ID:
							return &recorder{j: good}
						case i.ShardID != s.Shard(0).ID:
							return &recorder{j: new(journal)}
						case call == "factory":
							harm()
						}
						p := &harmful{recorder: recorder{j: bad}, call: call, harm: harm}
						if call == "DeadLetter" {
							p.fail = func(call string, _ int) error {
								return map[string]error{"a": kcl.GiveUp(errors.New("poison"))}[call]
							}
						}
						return p
					}); err != nil {
						t.Errorf("Run = %v", err)
					}
					if got := good.words(); !slices.Equal(got, []string{"b"}) {
						t.Errorf("the other shard processed %q", got)
					}
					for i := range 2 {
						if l := row(t, table, i); l.Owner != "" {
							t.Errorf("the lease of shard %d is %q's after Run", i, l.Owner)
						}
					}
					told := lines.FilterFieldKey("stack").All()
					if len(told) == 0 || !strings.Contains(fmt.Sprint(told[0].ContextMap()["stack"]), "ways") && !strings.Contains(how, "Goexit") {
						t.Errorf("it was not told, or without its stack: %v", lines.All())
					}
					given := lines.FilterMessage("shard given up").Len()
					if want := call != "ShutdownRequested" && call != "LeaseLost"; want != (given > 0) {
						t.Errorf("given up %d times", given)
					}
					if strings.Contains(bad.String(), "lost") && call != "DeadLetter" {
						t.Errorf("it was called again: %s", bad)
					}
					if call == "DeadLetter" && (!strings.HasPrefix(bad.String(), "init a#1 lost") || told[0].Message != "shard given up") {
						t.Errorf("the processor, which did no harm, was called so: %s", bad)
					}
				})
			})
		}
	}
}

// A processor that ends its goroutine is tried as often as one that panics, and
// then its records go to the dead letters.
func TestGoexitIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "a", "b", "c", "d")
		cfg := config(s, table, "me")
		cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
			p, ok := errors.AsType[*kcl.PanicError](in.Err)
			j.note("dead:%d,%v", len(in.Records), ok && strings.Contains(fmt.Sprint(p), "processor panicked: runtime.Goexit"))
			return nil
		}
		if err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			return &recorder{j: j, fail: func(call string, _ int) error {
				if call == "a" {
					runtime.Goexit()
				}
				return nil
			}}
		}); err != nil {
			t.Error(err)
		}
		want := "init a#1 init a#1 init a#1 init a#1 dead:3,true init d#1 ok:d stop lost"
		if got := j.String(); got != want {
			t.Errorf("calls\n got %s\nwant %s", got, want)
		}
	})
}

// All calls of a processor, and of the factory that made it, are on one
// goroutine.
func TestOneGoroutinePerProcessor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kcltest.NewStream(1)
		s.Put(0, "a", "b", "c", "d")
		var seen []string
		id := func() {
			b := make([]byte, 64)
			line, _, _ := strings.Cut(string(b[:runtime.Stack(b, false)]), " [")
			seen = append(seen, line)
		}
		if err := run(t, 5*time.Second, config(s, new(lease.Mem), "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
			id()
			return process(func(kcl.ProcessRecordsInput) error { id(); return nil })
		}); err != nil {
			t.Error(err)
		}
		if len(seen) != 3 || len(slices.Compact(seen)) != 1 {
			t.Errorf("called on %q", seen)
		}
	})
}

func TestFactoryThatReturnsNil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		cfg := config(s, table, "me")
		log, lines := logged()
		cfg.Logger = log
		if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return nil }); err != nil {
			t.Error(err)
		}
		told := lines.FilterMessage("shard given up").All()
		if len(told) != 1 || told[0].ContextMap()["error"] != "the ProcessorFactory returned nil instead of a processor" {
			t.Errorf("told: %v", told)
		}
		if l := row(t, table, 0); l.Owner != "" {
			t.Errorf("the lease is %q's", l.Owner)
		}
	})
}

// A hook that does harm is told each time; the worker goes on as without it.
func TestHooksDoNoHarm(t *testing.T) {
	t.Parallel()
	for how, harm := range ways() {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
				s.Page = 1 // so that no record goes with the poison
				s.Put(0, "old", "a", "\xf3\x89\x9a\xc2broken", "\xf3\x89\x9a\xc2 with a wrong digest")
				aggregate(s, 0, "u", "v", "w")
				s.Put(0, "poison", "b")
				s.Trim(0, 1)
				// The first of two shards, whose hash keys some of the records do not have.
				table.Put(lease.Lease{Key: s.Shard(0).ID, Range: s.Shard(0).Range, Checkpoint: s.Records(0)[0].Position()})
				time.Sleep(48 * time.Hour) // so that the gap is one
				cfg := config(s, table, "me")
				log, lines := logged()
				cfg.Logger, cfg.MaxAttempts, cfg.HashRangeRule = log, 1, kcl.HashRangeEach
				cfg.KPLFaults.Digest = kcl.FaultDrop
				cfg.DeadLetter = func(context.Context, kcl.DeadLetterInput) error { return nil }
				cfg.Hooks = kcl.Hooks{
					LeaseTaken: func(kcl.LeaseEvent) { harm() }, LeaseLost: func(kcl.LeaseEvent) { harm() }, LeaseReleased: func(kcl.LeaseEvent) { harm() },
					LeasesScanned: func(lease.Scan) { harm() }, Processed: func(kcl.BatchEvent) { harm() }, Checkpointed: func(kcl.CheckpointEvent) { harm() },
					DeadLettered: func(kcl.BatchEvent) { harm() }, RecordsLost: func(kcl.LossEvent) { harm() },
					AggregatesMalformed: func(string, int) { harm() }, AggregatesDropped: func(string, int) { harm() }, UserRecordsDropped: func(string, int) { harm() },
				}
				time.AfterFunc(20*time.Second, func() {
					if _, err := table.Take(context.Background(), row(t, table, 0), lease.Claim{Owner: "thief", Instance: "thief-1"}); err != nil {
						t.Error(err)
					}
				})
				if err := run(t, 2*time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
					return &recorder{j: j, fail: func(call string, _ int) error {
						return map[string]error{"poison": errors.New("boom")}[call]
					}}
				}); err != nil {
					t.Error(err)
				}
				if got := strings.Join(j.words(), " "); !strings.HasPrefix(got, "a \xf3\x89\x9a\xc2broken") || !strings.HasSuffix(got, "b") {
					t.Errorf("processed %q", got)
				}
				var told []string
				for _, l := range lines.FilterMessage("hook panicked").FilterFieldKey("stack").All() {
					told = append(told, fmt.Sprint(l.ContextMap()["hook"]))
				}
				slices.Sort(told)
				want := "AggregatesDropped AggregatesMalformed Checkpointed DeadLettered LeaseLost LeaseReleased LeaseTaken LeasesScanned Processed RecordsLost UserRecordsDropped"
				if got := strings.Join(slices.Compact(told), " "); got != want {
					t.Errorf("told of\n     %s\nwant %s", got, want)
				}
			})
		})
	}
}

// holder keeps the Hold that it was given.
type holder struct {
	kcl.Defaults

	do func(hold func(int64))
}

func (h holder) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	h.do(in.Hold)
	return nil
}

// What a processor says that it holds can be neither less than nothing nor
// outlive its lease.
func TestHoldIsChecked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kcltest.NewStream(1)
		s.Put(0, "a")
		cfg := config(s, new(lease.Mem), "me")
		log, lines := logged()
		cfg.Logger = log
		var mu sync.Mutex
		var hold func(int64)
		w, err := kcl.New(cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			return holder{do: func(h func(int64)) {
				mu.Lock()
				defer mu.Unlock()
				hold = h
				h(-1 << 40)
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(5 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		negative := w.Snapshot().BytesInUse
		hold(1000)
		if more := w.Snapshot().BytesInUse; negative <= 0 || more != negative+1000 {
			t.Errorf("%d bytes in use, then %d", negative, more)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		hold(1000)
		if used := w.Snapshot().BytesInUse; used != 0 {
			t.Errorf("%d bytes in use after Run", used)
		}
		if n := lines.FilterMessage("processor says that it holds less than nothing; it counts as nothing").Len(); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// A hook of a shard that does not return is told.
func TestAHookThatDoesNotReturnIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, j := newOutage(1), new(journal)
		core, logs := observer.New(zapcore.WarnLevel)
		cfg := config(o, o, "me")
		cfg.Logger = zap.New(core)
		end := make(chan struct{})
		cfg.Hooks.Processed = func(kcl.BatchEvent) { <-end }
		_, stop := running(t, cfg, recording(j))
		o.Put(0, "a")
		time.Sleep(10*time.Minute + 30*time.Second) // not when a line is due
		n := logs.FilterMessage("hook does not return; what happened waits for it").FilterField(zap.String("hook", "Processed")).Len()
		if n < 5 || n > 10 {
			t.Errorf("told %d times in ten minutes", n)
		}
		close(end)
		time.Sleep(10 * time.Minute)
		if logs.FilterMessage("hook does not return; what happened waits for it").Len() != n {
			t.Error("told after it had returned")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
