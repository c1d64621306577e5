package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

// Held is one lease that this worker holds: the trust in it, and the one way to
// write its row. It implements checkpoint.Writer. Its methods are safe for
// concurrent use; writes wait for each other.
type Held struct {
	table  Table
	timing timing
	clock  clock
	watch  *deadline.Watch
	log    *zap.Logger
	ctx    context.Context //nolint:containedctx // the scope of the holding: it ends when trust does
	cancel context.CancelCauseFunc

	// turn serializes the writes. It is a channel so that waiting for it can
	// be abandoned and counts as blocked in a synctest bubble.
	turn  chan struct{}
	doubt *doubt // the write whose outcome is unknown; belongs to who has the turn

	// processFrom is when the lease's former holder has certainly noticed.
	processFrom time.Time

	mu      sync.Mutex // guards what follows; never held over I/O
	row     Lease
	renewed time.Time // the start of the write that trust counts from
	trusted time.Time // the end of trust
	failure string    // of the last try of a write; "" once one succeeds
	expiry  *time.Timer
	surplus chan struct{} // closed, once, when the lease is to be given up
}

// timing is what follows from the failover time.
type timing struct {
	failover time.Duration // F: others may take the lease when it was not renewed for so long
	margin   time.Duration // trust ends so long before
	renew    time.Duration // renewals begin so long after the last one, or a little earlier
	try      time.Duration // a single try of a write is given up after so long
}

func newTiming(failover time.Duration) timing {
	return timing{failover: failover, margin: failover / 10, renew: failover * 3 / 10, try: failover / 4}
}

// doubt is a write that may or may not have happened.
type doubt struct {
	write write
	first time.Time // the start of the first try that may have happened
}

// write is one conditional write of the row. Repeating it with the same held
// is safe.
type write struct {
	name string
	do   func(ctx context.Context, held Lease) (Lease, error)
}

// errTooEarly is the cause of a Held's context after a Release that was none.
var errTooEarly = errors.New("given up before its former holder had to know; it runs out")

// errReleased is the cause of a Held's context after Release.
var errReleased = errors.New("lease released")

// newHeld makes a Held of a row that a write begun at start returned.
func newHeld(ctx context.Context, c *Coordinator, row Lease, start time.Time) *Held {
	h := &Held{
		table: c.cfg.Table, timing: c.timing, clock: c.clock, watch: c.watch, log: c.cfg.Logger,
		turn: make(chan struct{}, 1), surplus: make(chan struct{}),
	}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	h.mu.Lock() // so that expire waits until expiry is set
	defer h.mu.Unlock()
	h.row, h.renewed, h.trusted = row, start, start.Add(c.timing.failover-c.timing.margin)
	h.expiry = time.AfterFunc(h.trusted.Sub(c.clock.now()), h.expire)
	return h
}

// Context is done when the lease is no longer held, with the cause: an error
// that is ErrLost, or why the coordinator's context ended.
func (h *Held) Context() context.Context { return h.ctx }

// Lease returns the row as the last write left it.
func (h *Held) Lease() Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.row
}

// Surplus is closed when the lease should be given up so that another worker
// may have it.
func (h *Held) Surplus() <-chan struct{} { return h.surplus }

// DeliverFrom returns the local time before which the processor must not be
// called: the former holder may not know yet that it lost the lease.
func (h *Held) DeliverFrom() time.Time { return h.processFrom }

// UntilProcessing returns for how long yet the processor must not be called: the
// former holder of a stolen lease may not know that it lost it.
func (h *Held) UntilProcessing() time.Duration { return h.processFrom.Sub(h.clock.now()) }

// CheckTrust returns nil while the lease is trusted, else an error that is
// ErrLost. It asks the clock, so it is right also if timers are late.
func (h *Held) CheckTrust() error {
	if h.ctx.Err() != nil {
		if cause := context.Cause(h.ctx); errors.Is(cause, ErrLost) {
			return cause
		}
		return &LostError{Key: h.Lease().Key}
	}
	if h.left() <= 0 {
		h.expire()
		return &LostError{Key: h.Lease().Key}
	}
	return nil
}

// TrustedUntil returns the local time at which trust ends unless a write
// succeeds before.
func (h *Held) TrustedUntil() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trusted
}

