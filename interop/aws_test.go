//go:build interop

package interop_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// provider's key is the one that Worker.java has: in kinesis-mock it names the
// account.
var provider = credentials.NewStaticCredentialsProvider("000000000000", "local", "")

func endpoint(tb testing.TB, name string) string {
	tb.Helper()
	v := os.Getenv(name)
	if v == "" {
		tb.Fatalf("%s is not set; scripts/interop.sh sets it", name)
	}
	return v
}

func dynamoClient(tb testing.TB) *dynamodb.Client {
	tb.Helper()
	return dynamodb.New(dynamodb.Options{Region: "us-east-1", Credentials: provider, BaseEndpoint: aws.String(endpoint(tb, "DYNAMODB_ENDPOINT"))})
}

func kinesisClient(tb testing.TB) *kinesis.Client {
	tb.Helper()
	return kinesis.New(kinesis.Options{Region: "us-east-1", Credentials: provider, BaseEndpoint: aws.String(endpoint(tb, "KINESIS_ENDPOINT"))})
}

// openTable returns the lease table of that name, made if there is none.
func openTable(tb testing.TB, name string) *leasedynamo.Table {
	tb.Helper()
	table, err := leasedynamo.New(dynamoClient(tb), leasedynamo.Options{TableName: name})
	if err != nil {
		tb.Fatal(err)
	}
	if err := table.Ensure(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return table
}

// stream is a stream of the test's own.
type stream struct {
	name   string
	client *kinesis.Client
	shards []types.Shard
}

func newStream(tb testing.TB, shards int32) *stream {
	tb.Helper()
	ctx := tb.Context()
	s := &stream{name: "interop-" + rand.Text(), client: kinesisClient(tb)}
	if _, err := s.client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &s.name, ShardCount: &shards}); err != nil {
		tb.Fatal(err)
	}
	exists := kinesis.NewStreamExistsWaiter(s.client, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = 100 * time.Millisecond })
	if err := exists.Wait(ctx, &kinesis.DescribeStreamInput{StreamName: &s.name}, time.Minute); err != nil {
		tb.Fatal(err)
	}
	out, err := s.client.ListShards(ctx, &kinesis.ListShardsInput{StreamName: &s.name})
	if err != nil {
		tb.Fatal(err)
	}
	s.shards = out.Shards
	return s
}

// putAggregated puts one aggregated record of n user records in a shard, as the
// KPL packs them, and returns its sequence number.
func (s *stream) putAggregated(tb testing.TB, shard, n int) string {
	tb.Helper()
	hash := s.shards[shard].HashKeyRange.StartingHashKey
	var a kpl.Aggregator
	for i := range n {
		u := kpl.UserRecord{PartitionKey: fmt.Sprint("key-", i), ExplicitHashKey: *hash, HasExplicitHashKey: true, Data: fmt.Appendf(nil, "user-%d", i)}
		if !a.Add(u) {
			tb.Fatalf("user record %d does not fit", i)
		}
	}
	return s.put(tb, shard, a.Append(nil))
}

// put puts a record in a shard and returns its sequence number.
func (s *stream) put(tb testing.TB, shard int, data []byte) string {
	tb.Helper()
	out, err := s.client.PutRecord(tb.Context(), &kinesis.PutRecordInput{
		StreamName: &s.name, PartitionKey: aws.String("a"), ExplicitHashKey: s.shards[shard].HashKeyRange.StartingHashKey, Data: data,
	})
	if err != nil {
		tb.Fatal(err)
	}
	if *out.ShardId != *s.shards[shard].ShardId {
		tb.Fatalf("the record is in %s, want %s", *out.ShardId, *s.shards[shard].ShardId)
	}
	return *out.SequenceNumber
}
