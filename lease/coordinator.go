package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/shardmill/shardmill/internal/pause"
)

// Config configures a Coordinator. Fields without a default are required.
type Config struct {
	Table    Table
	WorkerID string // unique among the workers of the application; leaseOwner

	// FailoverTime is how long a lease lives unrenewed: after so long without
	// a sign of life another worker takes it. All workers of an application
	// should have the same. Default 10s. Source: KCL failoverTimeMillis.
	FailoverTime time.Duration

	// ScanInterval is how often the table is read to find leases to take,
	// less or more a tenth. Default FailoverTime. Each read costs one read
	// unit per 8 KB of the table.
	ScanInterval time.Duration

	// MaxLeases is the most leases held at once. Default: no limit.
	// Source: KCL maxLeasesForWorker.
	MaxLeases int

	// MaxSteal is the most leases stolen at once from a Java worker. Default 1.
	// Source: KCL maxLeasesToStealAtOneTime.
	MaxSteal int

	// OnChange is told of every lease taken, lost and released, on the
	// goroutine where it happened. It must be quick. Default: nobody is told.
	OnChange func(Change)

	// OnScan is told of every reading of the table, after what it led to was
	// done. It must be quick. Default: nobody is told.
	OnScan func(Scan)

	Logger *zap.Logger // default: none
}

// Scan is what one reading of the lease table led to.
type Scan struct {
	Free      int // leases that nobody held
	Needed    int // leases that this worker lacked to its share
	ToTake    int // leases that it tried to take or steal
	Taken     int // those of them that it got
	Spillover int // leases of its share that it leaves to others because of MaxLeases
}

// Change is what happened to a lease that this worker holds or held.
type Change struct {
	Kind   ChangeKind
	Lease  Lease
	Reason string // of a loss
}

// ChangeKind tells the changes apart.
type ChangeKind int

// The changes of a lease.
const (
	Taken    ChangeKind = iota + 1 // it was free
	Stolen                         // another worker held it
	Lost                           // another worker took it, or trust ran out
	Released                       // given back to the table
)

// MinFailoverTime is the shortest failover time that New accepts: below it,
// ordinary delays of a table cost leases.
const MinFailoverTime = 500 * time.Millisecond

// Coordinator takes, holds and gives up the leases of one worker.
type Coordinator struct {
	cfg      Config
	instance string
	timing   timing
	clock    clock
	wake     chan struct{}

	mu    sync.Mutex // guards what follows; never held over I/O
	held  map[string]*Held
	avoid map[string]time.Time // until when a lease is left to others
	tried map[string]tried     // the last take of each lease that may have happened
}

// tried is a take that happened, or may have. If a list that lags shows the row
// as it was before, the same take is tried again and succeeds without moving the
// counter: trust counts from the first try all the same.
type tried struct {
	counter int64     // of the row before the take
	first   time.Time // the start of the first try that may have happened
}

// NewCoordinator returns a Coordinator that is not running. instance must be
// unique to this call: no process may ever use it again.
func NewCoordinator(cfg Config, instance string) (*Coordinator, error) {
	cfg.FailoverTime = cmp.Or(cfg.FailoverTime, 10*time.Second)
	cfg.ScanInterval = cmp.Or(cfg.ScanInterval, cfg.FailoverTime)
	cfg.Logger = cmp.Or(cfg.Logger, zap.NewNop())
	if cfg.OnChange == nil {
		cfg.OnChange = func(Change) {}
	}
	if cfg.OnScan == nil {
		cfg.OnScan = func(Scan) {}
	}
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	need(cfg.Table != nil, "Table is required")
	need(cfg.WorkerID != "", "WorkerID is required")
	need(instance != "", "the instance is required")
	need(cfg.FailoverTime >= MinFailoverTime, "FailoverTime is %v; it must be at least %v", cfg.FailoverTime, MinFailoverTime)
	need(cfg.ScanInterval > 0, "ScanInterval is %v; it must be positive", cfg.ScanInterval)
	need(cfg.MaxLeases >= 0, "MaxLeases is %d; it must be positive, or 0 for no limit", cfg.MaxLeases)
	need(cfg.MaxSteal >= 0, "MaxSteal is %d; it must be positive, or 0 for the default", cfg.MaxSteal)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Coordinator{
		cfg: cfg, instance: instance, timing: newTiming(cfg.FailoverTime), clock: newClock(),
		wake: make(chan struct{}, 1), held: make(map[string]*Held), avoid: make(map[string]time.Time), tried: make(map[string]tried),
	}, nil
}

// Run takes leases until ctx is done. For each lease it calls hold on a
// goroutine of its own; when hold returns the lease is no longer held, and if
// hold did not release it, it runs out by itself. Run returns when every hold
// has returned. The leases' contexts descend from hard, which must outlive ctx
// for as long as hold needs to end well.
func (c *Coordinator) Run(ctx, hard context.Context, hold func(*Held)) {
	var holds sync.WaitGroup
	defer holds.Wait()
	loop := &takeLoop{
		c: c, hard: hard, hold: hold, holds: &holds,
		observer: NewObserver(c.cfg.FailoverTime),
		rng:      pause.Rand(ctx, "plan"),
		given:    make(map[string]bool),
	}
	for ctx.Err() == nil {
		loop.step(ctx)
		c.sleep(ctx, jittered(ctx, "scan", c.cfg.ScanInterval))
	}
}

// Now returns local time to measure durations with: unlike time.Now it also
// counts the time that the machine was suspended, where the system tells.
func (c *Coordinator) Now() time.Time { return c.clock.now() }

// Wake makes the coordinator read the table now instead of at the next scan.
func (c *Coordinator) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Avoid leaves the lease of key to other workers for d.
func (c *Coordinator) Avoid(key string, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.avoid[key] = c.clock.now().Add(d)
}

