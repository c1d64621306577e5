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

// One parent of a merged shard ended. The other one has no lease yet, because
// its own parent is still being read by another worker. The merged shard must
// wait for both, and the processor of the first gets its ticks meanwhile.
func TestMergedShardWaitsForAParentWithoutALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
		s.Put(0, "zero")
		s.Put(1, "one")
		s.Split(1) // 2 and 3
		s.Put(2, "two")
		s.Put(3, "three")
		s.Merge(0, 2) // 4
		s.Put(4, "four")
		for i, owner := range []string{"", "other"} {
			table.Put(lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Owner: owner, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		}
		busy := time.NewTicker(3 * time.Second) // the other worker lives
		defer busy.Stop()
		go func() {
			for range 20 {
				<-busy.C
				l := row(t, table, 1)
				l.Counter++
				table.Put(l)
			}
			l := row(t, table, 1)
			l.Counter, l.Owner = l.Counter+1, ""
			j.note("released")
			table.Put(l)
		}()
		cfg := config(s, table, "me")
		cfg.TickInterval = 5 * time.Second
		if err := run(t, 3*time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		checkOrder(t, s, j.words())
		if waiting := j.before("released"); len(waiting.words()) != 1 || waiting.count("tick") < 5 {
			t.Errorf("before the other worker released its lease: %s", waiting)
		}
	})
}

// expiredShard is a stream that lists one of its shards no more.
type expiredShard struct {
	*kcltest.Stream

	id string
}

func (s expiredShard) ListShards(ctx context.Context) (kcl.ShardList, error) {
	list, err := s.Stream.ListShards(ctx)
	list.Shards = slices.DeleteFunc(list.Shards, func(sh kcl.Shard) bool { return sh.ID == s.id })
	return list, err
}

// One parent of a merged shard ended. The other one expired before it had a
// lease: the merged shard does not wait for it, and the loss is told.
func TestMergedShardOfAParentThatExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
		s.Put(0, "zero")
		s.Merge(0, 1) // 2
		s.Put(2, "two")
		table.Put(lease.Lease{Key: s.Shard(0).ID, Range: s.Shard(0).Range, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		var lost []kcl.LossEvent
		cfg := config(expiredShard{s, s.Shard(1).ID}, table, "me")
		cfg.Hooks.RecordsLost = func(e kcl.LossEvent) { lost = append(lost, e) } // one consumer has reason to
		if err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		if got := j.words(); !slices.Equal(got, []string{"zero", "two"}) {
			t.Errorf("processed %q, want zero and two", got)
		}
		if want := []kcl.LossEvent{{ShardID: s.Shard(1).ID}}; !slices.Equal(lost, want) {
			t.Errorf("told as lost: %+v, want %+v", lost, want)
		}
	})
}

// lateListing is a stream whose listings are as they once were, until a time.
type lateListing struct {
	*kcltest.Stream

	once  kcl.ShardList
	until time.Time
}

func (s lateListing) ListShards(ctx context.Context) (kcl.ShardList, error) {
	list, err := s.Stream.ListShards(ctx)
	if time.Now().Before(s.until) {
		list.Shards = slices.Clone(s.once.Shards)
	}
	return list, err
}

// A listing that is behind shows neither a merged shard nor a parent of it that is
// young: the parent has not expired, and its records come before the merged
// shard's. If no listing ever shows them, the parent is given up after half a
// minute, and that is told.
func TestMergedShardOfAParentThatIsNotListedYet(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		behind time.Duration
		words  []string
		lost   int
	}{
		{"for a while", 20 * time.Second, []string{"two", "zero", "four"}, 0},
		{"for good", time.Hour, []string{"zero", "four"}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
				once, err := s.ListShards(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				s.Put(0, "zero")
				s.Split(1) // 2 and 3
				s.Put(2, "two")
				s.Merge(0, 2) // 4
				s.Put(4, "four")
				table.Put(lease.Lease{Key: s.Shard(0).ID, Range: s.Shard(0).Range, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
				table.Put(lease.Lease{Key: s.Shard(1).ID, Range: s.Shard(1).Range, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd)})
				var lost []kcl.LossEvent
				cfg := config(lateListing{s, once, time.Now().Add(row.behind)}, table, "me")
				cfg.Hooks.RecordsLost = func(e kcl.LossEvent) { lost = append(lost, e) } // one consumer has reason to
				if err := run(t, 2*time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Error(err)
				}
				got := j.words()
				slices.Sort(got[:max(len(got)-1, 0)]) // of the parents either may come first
				slices.Sort(row.words[:len(row.words)-1])
				if !slices.Equal(got, row.words) {
					t.Errorf("processed %q, want %q", got, row.words)
				}
				if len(lost) != row.lost || row.lost > 0 && lost[0].ShardID != s.Shard(2).ID {
					t.Errorf("told as lost: %+v, want %d", lost, row.lost)
				}
			})
		})
	}
}

// staleTable is a table whose List does not show one row yet.
type staleTable struct {
	*lease.Mem

	hidden string
}

func (s staleTable) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list, unreadable, err := s.Mem.List(ctx)
	return slices.DeleteFunc(list, func(l lease.Lease) bool { return l.Key == s.hidden }), unreadable, err
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

// The list is torn: it shows neither the parent, which ended and was deleted,
// nor its children, which have begun. The parent must not be created again.
func TestTornListDoesNotReviveAnEndedParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "parent")
		s.Split(0)
		s.Put(1, "left")
		s.Put(2, "right")
		for i := 1; i <= 2; i++ {
			table.Put(lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Parents: []string{s.Shard(0).ID}, Checkpoint: s.Records(i)[0].Position()})
		}
		if err := run(t, 2*time.Minute, config(s, staleTable{table, s.Shard(1).ID}, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		if slices.Contains(j.words(), "parent") {
			t.Errorf("the parent was read again: %s", j)
		}
	})
}
