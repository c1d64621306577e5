package processors_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// An archiver in a program of one's own. Here the services run in this process;
// in production cfg comes from config.LoadDefaultConfig, and ctx ends with a
// signal.
func Example() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	cfg := stack.AWSConfig()
	putOrders(ctx, kinesis.NewFromConfig(cfg), "first\n", "second\n")

	store, err := s3archive.New(s3.NewFromConfig(cfg), s3archive.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var key string
	archiver, err := processors.New(processors.Config{
		DeliveryStreamName: "orders",
		Bucket:             "archive",
		Prefix:             "logs/",
		Compression:        processors.GZIP,
		Hooks: processors.Hooks{
			Buffered: func(e processors.BufferedEvent) {
				if e.Records == 2 {
					stop() // what is buffered is delivered before Run returns
				}
			},
			Delivered: func(e processors.DeliveredEvent) {
				fmt.Println(e.Records, "records in an object, because of", e.Reason)
				key = e.Key
			},
		},
	}, store)
	if err != nil {
		log.Fatal(err)
	}
	if err := runArchiver(ctx, cfg, archiver); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", readObject(s3.NewFromConfig(cfg), key))
	// Output:
	// 2 records in an object, because of shutdown
	// "first\nsecond\n"
}

// runArchiver runs the worker that the archiver needs.
func runArchiver(ctx context.Context, cfg aws.Config, archiver *processors.Archiver) error {
	source, err := kinesissource.New(kinesis.NewFromConfig(cfg), kinesissource.Options{StreamName: "orders"})
	if err != nil {
		return err
	}
	table, err := leasedynamo.New(dynamodb.NewFromConfig(cfg), leasedynamo.Options{TableName: "orders-archiver"})
	if err != nil {
		return err
	}
	c := kcl.Config{
		ApplicationName: "orders-archiver",
		StreamName:      "orders",
		WorkerID:        "worker-1", // unique among those of the application
		Source:          source,
		Leases:          table,
		ShutdownTimeout: time.Minute, // time to deliver what is buffered
	}
	if err := archiver.Configure(&c); err != nil { // ticks: without them objects wait for records
		return err
	}
	w, err := kcl.New(c, archiver.Processor)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func putOrders(ctx context.Context, client *kinesis.Client, orders ...string) {
	if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(1)}); err != nil {
		log.Fatal(err)
	}
	for _, o := range orders { // a record ends as it was put: the archiver adds no newline
		in := &kinesis.PutRecordInput{StreamName: aws.String("orders"), PartitionKey: aws.String("key"), Data: []byte(o)}
		if _, err := client.PutRecord(ctx, in); err != nil {
			log.Fatal(err)
		}
	}
}

func readObject(client *s3.Client, key string) []byte {
	object, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("archive"), Key: aws.String(key)})
	if err != nil {
		log.Fatal(err)
	}
	defer object.Body.Close()
	content, err := gzip.NewReader(object.Body)
	if err != nil {
		log.Fatal(err)
	}
	b, err := io.ReadAll(content)
	if err != nil {
		log.Fatal(err)
	}
	return b
}
