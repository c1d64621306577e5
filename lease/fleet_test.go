package lease_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// fleet is workers that give their surplus up; it notes what they steal.
type fleet struct {
	t     *testing.T
	table *lease.Mem

	mu     sync.Mutex // guards what follows
	thefts []theft
	held   map[string]int // how many leases, by worker
}

type theft struct {
	worker, key string
	at          time.Time
}

// run runs a worker until ctx is done. A lease that it is to give up it keeps
// for another call of the processor.
func (f *fleet) run(ctx context.Context, id string, maxSteal int, call time.Duration) {
	c, err := lease.NewCoordinator(lease.Config{
		Table: f.table, WorkerID: id, FailoverTime: failover, ScanInterval: time.Second, MaxSteal: maxSteal,
		OnChange: func(ch lease.Change) { f.note(id, ch) },
	}, id+"-1")
	if err != nil {
		f.t.Error(err)
		return
	}
	c.Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
		select {
		case <-h.Surplus():
			time.Sleep(call)
			_ = h.Release(ctx, lease.Plain) // a stolen one may not be released yet: it runs out
		case <-h.Context().Done():
		case <-ctx.Done():
		}
	})
}

func (f *fleet) note(id string, ch lease.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch ch.Kind {
	case lease.Stolen:
		f.thefts = append(f.thefts, theft{id, ch.Lease.Key, time.Now()})
		f.held[id]++
	case lease.Taken:
		f.held[id]++
	case lease.Lost, lease.Released:
		f.held[id]--
	}
}

func dozen() (keys []string) {
	for i := range 12 {
		keys = append(keys, fmt.Sprintf("shard-%02d", i))
	}
	return keys
}

// vmware-go-kcl never reads from the table that a steal is under way, so that
// "one at a time" is dead code (peers' bug 11). Here a worker that holds a
// lease, if only a stolen one that it waits with, steals no more of our workers.
func TestPeer11NewcomersStealOneLeaseEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{t: t, table: newTable(t, dozen()...), held: map[string]int{}}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { f.run(ctx, "old", 0, 30*time.Second) })
		time.Sleep(20 * time.Second)
		for i := range 5 {
			wg.Go(func() { f.run(ctx, fmt.Sprint("new-", i), 0, 0) })
		}
		time.Sleep(2 * time.Minute)
		f.mu.Lock()
		for id, n := range f.held {
			if n != 2 {
				t.Errorf("%s holds %d leases, want 2: %v", id, n, f.held)
			}
		}
		thieves, stolen := map[string]bool{}, map[string]bool{}
		for _, th := range f.thefts {
			if th.worker == "old" {
				continue
			}
			if thieves[th.worker] || stolen[th.key] {
				t.Errorf("%s steals %s: it is a thief already, or the lease was stolen before", th.worker, th.key)
			}
			thieves[th.worker], stolen[th.key] = true, true
		}
		if len(thieves) == 0 {
			t.Error("nobody stole anything")
		}
		f.mu.Unlock()
		cancel()
		wg.Wait()
	})
}

// Of a Java worker, which gives nothing up, a scan steals what MaxSteal says,
// and what is being stolen counts as held (peers' bug 11).
func TestPeer11StealsOfJavasLeasesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{t: t, table: new(lease.Mem), held: map[string]int{}}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for _, key := range dozen() {
			l := lease.Lease{Key: key, Owner: "java", Counter: 7, Checkpoint: checkpoint.Sentinel(checkpoint.Latest)}
			f.table.Put(l)
			wg.Go(func() { // renews until it is stolen
				var err error
				for err == nil && ctx.Err() == nil {
					time.Sleep(3 * time.Second)
					l, err = f.table.Renew(ctx, l)
				}
			})
		}
		wg.Go(func() { f.run(ctx, "me", 2, 0) })
		wg.Wait()
		scans := map[time.Time]int{} // the thefts of one scan happen at one instant
		for _, th := range f.thefts {
			if scans[th.at]++; scans[th.at] > 2 {
				t.Errorf("%d thefts at once", scans[th.at])
			}
		}
		if len(f.thefts) != 6 {
			t.Errorf("stole %d leases of 12, want the half", len(f.thefts))
		}
	})
}

