package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/lease"
)

// A renewal left a row that cannot be read, and the row was mended right after.
// The lease is lost: a repeat would find that renewal done, and count trust from
// the repeat.
func TestAWriteThatLeavesAMalformedRowLosesTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "a")
		var written time.Time
		table.Fault = func(_ context.Context, op, key string, applied bool) error {
			if op != "renew" || !applied || !written.IsZero() {
				return nil
			}
			written = time.Now()
			return &lease.UnreadableError{Key: key, Err: errors.New("malformed")}
		}
		hold(t, table, time.Minute, func(h *lease.Held) {
			select {
			case <-h.Context().Done():
			case <-time.After(30 * time.Second):
			}
			if cause := context.Cause(h.Context()); !errors.Is(cause, lease.ErrLost) || !lease.IsUnreadable(cause) || !time.Now().Equal(written) {
				t.Errorf("ended %v after the write by %v; want at once, as lost", time.Since(written), cause)
			}
		})
	})
}
