package kinesistest

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// patience bounds how often a test asks for something that a server may take
// time for.
const patience = 200

// kit is one test's client and stream.
type kit struct {
	t        *testing.T
	ctx      context.Context // the test's own
	client   *kinesis.Client
	features Features
	stream   string
}

// newKit makes the stream of a test, ACTIVE and with a name of its own.
func newKit(t *testing.T, client *kinesis.Client, features Features, shards int32) *kit {
	t.Helper()
	k := &kit{t: t, ctx: t.Context(), client: client, features: features, stream: fmt.Sprintf("kinesistest-%016x", rand.Uint64())}
	_, err := client.CreateStream(k.ctx, &kinesis.CreateStreamInput{StreamName: &k.stream, ShardCount: &shards})
	k.must("creating the stream", err)
	k.active()
	t.Cleanup(func() {
		_, err := client.DeleteStream(context.WithoutCancel(k.ctx), &kinesis.DeleteStreamInput{StreamName: &k.stream})
		if err != nil && !isKind(err, "ResourceNotFoundException") {
			t.Errorf("deleting the stream: %v", err)
		}
	})
	return k
}

func (k *kit) must(doing string, err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("%s: %v", doing, err)
	}
}

// summary asks for the summary of the stream.
func (k *kit) summary() *types.StreamDescriptionSummary {
	k.t.Helper()
	out, err := k.client.DescribeStreamSummary(k.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &k.stream})
	k.must("describing the stream", err)
	return out.StreamDescriptionSummary
}

// active waits until the stream is ACTIVE. Against a server that takes no time
// for it, it does not wait at all.
func (k *kit) active() {
	k.t.Helper()
	for range patience {
		out, err := k.client.DescribeStreamSummary(k.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &k.stream})
		if err == nil && out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
			return
		}
		k.pause()
	}
	k.t.Fatal("the stream did not become ACTIVE")
}

// pause gives a server time for what it does between requests.
func (k *kit) pause() {
	k.t.Helper()
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.ctx.Done():
		k.t.Fatal("the test ended while waiting for the stream")
	}
}

// put stores one record and tells where.
func (k *kit) put(key, data string) *kinesis.PutRecordOutput {
	k.t.Helper()
	out, err := k.client.PutRecord(k.ctx, &kinesis.PutRecordInput{StreamName: &k.stream, PartitionKey: &key, Data: []byte(data)})
	k.must("putting a record", err)
	return out
}

// putAt stores one record at a hash key.
func (k *kit) putAt(hashKey, data string) *kinesis.PutRecordOutput {
	k.t.Helper()
	out, err := k.client.PutRecord(k.ctx, &kinesis.PutRecordInput{
		StreamName: &k.stream, PartitionKey: aws.String("key"), ExplicitHashKey: &hashKey, Data: []byte(data),
	})
	k.must("putting a record", err)
	return out
}

// putMany stores n records "0", "1", … in order, each with its own number as
// the partition key.
func (k *kit) putMany(n int) []string {
	k.t.Helper()
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = *k.put(strconv.Itoa(i), strconv.Itoa(i)).SequenceNumber
	}
	return numbers
}

// shards lists all shards, page by page.
func (k *kit) shards(filter *types.ShardFilter) []types.Shard {
	k.t.Helper()
	var all []types.Shard
	in := &kinesis.ListShardsInput{StreamName: &k.stream, ShardFilter: filter}
	for {
		out, err := k.client.ListShards(k.ctx, in)
		k.must("listing shards", err)
		all = append(all, out.Shards...)
		if out.NextToken == nil {
			return all
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
}

func ids(shards []types.Shard) string {
	var all []string
	for _, shard := range shards {
		all = append(all, strings.TrimLeft(strings.TrimPrefix(*shard.ShardId, "shardId-"), "0")+"|")
	}
	return strings.Join(all, " ")
}

// first is the id of the first shard of a stream.
const first = "shardId-000000000000"

// iterator gets an iterator of a type that needs nothing else.
func (k *kit) iterator(shard string, kind types.ShardIteratorType) *string {
	k.t.Helper()
	return k.iteratorWith(&kinesis.GetShardIteratorInput{ShardId: &shard, ShardIteratorType: kind})
}

func (k *kit) iteratorWith(in *kinesis.GetShardIteratorInput) *string {
	k.t.Helper()
	if in.StreamName == nil && in.StreamARN == nil {
		in.StreamName = &k.stream
	}
	out, err := k.client.GetShardIterator(k.ctx, in)
	k.must(fmt.Sprintf("getting an iterator of type %s", in.ShardIteratorType), err)
	return out.ShardIterator
}

func (k *kit) get(iterator *string, limit *int32) *kinesis.GetRecordsOutput {
	k.t.Helper()
	out, err := k.client.GetRecords(k.ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: limit})
	k.must("getting records", err)
	return out
}

// read reads on until it has n records, and gives their data and the last
// answer.
func (k *kit) read(iterator *string, n int) ([]string, *kinesis.GetRecordsOutput) {
	k.t.Helper()
	var data []string
	for range patience {
		out := k.get(iterator, nil)
		for _, record := range out.Records {
			data = append(data, string(record.Data))
		}
		if len(data) >= n || out.NextShardIterator == nil {
			return data, out
		}
		iterator = out.NextShardIterator
	}
	k.t.Fatalf("read %d of %d records", len(data), n)
	return nil, nil
}

// drain reads to the end of a closed shard.
func (k *kit) drain(iterator *string) ([]string, *kinesis.GetRecordsOutput) {
	k.t.Helper()
	return k.read(iterator, 1<<30)
}

// split splits a shard in the middle and waits for it.
func (k *kit) split(shard types.Shard) {
	k.t.Helper()
	low, high := hashKey(k.t, *shard.HashKeyRange.StartingHashKey), hashKey(k.t, *shard.HashKeyRange.EndingHashKey)
	middle := new(big.Int).Add(low, high)
	middle.Rsh(middle, 1)
	_, err := k.client.SplitShard(k.ctx, &kinesis.SplitShardInput{
		StreamName: &k.stream, ShardToSplit: shard.ShardId, NewStartingHashKey: aws.String(middle.String()),
	})
	k.must("splitting a shard", err)
	k.active()
}

func (k *kit) merge(shard, adjacent string) {
	k.t.Helper()
	_, err := k.client.MergeShards(k.ctx, &kinesis.MergeShardsInput{StreamName: &k.stream, ShardToMerge: &shard, AdjacentShardToMerge: &adjacent})
	k.must("merging shards", err)
	k.active()
}

func hashKey(t *testing.T, text string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		t.Fatalf("%q is not a decimal number", text)
	}
	return n
}

// isKind reports whether err is the service's exception of that name.
func isKind(err error, kind string) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == kind
}

// refused fails the test unless err is that exception.
func (k *kit) refused(doing string, err error, kind string) {
	k.t.Helper()
	if !isKind(err, kind) {
		k.t.Errorf("%s: got error %v, want a %s", doing, err, kind)
	}
}

func (k *kit) same(what string, got, want any) {
	k.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		k.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
