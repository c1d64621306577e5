package leasedynamo_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

// Who holds what, and how far it is, of an application whose workers may be Java
// ones.
func ExampleTable_List() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stack, err := localaws.New(localaws.Options{}) // in production: config.LoadDefaultConfig
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	client := dynamodb.NewFromConfig(stack.AWSConfig())
	addLease(ctx, client)

	table, err := leasedynamo.New(client, leasedynamo.Options{
		TableName:   "word-printer",
		NeverCreate: true, // who only looks must not make an empty table of a wrong name
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := table.Ensure(ctx); err != nil { // another table's rows would only look like an empty list
		log.Fatal(err)
	}
	leases, unreadable, err := table.List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range leases {
		fmt.Printf("%q holds %q, done up to %v\n", l.Owner, l.Key, l.Checkpoint) // quoted: anyone may have written them
	}
	for _, u := range unreadable {
		fmt.Println(u)
	}
	// Output: "worker-1" holds "shardId-000000000000", done up to 1002
}

// addLease makes the table with a lease that is held, as a worker does.
func addLease(ctx context.Context, client *dynamodb.Client) {
	table, err := leasedynamo.New(client, leasedynamo.Options{TableName: "word-printer"})
	if err != nil {
		log.Fatal(err)
	}
	if err := table.Ensure(ctx); err != nil {
		log.Fatal(err)
	}
	free := lease.Lease{Key: "shardId-000000000000", Checkpoint: checkpoint.At("1002", 0, time.Time{})}
	if err := table.Create(ctx, free); err != nil {
		log.Fatal(err)
	}
	if _, err := table.Take(ctx, free, lease.Claim{Owner: "worker-1", Instance: "a", FailoverTime: 10 * time.Second}); err != nil {
		log.Fatal(err)
	}
}
