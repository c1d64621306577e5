package kinesissource_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
)

// team is workers of one application that note what they process.
type team struct {
	t      *testing.T
	source *kinesissource.Source
	table  *lease.Mem
	takes  func(kcl.ShardInfo, []string) time.Duration // how long a batch takes

	mu   sync.Mutex // guards what follows
	got  []string   // what was processed, in order
	when []time.Time
	lost int // leases
}

func newTeam(t *testing.T, source *kinesissource.Source, takes func(kcl.ShardInfo, []string) time.Duration) *team {
	t.Helper()
	return &team{t: t, source: source, table: new(lease.Mem), takes: takes}
}

// work runs workers of these names side by side for a while.
func (c *team) work(d time.Duration, names ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), d)
	defer cancel()
	var workers sync.WaitGroup
	for _, name := range names {
		w, err := kcl.New(kcl.Config{
			ApplicationName: "app", StreamName: streamName, WorkerID: name, Source: c.source, Leases: c.table,
			Hooks: kcl.Hooks{LeaseLost: func(kcl.LeaseEvent) { c.note(func() { c.lost++ }) }},
		}, kcl.Handle(c.process))
		if err != nil {
			c.t.Fatal(err)
		}
		workers.Go(func() {
			if err := w.Run(ctx); err != nil {
				c.t.Errorf("Run = %v", err)
			}
		})
	}
	workers.Wait()
}

func (c *team) note(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *team) process(_ context.Context, shard kcl.ShardInfo, recs []kcl.Record) error {
	var data []string
	for _, r := range recs {
		data = append(data, string(r.Data))
	}
	time.Sleep(c.takes(shard, data))
	c.note(func() {
		for _, d := range data {
			c.got, c.when = append(c.got, d), append(c.when, time.Now())
		}
	})
	return nil
}

// processSlowly has batches of one shard processed, each in so much time, while another
// worker waits for a lease to become free.
func processSlowly(t *testing.T, took time.Duration) (s *stream, c *team) {
	t.Helper()
	s = newStream(t, 1)
	s.putRecords(25)
	c = newTeam(t, s.source(kinesissource.Options{MaxRecords: 7}), func(_ kcl.ShardInfo, data []string) time.Duration {
		if len(data) > 7 {
			t.Errorf("a batch of %d", len(data))
		}
		return took
	})
	c.work(6*took, "one", "two")
	assertOnce(t, c.got, 25)
	if c.lost != 0 {
		t.Errorf("%d leases were lost", c.lost)
	}
	return s, c
}

// vmware-go-kcl gives its lease up when an iterator has expired, which a slow
// processor brings about with each batch.
func TestPeer9AnExpiredIteratorKeepsTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { processSlowly(t, 6*time.Minute) })
}

// vmware-go-kcl's fan-out renews its lease between batches.
func TestPeer10ABatchMayTakeLongerThanALeaseLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { processSlowly(t, 3*lease.DefaultFailoverTime) })
}

// The Java KCL's fan-out ends a subscription whose batch takes longer than half
// a minute, loses records then, and cannot be told to make smaller batches.
func TestPeer82ABatchMayTakeLongerThanACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := processSlowly(t, 40*time.Second)
		s.putRecords(3)
		c.takes = func(kcl.ShardInfo, []string) time.Duration { return 0 }
		c.work(10*time.Second, "one")
		assertOnce(t, c.got, 28)
	})
}

// Redpanda Connect reads the shards of a split side by side with their parent,
// and a dead worker's after one and a half to two minutes.
func TestPeer44ParentsComeFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		s.putRecords(25)
		_, err := s.api.SplitShard(t.Context(), &kinesis.SplitShardInput{
			StreamName: aws.String(streamName), ShardToSplit: aws.String(shardID), NewStartingHashKey: aws.String("170141183460469231731687303715884105728"),
		})
		s.check(err)
		s.settle()
		s.putRecords(25)
		c := newTeam(t, s.source(kinesissource.Options{MaxRecords: 7}), func(shard kcl.ShardInfo, _ []string) time.Duration {
			if shard.ShardID == shardID {
				return time.Minute
			}
			return 0
		})
		list, err := c.source.ListShards(t.Context())
		s.check(err)
		for _, shard := range list.Shards { // the children's leases may be taken at once
			c.table.Put(lease.Lease{Key: shard.ID, Parents: shard.ParentIDs, Range: shard.Range, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		}
		c.work(10*time.Minute, "one", "two")
		if c.lost == 0 {
			assertOnce(t, c.got, 50)
		} else { // the one that comes later may take a child's lease while a batch runs, which comes again then
			assertOnce(t, slices.Compact(slices.Sorted(slices.Values(c.got))), 50)
		}
		for i, data := range c.got {
			if n, err := strconv.Atoi(data); err != nil || (i < 25) != (n <= 25) {
				t.Errorf("number %d is record %s", i+1, data)
			}
		}
	})
}

func TestPeer44ADeadWorkersShardIsReadSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		s.putRecords(1)
		c := newTeam(t, s.source(kinesissource.Options{}), func(kcl.ShardInfo, []string) time.Duration { return 0 })
		c.table.Put(lease.Lease{Key: shardID, Owner: "dead", Counter: 7, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		begun := time.Now()
		c.work(time.Minute, "one")
		if len(c.when) != 1 || c.when[0].Sub(begun) > 2*lease.DefaultFailoverTime {
			t.Errorf("processed at %v, after %v, want within twice the failover time", c.when, begun)
		}
	})
}
