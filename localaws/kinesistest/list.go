package kinesistest

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func listTests() []test {
	return []test{
		{"ListShards pages by MaxResults and NextToken", 5, listPages},
		{"ListShards refuses a NextToken together with a stream, and needs one of the two", 3, listToken},
		{"ListShards filters by the state and the time of shards", 2, listFilters},
		{"ListShards begins after ExclusiveStartShardId", 3, listAfter},
		{"DescribeStream pages by Limit and ExclusiveStartShardId", 3, describePages},
	}
}

func listPages(k *kit) {
	var got []types.Shard
	in := &kinesis.ListShardsInput{StreamName: &k.stream, MaxResults: aws.Int32(2)}
	calls := 0
	for {
		out, err := k.client.ListShards(k.ctx, in)
		k.must("listing shards", err)
		calls++
		got = append(got, out.Shards...)
		if out.NextToken == nil {
			break
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken, MaxResults: aws.Int32(2)}
	}
	k.same("shards", ids(got), "| 1| 2| 3| 4|")
	k.same("calls", calls, 3)
}

func listToken(k *kit) {
	out, err := k.client.ListShards(k.ctx, &kinesis.ListShardsInput{StreamName: &k.stream, MaxResults: aws.Int32(1)})
	k.must("listing shards", err)
	if out.NextToken == nil {
		k.t.Fatal("no NextToken with two shards to come")
	}
	_, err = k.client.ListShards(k.ctx, &kinesis.ListShardsInput{StreamName: &k.stream, NextToken: out.NextToken})
	k.refused("both", err, "InvalidArgumentException")
	_, err = k.client.ListShards(k.ctx, &kinesis.ListShardsInput{})
	k.refused("neither", err, "InvalidArgumentException")
}

func listFilters(k *kit) {
	k.split(k.shards(nil)[0])
	k.same("no filter", ids(k.shards(nil)), "| 1| 2| 3|")
	filter := func(kind types.ShardFilterType) string { return ids(k.shards(&types.ShardFilter{Type: kind})) }
	k.same("AT_LATEST", filter(types.ShardFilterTypeAtLatest), "1| 2| 3|")
	k.same("FROM_TRIM_HORIZON", filter(types.ShardFilterTypeFromTrimHorizon), "| 1| 2| 3|")
	if !k.features.AtTrimHorizonListsAll {
		k.same("AT_TRIM_HORIZON", filter(types.ShardFilterTypeAtTrimHorizon), "| 1|")
	}
	k.same("AFTER_SHARD_ID", ids(k.shards(&types.ShardFilter{
		Type: types.ShardFilterTypeAfterShardId, ShardId: aws.String("shardId-000000000001"),
	})), "2| 3|")
	later := aws.Time(time.Now().Add(time.Second))
	k.same("AT_TIMESTAMP after the split", ids(k.shards(&types.ShardFilter{Type: types.ShardFilterTypeAtTimestamp, Timestamp: later})), "1| 2| 3|")
	k.same("FROM_TIMESTAMP after the split", ids(k.shards(&types.ShardFilter{Type: types.ShardFilterTypeFromTimestamp, Timestamp: later})), "1| 2| 3|")
	created := k.summary().StreamCreationTimestamp
	k.same("FROM_TIMESTAMP before the split",
		ids(k.shards(&types.ShardFilter{Type: types.ShardFilterTypeFromTimestamp, Timestamp: created})), "| 1| 2| 3|")
}

func listAfter(k *kit) {
	out, err := k.client.ListShards(k.ctx, &kinesis.ListShardsInput{StreamName: &k.stream, ExclusiveStartShardId: aws.String(first)})
	k.must("listing shards", err)
	k.same("shards", ids(out.Shards), "1| 2|")
}

func describePages(k *kit) {
	in := &kinesis.DescribeStreamInput{StreamName: &k.stream, Limit: aws.Int32(2)}
	out, err := k.client.DescribeStream(k.ctx, in)
	k.must("describing the stream", err)
	k.same("first page", ids(out.StreamDescription.Shards), "| 1|")
	k.same("more after the first page", *out.StreamDescription.HasMoreShards, true)
	in.ExclusiveStartShardId = out.StreamDescription.Shards[1].ShardId
	out, err = k.client.DescribeStream(k.ctx, in)
	k.must("describing the stream", err)
	k.same("second page", ids(out.StreamDescription.Shards), "2|")
	k.same("more after the second page", *out.StreamDescription.HasMoreShards, false)
}
