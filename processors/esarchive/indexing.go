package esarchive

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors"
)

// indexing brings the documents of one cut to the index. The goroutine of Run has all of
// it; those of requests have their request, and read what never changes.
type indexing struct {
	index    *Index
	in       processors.IndexInput
	actions  *actions
	ledger   *ledger
	troubles troubles
	seed     maphash.Seed
	buf      []byte // that documents are read into

	parallel int           // requests that may be under way
	opening  int           // of the circuit, that holds back documents; 0 for none
	held     time.Duration // since that time of the clock
	ticket   *ticket       // for the next request; nil for none

	failures failures
	reasons  reasons
	memory   atomic.Int64
}

func newIndexing(x *Index, in processors.IndexInput) *indexing {
	in.Logger = cmp.Or(in.Logger, zap.NewNop())
	return &indexing{
		index: x, in: in,
		actions:  newActions(&x.s, in.Stream),
		ledger:   newLedger(in.Documents, x.s.retry),
		troubles: troubles{log: in.Logger},
		seed:     maphash.MakeSeed(),
		parallel: x.s.Parallel,
		reasons:  reasons{},
	}
}

// Held implements processors.Indexing.
func (x *indexing) Held() int64 { return x.memory.Load() }

// Outcome implements processors.Indexing.
func (x *indexing) Outcome() processors.IndexOutcome {
	o := x.ledger.outcome
	o.Failed = x.failures.all(x.actions.typeName(), x.index.s.Service == Serverless)
	return o
}

func (x *indexing) digest(id []byte) uint64 { return max(1, maphash.Bytes(x.seed, id)) }

// round is one call of Run.
type round struct {
	ctx     context.Context // of requests; it ends with the call
	ended   chan *request
	flying  map[*request]struct{}
	running sync.WaitGroup
}

// Run implements processors.Indexing.
func (x *indexing) Run(ctx context.Context) error {
	if err := x.describe(ctx); err != nil {
		return err
	}
	sending, cancel := context.WithCancel(ctx)
	r := &round{ctx: sending, ended: make(chan *request, x.index.s.Parallel), flying: map[*request]struct{}{}}
	defer x.settle(r)
	defer r.running.Wait()
	defer cancel()
	if err := x.run(ctx, r); err != nil {
		return fmt.Errorf("indexing documents: %w", err)
	}
	x.troubles.over()
	return nil
}

// settle takes in what is left of a call of Run whose requests have all ended.
func (x *indexing) settle(r *round) {
	for len(r.flying) > 0 {
		x.absorb(r, <-r.ended, true)
	}
	x.dropTicket()
	x.count(r)
}

// run begins requests, and waits for what happens next, until all documents have an
// outcome.
func (x *indexing) run(ctx context.Context, r *round) error {
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		next, changed, err := x.begins(ctx, r)
		if err != nil {
			return err
		}
		if err := x.describe(ctx); err != nil {
			return err
		}
		x.count(r)
		if x.ledger.done() {
			return nil
		}
		due.Reset(time.Until(next))
		select {
		case <-ctx.Done():
		case ended := <-r.ended:
			x.absorb(r, ended, ctx.Err() != nil)
		case <-x.ready():
		case <-changed:
		case <-due.C:
		case <-beat.C:
			x.beat(ctx, r)
		}
	}
}

// ready is closed when the next request may have its bytes; nil if none waits for them.
func (x *indexing) ready() <-chan struct{} {
	if x.ticket == nil {
		return nil
	}
	return x.ticket.ready
}

// beat gives a sign of life, gives up what had to wait for too long, and tells of requests
// that are not answered.
func (x *indexing) beat(ctx context.Context, r *round) {
	deadline.Beat(ctx)
	now := time.Now()
	x.ledger.expire(now, x.index.clock.read(now))
	var oldest time.Duration
	for q := range r.flying {
		oldest = max(oldest, now.Sub(q.began))
	}
	x.troubles.waits(oldest, now)
}

// long is for how long a loop may wait that something else than time will wake.
const long = time.Hour

