package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/localaws"
)

// A table that is none of leases is no list without any.
func TestLeasesOfAForeignTable(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	if _, err := o.client.CreateTable(o.ctx, &dynamodb.CreateTableInput{
		TableName: aws.String("users"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	}); err != nil {
		t.Fatal(err)
	}
	const want = "lease table unusable: table users has the keys HASH key id (S), so it is not a lease table, which has HASH key leaseKey (S): use the name of another table"
	for range 2 { // without rows, and with one
		for _, args := range [][]string{{"list"}, {"list", "--json"}, {"release", shard0}} {
			o.refuses(want, append(append([]string{"leases"}, args...), "--table", "users")...)
		}
		if _, err := o.client.PutItem(o.ctx, &dynamodb.PutItemInput{
			TableName: aws.String("users"), Item: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "x"}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if out, errs := o.run(0, "leases", "list", "--table", "orders"); !strings.HasPrefix(out, "LEASE ") || strings.Count(out, "\n") != 1 || errs != "" {
		t.Errorf("a lease table without leases: %s%s", out, errs)
	}
	o.stack.Faults().Add(localaws.Fault{Operation: "DescribeTable", Kind: localaws.Error(http.StatusBadRequest, "AccessDeniedException")})
	if _, errs := o.run(0, "leases", "list", "--table", "users"); !strings.HasPrefix(errs, "there are no leases, and whether table users is for leases is not known: access denied: table users: permit dynamodb:DescribeTable: ") {
		t.Errorf("without the permission: %s", errs)
	}
}

// What is missing is named with the flag that names it and where it was looked
// for.
func TestLeasesOfWhatIsMissing(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	const table = "lease table not found: there is no table nope in region us-east-1: --table must be the application's name, and the region and the account those of its workers"
	for _, args := range [][]string{{"list"}, {"set", shard0, "--at", "latest"}, {"release", shard0}, {"adopt", "--stream", "orders"}} {
		o.refuses(table, append(append([]string{"leases"}, args...), "--table", "nope")...)
	}
	const stream = "stream not found: there is no stream nope in region us-east-1 of these credentials' account: correct its name, or give --stream-arn"
	o.refuses(stream, "leases", "list", "--table", "orders", "--stream", "nope")
}

// A row that somebody wrote to harm who reads it is shown in quotes.
func TestLeasesThatAreHostile(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	const evil = "\x1b[2J\u202eevil\nx"
	o.lease(lease.Lease{Key: evil, Checkpoint: checkpoint.At("12", 0, time.Time{}), Identity: lease.Identity{Stream: evil}}, heldBy(o, evil, time.Hour))
	o.put(map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: evil + "2"}, "checkpoint": &types.AttributeValueMemberS{Value: evil}})
	list := o.dryly("leases", "list", "--table", "orders")
	const shown = `"\x1b[2J\u202eevil\nx"`
	if strings.Count(list, "\n") != 3 || !strings.Contains(list, "\n"+shown+" "+shown+" 1 12 ") {
		t.Errorf("the list is\n%q", list)
	}
	out, errs := o.run(1, "leases", "release", evil+"2", "--table", "orders")
	for _, text := range []string{list, out, errs} {
		if strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("it prints %q", text)
		}
	}
}
