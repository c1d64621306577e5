package lease

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// takeLoop is what Run knows from one scan to the next.
type takeLoop struct {
	c        *Coordinator
	hard     context.Context //nolint:containedctx // the parent of the leases' contexts
	hold     func(*Held)
	holds    *sync.WaitGroup
	observer *Observer
	rng      *rand.Rand

	// given are the keys of leases given up as surplus. If one comes back
	// because nobody takes it, surplus is kept for a while: keepUntil.
	given     map[string]bool
	keepUntil time.Time
	failures  int       // scans that failed in a row
	warned    bool      // of differing failover times
	spillover int       // as it was at the last scan
	told      int       // the spillover that was logged last
	spilled   time.Time // since when the spillover is what it is
}

// step reads the table once, decides and acts.
func (t *takeLoop) step(ctx context.Context) {
	c := t.c
	list, err := c.cfg.Table.List(ctx)
	if err != nil {
		if ctx.Err() == nil {
			t.failures++
			c.cfg.Logger.Warn("lease table not read", zap.Error(err), zap.Int("attempt", t.failures))
		}
		return
	}
	t.failures = 0
	now := c.clock.now()
	t.compareFailover(list)
	view := View{
		Leases: t.observer.Observe(now, list), Me: c.cfg.WorkerID,
		MaxLeases: c.cfg.MaxLeases, MaxSteal: c.cfg.MaxSteal,
		Overdue: 3 * c.cfg.FailoverTime, KeepSurplus: now.Before(t.keepUntil),
	}
	view.Held, view.Leaving, view.Avoid = c.standing(now)
	t.seeOthers(list, view.Held)
	t.act(ctx, now, Plan(view, t.rng))
}

// seeOthers looks at the leases that other workers own. One that was given up
// was of use to somebody, so it does not count as come back later. One that is
// held here was stolen, which its holding has yet to notice; a list that lags
// shows a smaller counter.
func (t *takeLoop) seeOthers(list []Lease, held map[string]bool) {
	for _, l := range list {
		if l.Owner == "" || l.Owner == t.c.cfg.WorkerID {
			continue
		}
		delete(t.given, l.Key)
		if h := t.c.holding(l.Key); h != nil && l.Counter > h.Lease().Counter {
			delete(held, l.Key)
		}
	}
}

// compareFailover warns, once, if an owner has another failover time: the
// longer one counts, so its leases are taken later than expected. Java workers
// do not say theirs.
func (t *takeLoop) compareFailover(list []Lease) {
	for _, l := range list {
		if own := t.c.cfg.FailoverTime; !t.warned && l.FailoverTime != 0 && l.FailoverTime != own.Truncate(time.Millisecond) {
			t.warned = true
			t.c.cfg.Logger.Warn("failover times differ in the fleet; the longer one counts", zap.String("lease_owner", l.Owner),
				zap.Duration("theirs", l.FailoverTime), zap.Duration("ours", own))
		}
	}
}

// standing returns the keys held, those of them that are being given up, and
// the keys to avoid.
func (c *Coordinator) standing(now time.Time) (held, leaving, avoid map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held, leaving, avoid = make(map[string]bool, len(c.held)), make(map[string]bool), make(map[string]bool, len(c.avoid))
	for key, h := range c.held {
		held[key] = true
		if h.isSurplus() {
			leaving[key] = true
		}
	}
	for key, t := range c.tried {
		if now.Sub(t.first) > 10*c.cfg.FailoverTime { // no list lags so far behind
			delete(c.tried, key)
		}
	}
	for key, until := range c.avoid {
		if now.Before(until) {
			avoid[key] = true
		} else {
			delete(c.avoid, key)
		}
	}
	return held, leaving, avoid
}

// parallelTakes bounds the takes in flight: enough to take a thousand leases
// in seconds, few enough not to be throttled for it.
const parallelTakes = 16

func (t *takeLoop) act(ctx context.Context, now time.Time, d Decision) {
	for _, key := range d.Release {
		if h := t.c.holding(key); h != nil && h.requestRelease() {
			t.given[key] = true
			t.c.cfg.Logger.Info("lease is surplus", zap.String("lease_key", key), zap.Int("quota", d.Quota))
		}
	}
	t.tellSpillover(now, d.Spillover)
	var takes errgroup.Group
	takes.SetLimit(parallelTakes)
	var taken atomic.Int64
	take := func(l Lease, how ChangeKind) {
		takes.Go(func() error {
			if t.take(ctx, l, how) {
				taken.Add(1)
			}
			return nil
		})
	}
	for _, l := range d.Take {
		if t.given[l.Key] {
			delete(t.given, l.Key)
			t.keepUntil = now.Add(30 * t.c.cfg.FailoverTime)
		}
		take(l, Taken)
	}
	for _, l := range d.Steal {
		take(l, Stolen)
	}
	_ = takes.Wait() // they return no errors
	t.c.cfg.OnScan(Scan{Free: d.Free, Needed: d.Needed, ToTake: len(d.Take) + len(d.Steal), Taken: int(taken.Load()), Spillover: d.Spillover})
}

// tellSpillover warns of leases that nobody may be holding because of
// MaxLeases, once there were so many for a failover time: a worker that starts
// does not see the others at first.
func (t *takeLoop) tellSpillover(now time.Time, n int) {
	if n != t.spillover {
		t.spillover, t.spilled = n, now
	}
	if n == t.told || now.Sub(t.spilled) < t.c.cfg.FailoverTime {
		return
	}
	t.told = n
	if n > 0 {
		t.c.cfg.Logger.Warn("leases beyond MaxLeases are left to other workers", zap.Int("leases", n), zap.Int("max_leases", t.c.cfg.MaxLeases))
	}
}