// Checkpoint implements checkpoint.Writer.
func (h *Held) Checkpoint(ctx context.Context, at checkpoint.Position) error {
	return h.write(ctx, write{"checkpointing", func(ctx context.Context, held Lease) (Lease, error) {
		// A checkpoint that was in doubt, and has happened, may be later.
		if at.Compare(held.Checkpoint.ExtendedSequenceNumber) < 0 {
			at = held.Checkpoint
		}
		return h.table.Checkpoint(ctx, held, at)
	}})
}

// Prepare implements checkpoint.Writer. It returns ErrBeforeCheckpoint of package
// checkpoint if the row is later: a checkpoint that was in doubt has happened,
// or an operator moved it.
func (h *Held) Prepare(ctx context.Context, p checkpoint.Prepared) error {
	return h.write(ctx, write{"preparing a checkpoint of", func(ctx context.Context, held Lease) (Lease, error) {
		if p.At.Compare(held.Checkpoint.ExtendedSequenceNumber) < 0 {
			return Lease{}, fmt.Errorf("%w: %w: %v, the row is at %v", ErrInvalidState, checkpoint.ErrBeforeCheckpoint, p.At, held.Checkpoint)
		}
		return h.table.Prepare(ctx, held, p)
	}})
}

// CreateChild makes the row of a child of this shard, unless there is one.
// Only who holds the parent can.
func (h *Held) CreateChild(ctx context.Context, child Lease) error {
	return h.write(ctx, write{"creating the child " + child.Key + " of", func(ctx context.Context, held Lease) (Lease, error) {
		return held, h.table.CreateChild(ctx, held, child)
	}})
}

// Annotate notes the children in the row; the counter stays.
func (h *Held) Annotate(ctx context.Context, children []string) error {
	return h.write(ctx, write{"annotating", func(ctx context.Context, held Lease) (Lease, error) {
		err := h.table.Annotate(ctx, held.Key, children, HashRange{})
		if err == nil {
			held.Children = children
		}
		return held, err
	}})
}

// Release gives the lease up: others may take it at once. No call of a
// processor may be running. After an error the lease runs out by itself.
//
// A stolen lease is not released before DeliverFrom: whoever took it then would
// deliver at once, and its first holder may not know yet. It runs out.
func (h *Held) Release(ctx context.Context, why ReleaseReason) error {
	if h.clock.now().Before(h.processFrom) {
		h.end(errTooEarly)
		return nil
	}
	err := h.write(ctx, write{"releasing", func(ctx context.Context, held Lease) (Lease, error) {
		return h.table.Release(ctx, held, why)
	}})
	h.end(cmp.Or(err, errReleased))
	return err
}

// Drop stops holding without a write: the lease runs out by itself.
func (h *Held) Drop(cause error) { h.end(cause) }

// makeSurplus closes Surplus, unless it is.
func (h *Held) makeSurplus() (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isSurplus() {
		return false
	}
	close(h.surplus)
	return true
}

// isSurplus reports whether Surplus is closed.
func (h *Held) isSurplus() bool {
	select {
	case <-h.surplus:
		return true
	default:
		return false
	}
}

// renew makes one renewal.
func (h *Held) renew(ctx context.Context) error {
	return h.write(ctx, write{"renewing", h.table.Renew})
}

// write makes w happen, after the write in doubt if there is one. It tries
// until the outcome is known, ctx is done or trust has ended.
func (h *Held) write(ctx context.Context, w write) error {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s lease %s: %w", w.name, h.Lease().Key, context.Cause(ctx))
	case <-h.ctx.Done():
		return fmt.Errorf("%s lease %s: %w", w.name, h.Lease().Key, h.CheckTrust())
	}
	defer func() { <-h.turn }()
	if d := h.doubt; d != nil {
		if err := h.settle(ctx, d.write, d.first); err != nil {
			return fmt.Errorf("%s lease %s, with the outcome of an earlier write unknown: %w", w.name, h.Lease().Key, err)
		}
	}
	if err := h.settle(ctx, w, time.Time{}); err != nil {
		return fmt.Errorf("%s lease %s: %w", w.name, h.Lease().Key, err)
	}
	return nil
}

