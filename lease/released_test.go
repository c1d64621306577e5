package lease_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// holders notes which worker holds which lease, in one bubble. Its workers read
// the table each half of the failover time, as those of package kcl do.
type holders struct {
	t     *testing.T
	table *lease.Mem
	wg    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	taken map[string][]taking
}

type taking struct {
	worker string
	at     time.Time
}

const every = failover / 2 // between two scans

// start starts a worker. stop has it release its leases and end; one whose
// crash is called does not write any more.
func (f *holders) start(id string) (stop, crash func()) {
	c, err := lease.NewCoordinator(lease.Config{
		Table: f.table, WorkerID: id, FailoverTime: failover, ScanInterval: every,
		OnChange: func(ch lease.Change) {
			if ch.Kind == lease.Taken || ch.Kind == lease.Stolen {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.taken[ch.Lease.Key] = append(f.taken[ch.Lease.Key], taking{id, time.Now()})
			}
		},
	}, id+"-1")
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, end := context.WithCancel(f.t.Context())
	hard, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	f.wg.Go(func() {
		c.Run(ctx, hard, func(h *lease.Held) {
			why := lease.Plain
			select {
			case <-h.Context().Done():
				return
			case <-ctx.Done():
			case <-h.Surplus():
				why = lease.Surplus
				time.Sleep(h.UntilProcessing())
			}
			_ = h.Release(h.Context(), why)
		})
	})
	return end, func() { kill(errors.New("crashed")); end() }
}

// owners returns how many leases each worker owns.
func (f *holders) owners() map[string]int {
	list, _, err := f.table.List(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	n := map[string]int{}
	for _, l := range list {
		n[l.Owner]++
	}
	return n
}

func shards(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("shard-%02d", i))
	}
	return keys
}

// One worker stops and another one dies in the same moment: the share of the
// dead one is not kept for it.
func TestAStopAndADeathAtOnce(t *testing.T) {
	t.Parallel()
	for _, survivors := range []int{1, 2, 5} {
		for try := range 4 {
			t.Run(fmt.Sprintf("%d others, try %d", survivors, try), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := &holders{t: t, table: newTable(t, shards(26)...), taken: map[string][]taking{}}
					defer f.wg.Wait()
					for i := range survivors {
						stop, _ := f.start(fmt.Sprint("survivor-", i))
						defer stop()
						time.Sleep(700 * time.Millisecond)
					}
					stop, _ := f.start("stops")
					_, crash := f.start("dies")
					time.Sleep(90*time.Second + time.Duration(try)*1157*time.Millisecond)
					before := f.owners()
					if n := before["stops"]; n < 3 || before["dies"] < 3 || before[""] > 0 {
						t.Fatalf("not in balance: %v", before)
					}
					stop()
					crash()
					died, released := time.Now(), time.Duration(0)
					for f.owners()["dies"] > 0 || f.owners()[""] > 0 {
						time.Sleep(50 * time.Millisecond)
						if f.owners()[""] > 0 {
							released = time.Since(died)
						}
					}
					if took := time.Since(died); took > failover+every+100*time.Millisecond {
						t.Errorf("all leases are held again after %v; want the failover time and a scan: %v", took, failover+every)
					}
					if most := 2*every + every/10 + 100*time.Millisecond; released > most {
						t.Errorf("those that were released were taken after %v, want at most %v", released, most)
					}
					time.Sleep(time.Minute)
					for _, n := range f.owners() {
						if even := 26 / survivors; n < even || n > even+1 {
							t.Errorf("not in balance: %v", f.owners())
						}
					}
					for key, list := range f.taken {
						moved := 0
						for _, tk := range list {
							if tk.at.After(died) {
								moved++
							}
						}
						if moved > 1 {
							t.Errorf("%s moved %d times: %v", key, moved, list)
						}
					}
				})
			})
		}
	}
}

// What is given up for a newcomer goes there, and nowhere else before.
func TestANewcomerGetsEachLeaseInOneMove(t *testing.T) {
	t.Parallel()
	for try := range 4 {
		t.Run(fmt.Sprint("try ", try), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &holders{t: t, table: newTable(t, shards(24)...), taken: map[string][]taking{}}
				defer f.wg.Wait()
				for i := range 3 {
					stop, _ := f.start(fmt.Sprint("old-", i))
					defer stop()
				}
				time.Sleep(90*time.Second + time.Duration(try)*457*time.Millisecond)
				begun := time.Now()
				stop, _ := f.start("new")
				defer stop()
				time.Sleep(2 * time.Minute)
				if got := f.owners(); got["new"] != 6 || len(got) != 4 {
					t.Errorf("not in balance: %v", got)
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				moves := 0
				for key, list := range f.taken {
					if last := list[len(list)-1]; !last.at.Before(begun) {
						moves++
						if last.worker != "new" || len(list) > 1 && !list[len(list)-2].at.Before(begun) {
							t.Errorf("%s moved more than once, or to another: %v", key, list)
						}
					}
				}
				if moves != 6 {
					t.Errorf("%d leases moved, want 6", moves)
				}
			})
		})
	}
}

// A shard whose records no processor takes goes from worker to worker no faster
// than once in a failover time.
func TestAPoisonousShardVisitsOneWorkerPerFailoverTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "poison")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var visits []time.Time
		for i := range 10 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 90 * time.Millisecond)
				coordinator(t, table, fmt.Sprint("worker-", i)).Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
					mu.Lock()
					visits = append(visits, time.Now())
					mu.Unlock()
					time.Sleep(300 * time.Millisecond)
					_ = h.Release(ctx, lease.GivenUp)
				})
			})
		}
		wg.Wait()
		if len(visits) < 20 {
			t.Errorf("%d visits in 5 minutes", len(visits))
		}
		for i := 1; i < len(visits); i++ {
			if gap := visits[i].Sub(visits[i-1]); gap < failover {
				t.Errorf("visit %d came %v after the last one", i, gap)
			}
		}
	})
}

// A worker that takes none of its share, because it may not, keeps the leases
// for three failover times at most.
func TestAFullWorkerKeepsLeasesForAWhileOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &holders{t: t, table: newTable(t, shards(3)...), taken: map[string][]taking{}}
		defer f.wg.Wait()
		full, err := lease.NewCoordinator(lease.Config{Table: f.table, WorkerID: "full", FailoverTime: failover, ScanInterval: every, MaxLeases: 1}, "full-1")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f.wg.Go(func() { full.Run(ctx, ctx, func(h *lease.Held) { <-h.Context().Done() }) })
		stop, _ := f.start("other")
		defer stop()
		time.Sleep(time.Minute)
		for _, key := range shards(9)[3:] {
			if err := f.table.Create(t.Context(), lease.Lease{Key: key, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		time.Sleep(2 * every)
		if f.owners()[""] == 0 {
			t.Error("what the full worker might have taken was not kept for it")
		}
		for f.owners()[""] > 0 && time.Since(begun) < time.Hour {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(begun); took > 3*failover+2*every {
			t.Errorf("all leases are held after %v", took)
		}
	})
}
