package lease_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// The oldest checkpoint is that of the shard which may be farthest behind; what
// says nothing of how far it is, is counted apart.
func TestOldestCheckpoint(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	record := func(seconds int64) checkpoint.Position { return checkpoint.At("7", 0, at(seconds)) }
	sentinel := func(name string, seconds int64) checkpoint.Position {
		p := checkpoint.Sentinel(name)
		p.Arrival = at(seconds)
		return p
	}
	for _, tt := range []struct {
		name    string
		list    []checkpoint.Position
		want    time.Time
		undated int
	}{
		{name: "an empty table"},
		{name: "the oldest is first", list: []checkpoint.Position{record(3), record(5)}, want: at(3)},
		{name: "the oldest is last", list: []checkpoint.Position{record(5), record(4), record(3)}, want: at(3)},
		{name: "a finished shard is not behind", list: []checkpoint.Position{record(5), sentinel(checkpoint.ShardEnd, 1)}, want: at(5)},
		{name: "all are finished", list: []checkpoint.Position{checkpoint.Sentinel(checkpoint.ShardEnd)}},
		{name: "a Java worker's", list: []checkpoint.Position{checkpoint.At("7", 0, time.Time{}), record(5)}, want: at(5), undated: 1},
		{name: "no record yet", list: []checkpoint.Position{
			checkpoint.Sentinel(checkpoint.TrimHorizon), sentinel(checkpoint.Latest, 1), sentinel(checkpoint.AtTimestamp, 2), record(5),
		}, want: at(5), undated: 3},
		{name: "none has one", list: []checkpoint.Position{checkpoint.Sentinel(checkpoint.TrimHorizon)}, undated: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var list []lease.Lease
			for _, p := range tt.list {
				list = append(list, lease.Lease{Checkpoint: p})
			}
			if got, undated := lease.OldestCheckpoint(list); !got.Equal(tt.want) || undated != tt.undated {
				t.Errorf("%v and %d undated, want %v and %d", got, undated, tt.want, tt.undated)
			}
		})
	}
}

// A scan tells how far the table is, also of leases that others hold or nobody
// may take.
func TestAScanTellsHowFarTheTableIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "no record yet", "far", "farther")
		old := time.Now().Add(-time.Hour)
		for key, arrival := range map[string]time.Time{"far": old.Add(time.Minute), "farther": old} {
			l, err := table.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			l.Checkpoint = checkpoint.At("7", 0, arrival)
			table.Put(l)
		}
		var last lease.Scan
		c, err := lease.NewCoordinator(lease.Config{
			Table: table, WorkerID: "me", FailoverTime: failover,
			Judge:  func(lease.Lease) (lease.Identity, bool) { return lease.Identity{}, false },
			OnScan: func(s lease.Scan) { last = s },
		}, "me-1")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c.Run(ctx, ctx, func(*lease.Held) { t.Error("a lease is held") })
		if !last.OldestCheckpoint.Equal(old) || last.Undated != 1 {
			t.Errorf("%v and %d undated, want %v and 1", last.OldestCheckpoint, last.Undated, old)
		}
	})
}
