package kcl_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

// A worker prints the records of a stream and checkpoints them. Here the
// services run in this process; in production cfg comes from
// config.LoadDefaultConfig, and ctx ends with a signal.
func Example() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	cfg := stack.AWSConfig()
	putWords(ctx, kinesis.NewFromConfig(cfg), "to", "be", "or", "not")

	source, err := kinesissource.New(kinesis.NewFromConfig(cfg), kinesissource.Options{StreamName: "words"})
	if err != nil {
		log.Fatal(err)
	}
	table, err := leasedynamo.New(dynamodb.NewFromConfig(cfg), leasedynamo.Options{TableName: "word-printer"})
	if err != nil {
		log.Fatal(err)
	}
	w, err := kcl.New(kcl.Config{
		ApplicationName: "word-printer", // all its workers share the lease table
		StreamName:      "words",
		WorkerID:        "worker-1", // unique among them
		Source:          source,
		Leases:          table,
	}, kcl.Handle(func(_ context.Context, shard kcl.ShardInfo, records []kcl.Record) error {
		for _, r := range records {
			fmt.Printf("%s %s\n", shard.ShardID, r.Data)
			if string(r.Data) == "not" {
				stop()
			}
		}
		return nil // checkpoints; an error has the same records processed again
	}))
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// shardId-000000000000 to
	// shardId-000000000000 be
	// shardId-000000000000 or
	// shardId-000000000000 not
}

func putWords(ctx context.Context, client *kinesis.Client, words ...string) {
	if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String("words"), ShardCount: aws.Int32(1)}); err != nil {
		log.Fatal(err)
	}
	for _, w := range words {
		in := &kinesis.PutRecordInput{StreamName: aws.String("words"), PartitionKey: aws.String(w), Data: []byte(w)}
		if _, err := client.PutRecord(ctx, in); err != nil {
			log.Fatal(err)
		}
	}
}

// The same with a processor of one's own: kcl.Defaults has the methods that it
// does not need.
func ExampleRecordProcessor() {
	var _ kcl.ProcessorFactory = func(s kcl.ShardInfo) kcl.RecordProcessor { return &counter{shard: s} }
}

type counter struct {
	kcl.Defaults

	shard kcl.ShardInfo
	words int
}

func (c *counter) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	c.words += len(in.Records)
	if c.words < 1000 {
		return nil // what is not checkpointed comes again after a crash
	}
	c.words = 0
	return in.Checkpointer.Checkpoint(ctx)
}
