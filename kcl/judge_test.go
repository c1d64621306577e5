package kcl_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// What is said of a table beforehand is what a worker says that starts on it.
func TestJudgeLeases(t *testing.T) {
	t.Parallel()
	horizon, end := checkpoint.Sentinel(checkpoint.TrimHorizon), checkpoint.Sentinel(checkpoint.ShardEnd)
	const first, second = "shardId-000000000000", "shardId-000000000001"
	for name, row := range map[string]struct {
		row                lease.Lease
		doubtful, odd, err string
	}{
		"one of ours":       {row: lease.Lease{Key: first, Checkpoint: horizon}},
		"of another stream": {row: lease.Lease{Key: first, Checkpoint: horizon, Identity: lease.Identity{Stream: "bills"}}, err: "belongs to another application or stream: lease " + first + " is of stream bills, not "},
		"of several":        {row: lease.Lease{Key: "123456789012:words:1:" + first, Checkpoint: horizon}, odd: "is of an application that reads several streams", err: "is of an application that reads several streams"},
		"at an early end":   {row: lease.Lease{Key: second, Checkpoint: end}, doubtful: "lease " + second + " says SHARD_END, and its shard is open"},
		"of no such shard":  {row: lease.Lease{Key: "shardId-000000000009", Checkpoint: horizon}, doubtful: "is of a shard that the stream does not have"},
		"of no shard":       {row: lease.Lease{Key: "leader", Checkpoint: horizon}, odd: "lease leader is of no shard"},
		"of odd parents":    {row: lease.Lease{Key: second, Checkpoint: horizon, Parents: []string{first}}, odd: "has the parents [" + first + "]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
				table.Put(row.row)
				list, err := s.ListShards(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				cfg := config(s, table, "me")
				doubtful, odd, err := kcl.JudgeLeases(cfg, list.Shards, []lease.Lease{row.row})
				one := func(what string, got []string, want string) {
					if len(got) > 1 || !strings.Contains(strings.Join(got, ""), want) || (len(got) == 0) != (want == "") {
						t.Errorf("%s are %q, want %q", what, got, want)
					}
				}
				one("doubtful", doubtful, row.doubtful)
				one("odd", odd, row.odd)
				_, stop := running(t, cfg, recording(j))
				time.Sleep(time.Second)
				atStart := stop()
				if (err == nil) != (row.err == "") || err != nil && (!strings.Contains(err.Error(), row.err) || !errors.Is(err, lease.ErrInvalidState)) {
					t.Errorf("it is refused with %v, want %q", err, row.err)
				}
				if (err == nil) != (atStart == nil) || err != nil && err.Error() != atStart.Error() {
					t.Errorf("it is refused with %v, and a worker says %v", err, atStart)
				}
			})
		})
	}
}
