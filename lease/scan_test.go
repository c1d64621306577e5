package lease_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/lease"
)

// OnScan tells what there was, what was wanted and what came of it.
func TestScan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "a", "b", "c", "d")
		refuse := true
		table.Fault = func(_ context.Context, op, _ string, _ bool) error {
			if op == "take" && refuse {
				return lease.ErrThrottled
			}
			return nil
		}
		var got []lease.Scan
		c, err := lease.NewCoordinator(lease.Config{
			Table: table, WorkerID: "me", FailoverTime: failover, ScanInterval: time.Minute, MaxLeases: 3,
			OnScan: func(s lease.Scan) { got, refuse = append(got, s), false },
		}, "me-1")
		if err != nil {
			t.Fatal(err)
		}
		// The third scan comes after 108 to 120 s, the fourth after 162 s or later.
		ctx, cancel := context.WithTimeout(t.Context(), 140*time.Second)
		defer cancel()
		c.Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
			<-ctx.Done()
			_ = h.Release(context.WithoutCancel(ctx), lease.Plain)
		})
		want := []lease.Scan{
			{Free: 4, Needed: 3, ToTake: 3, Spillover: 1, Undated: 4}, // throttled
			{Free: 4, Needed: 3, ToTake: 3, Taken: 3, Spillover: 1, Undated: 4},
			{Free: 1, Spillover: 1, Undated: 4},
		}
		if !slices.Equal(got, want) {
			t.Errorf("told of %+v\nwant    %+v", got, want)
		}
	})
}
