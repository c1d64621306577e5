package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// outage is a stream and a lease table whose calls fail, or never return, as
// long as it is said.
type outage struct {
	*kcltest.Stream
	memory

	mu     sync.Mutex
	fails  map[string]error // by call
	silent map[string]bool  // calls that heed their context, and nothing else
	deaf   map[string]bool  // calls that do not even do that
	made   map[string]bool  // calls that there were: whether one of them could have waited for ever
	end    chan struct{}    // lets them go
}

type memory struct{ *lease.Mem }

func newOutage(shards int) *outage {
	o := &outage{Stream: kcltest.NewStream(shards), memory: memory{new(lease.Mem)}, fails: map[string]error{}, silent: map[string]bool{}, deaf: map[string]bool{}, made: map[string]bool{}, end: make(chan struct{})}
	o.Fail = func(ctx context.Context, _ string) error { return o.meet(ctx, "read") }
	o.Fault = func(ctx context.Context, op, _ string, applied bool) error {
		if applied {
			return nil
		}
		return o.meet(ctx, op)
	}
	return o
}

func (o *outage) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *outage) meet(ctx context.Context, call string) error {
	o.mu.Lock()
	o.made[call] = o.made[call] || !deadline.Bounded(ctx)
	err, silent, deaf := o.fails[call], o.silent[call], o.deaf[call]
	o.mu.Unlock()
	switch {
	case deaf:
		<-o.end
		return errors.New("the connection was reset")
	case silent:
		<-ctx.Done()
		return fmt.Errorf("request canceled: %w", ctx.Err())
	}
	return err
}

func (o *outage) ListShards(ctx context.Context) (kcl.ShardList, error) {
	if err := o.meet(ctx, "shards"); err != nil {
		return kcl.ShardList{}, err
	}
	return o.Stream.ListShards(ctx)
}

func (o *outage) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	if err := o.meet(ctx, "list"); err != nil {
		return nil, nil, err
	}
	return o.Mem.List(ctx)
}

func (o *outage) Get(ctx context.Context, key string) (lease.Lease, error) {
	if err := o.meet(ctx, "get"); err != nil {
		return lease.Lease{}, err
	}
	return o.Mem.Get(ctx, key)
}

func (o *outage) Ensure(ctx context.Context) error { return o.meet(ctx, "ensure") }

func denied(what string) error { return fmt.Errorf("%w: %s", kcl.ErrAccessDenied, what) }

// everything is every call of the stream and of the table.
func everything() []string {
	return []string{"read", "shards", "list", "get", "ensure", "take", "renew", "checkpoint", "release", "create", "createChild", "annotate", "delete"}
}

// One refusal of the credentials ends nothing, wherever it strikes.
func TestOneRefusalEndsNothing(t *testing.T) {
	t.Parallel()
	for _, call := range everything() {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, j := newOutage(2), new(journal)
				_, stop := running(t, config(o, o, "me"), recording(j))
				o.Put(0, "a")
				time.Sleep(40 * time.Second)
				o.set(func() { o.fails[call] = denied(call) })
				o.Put(0, "b")
				o.Split(1)
				o.Put(2, "c")
				time.Sleep(4 * time.Second)
				o.set(func() { delete(o.fails, call) })
				time.Sleep(2 * time.Minute)
				if err := stop(); err != nil {
					t.Errorf("Run = %v", err)
				}
				got := j.words()
				slices.Sort(got)
				if !slices.Equal(slices.Compact(got), []string{"a", "b", "c"}) {
					t.Errorf("processed %q", got)
				}
			})
		})
	}
}

// Trouble that lasts is told, again and again, and ends Run after AccessTimeout.
func TestTroubleThatLasts(t *testing.T) {
	t.Parallel()
	gone := fmt.Errorf("%w: app", lease.ErrTableNotFound)
	for _, tt := range []struct {
		name  string
		calls []string
		err   error
		want  kcl.TroubleReason
	}{
		{"all access", everything(), denied("all"), kcl.TroubleAccess},
		{"shards may not be read", []string{"read"}, denied("GetRecords"), kcl.TroubleAccess},
		{"shards may not be listed", []string{"shards"}, denied("ListShards"), kcl.TroubleAccess},
		{"the table may not be listed", []string{"list"}, denied("Scan"), kcl.TroubleAccess},
		{"the stream is gone", []string{"read", "shards"}, kcl.ErrStreamNotFound, kcl.TroubleStreamNotFound},
		{"the table is gone", []string{"list", "get", "ensure", "take", "renew", "checkpoint", "release", "create"}, gone, kcl.TroubleTableNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, j := newOutage(1), new(journal)
				core, logs := observer.New(zapcore.ErrorLevel)
				cfg := config(o, o, "me")
				cfg.Logger = zap.New(core)
				w, stop := running(t, cfg, recording(j))
				time.Sleep(45 * time.Second)
				o.set(func() {
					for _, call := range tt.calls {
						o.fails[call] = tt.err
					}
				})
				time.Sleep(10 * time.Minute)
				if got := troubles(w, tt.want); len(got) == 0 {
					t.Errorf("after ten minutes there is no trouble: %+v", w.Snapshot().Troubles)
				}
				if n := logs.FilterMessage("worker is in trouble").FilterField(zap.String("reason", string(tt.want))).Len(); n < 8 {
					t.Errorf("it was told %d times in ten minutes", n)
				}
				time.Sleep(7 * time.Minute)
				if err := stop(); !errors.Is(err, tt.err) {
					t.Errorf("after AccessTimeout Run = %v", err)
				}
			})
		})
	}
}

