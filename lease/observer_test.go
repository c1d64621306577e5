package lease_test

import (
	"testing"
	"time"

	"github.com/shardmill/shardmill/lease"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	const s = time.Second
	type step struct {
		at  time.Duration
		row lease.Lease
		see string
	}
	row := func(owner string, counter int64) lease.Lease {
		return lease.Lease{Key: "a", Owner: owner, Counter: counter}
	}
	slow, failed, surplus := row("A", 1), row("", 1), row("", 1)
	slow.FailoverTime, failed.Released, surplus.Released = time.Minute, lease.GivenUp, lease.Surplus
	tests := []struct {
		name  string
		steps []step
	}{
		{"an unowned lease is free at once", []step{{0, row("", 4), "free"}}},
		{"also one that was marked", []step{{0, surplus, "free"}}},
		{"an owned one after the failover time", []step{{0, row("A", 1), ""}, {10 * s, row("A", 1), "silent"}, {10*s + 1, row("A", 1), "free silent"}}},
		{"a counter that moves starts the time anew", []step{{0, row("A", 1), ""}, {9 * s, row("A", 2), ""}, {18 * s, row("A", 2), "silent"}, {20 * s, row("A", 2), "free silent"}}},
		{"so does one that moves back, in a stale read", []step{{0, row("A", 2), ""}, {9 * s, row("A", 1), ""}, {18 * s, row("A", 1), "silent"}}},
		{"so does a change of the owner alone", []step{{0, row("A", 1), ""}, {9 * s, row("B", 1), ""}, {18 * s, row("B", 1), "silent"}}},
		{"the owner's longer failover time counts", []step{{0, slow, ""}, {29 * s, slow, ""}, {30 * s, slow, "silent"}, {59 * s, slow, "silent"}, {61 * s, slow, "free silent"}}},
		{"an owner is silent after half of it", []step{{0, row("A", 1), ""}, {5*s - 1, row("A", 1), ""}, {5 * s, row("A", 1), "silent"}, {6 * s, row("A", 2), ""}}},
		{"one that stopped every worker rests for it", []step{{0, failed, ""}, {10 * s, failed, ""}, {10*s + 1, failed, "free"}}},
		{"anew each time", []step{{0, failed, ""}, {11 * s, row("A", 2), ""}, {12 * s, failed, ""}, {22 * s, failed, ""}, {23 * s, failed, "free"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, start := lease.NewObserver(failover), time.Now()
			freeAt := time.Duration(-1)
			for _, st := range tt.steps {
				got := o.Observe(start.Add(st.at), []lease.Lease{st.row})[0]
				see := ""
				if got.Free {
					see = "free"
				}
				if got.Expired != (got.Free && got.Owner != "") {
					t.Errorf("at %v expired is %v", st.at, got.Expired)
				}
				if got.Silent && got.Free {
					see += " "
				}
				if got.Silent {
					see += "silent"
				}
				if see != st.see {
					t.Errorf("at %v it is %q, want %q", st.at, see, st.see)
				}
				if got.FreeIn > 0 {
					freeAt = st.at + got.FreeIn
				}
				if got.Free && freeAt > st.at {
					t.Errorf("free at %v, and it was said to be at %v", st.at, freeAt)
				}
				if got.Free && freeAt > 0 && got.FreeFor > st.at-freeAt+1 {
					t.Errorf("at %v free for %v, since %v", st.at, got.FreeFor, freeAt)
				}
			}
		})
	}
}
