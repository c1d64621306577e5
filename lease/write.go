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
		// 1. Who does not hold the lease, as far as time tells, does not write.
		if err := h.CheckTrust(); err != nil {
			return err
		}
		// 2. One try. Trust counts from the start of the first that may have happened.
		start := h.clock.now()
		row, err := h.attempt(ctx, w)
		if first.IsZero() && !nothingWritten(err) {
			first = start
		}
		// 3. It happened, or to try again is no use.
		if err == nil {
			h.doubt = nil
			h.advance(row, first)
			return nil
		}
		if err := h.final(err); err != nil {
			return err
		}
		// 4. It may have happened: no other write of the row passes before it is settled.
		if !first.IsZero() && h.doubt == nil {
			h.doubt = &doubt{write: w, first: first}
		}
		// 5. The same write once more, after a pause.
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

// final returns the error of a write that need not be tried again, nil if err says
// that it must. Of a lost lease the holding ends.
func (h *Held) final(err error) error {
	switch {
	case errors.Is(err, ErrLost):
		h.end(err)
		return err
	case IsUnreadable(err): // it may have happened, and nobody can tell what the row is now
		err = fmt.Errorf("%w: %w", ErrLost, err)
		h.end(err)
		return err
	case errors.Is(err, ErrInvalidState), errors.Is(err, ErrNotFound):
		return err
	}
	return nil
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
