package kcl_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// malformed is a table in which one row cannot be read until someone mends it.
type malformed struct {
	*lease.Mem

	key    string
	mended time.Time
}

func (m *malformed) bad(key string) error {
	if key == m.key && time.Now().Before(m.mended) {
		return errors.Join(lease.ErrInvalidState, errors.New("malformed"))
	}
	return nil
}

func (m *malformed) List(ctx context.Context) ([]lease.Lease, error) {
	list, err := m.Mem.List(ctx)
	for i, l := range list {
		if err := m.bad(l.Key); err != nil {
			list[i] = lease.Lease{Key: l.Key, Unreadable: err.Error()}
		}
	}
	return list, err
}

func (m *malformed) Get(ctx context.Context, key string) (lease.Lease, error) {
	if err := m.bad(key); err != nil {
		return lease.Lease{}, err
	}
	return m.Mem.Get(ctx, key)
}

// A row that cannot be read stops its shard and those that follow it; all others
// are read. Mended, the shard is read from its checkpoint, and nothing is missing.
func TestAMalformedLeaseStopsOnlyItsShard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, j := kcltest.NewStream(3), new(journal)
		s.Put(0, "zero")
		s.Put(1, "one")
		s.Put(2, "two")
		s.Split(1) // 3 and 4
		s.Put(3, "three")
		s.Put(4, "four")
		table := &malformed{Mem: new(lease.Mem), key: s.Shard(1).ID, mended: time.Now().Add(10 * time.Minute)}
		for _, i := range []int{1, 3} { // of the second child there is no lease yet
			table.Put(lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Parents: s.Shard(i).ParentIDs, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		}
		time.AfterFunc(9*time.Minute, func() {
			if got := slices.Sorted(slices.Values(j.words())); !slices.Equal(got, []string{"two", "zero"}) {
				t.Errorf("before the row was mended: processed %q, want the two shards that have nothing to do with it", got)
			}
		})
		if err := run(t, 20*time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		if len(j.words()) != 5 {
			t.Errorf("processed %q, want each once", j.words())
		}
		checkOrder(t, s, j.words())
	})
}