// Held returns the leases that are held now, in the order of their keys.
func (c *Coordinator) Held() []*Held {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*Held, 0, len(c.held))
	for _, h := range c.held {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b *Held) int { return cmp.Compare(a.Lease().Key, b.Lease().Key) })
	return out
}

// holding returns the holding of a lease, also one that is lost and whose hold
// has yet to return, or nil.
func (c *Coordinator) holding(key string) *Held {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[key]
}

// sleep waits for d, a wake-up or ctx.
func (c *Coordinator) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-c.wake:
	case <-timer.C:
	}
}

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

// take takes one lease, starts to hold it, and reports whether it did. A take
// whose outcome stays unknown is left: if it happened, the lease runs out like
// any other, unless the same take is tried again before.
func (t *takeLoop) take(ctx context.Context, seen Lease, how ChangeKind) bool {
	c := t.c
	if c.holding(seen.Key) != nil {
		return false // lost, but the call of its processor has yet to return
	}
	row, start, err := c.tryTake(ctx, seen)
	if err != nil {
		if !errors.Is(err, ErrLost) && ctx.Err() == nil {
			c.cfg.Logger.Warn("lease not taken", zap.String("lease_key", seen.Key), zap.Error(err))
		}
		return false
	}
	//nolint:contextcheck // a holding outlives the context that leases are taken under
	h := newHeld(t.hard, c.cfg.Table, c.timing, c.clock, row, start)
	if how == Stolen {
		h.deliverFrom = c.clock.now().Add(max(c.cfg.FailoverTime, seen.FailoverTime))
	}
	c.mu.Lock()
	c.held[row.Key] = h
	c.mu.Unlock()
	c.cfg.OnChange(Change{Kind: how, Lease: row})
	c.cfg.Logger.Info("lease taken", zap.String("lease_key", row.Key), zap.String("lease_owner", seen.Owner),
		zap.Int64("lease_counter", row.Counter), zap.Stringer("checkpoint", row.Checkpoint), zap.Bool("stolen", how == Stolen))
	t.holds.Go(func() { c.keepHolding(h, t.hold) })
	return true
}

// tryTake repeats the take until its outcome is known, for at most half a
// failover time. start is when the first try began that may have happened.
func (c *Coordinator) tryTake(ctx context.Context, seen Lease) (row Lease, start time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.failover/2)
	defer cancel()
	claim := Claim{Owner: c.cfg.WorkerID, Instance: c.instance, FailoverTime: c.cfg.FailoverTime}
	if start, err = c.firstTry(ctx, seen); err != nil {
		return row, start, err
	}
	defer func() { c.noteTry(seen, start, err) }()
	tries := newTries("take "+seen.Key, c.timing.try)
	for {
		begun := c.clock.now()
		row, err = c.takeOnce(ctx, seen, claim)
		if start.IsZero() && !errors.Is(err, ErrThrottled) {
			start = begun
		}
		if err == nil || errors.Is(err, ErrLost) || errors.Is(err, ErrInvalidState) {
			return row, start, err
		}
		if tries.Wait(ctx) != nil {
			return row, start, err
		}
	}
}

// firstTry returns since when the take of a row may have happened, if it was
// tried before, else zero. The error is ErrLost if the list is older than that
// try, and nothing newer is known of the row.
func (c *Coordinator) firstTry(ctx context.Context, seen Lease) (time.Time, error) {
	c.mu.Lock()
	t, ok := c.tried[seen.Key]
	c.mu.Unlock()
	if !ok || t.counter < seen.Counter {
		return time.Time{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timing.try)
	defer cancel()
	begun := c.clock.now()
	if row, err := c.cfg.Table.Get(ctx, seen.Key); err == nil && row.Counter == seen.Counter {
		return begun, nil // until now it has not
	}
	if t.counter > seen.Counter {
		return time.Time{}, &LostError{Key: seen.Key}
	}
	return t.first, nil
}

// noteTry remembers a take that happened, or may have. A row whose counter has
// moved is taken anew, so one per key is enough.
func (c *Coordinator) noteTry(seen Lease, first time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first.IsZero() || errors.Is(err, ErrLost) {
		delete(c.tried, seen.Key)
		return
	}
	c.tried[seen.Key] = tried{counter: seen.Counter, first: first}
}

func (c *Coordinator) takeOnce(ctx context.Context, seen Lease, claim Claim) (Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.try)
	defer cancel()
	return c.cfg.Table.Take(ctx, seen, claim)
}

// keepHolding renews h and runs hold until hold returns.
func (c *Coordinator) keepHolding(h *Held, hold func(*Held)) {
	var renewals sync.WaitGroup
	renewals.Go(h.keep)
	hold(h)
	key := h.Lease().Key
	c.mu.Lock()
	delete(c.held, key)
	c.mu.Unlock()
	switch cause := context.Cause(h.ctx); {
	case errors.Is(cause, errReleased):
		c.cfg.OnChange(Change{Kind: Released, Lease: h.Lease()})
		c.cfg.Logger.Info("lease released", zap.String("lease_key", key))
		c.Wake()
	default:
		h.end(cmp.Or[error](cause, errNotReleased))
		reason := context.Cause(h.ctx).Error()
		c.cfg.OnChange(Change{Kind: Lost, Lease: h.Lease(), Reason: reason})
		c.cfg.Logger.Info("lease lost", zap.String("lease_key", key), zap.String("reason", reason))
	}
	renewals.Wait()
}

var errNotReleased = errors.New("given up without a release")

// jittered returns d less up to a tenth, so that workers that started together
// do not call together for ever.
func jittered(ctx context.Context, what string, d time.Duration) time.Duration {
	return pause.Less(ctx, what, d, 0.1)
}
