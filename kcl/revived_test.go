package kcl_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// The lease of a shard that was done and deleted comes back: a request to
// create it was under way for long. If what follows the shard has begun, its
// records are not delivered again; otherwise they are, whatever the row's past.
func TestALeaseThatComesBackIsEndedAgain(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name  string
		child func(s *kcltest.Stream) checkpoint.Position
		want  string
	}{
		{"a child has begun", func(s *kcltest.Stream) checkpoint.Position { return s.Records(1)[0].Position() }, "c"},
		{"a child has ended", func(*kcltest.Stream) checkpoint.Position { return checkpoint.Sentinel(checkpoint.ShardEnd) }, "c"},
		{"no child has begun", func(*kcltest.Stream) checkpoint.Position { return checkpoint.Sentinel(checkpoint.TrimHorizon) }, "a b c d"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				s.Put(0, "a", "b")
				s.Split(0)
				s.Put(1, "d")
				s.Put(2, "c")
				put := func(shard int, at checkpoint.Position) {
					sh := s.Shard(shard)
					table.Put(lease.Lease{Key: sh.ID, Range: sh.Range, Parents: sh.ParentIDs, Checkpoint: at})
				}
				put(0, checkpoint.Sentinel(checkpoint.TrimHorizon))
				put(1, r.child(s))
				put(2, checkpoint.Sentinel(checkpoint.TrimHorizon))
				if err := run(t, 30*time.Second, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Error(err)
				}
				got := map[string]bool{}
				for _, w := range j.words() {
					got[w] = true
				}
				for w := range strings.FieldsSeq("a b c d") {
					if got[w] != strings.Contains(r.want, w) {
						t.Errorf("processed %q, want %q in some order", j.words(), r.want)
						break
					}
				}
				if l, err := table.Get(t.Context(), s.Shard(0).ID); err == nil && !l.Finished() {
					t.Errorf("the lease is at %v", l.Checkpoint)
				}
			})
		})
	}
}

// listings counts the listings of a stream, which take a while.
type listings struct {
	*kcltest.Stream

	n atomic.Int64
}

func (l *listings) ListShards(ctx context.Context) (kcl.ShardList, error) {
	l.n.Add(1)
	time.Sleep(100 * time.Millisecond)
	return l.Stream.ListShards(ctx)
}

// Many shards that begin at once look at the stream together, not each by
// itself: Kinesis limits that call.
func TestShardsThatBeginShareTheListing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, j := &listings{Stream: kcltest.NewStream(300)}, new(journal)
		cfg := config(s.Stream, new(lease.Mem), "me")
		cfg.Source = s
		if err := run(t, 20*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		if n := s.n.Load(); n > 30 {
			t.Errorf("the shards were listed %d times for 300 shards", n)
		}
	})
}
