package leasedynamo_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// written is a row with everything that a row may have.
func written() item {
	return item{
		"leaseKey": str("k"), "leaseCounter": num("4"), "leaseOwner": str("me"), "checkpoint": str("SHARD_END"),
		"checkpointSubSequenceNumber": num("0"), "ownerSwitchesSinceCheckpoint": num("3"),
		"checkpointTimestamp": num("5"), "checkpointTimestampFor": str("SHARD_END/0"),
		"pendingCheckpoint": str("12"), "pendingCheckpointSubSequenceNumber": num("1"), "pendingCheckpointState": &types.AttributeValueMemberB{Value: []byte("plan")},
		"leaseOwnerInstance": str("me/i"), "leaseOwnerFailoverMillis": str("me/10000"), "leaseReleaseReason": str("3/surplus"),
		"parentShardId": set("p"), "childShardIds": set("c", "d"), "startingHashKey": str("0"), "endingHashKey": str("9"),
		"shardIdentity": str("old/1/"), "throughputKBps": num("7"), "newInKCL4": str("x"),
	}
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	client := inProcess(t)
	table := openNamed(t, client, "leases")
	putRow(t, client, "leases", written())
	seen, err := table.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	now := lease.Lease{
		Key: "k", Checkpoint: checkpoint.At("40", 2, time.UnixMilli(6)), Parents: []string{"q", "p"},
		Range: lease.HashRange{Start: "5", End: "8"}, Identity: lease.Identity{Stream: "new", Start: "2", ARN: "a"},
	}
	want := item{
		"leaseKey": str("k"), "leaseCounter": num("5"), "checkpoint": str("40"),
		"checkpointSubSequenceNumber": num("2"), "ownerSwitchesSinceCheckpoint": num("0"),
		"checkpointTimestamp": num("6"), "checkpointTimestampFor": str("40/2"), "parentShardId": set("p", "q"),
		"startingHashKey": str("5"), "endingHashKey": str("8"), "shardIdentity": str("new/2/a"), "throughputKBps": num("7"), "newInKCL4": str("x"),
	}
	for range 2 { // the repeat of a write whose answer was lost finds it
		got, err := table.Rewrite(t.Context(), seen, now)
		if err != nil || got.Counter != 5 || got.Owner != "" || got.Pending != nil {
			t.Fatalf("Rewrite = %+v, %v", got, err)
		}
		if d := diffItem(getRow(t, client, "leases", "k"), want); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestRewriteRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(row item, seen, now *lease.Lease)
		want error
	}{
		{"another counter", func(row item, _, _ *lease.Lease) { row["leaseCounter"] = num("5") }, lease.ErrLost},
		{"another owner", func(row item, _, _ *lease.Lease) { row["leaseOwner"] = str("you") }, lease.ErrLost},
		{"no owner any more", func(row item, _, _ *lease.Lease) { delete(row, "leaseOwner") }, lease.ErrLost},
		{"an owner where there was none", func(_ item, seen, _ *lease.Lease) { seen.Owner = "" }, lease.ErrLost},
		{"a hand-off that began", func(row item, _, _ *lease.Lease) { row["checkpointOwner"] = str("you") }, lease.ErrLost},
		{"no row", func(_ item, seen, now *lease.Lease) { seen.Key, now.Key = "z", "z" }, lease.ErrLost},
		{"another key", func(_ item, _, now *lease.Lease) { now.Key = "z" }, lease.ErrInvalidState},
		{"no place", func(_ item, _, now *lease.Lease) { now.Checkpoint = checkpoint.Position{} }, lease.ErrInvalidState},
		{"half a range", func(_ item, _, now *lease.Lease) { now.Range.Start = "" }, lease.ErrInvalidState},
		{"a counter that cannot grow", func(_ item, seen, _ *lease.Lease) { seen.Counter = math.MaxInt64 }, lease.ErrInvalidState},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := inProcess(t)
			table := openNamed(t, client, "leases")
			row := written()
			seen, err := leasedynamo.Decode(row)
			if err != nil {
				t.Fatal(err)
			}
			now := seen
			tt.edit(row, &seen, &now)
			putRow(t, client, "leases", row)
			if _, err := table.Rewrite(t.Context(), seen, now); !errors.Is(err, tt.want) {
				t.Errorf("Rewrite = %v, want %v", err, tt.want)
			}
			if d := diffItem(getRow(t, client, "leases", "k"), row); d != "" {
				t.Errorf("it wrote (-want +got):\n%s", d)
			}
			if len(getRow(t, client, "leases", "z")) > 0 {
				t.Error("it made a row")
			}
		})
	}
}
