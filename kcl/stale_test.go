package kcl_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// staleTable is a table whose List does not show one row yet.
type staleTable struct {
	*lease.Mem

	hidden string
}

func (s staleTable) List(ctx context.Context) ([]lease.Lease, error) {
	list, err := s.Mem.List(ctx)
	return slices.DeleteFunc(list, func(l lease.Lease) bool { return l.Key == s.hidden }), err
}

// The list that a child's lease is taken from does not show its parent, which
// another worker is still processing: nothing of the child may be delivered.
func TestParentThatTheListDoesNotShow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "parent")
		s.Split(0)
		s.Put(1, "left")
		s.Put(2, "right")
		parent, left, right := s.Shard(0), s.Shard(1), s.Shard(2)
		table.Put(lease.Lease{Key: parent.ID, Range: parent.Range, Owner: "other", Counter: 3, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		for _, child := range []kcl.Shard{left, right} {
			table.Put(lease.Lease{Key: child.ID, Range: child.Range, Parents: []string{parent.ID}, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		}
		time.AfterFunc(time.Minute, func() {
			l := row(t, table, 0)
			l.Checkpoint = checkpoint.Sentinel(checkpoint.ShardEnd)
			j.note("ended")
			table.Put(l)
		})
		if err := run(t, 2*time.Minute, config(s, staleTable{table, parent.ID}, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		before, after, _ := strings.Cut(j.String(), "ended")
		if before != "" || !strings.Contains(after, "ok:left") || !strings.Contains(after, "ok:right") {
			t.Errorf("calls: %s", j)
		}
	})
}

// A lease at LATEST says from its creation on from which instant: the worker
// that creates it may die before anyone takes it.
func TestLatestHasItsInstantFromTheCreationOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		table.Fault = func(_ context.Context, op, _ string, _ bool) error {
			if op == "take" {
				return lease.ErrThrottled
			}
			return nil
		}
		cfg := config(s, table, "me")
		cfg.InitialPosition = kcl.Latest()
		begun := time.Now()
		if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: new(journal)} }); err != nil {
			t.Error(err)
		}
		if at := row(t, table, 0).Checkpoint; at.SequenceNumber != checkpoint.Latest || !at.Arrival.Equal(begun.Truncate(time.Millisecond)) {
			t.Errorf("checkpoint %v of %v, want LATEST of %v", at, at.Arrival, begun)
		}
	})
}