// settle repeats w until its outcome is known. first is the start of the first
// try that may have happened, zero if there is none.
func (h *Held) settle(ctx context.Context, w write, first time.Time) error {
	tries := newTries(w.name+" "+h.Lease().Key, h.timing.try)
	told := false
	for attempt := 1; ; attempt++ {
		if err := h.CheckTrust(); err != nil {
			return err
		}
		start := h.clock.now()
		row, err := h.attempt(ctx, w)
		switch {
		case err == nil:
			if first.IsZero() {
				first = start
			}
			h.doubt = nil
			h.advance(row, first)
			return nil
		case errors.Is(err, ErrLost):
			h.end(err)
			return err
		case IsUnreadable(err): // it may have happened, and nobody can tell what the row is now
			err = fmt.Errorf("%w: %w", ErrLost, err)
			h.end(err)
			return err
		case errors.Is(err, ErrInvalidState), errors.Is(err, ErrNotFound):
			return err
		case !nothingWritten(err) && first.IsZero():
			first = start
			h.doubt = &doubt{write: w, first: first}
		}
		h.noteFailure(err)
		if !told && (attempt > 1 || h.clock.now().Sub(start) >= h.timing.try) { // one quick failure alone is ordinary
			told = true
			h.log.Warn("lease is not written; the write is repeated while the lease is trusted", zap.String("write", w.name),
				zap.String("lease_key", h.Lease().Key), zap.Int("attempt", attempt), zap.Error(err))
		}
		if werr := wait(ctx, h.ctx, tries.Next(ctx)); werr != nil {
			return fmt.Errorf("%w (last try: %w)", werr, err)
		}
	}
}

// attempt makes one try of w, which ends with trust at the latest.
func (h *Held) attempt(ctx context.Context, w write) (Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, min(h.timing.try, h.left()))
	defer cancel()
	stop := context.AfterFunc(h.ctx, cancel) //nolint:contextcheck // it ends with the holding, too
	defer stop()
	row := h.Lease()
	end := h.watch.Begin("renewal", row.Key, w.name, h.timing.try)
	defer end()
	return w.do(ctx, row)
}

// advance notes the row that a write begun at start left. A write that does
// not move the counter renews nothing.
func (h *Held) advance(row Lease, start time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if row.Counter != h.row.Counter {
		h.renewed, h.trusted = start, start.Add(h.timing.failover-h.timing.margin)
		h.expiry.Reset(max(0, h.trusted.Sub(h.clock.now())))
	}
	h.row, h.failure = row, ""
}

// noteFailure keeps what to say if trust ends.
func (h *Held) noteFailure(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failure = err.Error()
}

// left returns how long the lease is still trusted.
func (h *Held) left() time.Duration { return h.TrustedUntil().Sub(h.clock.now()) }

// expire ends the holding if trust has ended.
func (h *Held) expire() {
	if left := h.left(); left > 0 {
		h.mu.Lock()
		h.expiry.Reset(left)
		h.mu.Unlock()
		return
	}
	h.mu.Lock()
	lost, failure := error(&LostError{Key: h.row.Key}), h.failure
	h.mu.Unlock()
	if failure != "" {
		lost = fmt.Errorf("%w: trust has ended; the last write: %s", lost, failure)
	}
	h.end(lost)
}

func (h *Held) end(cause error) {
	h.cancel(cause)
	h.expiry.Stop()
}

// keep renews the lease until it is no longer held. Any other write that moved
// the counter puts the next renewal off.
func (h *Held) keep() {
	what := "renew " + h.Lease().Key
	for {
		every := jittered(h.ctx, what, h.timing.renew)
		for left := h.untilRenewal(every); left > 0; left = h.untilRenewal(every) {
			if wait(h.ctx, h.ctx, left) != nil {
				return
			}
		}
		// An error that matters has ended h.ctx. Any other was tried again
		// until then, but for one that says that trying is no use now.
		if err := h.renew(h.ctx); err != nil && wait(h.ctx, h.ctx, every) != nil {
			return
		}
	}
}

func (h *Held) untilRenewal(every time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.renewed.Add(every).Sub(h.clock.now())
}

// newTries returns the pauses between the tries of a write, each of which may
// take as long as try. They stay short, since trust runs out.
func newTries(what string, try time.Duration) *pause.BackOff {
	return pause.NewBackOff(what, try/20, try/4, 0.5)
}

// wait sleeps for d, or until one of the contexts is done and then returns its
// cause.
func wait(a, b context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-a.Done():
		return context.Cause(a)
	case <-b.Done():
		return context.Cause(b)
	case <-timer.C:
		return nil
	}
}
