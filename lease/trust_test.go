package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/lease"
)

var errSick = errors.New("processor is sick")

// A holding that ends without a write leaves the row as its take left it. A
// list that still lags lets the same take "succeed" again: trust must still
// count from when the counter moved.
func TestATakeThatSucceededIsNotTrustedAnew(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		down    time.Duration // for so long the answers of takes are lost
		lag     time.Duration // until then lists show the free row
		dropped bool          // the first holding is dropped at once
	}{
		{"the first try that is answered finds its trust gone", 9500 * time.Millisecond, 14 * time.Second, false},
		{"the holding is dropped at once, and the list lags a little", 0, 3500 * time.Millisecond, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table, first := unanswered(t, row.down, row.lag)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				n := 0
				coordinator(t, table, "me").Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
					n++
					if got := h.TrustedUntil().Sub(*first); h.Lease().Counter == 1 && got > 9*time.Second {
						t.Errorf("holding %d, with the counter that moved at the first: trusted until %v after that, at most 9s is right", n, got)
					}
					if row.dropped && n == 1 {
						h.Drop(errSick)
						return
					}
					select {
					case <-h.Context().Done():
					case <-ctx.Done():
					}
				})
				if n == 0 {
					t.Error("never held")
				}
			})
		})
	}
}

// The list goes back: it shows the take, then the row before it.
func TestAListThatGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, start := newTable(t, "a"), time.Now()
		old, _, _ := mem.List(t.Context())
		var first time.Time
		takes := 0
		mem.Fault = func(_ context.Context, op, _ string, applied bool) error {
			if op != "take" {
				return nil
			}
			if applied && first.IsZero() {
				first = time.Now()
			}
			at := time.Since(start)
			if at < 6*time.Second && applied {
				return errNet // the first take happens, its answer is lost
			}
			if at >= 6*time.Second && at < 22*time.Second && !applied {
				takes++
				return errNet
			}
			return nil
		}
		table := &swinging{Mem: mem, old: old, start: start}
		hold(t, table, time.Minute, func(h *lease.Held) {
			if got := h.TrustedUntil().Sub(first); h.Lease().Counter == 1 && got > 9*time.Second {
				t.Errorf("trusted until %v after the counter moved (%d takes of the moved row)", got, takes)
			}
		})
	})
}

type swinging struct {
	*lease.Mem
	old   []lease.Lease
	start time.Time
}

func (s *swinging) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	if at := time.Since(s.start); at < 5500*time.Millisecond || at > 22*time.Second && at < 28*time.Second {
		return s.old, nil, nil
	}
	return s.Mem.List(ctx)
}
