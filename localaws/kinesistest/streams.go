package kinesistest

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func streamTests() []test {
	return []test{
		{"A stream is named by its ARN wherever by its name", 1, byARN},
		{"A stream that is not there is ResourceNotFoundException for every operation", 1, missingStream},
		{"A stream is created once, listed, and gone after DeleteStream", 1, lifeOfAStream},
		{"The retention period goes up and down within its bounds", 1, retention},
		{"Tags are added, listed and removed", 1, tags},
	}
}

func byARN(k *kit) {
	arn := k.summary().StreamARN
	if !strings.HasSuffix(*arn, ":stream/"+k.stream) {
		k.t.Errorf("ARN of the stream: got %s", *arn)
	}
	_, err := k.client.PutRecord(k.ctx, &kinesis.PutRecordInput{StreamARN: arn, PartitionKey: aws.String("key"), Data: []byte("one")})
	k.must("PutRecord", err)
	_, err = k.client.PutRecords(k.ctx, &kinesis.PutRecordsInput{StreamARN: arn, Records: []types.PutRecordsRequestEntry{
		{PartitionKey: aws.String("key"), Data: []byte("two")},
	}})
	k.must("PutRecords", err)
	shards, err := k.client.ListShards(k.ctx, &kinesis.ListShardsInput{StreamARN: arn})
	k.must("ListShards", err)
	_, err = k.client.DescribeStream(k.ctx, &kinesis.DescribeStreamInput{StreamARN: arn})
	k.must("DescribeStream", err)
	it := k.iteratorWith(&kinesis.GetShardIteratorInput{
		StreamARN: arn, ShardId: shards.Shards[0].ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	out, err := k.client.GetRecords(k.ctx, &kinesis.GetRecordsInput{StreamARN: arn, ShardIterator: it})
	k.must("GetRecords", err)
	k.same("records", len(out.Records), 2)
}

func missingStream(k *kit) {
	no := aws.String(k.stream + "-no")
	_, err := k.client.ListShards(k.ctx, &kinesis.ListShardsInput{StreamName: no})
	k.refused("ListShards", err, "ResourceNotFoundException")
	if err != nil && !strings.Contains(err.Error(), *no) {
		k.t.Errorf("the error does not name the stream: %v", err)
	}
	_, err = k.client.DescribeStreamSummary(k.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: no})
	k.refused("DescribeStreamSummary", err, "ResourceNotFoundException")
	_, err = k.client.DescribeStream(k.ctx, &kinesis.DescribeStreamInput{StreamName: no})
	k.refused("DescribeStream", err, "ResourceNotFoundException")
	_, err = k.client.DeleteStream(k.ctx, &kinesis.DeleteStreamInput{StreamName: no})
	k.refused("DeleteStream", err, "ResourceNotFoundException")
	_, err = k.client.SplitShard(k.ctx, &kinesis.SplitShardInput{StreamName: no, ShardToSplit: aws.String(first), NewStartingHashKey: aws.String("5")})
	k.refused("SplitShard", err, "ResourceNotFoundException")
	_, err = k.client.PutRecords(k.ctx, &kinesis.PutRecordsInput{StreamName: no, Records: []types.PutRecordsRequestEntry{
		{PartitionKey: aws.String("key"), Data: []byte("data")},
	}})
	k.refused("PutRecords", err, "ResourceNotFoundException")
}

func lifeOfAStream(k *kit) {
	_, err := k.client.CreateStream(k.ctx, &kinesis.CreateStreamInput{StreamName: &k.stream, ShardCount: aws.Int32(1)})
	k.refused("creating it again", err, "ResourceInUseException")
	var names []string
	pages := kinesis.NewListStreamsPaginator(k.client, &kinesis.ListStreamsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(k.ctx)
		k.must("listing streams", err)
		names = append(names, page.StreamNames...)
	}
	if !slices.Contains(names, k.stream) {
		k.t.Errorf("%s is not among the streams %v", k.stream, names)
	}
	it := k.iterator(first, types.ShardIteratorTypeTrimHorizon)
	_, err = k.client.DeleteStream(k.ctx, &kinesis.DeleteStreamInput{StreamName: &k.stream})
	k.must("deleting the stream", err)
	for range patience {
		if _, err = k.client.GetRecords(k.ctx, &kinesis.GetRecordsInput{ShardIterator: it}); isKind(err, "ResourceNotFoundException") {
			return
		}
		k.pause() // while it is DELETING a stream may still be read
	}
	k.t.Errorf("reading on: got error %v, want a ResourceNotFoundException in the end", err)
}

func retention(k *kit) {
	k.same("hours at first", *k.summary().RetentionPeriodHours, 24)
	_, err := k.client.IncreaseStreamRetentionPeriod(k.ctx, &kinesis.IncreaseStreamRetentionPeriodInput{
		StreamName: &k.stream, RetentionPeriodHours: aws.Int32(48),
	})
	k.must("increasing the retention", err)
	k.active()
	k.same("hours after the increase", *k.summary().RetentionPeriodHours, 48)
	_, err = k.client.IncreaseStreamRetentionPeriod(k.ctx, &kinesis.IncreaseStreamRetentionPeriodInput{
		StreamName: &k.stream, RetentionPeriodHours: aws.Int32(24),
	})
	k.refused("an increase to less", err, "InvalidArgumentException")
	_, err = k.client.DecreaseStreamRetentionPeriod(k.ctx, &kinesis.DecreaseStreamRetentionPeriodInput{
		StreamName: &k.stream, RetentionPeriodHours: aws.Int32(24),
	})
	k.must("decreasing the retention", err)
	k.active()
	k.same("hours after the decrease", *k.summary().RetentionPeriodHours, 24)
}

func tags(k *kit) {
	_, err := k.client.AddTagsToStream(k.ctx, &kinesis.AddTagsToStreamInput{StreamName: &k.stream, Tags: map[string]string{"b": "2", "a": "1", "c": "3"}})
	k.must("adding tags", err)
	_, err = k.client.RemoveTagsFromStream(k.ctx, &kinesis.RemoveTagsFromStreamInput{StreamName: &k.stream, TagKeys: []string{"b"}})
	k.must("removing a tag", err)
	out, err := k.client.ListTagsForStream(k.ctx, &kinesis.ListTagsForStreamInput{StreamName: &k.stream})
	k.must("listing tags", err)
	var got []string
	for _, tag := range out.Tags {
		got = append(got, *tag.Key+"="+*tag.Value)
	}
	slices.Sort(got)
	k.same("tags", got, []string{"a=1", "c=3"})
}
