package elected_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
)

const failover = 10 * time.Second

var errNet = errors.New("connection reset")

// link is a worker's way to the table: it may fail, be slow, lose answers, or be cut.
type link struct {
	*lease.Mem

	mu    sync.Mutex // guards what follows
	rng   *rand.Rand
	cut   bool          // nothing passes any more
	fails int           // of a hundred requests
	slow  time.Duration // most that each way of a request takes
	ready error         // of Ensure
}

func (l *link) set(change func(*link)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// way is one way of a request.
func (l *link) way(ctx context.Context) error {
	l.mu.Lock()
	cut, fails := l.cut, l.fails > 0 && l.rng.IntN(100) < l.fails
	var in time.Duration
	if l.slow > 0 {
		in = time.Duration(l.rng.Int64N(int64(l.slow)))
	}
	l.mu.Unlock()
	if cut { // never answered
		<-ctx.Done()
		return context.Cause(ctx)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(in):
	}
	if fails {
		return errNet
	}
	return nil
}

// sent makes a request whose answer may be lost.
func sent[T any](ctx context.Context, l *link, f func() (T, error)) (T, error) {
	var none T
	if err := l.way(ctx); err != nil {
		return none, err
	}
	v, err := f()
	if lost := l.way(ctx); lost != nil {
		return none, lost
	}
	return v, err
}

func (l *link) Ensure(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready
}

type listing struct {
	leases     []lease.Lease
	unreadable []*lease.UnreadableError
}

func (l *link) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	out, err := sent(ctx, l, func() (listing, error) {
		leases, unreadable, err := l.Mem.List(ctx)
		return listing{leases, unreadable}, err
	})
	return out.leases, out.unreadable, err
}

func (l *link) Get(ctx context.Context, key string) (lease.Lease, error) {
	return sent(ctx, l, func() (lease.Lease, error) { return l.Mem.Get(ctx, key) })
}

func (l *link) Take(ctx context.Context, seen lease.Lease, by lease.Claim) (lease.Lease, error) {
	return sent(ctx, l, func() (lease.Lease, error) { return l.Mem.Take(ctx, seen, by) })
}

func (l *link) Renew(ctx context.Context, held lease.Lease) (lease.Lease, error) {
	return sent(ctx, l, func() (lease.Lease, error) { return l.Mem.Renew(ctx, held) })
}

func (l *link) Release(ctx context.Context, held lease.Lease, why lease.ReleaseReason) (lease.Lease, error) {
	return sent(ctx, l, func() (lease.Lease, error) { return l.Mem.Release(ctx, held, why) })
}

func (l *link) Create(ctx context.Context, row lease.Lease) error {
	_, err := sent(ctx, l, func() (struct{}, error) { return struct{}{}, l.Mem.Create(ctx, row) })
	return err
}

// worker is one that stands ready.
type worker struct {
	*link
	*elected.Role

	id   string
	stop context.CancelFunc
	done chan struct{} // Run has returned
}

// crew is workers of one job, and who does it.
type crew struct {
	t     *testing.T
	table *lease.Mem
	job   elected.Job // what each does; nil: wait for the end

	mu    sync.Mutex // guards what follows
	rng   *rand.Rand
	terms map[*elected.Term]*worker
	began []string // the workers that began, in order
	ended time.Time
}

func newCrew(t *testing.T, seed uint64) *crew {
	t.Helper()
	return &crew{t: t, table: new(lease.Mem), rng: rand.New(rand.NewPCG(seed, 1)), terms: map[*elected.Term]*worker{}}
}

func (c *crew) draw(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// start starts a worker.
func (c *crew) start(id string) *worker {
	c.t.Helper()
	w := &worker{link: &link{Mem: c.table, rng: rand.New(rand.NewPCG(uint64(c.draw(1<<30)), 2))}, id: id, done: make(chan struct{})}
	var err error
	w.Role, err = elected.New(elected.Config{Table: w.link, Job: "orders", WorkerID: id, FailoverTime: failover})
	if err != nil {
		c.t.Fatal(err)
	}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(c.t.Context())
	go func() {
		defer close(w.done)
		w.Run(ctx, func(ctx context.Context, term *elected.Term) error { return c.do(ctx, w, term) })
	}()
	return w
}

// do is the job: it acts every now and then, and each time nobody else may be trusted.
func (c *crew) do(ctx context.Context, w *worker, term *elected.Term) error {
	c.mu.Lock()
	c.terms[term] = w
	c.began = append(c.began, w.id)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.terms, term)
		c.ended = time.Now()
	}()
	if c.job != nil {
		return c.job(ctx, term)
	}
	for {
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); errors.Is(cause, lease.ErrLost) != (term.CheckTrust() != nil) {
				c.t.Errorf("%s: the job ends for %v, trust: %v", w.id, cause, term.CheckTrust())
			}
			time.Sleep(time.Duration(c.draw(3000)) * time.Millisecond) // it ends well
			return nil
		case <-time.After(time.Duration(200+c.draw(800)) * time.Millisecond):
		}
		c.act(w, term)
	}
}

// act checks that nobody else is trusted while this worker is.
func (c *crew) act(w *worker, term *elected.Term) {
	if term.CheckTrust() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, who := range c.terms {
		if other != term && other.CheckTrust() == nil && term.CheckTrust() == nil {
			c.t.Errorf("%s and %s are both trusted", w.id, who.id)
		}
	}
}

// doer returns the worker that does the job and is trusted, or nil.
func (c *crew) doer() *worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	for term, w := range c.terms {
		if term.CheckTrust() == nil {
			return w
		}
	}
	return nil
}

// times returns how often somebody began.
func (c *crew) times() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.began)
}

// end stops all.
func end(all ...*worker) {
	for _, w := range all {
		w.set(func(l *link) { l.cut, l.fails, l.slow = false, 0, 0 })
		w.stop()
	}
	for _, w := range all {
		<-w.done
	}
}