// begins begins as many requests as may be. Else it may be asked again at next, or when
// changed is closed.
func (x *indexing) begins(ctx context.Context, r *round) (next time.Time, changed <-chan struct{}, err error) {
	for len(r.flying) < x.parallel {
		now := time.Now()
		next = x.ledger.soonest()
		if next.IsZero() || !next.After(now) {
			next = now.Add(long) // what is due is begun, or something else happens first
		}
		if _, ok := x.ledger.peek(now, false); !ok {
			x.dropTicket()
			return next, nil, nil
		}
		pass := x.pass(now)
		if !pass.ok {
			x.dropTicket()
			if !pass.next.IsZero() && pass.next.Before(next) {
				next = pass.next
			}
			return next, pass.changed, nil
		}
		begun, err := x.beginOne(ctx, r, now, pass)
		if err != nil {
			return next, nil, err
		}
		if !begun && x.ticket != nil {
			return next, nil, nil // it waits for its bytes
		}
	}
	x.dropTicket() // bytes that are not used now are for others
	return time.Now().Add(long), nil, nil
}

// pass says whether a request may be begun.
type pass struct {
	admission
	untried bool // only of documents that were never sent
}

// pass asks the circuit. While it holds back documents that were never sent, their time
// runs; when it is over each is sent once, whatever the circuit says.
func (x *indexing) pass(now time.Time) pass {
	p := pass{admission: x.index.circuit.enter(now)}
	clock := x.index.clock.read(now)
	if p.opening != x.opening {
		x.opening, x.held = p.opening, clock
	}
	if !p.ok && clock-x.held >= x.index.s.retry && x.ledger.untried() {
		p.ok, p.untried = true, true
	}
	return p
}

// beginOne begins a request, and reports whether it did: it may have to wait for its bytes,
// and it may be that no document that was looked at can be sent.
func (x *indexing) beginOne(ctx context.Context, r *round, now time.Time, p pass) (begun bool, err error) {
	defer func() {
		if !begun && p.probe {
			x.index.circuit.abandoned()
		}
	}()
	c := x.cluster(ctx)
	limit := min(x.index.s.MaxRequestBytes, x.index.lesson.bytes(now))
	if c.maxContent > 0 {
		limit = min(limit, c.maxContent)
	}
	if x.ticket == nil {
		x.ticket = x.index.budget.ask(x.ledger.want(now, p.untried, limit, x.actions.room()))
	}
	if len(r.flying) == 0 {
		x.ticket.force()
	}
	if !x.ticket.granted() {
		return false, nil
	}
	if x.in.MayGoOn != nil {
		if err := x.in.MayGoOn(); err != nil {
			return false, err //nolint:wrapcheck // Run does
		}
	}
	q := x.index.take()
	q.ticket = x.ticket
	q.body = slices.Grow(q.body, int(min(x.ticket.bytes, 2*limit)))
	q.hasIDs = x.index.s.ownIDs() && !x.index.noIDs.Load()
	if q.probe = p.probe; c.isLimited {
		q.limit = c.maxContent
	}
	err = x.fill(q, now, p.untried, min(limit, max(x.ticket.bytes, 1)))
	if err != nil || len(q.entries) == 0 {
		x.index.giveBack(q)
		x.dropTicket()
		return false, err
	}
	x.fly(r, q)
	return true, nil
}

// fly sends a request on a goroutine of its own.
func (x *indexing) fly(r *round, q *request) {
	x.ticket = nil
	q.ticket.keep(int64(len(q.body)))
	q.began = time.Now()
	r.flying[q] = struct{}{}
	x.ledger.outcome.Requests++
	r.running.Go(func() {
		defer func() { r.ended <- q }() // there is room
		x.send(r.ctx, q)
	})
}

// cluster says what is known of the cluster, which may have to be asked.
func (x *indexing) cluster(ctx context.Context) cluster {
	asking, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		for pause.For(asking, beatInterval) == nil {
			deadline.Beat(ctx)
		}
	})
	defer watch.Wait()
	defer cancel()
	c := x.index.r.cluster(asking)
	x.actions.setTypes(!c.lacksTypes())
	x.index.typeless(c)
	return c
}

func (x *indexing) dropTicket() {
	if x.ticket != nil {
		x.ticket.drop()
		x.ticket = nil
	}
}