// A day without any answer but errors ends nothing, and all goes on after it.
func TestADayOfErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, j := newOutage(2), new(journal)
		w, stop := running(t, config(o, o, "me"), recording(j))
		time.Sleep(time.Minute)
		o.set(func() {
			for _, call := range everything() {
				o.fails[call] = errors.New("503")
			}
		})
		o.Put(0, "a")
		for range 24 * 60 {
			time.Sleep(time.Minute)
			for _, l := range w.Snapshot().Loops {
				if l.Silent > l.Limit {
					t.Fatalf("%+v", l)
				}
			}
		}
		o.set(func() { clear(o.fails) })
		time.Sleep(2 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := j.words(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("processed %q", got)
		}
	})
}

// A call that is never answered ends after a while, whatever it is, is told, and
// what it was for is done by another.
func TestACallThatIsNeverAnswered(t *testing.T) {
	t.Parallel()
	for _, call := range everything() {
		for _, when := range []string{"at the start", "while running"} {
			t.Run(call+" "+when, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o, j := newOutage(2), new(journal)
					silent := func() { o.set(func() { o.silent[call] = true }) }
					if when == "at the start" {
						silent()
					}
					core, logs := observer.New(zapcore.WarnLevel)
					cfg := config(o, o, "me")
					cfg.Logger = zap.New(core)
					_, stop := running(t, cfg, recording(j))
					time.Sleep(time.Minute)
					if when != "at the start" {
						silent()
					}
					o.Put(0, "a")
					o.Split(1)
					o.Put(2, "b")
					time.Sleep(3 * time.Minute)
					rare := slices.Contains([]string{"release", "annotate", "delete"}, call) || call == "create" && when != "at the start"
					if logs.Len() == 0 && !rare {
						t.Error("nothing was told")
					}
					o.set(func() { clear(o.silent) })
					time.Sleep(6 * time.Minute)
					if err := stop(); err != nil {
						t.Errorf("Run = %v", err)
					}
					got := j.words()
					slices.Sort(got)
					if !slices.Equal(slices.Compact(got), []string{"a", "b"}) {
						t.Errorf("processed %q", got)
					}
				})
			})
		}
	}
}

// A call that does not even heed its context shows as a loop that is silent.
func TestALoopThatHangs(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"read", "shards", "list", "get", "ensure"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, j := newOutage(2), new(journal)
				w, stop := running(t, config(o, o, "me"), recording(j))
				time.Sleep(time.Minute)
				o.set(func() { o.deaf[call] = true })
				o.Split(1)
				o.Put(2, "b")
				time.Sleep(10 * time.Minute)
				hangs := slices.ContainsFunc(w.Snapshot().Loops, func(l kcl.LoopStatus) bool { return l.Limit > 0 && l.Silent > 2*l.Limit })
				if !hangs {
					t.Errorf("no loop is said to hang: %+v", w.Snapshot().Loops)
				}
				o.set(func() { clear(o.deaf) })
				close(o.end)
				time.Sleep(2 * time.Minute)
				if err := stop(); err != nil {
					t.Errorf("Run = %v", err)
				}
			})
		})
	}
}

// Trouble that one read met counts no more when this worker has nothing to read.
func TestTroubleOfAShardThatWentElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, j := newOutage(1), new(journal)
		cfg := config(o, o, "a")
		a, stopA := running(t, cfg, recording(j))
		time.Sleep(time.Minute)
		o.set(func() { o.fails["read"] = denied("GetRecords") })
		time.Sleep(5 * time.Second)
		if got := troubles(a, kcl.TroubleAccess); len(got) == 0 {
			t.Fatal("the refusal was not noticed")
		}
		other := row(t, o, 0) // another worker takes it
		other.Owner, other.Instance, other.Counter = "b", "bb", other.Counter+5
		o.Mem.Put(other)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for l := other; pauseFor(ctx, 2*time.Second); {
				l.Counter++
				o.Mem.Put(l)
			}
		}()
		o.set(func() { clear(o.fails) })
		time.Sleep(20 * time.Minute)
		if got := troubles(a, kcl.TroubleAccess); len(got) != 0 {
			t.Errorf("in trouble for ever: %+v", a.Snapshot().Troubles)
		}
		if err := stopA(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// pauseFor reports whether ctx lived for d.
func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// A hook that does not return keeps no trouble from being noticed, or from being
// over.
func TestTroubleBehindAHook(t *testing.T) {
	t.Parallel()
	for _, during := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o, j := newOutage(1), new(journal)
			cfg := config(o, o, "a")
			end := make(chan struct{})
			var blocks atomic.Bool
			cfg.Hooks.LeasesScanned = func(lease.Scan) {
				if blocks.Load() {
					<-end
				}
			}
			a, stop := running(t, cfg, recording(j))
			time.Sleep(time.Minute)
			blocks.Store(during)
			time.Sleep(10 * time.Second)
			o.set(func() { o.fails["list"] = denied("Scan") })
			time.Sleep(time.Second * 8)
			if got := troubles(a, kcl.TroubleAccess); len(got) == 0 {
				t.Errorf("hook blocks %v: the refusal was not noticed", during)
			}
			blocks.Store(true)
			o.set(func() { clear(o.fails) })
			time.Sleep(20 * time.Minute)
			if got := troubles(a, kcl.TroubleAccess); len(got) != 0 {
				t.Errorf("in trouble for ever: %+v", a.Snapshot().Troubles)
			}
			close(end)
			if err := stop(); err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
}
