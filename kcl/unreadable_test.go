package kcl_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

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

func (m *malformed) bad(key string) *lease.UnreadableError {
	if key == m.key && time.Now().Before(m.mended) {
		return &lease.UnreadableError{Key: key, Err: errors.New("malformed")}
	}
	return nil
}

func (m *malformed) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list, unreadable, err := m.Mem.List(ctx)
	list = slices.DeleteFunc(list, func(l lease.Lease) bool {
		bad := m.bad(l.Key)
		if bad != nil {
			unreadable = append(unreadable, bad)
		}
		return bad != nil
	})
	return list, unreadable, err
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

// The rows of a merge: a parent that cannot be read is there, so the other one
// ends. A child that cannot be read may not have begun, so a parent without a
// lease is read first, once the child can be read.
func TestAMalformedLeaseOfAMerge(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]int{"one parent": 1, "the child": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, j := kcltest.NewStream(2), new(journal)
				s.Put(0, "zero")
				s.Put(1, "one")
				s.Merge(0, 1)
				s.Put(2, "two")
				table := &malformed{Mem: new(lease.Mem), key: s.Shard(bad).ID, mended: time.Now().Add(10 * time.Minute)}
				for _, i := range []int{0, bad} {
					table.Put(lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Parents: s.Shard(i).ParentIDs, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
				}
				core, logs := observer.New(zapcore.ErrorLevel)
				cfg := config(s, table, "me")
				cfg.Logger = zap.New(core)
				time.AfterFunc(9*time.Minute, func() {
					told := logs.FilterField(zap.Strings("shard_ids", []string{s.Shard(1).ID})).Len()
					if want := bad - 1; told != want {
						t.Errorf("that shard 1 may wait without a lease was told %d times, want %d", told, want)
					}
					if l := row(t, table.Mem, 0); bad == 1 && !l.Finished() {
						t.Errorf("shard 0 has not ended: %+v", l)
					}
					if slices.Contains(j.words(), "two") {
						t.Error("the merged shard began")
					}
				})
				if err := run(t, 20*time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Error(err)
				}
				checkOrder(t, s, j.words())
			})
		})
	}
}

// torn is a malformed table whose lists miss the malformed row at first.
type torn struct {
	*malformed

	until time.Time
}

func (h torn) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list, unreadable, err := h.malformed.List(ctx)
	if time.Now().Before(h.until) {
		list = slices.DeleteFunc(list, func(l lease.Lease) bool { return l.Key == h.key })
		unreadable = nil
	}
	return list, unreadable, err
}

// A list that misses a malformed row makes a worker neither give up at its start
// nor begin what comes before that row.
func TestATornListAndAMalformedLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, j := kcltest.NewStream(2), new(journal)
		s.Put(0, "zero")
		s.Put(1, "one")
		s.Split(1) // 2 and 3
		m := &malformed{Mem: new(lease.Mem), key: s.Shard(2).ID, mended: time.Now().Add(time.Hour)}
		m.Put(lease.Lease{Key: m.key, Range: s.Shard(2).Range, Parents: s.Shard(2).ParentIDs, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		table := torn{m, time.Now().Add(3 * time.Second)}
		if err := run(t, 5*time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Errorf("the worker ended: %v", err)
		}
		if got := j.words(); !slices.Equal(got, []string{"zero"}) {
			t.Errorf("processed %q, want zero", got)
		}
	})
}

// A list that misses the malformed row of a parent has its child taken; it does
// not begin.
func TestAChildWaitsForAMalformedParentThatTheListMisses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, j := kcltest.NewStream(1), new(journal)
		s.Put(0, "zero")
		s.Split(0) // 1 and 2
		s.Put(1, "one")
		s.Put(2, "two")
		mended := time.Now().Add(10 * time.Minute)
		table := torn{&malformed{Mem: new(lease.Mem), key: s.Shard(0).ID, mended: mended}, mended}
		for i := range 3 {
			table.Put(lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Parents: s.Shard(i).ParentIDs, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		}
		time.AfterFunc(9*time.Minute, func() {
			if got := j.words(); len(got) > 0 {
				t.Errorf("processed %q before the parent", got)
			}
		})
		if err := run(t, 20*time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		checkOrder(t, s, j.words())
	})
}
