package fleet_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// full asks for the sizes that the figures are about instead of smaller ones.
var full = flag.Bool("full", false, "run the full sizes")

// TestMain lets the heap grow: what is live is small, and collecting it often is
// a quarter of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

const (
	failover = 10 * time.Second
	tick     = failover / 2 // between two scans, as package kcl has it
)

// figure logs a figure for scripts/bench.sh.
func figure(t *testing.T, name string, value float64, unit string) {
	t.Helper()
	t.Logf("figure %s = %.4g %s", name, value, unit)
}

// table is a lease.Mem whose scans show what was there up to staleness ago, as
// eventually consistent ones do; workers that scan soon after each other see
// the same.
type table struct {
	lease.Mem

	mu      sync.Mutex // guards list and scanned
	list    []lease.Lease
	scanned time.Time
}

const staleness = 200 * time.Millisecond

func (t *table) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list != nil && time.Since(t.scanned) < staleness {
		return t.list, nil, nil
	}
	list, unreadable, err := t.Mem.List(ctx)
	t.list, t.scanned = list, time.Now()
	return list, unreadable, err
}

// fleet is coordinators that share a table in memory. It lives in a bubble.
type fleet struct {
	t     *testing.T
	table table
	wg    sync.WaitGroup

	mu      sync.Mutex // guards what follows
	rng     *rand.Rand
	members map[string]context.CancelCauseFunc // of workers that are alive
	moves   int                                // leases taken or stolen
	lost    int                                // leases lost by workers that are alive, less those stolen
	writes  int                                // requests, refused ones too
}

var errCrash = errors.New("crashed")

func newFleet(t *testing.T, leases int) *fleet {
	t.Helper()
	f := &fleet{t: t, rng: rand.New(rand.NewPCG(1, 2)), members: map[string]context.CancelCauseFunc{}}
	for i := range leases {
		f.table.Put(lease.Lease{Key: fmt.Sprintf("shardId-%012d", i), Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
	}
	f.table.Fault = f.hop
	return f
}

// hop is the way of a write to the table: 5 to 15 ms.
func (f *fleet) hop(ctx context.Context, _, _ string, applied bool) error {
	if applied {
		return nil
	}
	f.mu.Lock()
	f.writes++
	d := 5*time.Millisecond + time.Duration(f.rng.IntN(int(10*time.Millisecond)))
	f.mu.Unlock()
	return pause(ctx, d)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// start starts a worker within the next second.
func (f *fleet) start(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delay := time.Duration(f.rng.IntN(int(time.Second)))
	ctx, crash := context.WithCancelCause(f.t.Context())
	f.members[name] = crash
	c, err := lease.NewCoordinator(lease.Config{
		Table: &f.table, WorkerID: name, FailoverTime: failover, ScanInterval: tick, OnChange: f.note(name),
	}, name+"-1")
	if err != nil {
		f.t.Fatal(err)
	}
	f.wg.Go(func() {
		if pause(ctx, delay) == nil {
			c.Run(ctx, ctx, hold)
		}
	})
}

// note counts what happens to the leases of a worker.
func (f *fleet) note(name string) func(lease.Change) {
	return func(c lease.Change) {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch c.Kind {
		case lease.Taken:
			f.moves++
		case lease.Stolen:
			f.moves++
			f.lost--
		case lease.Lost:
			if f.members[name] != nil {
				f.lost++
			}
		case lease.Released:
		}
	}
}

// hold keeps a lease until it is to be given up or its worker crashes.
func hold(h *lease.Held) {
	select {
	case <-h.Context().Done():
		return
	case <-h.Surplus():
	}
	_ = pause(h.Context(), h.UntilProcessing())
	_ = h.Release(h.Context(), lease.Surplus) // if it fails the lease runs out
}

// crash ends a worker: it neither renews nor releases any more.
func (f *fleet) crash(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[name](errCrash)
	delete(f.members, name)
}

// loads returns how many leases each live worker holds, and how many leases
// none of them holds.
func (f *fleet) loads() (held map[string]int, free int) {
	list, _, err := f.table.Mem.List(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	held = make(map[string]int, len(f.members))
	for name := range f.members {
		held[name] = 0
	}
	for _, l := range list {
		if _, alive := held[l.Owner]; alive {
			held[l.Owner]++
		} else {
			free++
		}
	}
	return held, free
}

// balanced reports whether every lease is held and the loads differ by one at
// most.
func (f *fleet) balanced() bool {
	held, free := f.loads()
	least, most := free+1<<30, 0
	for _, n := range held {
		least, most = min(least, n), max(most, n)
	}
	return free == 0 && most-least <= 1
}

// settle returns how many ticks pass until the fleet is balanced and stays so
// for two more, and how many leases moved meanwhile.
func (f *fleet) settle(limit int) (ticks float64, moves int) {
	f.t.Helper()
	begin, before := time.Now(), f.moved()
	since := time.Time{}
	for time.Since(begin) < time.Duration(limit)*tick {
		time.Sleep(tick / 5)
		switch {
		case !f.balanced():
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= 2*tick:
			return float64(since.Sub(begin)) / float64(tick), f.moved() - before
		}
	}
	held, free := f.loads()
	f.t.Fatalf("not balanced after %d ticks: %d leases free, loads %v", limit, free, held)
	return 0, 0
}

func (f *fleet) moved() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moves
}

// end crashes every worker and waits for it.
func (f *fleet) end() {
	f.mu.Lock()
	for _, crash := range f.members {
		crash(errCrash)
	}
	f.members = nil
	f.mu.Unlock()
	f.wg.Wait()
}
