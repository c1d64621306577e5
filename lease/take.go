package lease

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
)

// take takes one lease, starts to hold it, and reports whether it did. A take
// whose outcome stays unknown is left: if it happened, the lease runs out like
// any other, unless the same take is tried again before. The error says that the
// table refuses whatever it is asked; any other is logged.
func (t *takeLoop) take(ctx context.Context, seen Lease, id Identity, how ChangeKind) (bool, error) {
	c := t.c
	if c.holding(seen.Key) != nil {
		return false, nil // lost, but the call of its processor has yet to return
	}
	row, start, err := c.tryTake(ctx, seen, id)
	switch {
	case err == nil:
	case refuses(err):
		return false, err
	case !errors.Is(err, ErrLost) && ctx.Err() == nil:
		c.cfg.Logger.Warn("lease not taken", zap.String("lease_key", seen.Key), zap.Error(err))
		return false, nil
	default:
		return false, nil
	}
	//nolint:contextcheck // a holding outlives the context that leases are taken under
	h := newHeld(t.hard, c, row, start)
	if how == Stolen {
		h.processFrom = c.clock.now().Add(max(c.cfg.FailoverTime, seen.FailoverTime))
	}
	c.mu.Lock()
	c.held[row.Key] = h
	c.mu.Unlock()
	c.changed(Change{Kind: how, Lease: row})
	c.cfg.Logger.Info("lease taken", zap.String("lease_key", row.Key), zap.String("lease_owner", seen.Owner),
		zap.Int64("lease_counter", row.Counter), zap.Stringer("checkpoint", row.Checkpoint), zap.Bool("stolen", how == Stolen))
	t.holds.Go(func() { c.keepHolding(h, t.hold) })
	return true, nil
}

// tryTake repeats the take until its outcome is known, for at most half a
// failover time. start is when the first try began that may have happened.
func (c *Coordinator) tryTake(ctx context.Context, seen Lease, id Identity) (row Lease, start time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.failover/2)
	defer cancel()
	claim := Claim{Owner: c.cfg.WorkerID, Instance: c.instance, FailoverTime: c.cfg.FailoverTime, Identity: id}
	if start, err = c.firstTry(ctx, seen); err != nil {
		return row, start, err
	}
	defer func() { c.noteTry(seen, start, err) }()
	tries := newTries("take "+seen.Key, c.timing.try)
	for told := false; ; {
		begun := c.clock.now()
		row, err = c.takeOnce(ctx, seen, claim)
		if start.IsZero() && !nothingWritten(err) {
			start = begun
		}
		if err == nil || errors.Is(err, ErrLost) || errors.Is(err, ErrInvalidState) || refuses(err) {
			return row, start, err
		}
		if !told && c.clock.now().Sub(begun) >= c.timing.try {
			told = true
			c.cfg.Logger.Warn("take is not answered; it is repeated", zap.String("lease_key", seen.Key), zap.Error(err))
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
	end := c.watch.Begin("scan", seen.Key, "reading the lease", c.timing.try)
	defer end()
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
	end := c.watch.Begin("scan", seen.Key, "taking the lease", c.timing.try)
	defer end()
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
		c.changed(Change{Kind: Released, Lease: h.Lease()})
		c.cfg.Logger.Info("lease released", zap.String("lease_key", key), zap.String("why", h.Lease().Released.why()))
		c.Wake()
	default:
		h.end(cmp.Or[error](cause, errNotReleased))
		reason := context.Cause(h.ctx).Error()
		c.changed(Change{Kind: Lost, Lease: h.Lease(), Reason: reason})
		level := zap.InfoLevel
		if lost, ok := errors.AsType[*LostError](cause); ok && lost.Now == nil {
			level = zap.WarnLevel // nobody is known to have taken it
		}
		c.cfg.Logger.Log(level, "lease lost", zap.String("lease_key", key), zap.String("reason", reason))
	}
	renewals.Wait()
}

// why says in words why a lease was released.
func (r ReleaseReason) why() string {
	switch r {
	case Surplus:
		return "balance: another worker holds too few"
	case Blocked:
		return "a parent has not ended"
	case GivenUp:
		return "its processor failed for the last time"
	case Plain:
	}
	return "the worker stops, or the shard has ended"
}

var errNotReleased = errors.New("given up without a release")

// refuses reports whether err says that the table takes no request of ours,
// whatever it is. It may pass.
func refuses(err error) bool {
	return errors.Is(err, ErrAccessDenied) || errors.Is(err, ErrTableNotFound)
}

// nothingWritten reports whether err says that a write was not even tried, so
// that there is no doubt about it, and that it may be tried again.
func nothingWritten(err error) bool { return errors.Is(err, ErrThrottled) || refuses(err) }
