package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

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
