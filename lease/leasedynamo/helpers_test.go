package leasedynamo_test

import (
	"context"
	"crypto/rand"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

type item = map[string]types.AttributeValue

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func num(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

func set(s ...string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: s} }

// open returns a table of its own that exists and is empty.
func open(tb testing.TB, client *dynamodb.Client) *leasedynamo.Table {
	tb.Helper()
	return openNamed(tb, client, "leases-"+rand.Text())
}

func openNamed(tb testing.TB, client leasedynamo.API, name string) *leasedynamo.Table {
	tb.Helper()
	table, err := leasedynamo.New(client, leasedynamo.Options{TableName: name})
	if err != nil {
		tb.Fatal(err)
	}
	if err := table.Ensure(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return table
}

// openPut is open; the function puts a lease as its row.
func openPut(tb testing.TB, client *dynamodb.Client) (lease.Table, func(lease.Lease)) {
	tb.Helper()
	name := "leases-" + rand.Text()
	table := openNamed(tb, client, name)
	return table, func(l lease.Lease) { putRow(tb, client, name, leasedynamo.Encode(l)) }
}

func putRow(tb testing.TB, client *dynamodb.Client, table string, row item) {
	tb.Helper()
	if _, err := client.PutItem(tb.Context(), &dynamodb.PutItemInput{TableName: &table, Item: row}); err != nil {
		tb.Fatal(err)
	}
}

func getRow(tb testing.TB, client *dynamodb.Client, table, key string) item {
	tb.Helper()
	out, err := client.GetItem(tb.Context(), &dynamodb.GetItemInput{
		TableName: &table, Key: item{"leaseKey": str(key)}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out.Item
}

// unknownAttributesSurvive makes every write of a row that has attributes which
// this package does not know.
func unknownAttributesSurvive(t *testing.T, client *dynamodb.Client) {
	t.Helper()
	name := "leases-" + rand.Text()
	table := openNamed(t, client, name)
	unknown := item{
		"entityType": str("LEASE"),
		"newInKCL4":  &types.AttributeValueMemberM{Value: item{"a": &types.AttributeValueMemberL{Value: []types.AttributeValue{num("1"), &types.AttributeValueMemberBOOL{Value: true}}}}},
		"streamName": str("123:s:456"),
	}
	row := item{
		"leaseKey": str("k"), "leaseCounter": num("4"), "leaseOwner": str("java"), "checkpoint": str("12"),
		"checkpointSubSequenceNumber": num("0"), "ownerSwitchesSinceCheckpoint": num("0"),
	}
	maps.Copy(row, unknown)
	putRow(t, client, name, row)

	ctx := t.Context()
	l, err := table.Get(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	writes := []func(context.Context, lease.Lease) (lease.Lease, error){
		func(ctx context.Context, l lease.Lease) (lease.Lease, error) {
			return table.Take(ctx, l, lease.Claim{Owner: "go", Instance: "i", FailoverTime: 1e9})
		},
		table.Renew,
		func(ctx context.Context, l lease.Lease) (lease.Lease, error) {
			return table.Prepare(ctx, l, checkpoint.Prepared{At: checkpoint.ExtendedSequenceNumber{SequenceNumber: "13"}, State: []byte("s")})
		},
		func(ctx context.Context, l lease.Lease) (lease.Lease, error) {
			return table.Checkpoint(ctx, l, checkpoint.Sentinel(checkpoint.ShardEnd))
		},
		func(ctx context.Context, l lease.Lease) (lease.Lease, error) {
			return l, table.Annotate(ctx, l.Key, []string{"c"}, lease.HashRange{Start: "0", End: "1"})
		},
		func(ctx context.Context, l lease.Lease) (lease.Lease, error) {
			return table.Release(ctx, l, lease.Surplus)
		},
	}
	for i, write := range writes {
		if l, err = write(ctx, l); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
		got := getRow(t, client, name, "k")
		for attr, want := range unknown {
			if d := diffAttribute(got[attr], want); d != "" {
				t.Errorf("after write %d attribute %s (-want +got):\n%s", i, attr, d)
			}
		}
	}
	for _, attr := range []string{"leaseOwner", "leaseOwnerInstance", "leaseOwnerFailoverMillis"} {
		if _, ok := getRow(t, client, name, "k")[attr]; ok {
			t.Errorf("attribute %s is there after the release", attr)
		}
	}
	if l.Counter != 9 {
		t.Errorf("got counter %d, want 9", l.Counter)
	}
}