// harlow's kinesis-consumer repeats a throttled request by calling itself,
// without a pause (peers' bug 34).
func TestPeer34ThrottledRequestsBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const outage, most = 10 * time.Minute, 1500 // tries of one lease: 2.5 in a second
		table, start := newTable(t, "a"), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), outage+2*time.Minute)
		defer cancel()
		var mu sync.Mutex
		tries, shallow, last := 0, 0, time.Time{}
		table.Fault = func(_ context.Context, op, _ string, applied bool) error {
			mu.Lock()
			defer mu.Unlock()
			if at := time.Since(start); applied || at < time.Minute || at > time.Minute+outage || tries > most {
				return nil
			}
			if gap := time.Since(last); gap < 50*time.Millisecond {
				t.Errorf("%s is tried again after %v", op, gap)
			}
			tries, last = tries+1, time.Now()
			var stack [512]uintptr
			depth := runtime.Callers(0, stack[:])
			if shallow == 0 {
				shallow = depth
			}
			if depth > shallow+10 {
				t.Errorf("the stack grows: try %d is %d calls deep, the first one was %d", tries, depth, shallow)
			}
			return lease.ErrThrottled
		}
		var held []time.Duration
		coordinator(t, table, "me").Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
			held = append(held, time.Since(start).Truncate(time.Minute))
			select {
			case <-h.Context().Done():
			case <-ctx.Done():
			}
		})
		if tries > most || tries < 200 {
			t.Errorf("%d tries in %v, want at most %d", tries, outage, most)
		}
		if len(held) != 2 || held[0] != 0 || held[1] != 11*time.Minute {
			t.Errorf("held from %v on, want the start and the end of the outage", held)
		}
	})
}

// It also panics when it is shut down twice (peers' bug 34).
func TestPeer34ALeaseMayBeGivenUpTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "a")
		hold(t, table, time.Minute, func(h *lease.Held) {
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { _ = h.Release(t.Context(), lease.Plain) })
				wg.Go(func() { h.Drop(errNet) })
			}
			wg.Wait()
			if err := h.Release(t.Context(), lease.Plain); err == nil {
				t.Error("a lease that was given up could be released")
			}
		})
		if l, err := table.Get(t.Context(), "a"); err != nil || l.Counter > 2 {
			t.Errorf("row %+v, %v: released more than once", l, err)
		}
	})
}

// The Java KCL's checkpoints failed though nobody took the lease: its renewer
// and its checkpointer raced for the row's counter (peers' bug 81).
func TestPeer81RenewalsAndCheckpointsDoNotRace(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table, rng := newTable(t, "a"), rand.New(rand.NewPCG(seed, 0))
				var mu sync.Mutex
				draw := func(n time.Duration) time.Duration {
					mu.Lock()
					defer mu.Unlock()
					return time.Duration(rng.Int64N(int64(n)))
				}
				ops := map[string]int{}
				table.Fault = func(_ context.Context, op, _ string, applied bool) error {
					time.Sleep(draw(400 * time.Millisecond)) // a slow network, both ways
					mu.Lock()
					ops[op]++
					mu.Unlock()
					if applied && draw(20) == 0 {
						return errNet
					}
					return nil
				}
				hold(t, table, 20*time.Minute, func(h *lease.Held) {
					for n := 1; n <= 200; n++ {
						time.Sleep(2*time.Second + draw(1500*time.Millisecond)) // about when renewals are due
						at := checkpoint.At(strconv.Itoa(n), 0, time.Time{})
						if err := h.Checkpoint(h.Context(), at); err != nil {
							t.Errorf("checkpoint %d: %v", n, err)
							return
						}
						if l, _ := table.Get(t.Context(), "a"); l.Checkpoint != at {
							t.Errorf("checkpoint %d left %v", n, l.Checkpoint)
						}
					}
					if err := h.CheckTrust(); err != nil {
						t.Error(err)
					}
				})
				if ops["renew"] < 50 || ops["checkpoint"] < 400 {
					t.Errorf("too few writes to race: %v", ops)
				}
			})
		})
	}
}

// Eleven of twelve leases were stolen, and their holder has not noticed yet. It
// must not give up the one that is left for a surplus that it does not have
// (peers' bug 11).
func TestPeer11WhatOthersStoleIsNoSurplus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, dozen()...)
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		time.AfterFunc(1500*time.Millisecond, func() {
			for _, key := range dozen()[1:] {
				take(t, table, key, "thief of "+key)
			}
		})
		coordinator(t, table, "me").Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
			select {
			case <-h.Surplus():
				if h.Lease().Key == dozen()[0] {
					t.Error("the last lease is surplus")
				}
			case <-h.Context().Done():
			case <-ctx.Done():
			}
		})
	})
}
