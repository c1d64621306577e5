package lease_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/lease"
)

// Why a lease was released is told, of one that moves for balance too.
func TestAReleaseSaysWhy(t *testing.T) {
	t.Parallel()
	for reason, want := range map[lease.ReleaseReason]string{
		lease.Plain: "the worker stops, or the shard has ended", lease.Surplus: "balance: another worker holds too few",
		lease.Blocked: "a parent has not ended", lease.GivenUp: "its processor failed for the last time",
	} {
		synctest.Test(t, func(t *testing.T) {
			core, logs := observer.New(zap.InfoLevel)
			c, err := lease.NewCoordinator(lease.Config{Table: newTable(t, shards(1)...), WorkerID: "me", FailoverTime: failover, Logger: zap.New(core)}, "me-1")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			c.Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
				defer cancel()
				if err := h.Release(context.WithoutCancel(ctx), reason); err != nil {
					t.Error(err)
				}
			})
			if told := logs.FilterMessage("lease released").FilterField(zap.String("why", want)); told.Len() != 1 {
				t.Errorf("it logs %v, want %s", logs.All(), want)
			}
		})
	}
}

// A hook that does not return keeps no lease from being taken, renewed and
// released, nor Run from its end; that is told, and seen.
func TestAHookThatBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, shards(3)...)
		core, logs := observer.New(zap.WarnLevel)
		stuck, called, held := make(chan struct{}), 0, atomic.Int32{}
		c, err := lease.NewCoordinator(lease.Config{
			Table: table, WorkerID: "me", FailoverTime: failover, ScanInterval: time.Second, Logger: zap.New(core),
			OnChange: func(lease.Change) { called++; <-stuck },
		}, "me-1")
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(30*time.Second, func() { table.Put(lease.Lease{Key: "later"}) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		seen := make(chan []lease.LoopStatus, 1)
		time.AfterFunc(40*time.Second, func() { seen <- c.Loops() })
		c.Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
			held.Add(1)
			select {
			case <-ctx.Done():
			case <-h.Context().Done():
				t.Error("lost")
			}
			_ = h.Release(context.WithoutCancel(ctx), lease.Plain)
		})
		ended := time.Now()
		if held.Load() != 4 {
			t.Errorf("%d leases were held", held.Load())
		}
		list, _, err := table.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range list {
			if l.Owner != "" {
				t.Errorf("%s was not released", l.Key)
			}
		}
		if loops, want := <-seen, []lease.LoopStatus{{Loop: "hook", Doing: "LeaseTaken", Silent: 40 * time.Second}}; !slices.Equal(loops, want) {
			t.Errorf("under way were %+v, want %+v", loops, want)
		}
		if n := logs.FilterMessage("hook does not return; what else is to be told waits").Len(); n != 2 { // after five seconds, and a minute later
			t.Errorf("told %d times", n)
		}
		if end := logs.FilterMessage("hook has not returned; the worker ends without it").All(); len(end) != 1 || ended.Sub(end[0].Time) > time.Second {
			t.Errorf("told at the end: %v", end)
		}
		close(stuck)
		synctest.Wait()
		if called != 1 {
			t.Errorf("called %d times, and only the first call had to be waited for", called)
		}
	})
}

// Run waits for hooks that are slow.
func TestASlowHookIsToldEverythingInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		run(t, lease.Config{
			Table: newTable(t, shards(9)...),
			OnChange: func(c lease.Change) {
				time.Sleep(500 * time.Millisecond)
				got = append(got, fmt.Sprint(c.Kind, c.Lease.Key))
			},
		}, 30*time.Second)
		if len(got) != 18 {
			t.Fatalf("told of %d changes, want 18", len(got))
		}
		for i, s := range got {
			if took := i < 9; took != (s[0] == '1') {
				t.Errorf("told %q", got)
			}
		}
	})
}

// A hook that panics, or ends its goroutine, ends nothing else.
func TestAHookThatPanics(t *testing.T) {
	t.Parallel()
	for name, bang := range map[string]func(){
		"panic":  func() { panic("bang") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				changes, scans := 0, 0
				logs := run(t, lease.Config{
					Table:    newTable(t, shards(3)...),
					OnChange: func(lease.Change) { changes++; bang() },
					OnScan:   func(lease.Scan) { scans++; bang() },
				}, 30*time.Second)
				if changes != 6 || scans < 25 {
					t.Errorf("told of %d changes and %d scans", changes, scans)
				}
				told := logs.FilterMessage("hook panicked")
				if n := told.Len(); n != 3 { // once in a minute for each
					t.Errorf("told of %d panics", n)
				}
				for _, e := range told.All() {
					if f := e.ContextMap(); f["stack"] == "" || !slices.Contains([]string{"LeaseTaken", "LeaseLost", "LeasesScanned"}, fmt.Sprint(f["hook"])) {
						t.Errorf("told as %v", f)
					}
				}
			})
		})
	}
}

// A lease about which Judge panics is left alone; the others are not.
func TestJudgePanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "a", "b")
		var last lease.Scan
		run(t, lease.Config{
			Table: table,
			Judge: func(l lease.Lease) (lease.Identity, bool) {
				if l.Key == "a" {
					panic("bang")
				}
				return lease.Identity{}, true
			},
			OnScan: func(s lease.Scan) { last = s },
		}, time.Minute)
		a, _ := table.Get(t.Context(), "a")
		b, _ := table.Get(t.Context(), "b")
		if a.Owner != "" || b.Owner != "me" || last.LeftAlone != 1 {
			t.Errorf("a is owned by %q, b by %q; the last scan was %+v", a.Owner, b.Owner, last)
		}
	})
}
