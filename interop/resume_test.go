//go:build interop

package interop_test

import (
	"crypto/rand"
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// TestJavaResumesWhereWeStopped leaves leases in a table that only we wrote,
// with checkpoints within aggregated records and with prepared ones, and has a
// Java worker take them over when they expire.
func TestJavaResumesWhereWeStopped(t *testing.T) {
	t.Parallel()
	s := newStream(t, 4)
	name := "leases-" + rand.Text()
	table := openTable(t, name)
	leave := func(shard int, steps func(l lease.Lease, at func(sub int64) checkpoint.ExtendedSequenceNumber) error) string {
		seq := s.putAggregated(t, shard, 10)
		l := take(t, table, s, shard)
		err := steps(l, func(sub int64) checkpoint.ExtendedSequenceNumber {
			return checkpoint.ExtendedSequenceNumber{SequenceNumber: seq, SubSequenceNumber: sub}
		})
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	type at = func(int64) checkpoint.ExtendedSequenceNumber
	arrival := time.UnixMilli(1_700_000_000_123)
	ctx := t.Context()
	var seq [4]string
	seq[0] = leave(0, func(l lease.Lease, at at) error {
		_, err := table.Checkpoint(ctx, l, checkpoint.Position{ExtendedSequenceNumber: at(3), Arrival: arrival})
		return err
	})
	seq[1] = leave(1, func(l lease.Lease, at at) error {
		l, err := table.Checkpoint(ctx, l, checkpoint.Position{ExtendedSequenceNumber: at(3), Arrival: arrival})
		if err == nil {
			_, err = table.Prepare(ctx, l, checkpoint.Prepared{At: at(7), State: pendingState})
		}
		return err
	})
	seq[2] = leave(2, func(l lease.Lease, at at) error {
		_, err := table.Prepare(ctx, l, checkpoint.Prepared{At: at(9)})
		return err
	})
	seq[3] = leave(3, func(l lease.Lease, at at) error { // a commit must leave nothing of what was prepared
		l, err := table.Prepare(ctx, l, checkpoint.Prepared{At: at(5), State: pendingState})
		if err == nil {
			_, err = table.Checkpoint(ctx, l, checkpoint.Position{ExtendedSequenceNumber: at(5), Arrival: arrival})
		}
		return err
	})

	j := startJava(t, "java-2", name, s.name, "--failover-ms=3000", "--checkpoint-every=0")
	got := j.wait(t, "initialize", 4)
	want := []event{
		{Sequence: seq[0], SubSequence: 3},
		{Sequence: seq[1], SubSequence: 3, Pending: &seq[1], PendingSubSequence: new(int64(7)), PendingState: &pendingState},
		{Sequence: checkpoint.TrimHorizon, Pending: &seq[2], PendingSubSequence: new(int64(9))},
		{Sequence: seq[3], SubSequence: 5},
	}
	for i, w := range want {
		w.Event, w.Shard = "initialize", *s.shards[i].ShardId
		if d := cmp.Diff(w, got[w.Shard]); d != "" {
			t.Errorf("Java's InitializationInput of shard %d (-want +got):\n%s", i, d)
		}
	}
	firstRecords(t, j, s, []string{"user-4", "user-4", "user-0", "user-6"})
}

// take creates the lease of a shard and takes it, for a worker that never
// renews it.
func take(t *testing.T, table lease.Table, s *stream, shard int) lease.Lease {
	t.Helper()
	sh := s.shards[shard]
	l := lease.Lease{
		Key:        *sh.ShardId,
		Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon),
		Range:      lease.HashRange{Start: *sh.HashKeyRange.StartingHashKey, End: *sh.HashKeyRange.EndingHashKey},
	}
	if err := table.Create(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	l, err := table.Take(t.Context(), l, lease.Claim{Owner: "go-1", Instance: "one", FailoverTime: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// firstRecords checks which record of each shard Java delivers first.
func firstRecords(t *testing.T, j *java, s *stream, want []string) {
	t.Helper()
	j.wait(t, "record", len(want))
	events, _ := j.told()
	first := map[string]event{}
	for _, e := range events {
		if _, ok := first[e.Shard]; e.Event == "record" && !ok {
			first[e.Shard] = e
		}
	}
	for i, w := range want {
		e := first[*s.shards[i].ShardId]
		if e.Record != base64.StdEncoding.EncodeToString([]byte(w)) {
			t.Errorf("Java's first record of shard %d is %s, want %s", i, e, w)
		}
	}
}
