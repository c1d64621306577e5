package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
)

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
