package kinesissource_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/localaws"
)

// What is wrong with the options is told at once, all of it, before any call.
func ExampleNew() {
	_, err := kinesissource.New(kinesis.New(kinesis.Options{Region: "us-east-1"}), kinesissource.Options{
		StreamName:   "words",
		PollInterval: 50 * time.Millisecond,
		MaxRecords:   20_000,
	})
	fmt.Println(err)
	// Output:
	// invalid options of the Kinesis source: PollInterval is 50ms; it must be at least 200ms: a shard takes 5 reads a second from all its readers
	// MaxRecords is 20000; it must be 1 to 10000
}

// Reading a shard once, without leases: a look into a stream.
func ExampleSource_Open() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stack, err := localaws.New(localaws.Options{}) // in production: config.LoadDefaultConfig
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	client := kinesis.NewFromConfig(stack.AWSConfig())
	if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String("words"), ShardCount: aws.Int32(1)}); err != nil {
		log.Fatal(err)
	}
	put := &kinesis.PutRecordInput{StreamName: aws.String("words"), PartitionKey: aws.String("key"), Data: []byte("to be")}
	if _, err := client.PutRecord(ctx, put); err != nil {
		log.Fatal(err)
	}

	source, err := kinesissource.New(client, kinesissource.Options{StreamName: "words"})
	if err != nil {
		log.Fatal(err)
	}
	list, err := source.ListShards(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, shard := range list.Shards {
		if err := printShard(ctx, source, shard.ID); err != nil {
			log.Fatal(err)
		}
	}
	// Output: shardId-000000000000: to be
}

// printShard prints what the shard has until there is nothing new.
func printShard(ctx context.Context, source *kinesissource.Source, shardID string) error {
	reader := source.Open(shardID, checkpoint.Sentinel(checkpoint.TrimHorizon))
	defer reader.Close()
	for {
		page, err := reader.Next(ctx, kcl.Room{})
		if err != nil {
			return err // of throttling and expired iterators nothing is seen here
		}
		for _, r := range page.Records {
			fmt.Printf("%s: %s\n", shardID, r.Data)
		}
		if page.Release != nil {
			page.Release() // Data is good until then
		}
		if page.End || page.BehindLatest == 0 {
			return nil
		}
	}
}
