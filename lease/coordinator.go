package lease

import (
	"context"
	"sync"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

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
	cfg = cfg.withDefaults()
	if err := cfg.validate(instance); err != nil {
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
		surplus:  make(map[string]bool),
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
		c.hooks.tell(ch.Kind.hook(), func() { f(ch) })
	}
}

// scanned tells OnTry, and OnScan, or OnScanFailed if err is not nil.
func (c *Coordinator) scanned(s Scan, err error) {
	if f := c.cfg.OnTry; f != nil {
		c.hooks.guard(hookTry, func() { f(err) })
	}
	switch done, failed := c.cfg.OnScan, c.cfg.OnScanFailed; {
	case err != nil && failed != nil:
		c.hooks.tell(hookScanFailed, func() { failed(err) })
	case err == nil && done != nil:
		c.hooks.tell(hookScanned, func() { done(s) })
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
