package lease

import (
	"context"
	"time"
)

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

// renew makes one renewal.
func (h *Held) renew(ctx context.Context) error {
	return h.write(ctx, write{"renewing", h.table.Renew})
}
