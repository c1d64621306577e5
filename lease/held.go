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

// errTooEarly is the cause of a Held's context after a Release that wrote nothing,
// because the former holder of a stolen lease may not have noticed yet.
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

// UntilProcessing returns for how long yet the processor must not be called: the
// former holder of a stolen lease may not know that it lost it.
func (h *Held) UntilProcessing() time.Duration { return h.processFrom.Sub(h.clock.now()) }

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
// A stolen lease is not released while UntilProcessing is positive: whoever took it
// then would process at once, and its first holder may not know yet. It runs out.
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
