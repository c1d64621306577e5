package elected_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
)

// What the row of a job never has is of a shard.
func TestCheckRows(t *testing.T) {
	t.Parallel()
	job := lease.Lease{Key: "app/orders", Owner: "w", Instance: "i", Counter: 7, FailoverTime: failover, OwnerSwitches: 2, Released: lease.GivenUp, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}
	for name, row := range map[string]struct {
		change func(*lease.Lease)
		want   bool // it is refused
	}{
		"a job":                 {func(*lease.Lease) {}, false},
		"a job without a slash": {func(l *lease.Lease) { l.Key = "orders" }, false},
		"a shard":               {func(l *lease.Lease) { l.Key = "shardId-000000000000" }, true},
		"a shard of many":       {func(l *lease.Lease) { l.Key = "123456789012:orders:1:shardId-000000000000" }, true},
		"a parent":              {func(l *lease.Lease) { l.Parents = []string{"x"} }, true},
		"a child":               {func(l *lease.Lease) { l.Children = []string{"x"} }, true},
		"a range of hashes":     {func(l *lease.Lease) { l.Range = lease.HashRange{Start: "0", End: "1"} }, true},
		"an identity":           {func(l *lease.Lease) { l.Identity = lease.Identity{Stream: "orders"} }, true},
		"a prepared checkpoint": {func(l *lease.Lease) { l.Pending = &checkpoint.Prepared{} }, true},
		"a place in a stream":   {func(l *lease.Lease) { l.Checkpoint = checkpoint.Sentinel(checkpoint.Latest) }, true},
		"the end of a shard":    {func(l *lease.Lease) { l.Checkpoint = checkpoint.Sentinel(checkpoint.ShardEnd) }, true},
	} {
		other := job
		row.change(&other)
		err := elected.CheckRows([]lease.Lease{job, other}, []*lease.UnreadableError{{Key: "app/damaged"}})
		if (err != nil) != row.want || err != nil && (!errors.Is(err, lease.ErrInvalidState) || !strings.Contains(err.Error(), other.Key)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := elected.CheckRows(nil, []*lease.UnreadableError{{Key: "shardId-000000000000"}}); err == nil {
		t.Error("a shard whose lease cannot be read is none")
	}
}

// A table that has leases of shards gets no row of a job, and that is told again and again; when
// it has none the job is done.
func TestATableOfShards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 1)
		shard := lease.Lease{Key: "shardId-000000000000", Counter: 1, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd)}
		c.table.Put(shard)
		core, logs := observer.New(zap.WarnLevel)
		role, err := elected.New(elected.Config{Table: c.table, Job: "app/orders", WorkerID: "w", FailoverTime: failover, Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		w := &worker{link: &link{Mem: c.table}, Role: role, id: "w", done: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			defer close(w.done)
			role.Run(ctx, func(ctx context.Context, term *elected.Term) error { return c.do(ctx, w, term) })
		}()
		time.Sleep(10 * time.Minute)
		if _, err := c.table.Get(t.Context(), "app/orders"); !errors.Is(err, lease.ErrNotFound) || c.times() != 0 {
			t.Errorf("the row of a job is put into the table of shards: %v; %d times begun", err, c.times())
		}
		if s := role.Status(); !errors.Is(s.Err, lease.ErrInvalidState) || !strings.Contains(s.Err.Error(), shard.Key) {
			t.Errorf("status %+v", s)
		}
		if n := logs.FilterMessageSnippet("table of jobs is not ready").Len(); n < 5 || n > 11 {
			t.Errorf("told %d times in ten minutes", n)
		}
		if err := c.table.Delete(t.Context(), shard); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute + 3*failover)
		if c.doer() != w || role.Status().Err != nil {
			t.Errorf("nobody does the job: %+v", role.Status())
		}
		stop()
		<-w.done
	})
}
