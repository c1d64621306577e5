package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
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

	// ScanInterval is how often the table is read to find leases to take, or up
	// to a tenth sooner, and also when a lease that nobody renews runs out.
	// Default FailoverTime. Each read costs one read unit per 8 KB of the table.
	ScanInterval time.Duration

	// MaxLeases is the most leases held at once. Default: no limit.
	// Source: KCL maxLeasesForWorker.
	MaxLeases int

	// MaxSteal is the most leases stolen at once from a Java worker. Default 1.
	// Source: KCL maxLeasesToStealAtOneTime.
	MaxSteal int

	// Judge says of each lease that a list showed whether this worker may take
	// it, and what identity it has by what is known of the stream. A lease that
	// it may not take is left alone, and is no load of anybody; that somebody owns
	// it gives him no share of the others. One that is held stays held. Judge is
	// called on Run's goroutine, once for each row of each list, also for those
	// that are held, finished or unreadable, and must be quick; while it blocks
	// nothing is taken. Default: every lease, of an identity that is not known.
	Judge func(Lease) (Identity, bool)

	// OnChange is told of every lease taken, lost and released. Default: nobody
	// is told.
	//
	// It, OnScan and OnScanFailed are called in the order in which things
	// happened, one at a time, on a goroutine that Run starts: leases are taken,
	// held and released meanwhile. One that does not return, or panics, is
	// logged. Run waits for them at its end, ten seconds at most.
	OnChange func(Change)

	// OnTry is told of every reading of the table what OnScan or OnScanFailed is
	// told of later: nil, or the error. It is called at once, on Run's goroutine,
	// so it must be quick, and no other hook can keep it waiting. Default: nobody
	// is told.
	OnTry func(error)

	// OnScan is told of every reading of the table, after what it led to was
	// done. Default: nobody is told.
	OnScan func(Scan)

	// OnScanFailed is told, instead of OnScan, of a reading that failed, and of
	// one after which no lease was taken because the table refused the takes
	// (ErrAccessDenied, ErrTableNotFound). Default: nobody is told.
	OnScanFailed func(error)

	Logger *zap.Logger // default: none
}

// Scan is what one reading of the lease table led to.
type Scan struct {
	Free      int // leases that nobody held
	Needed    int // leases that this worker lacked to its share
	ToTake    int // leases that it tried to take or steal
	Taken     int // those of them that it got
	Spillover int // leases of its share that it leaves to others because of MaxLeases
	LeftAlone int // leases that it may not take, by Judge or because their counter can grow no more; finished ones too
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
	watch    *deadline.Watch
	hooks    *teller

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
	cfg.ScanInterval = cmp.Or(cfg.ScanInterval, max(cfg.FailoverTime, MinFailoverTime)) // a bad failover time is one fault
	cfg.Logger = cmp.Or(cfg.Logger, zap.NewNop())
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
	w := new(deadline.Watch)
	return &Coordinator{
		cfg: cfg, instance: instance, timing: newTiming(cfg.FailoverTime), clock: newClock(), watch: w, hooks: newTeller(cfg.Logger, w),
		wake: make(chan struct{}, 1), held: make(map[string]*Held), avoid: make(map[string]time.Time), tried: make(map[string]tried),
	}, nil
}

// Run takes leases until ctx is done. For each lease it calls hold on a
// goroutine of its own; when hold returns the lease is no longer held, and if
// hold did not release it, it runs out by itself. Run returns when every hold
// has returned, and the hooks of Config have, or are waited for no longer. The
// leases' contexts descend from hard, which must outlive ctx
// for as long as hold needs to end well.
func (c *Coordinator) Run(ctx, hard context.Context, hold func(*Held)) {
	defer c.hooks.finish()
	var holds sync.WaitGroup
	defer holds.Wait()
	loop := &takeLoop{
		c: c, hard: hard, hold: hold, holds: &holds,
		observer: NewObserver(c.cfg.FailoverTime),
		rng:      pause.Rand(ctx, "plan"),
		given:    make(map[string]bool),
		stuck:    make(map[string]bool),

		unclaimed: c.cfg.ScanInterval + pause.Less(ctx, "unclaimed", c.cfg.ScanInterval/10, 1),
	}
	for ctx.Err() == nil {
		loop.step(ctx)
		c.sleep(ctx, loop.untilNext(jittered(ctx, "scan", c.cfg.ScanInterval)))
	}
}

// Loops returns the tries that are under way: of reading the table, of taking
// leases, of the writes of held ones, and of hooks. What rests between two tries
// is not among them.
func (c *Coordinator) Loops() []LoopStatus { return loops(c.watch) }

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

// changed tells OnChange.
func (c *Coordinator) changed(ch Change) {
	if f := c.cfg.OnChange; f != nil {
		c.hooks.tell("OnChange", func() { f(ch) })
	}
}

// scanned tells OnTry, and OnScan, or OnScanFailed if err is not nil.
func (c *Coordinator) scanned(s Scan, err error) {
	if f := c.cfg.OnTry; f != nil {
		c.hooks.guard("OnTry", func() { f(err) })
	}
	switch done, failed := c.cfg.OnScan, c.cfg.OnScanFailed; {
	case err != nil && failed != nil:
		c.hooks.tell("OnScanFailed", func() { failed(err) })
	case err == nil && done != nil:
		c.hooks.tell("OnScan", func() { done(s) })
	}
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

// jittered returns d less up to a tenth, so that workers that started together
// do not call together for ever.
func jittered(ctx context.Context, what string, d time.Duration) time.Duration {
	return pause.Less(ctx, what, d, 0.1)
}
