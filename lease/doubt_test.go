package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// A processor stops waiting for a checkpoint whose answer was lost, and then
// checkpoints at an earlier record: the row must not go back (peers' bug 58).
func TestPeer58ADoubtfulCheckpointIsNotTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "a")
		down := true
		table.Fault = func(_ context.Context, op, _ string, applied bool) error {
			if op == "checkpoint" && applied && down {
				return errNet
			}
			return nil
		}
		hold(t, table, time.Minute, func(h *lease.Held) {
			c := checkpoint.New(h, h.Lease().Checkpoint, false)
			c.Processed(checkpoint.At("400", 0, time.Time{}))
			brief, cancel := context.WithTimeout(h.Context(), 100*time.Millisecond)
			defer cancel()
			if err := c.Checkpoint(brief); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Checkpoint = %v", err)
			}
			down = false
			err := c.CheckpointAt(h.Context(), checkpoint.At("200", 0, time.Time{}))
			if l, _ := table.Get(t.Context(), "a"); l.Checkpoint.SequenceNumber != "400" {
				t.Errorf("the row went from 400 to %v; CheckpointAt = %v", l.Checkpoint, err)
			}
		})
	})
}
