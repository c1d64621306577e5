package lease

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/shardmill/shardmill/internal/deadline"
)

// takeLoop is what Run knows from one scan to the next.
type takeLoop struct {
	c        *Coordinator
	hard     context.Context //nolint:containedctx // the parent of the leases' contexts
	hold     func(*Held)
	holds    *sync.WaitGroup
	observer *Observer
	rng      *rand.Rand

	// surplus are the keys of leases given up as such. If one comes back because
	// nobody takes it, surplus is kept for a while: keepUntil.
	surplus   map[string]bool
	keepUntil time.Time
	failures  int       // scans that failed in a row
	warned    bool      // of differing failover times
	spillover int       // as it was at the last scan
	told      int       // the spillover that was logged last
	spilled   time.Time // since when the spillover is what it is

	unclaimed time.Duration   // View.Unclaimed; chance spreads it among workers
	next      time.Time       // when to read the table at the latest; zero: at the next scan
	stuck     map[string]bool // leases whose counter cannot grow, told of
}

// step reads the table once, decides and acts.
func (t *takeLoop) step(ctx context.Context) {
	c := t.c
	t.next = time.Time{}
	list, unreadable, err := t.list(ctx)
	if err != nil {
		if ctx.Err() == nil {
			t.failures++
			c.cfg.Logger.Warn("lease table not read", zap.Error(err), zap.Int("attempt", t.failures))
			c.scanned(Scan{}, err)
		}
		return
	}
	t.failures = 0
	now := c.clock.now()
	t.compareFailover(list)
	view := View{
		Leases: t.observer.Observe(now, list), Unreadable: unreadable, Me: c.cfg.WorkerID,
		MaxLeases: c.cfg.MaxLeases, MaxSteal: c.cfg.MaxSteal,
		Overdue: 3 * c.cfg.FailoverTime, Unclaimed: min(t.unclaimed, 3*c.cfg.FailoverTime), KeepSurplus: now.Before(t.keepUntil),
	}
	identities, leftAlone := t.judge(list)
	view.LeftAlone = leftAlone
	view.Held, view.Surplus, view.Avoid = c.standing(now)
	t.seeOthers(list, view.Held)
	d := Decide(view, t.rng)
	if d.Again > 0 {
		t.next = now.Add(d.Again)
	}
	s := Scan{Free: d.Free, Needed: d.Needed, ToTake: len(d.Take) + len(d.Steal), Spillover: d.Spillover, LeftAlone: d.LeftAlone}
	s.OldestCheckpoint, s.Undated = OldestCheckpoint(list)
	s.Taken, err = t.act(ctx, now, d, identities)
	c.scanned(s, err)
}

// list reads the table; unreadable are the keys of malformed rows. It has a limit of its own: without one a request that is
// never answered would end the loop, and with it every failover.
func (t *takeLoop) list(ctx context.Context) (list []Lease, unreadable []string, err error) {
	ctx, call := deadline.Start(ctx, max(30*time.Second, 3*t.c.cfg.FailoverTime))
	defer call.End()
	end := t.c.watch.BeginCall("scan", "", "reading the lease table", call)
	defer end()
	list, bad, err := t.c.cfg.Table.List(ctx)
	for _, row := range bad {
		unreadable = append(unreadable, row.Key)
	}
	return list, unreadable, deadline.Explain(ctx, err)
}

// untilNext returns how long to wait for the next step: as long as usual, or
// until the passing of time makes a lease free or overdue. A margin of time
// that is too short to matter is no reason to read the table again.
func (t *takeLoop) untilNext(usual time.Duration) time.Duration {
	if t.next.IsZero() {
		return usual
	}
	return min(usual, max(t.next.Sub(t.c.clock.now()), t.c.timing.margin/10))
}

// judge asks Judge about every lease. Of a lease about which Judge panics
// nothing is known, so it is left alone.
func (t *takeLoop) judge(list []Lease) (identities map[string]Identity, leftAlone map[string]bool) {
	for _, l := range list {
		if _, err := l.Next(); err != nil && !t.stuck[l.Key] {
			t.stuck[l.Key] = true
			t.c.cfg.Logger.Warn("lease is left alone", zap.String("lease_key", l.Key), zap.Error(err))
		}
	}
	judge := t.c.cfg.Judge
	if judge == nil {
		return nil, nil
	}
	end := t.c.watch.Begin("scan", "", "judging the leases", 30*time.Second)
	defer end()
	identities, leftAlone = make(map[string]Identity, len(list)), make(map[string]bool)
	for _, l := range list {
		ours := false
		t.c.hooks.guard(hookJudge, func() { identities[l.Key], ours = judge(l) })
		if !ours {
			leftAlone[l.Key] = true
		}
	}
	return identities, leftAlone
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
		delete(t.surplus, l.Key)
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

// standing returns the keys held, those of them that are being given up as
// surplus, and the keys to avoid.
func (c *Coordinator) standing(now time.Time) (held, surplus, avoid map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held, surplus, avoid = make(map[string]bool, len(c.held)), make(map[string]bool), make(map[string]bool, len(c.avoid))
	for key, h := range c.held {
		held[key] = true
		if h.isSurplus() {
			surplus[key] = true
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
	return held, surplus, avoid
}

// parallelTakes bounds the takes in flight: enough to take a thousand leases
// in seconds, few enough not to be throttled for it.
const parallelTakes = 16

// act does what was decided and returns how many leases were taken. The error says
// that the table refused all takes.
func (t *takeLoop) act(ctx context.Context, now time.Time, d Decision, identities map[string]Identity) (taken int, err error) {
	for _, key := range d.Surplus {
		if h := t.c.holding(key); h != nil && h.makeSurplus() {
			t.surplus[key] = true
			t.c.cfg.Logger.Info("lease is surplus", zap.String("lease_key", key), zap.Int("quota", d.Quota))
		}
	}
	t.tellSpillover(now, d.Spillover)
	for _, l := range d.Take {
		if t.surplus[l.Key] {
			delete(t.surplus, l.Key)
			t.keepUntil = now.Add(30 * t.c.cfg.FailoverTime)
		}
	}
	taken, err = t.takeAll(ctx, d, identities)
	if err != nil && ctx.Err() == nil {
		t.c.cfg.Logger.Warn("leases not taken", zap.Error(err), zap.Int("taken", taken))
	}
	if taken > 0 {
		err = nil
	}
	return taken, err
}

// takeAll takes and steals what was decided and returns how many leases it got.
// The error says that the table refuses to be written; then the takes that have
// not begun are not tried.
func (t *takeLoop) takeAll(ctx context.Context, d Decision, identities map[string]Identity) (int, error) {
	var takes errgroup.Group
	takes.SetLimit(parallelTakes)
	var taken atomic.Int64
	var refused atomic.Bool
	take := func(l Lease, how ChangeKind) {
		takes.Go(func() error {
			if refused.Load() {
				return nil
			}
			ok, err := t.take(ctx, l, identities[l.Key], how)
			if ok {
				taken.Add(1)
			}
			if err != nil {
				refused.Store(true)
			}
			return err
		})
	}
	for _, l := range d.Take {
		take(l, Taken)
	}
	for _, l := range d.Steal {
		take(l, Stolen)
	}
	err := takes.Wait()
	return int(taken.Load()), err
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
