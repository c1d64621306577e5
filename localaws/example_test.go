package localaws_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
)

// A program reads a stream and archives it, all in one process.
func Example() {
	ctx := context.Background()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stack.Close()
	cfg := stack.AWSConfig()
	streams, objects := kinesis.NewFromConfig(cfg), s3.NewFromConfig(cfg)

	// S3 is asked too often once; the SDK repeats the request.
	throttle := stack.Faults().Add(localaws.Fault{Operation: "PutObject", Times: 1, Kind: localaws.Throttle()})

	_, err = streams.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String("words"), ShardCount: aws.Int32(1)})
	if err != nil {
		fmt.Println(err)
	}
	_, err = objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("archive"), Key: aws.String("2026/words"), Body: strings.NewReader("shard\nmill\n"),
	})
	if err != nil {
		fmt.Println(err)
	}
	object, err := objects.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("archive"), Key: aws.String("2026/words")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer object.Body.Close()
	content, err := io.ReadAll(object.Body)
	fmt.Printf("%q %v, throttled %d time\n", content, err, throttle.Hits())
	// Output: "shard\nmill\n" <nil>, throttled 1 time
}
