package elected_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

// On DynamoDB the table of jobs is made, the row is what leasedynamo writes of any lease,
// and the table of the application's shards is not touched.
func TestOnDynamoDB(t *testing.T) {
	t.Parallel()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	client := dynamodb.NewFromConfig(stack.AWSConfig())
	open := func(name string) *leasedynamo.Table {
		table, err := leasedynamo.New(client, leasedynamo.Options{TableName: name})
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	shards, jobs := open("app"), open("app-shardmill")
	shard := lease.Lease{Key: "shardId-000000000000", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}
	if err := shards.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := shards.Create(t.Context(), shard); err != nil {
		t.Fatal(err)
	}

	role, err := elected.New(elected.Config{Table: jobs, Job: "orders", WorkerID: "w-1", FailoverTime: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	role.Run(ctx, func(ctx context.Context, term *elected.Term) error {
		defer stop()
		row, err := jobs.Get(ctx, "orders")
		if err != nil || row.Owner != "w-1" || row.Counter < 1 || row.FailoverTime != 2*time.Second || row.Instance == "" || row.Checkpoint != shard.Checkpoint {
			t.Errorf("row %+v, %v", row, err)
		}
		if err := term.CheckTrust(); err != nil {
			t.Error(err)
		}
		return nil
	})

	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("app-shardmill"),
		Key:       map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: "orders"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]types.AttributeValue{
		"leaseKey": &types.AttributeValueMemberS{Value: "orders"}, "checkpoint": &types.AttributeValueMemberS{Value: "TRIM_HORIZON"},
		"checkpointSubSequenceNumber": &types.AttributeValueMemberN{Value: "0"}, "ownerSwitchesSinceCheckpoint": &types.AttributeValueMemberN{Value: "0"},
	} {
		if !same(out.Item[name], want) {
			t.Errorf("%s is %#v", name, out.Item[name])
		}
	}
	if _, ok := out.Item["leaseOwner"]; ok || out.Item["leaseCounter"] == nil {
		t.Errorf("a lease that was released: %v", out.Item)
	}
	for _, table := range []struct {
		*leasedynamo.Table

		key string
	}{{shards, shard.Key}, {jobs, "orders"}} {
		leases, unreadable, err := table.List(t.Context())
		if err != nil || len(leases) != 1 || len(unreadable) != 0 || leases[0].Key != table.key {
			t.Errorf("%v, %v, %v; want %s alone", leases, unreadable, err, table.key)
		}
	}
}

func same(a, b types.AttributeValue) bool {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		b, ok := b.(*types.AttributeValueMemberS)
		return ok && a.Value == b.Value
	case *types.AttributeValueMemberN:
		b, ok := b.(*types.AttributeValueMemberN)
		return ok && a.Value == b.Value
	}
	return false
}
