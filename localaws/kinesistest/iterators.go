package kinesistest

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func iteratorTests() []test {
	return []test{
		{"TRIM_HORIZON begins at the oldest record", 1, trimHorizon},
		{"LATEST begins after the newest record", 1, latest},
		{"AT_SEQUENCE_NUMBER begins at the record and AFTER_SEQUENCE_NUMBER after it", 1, bySequenceNumber},
		{"AT_SEQUENCE_NUMBER with the shard's StartingSequenceNumber begins at the oldest record", 1, byStartingSequenceNumber},
		{"AFTER_SEQUENCE_NUMBER of the newest record gives only what comes later", 1, afterNewest},
		{"AT_TIMESTAMP begins at the first record that arrived then or later", 1, atTimestamp},
		{"AT_TIMESTAMP before the oldest record begins there, and in the future is refused", 1, atOddTimestamps},
		{"An iterator goes on where the page before ended, and may be used twice", 1, pages},
		{"A string that is no iterator is refused", 1, badIterator},
		{"Wrong arguments for an iterator are refused", 1, badIteratorArguments},
		{"A sequence number of another shard is refused", 2, foreignSequenceNumber},
		{"MillisBehindLatest is above zero with records to come and zero at the tip", 1, millisBehindLatest},
	}
}

func trimHorizon(k *kit) {
	it := k.iterator(first, types.ShardIteratorTypeTrimHorizon)
	k.putMany(3)
	data, _ := k.read(it, 3)
	k.same("from before the first record", data, []string{"0", "1", "2"})
	data, _ = k.read(k.iterator(first, types.ShardIteratorTypeTrimHorizon), 3)
	k.same("from after the last record", data, []string{"0", "1", "2"})
}

func latest(k *kit) {
	k.putMany(2)
	it := k.iterator(first, types.ShardIteratorTypeLatest)
	k.put("key", "later")
	data, _ := k.read(it, 1)
	k.same("data", data, []string{"later"})
}

func bySequenceNumber(k *kit) {
	numbers := k.putMany(4)
	in := &kinesis.GetShardIteratorInput{
		ShardId: aws.String(first), ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: &numbers[1],
	}
	data, _ := k.read(k.iteratorWith(in), 3)
	k.same("at", data, []string{"1", "2", "3"})
	in.ShardIteratorType = types.ShardIteratorTypeAfterSequenceNumber
	data, _ = k.read(k.iteratorWith(in), 2)
	k.same("after", data, []string{"2", "3"})
}

func byStartingSequenceNumber(k *kit) {
	k.putMany(2)
	start := k.shards(nil)[0].SequenceNumberRange.StartingSequenceNumber
	data, _ := k.read(k.iteratorWith(&kinesis.GetShardIteratorInput{
		ShardId: aws.String(first), ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: start,
	}), 2)
	k.same("data", data, []string{"0", "1"})
}

func afterNewest(k *kit) {
	numbers := k.putMany(2)
	it := k.iteratorWith(&kinesis.GetShardIteratorInput{
		ShardId: aws.String(first), ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: &numbers[1],
	})
	out := k.get(it, nil)
	k.same("records at the tip", len(out.Records), 0)
	k.put("key", "later")
	data, _ := k.read(out.NextShardIterator, 1)
	k.same("data", data, []string{"later"})
}

// putApart puts records until two have different times of arrival, and gives
// all that are stored.
func putApart(k *kit) []types.Record {
	k.put("key", "one")
	for range 100 * patience {
		k.put("key", "more")
		records := k.get(k.iterator(first, types.ShardIteratorTypeTrimHorizon), nil).Records
		if n := len(records); n > 1 && records[n-1].ApproximateArrivalTimestamp.After(*records[0].ApproximateArrivalTimestamp) {
			return records
		}
	}
	k.t.Fatal("all records have one time of arrival")
	return nil
}

func atTimestamp(k *kit) {
	records := putApart(k)
	last := records[len(records)-1]
	want := slices.IndexFunc(records, func(r types.Record) bool {
		return !r.ApproximateArrivalTimestamp.Before(*last.ApproximateArrivalTimestamp)
	})
	out := k.get(k.iteratorWith(&kinesis.GetShardIteratorInput{
		ShardId: aws.String(first), ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: last.ApproximateArrivalTimestamp,
	}), nil)
	if len(out.Records) == 0 {
		k.t.Fatal("no records at the timestamp of the last")
	}
	k.same("first record", *out.Records[0].SequenceNumber, *records[want].SequenceNumber)
}

func atOddTimestamps(k *kit) {
	k.putMany(1)
	in := &kinesis.GetShardIteratorInput{
		StreamName: &k.stream, ShardId: aws.String(first), ShardIteratorType: types.ShardIteratorTypeAtTimestamp,
		Timestamp: aws.Time(time.Now().Add(-time.Hour)),
	}
	data, _ := k.read(k.iteratorWith(in), 1)
	k.same("an hour ago", data, []string{"0"})
	in.Timestamp = aws.Time(time.Now().Add(time.Hour))
	_, err := k.client.GetShardIterator(k.ctx, in)
	k.refused("in an hour", err, "InvalidArgumentException")
	in.Timestamp = nil
	_, err = k.client.GetShardIterator(k.ctx, in)
	k.refused("without a timestamp", err, "InvalidArgumentException")
}

func pages(k *kit) {
	k.putMany(5)
	it := k.iterator(first, types.ShardIteratorTypeTrimHorizon)
	for range 2 {
		out := k.get(it, aws.Int32(3))
		k.same("records in the first page", len(out.Records), 3)
		rest, _ := k.read(out.NextShardIterator, 2)
		k.same("the rest", rest, []string{"3", "4"})
	}
}

func badIterator(k *kit) {
	k.putMany(1)
	good := *k.iterator(first, types.ShardIteratorTypeTrimHorizon)
	for _, bad := range []string{"nonsense", "AAAA", good[:len(good)/2], strings.ToLower(good)} {
		_, err := k.client.GetRecords(k.ctx, &kinesis.GetRecordsInput{ShardIterator: &bad})
		if err == nil {
			k.t.Errorf("GetRecords with the iterator %q was accepted", bad)
		}
		if !k.features.BadIteratorIsUnknown {
			k.refused("a bad iterator", err, "InvalidArgumentException")
		}
	}
}

func badIteratorArguments(k *kit) {
	number := k.putMany(1)[0]
	unknownNumber := "InvalidArgumentException"
	if k.features.UnknownNumberIsNotFound {
		unknownNumber = "ResourceNotFoundException"
	}
	rows := []struct {
		what string
		in   kinesis.GetShardIteratorInput
		kind string
	}{
		{"AT_SEQUENCE_NUMBER without one", kinesis.GetShardIteratorInput{ShardIteratorType: "AT_SEQUENCE_NUMBER"}, "InvalidArgumentException"},
		{"AFTER_SEQUENCE_NUMBER without one", kinesis.GetShardIteratorInput{ShardIteratorType: "AFTER_SEQUENCE_NUMBER"}, "InvalidArgumentException"},
		{
			"a sequence number that is none",
			kinesis.GetShardIteratorInput{ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber: aws.String("12345")},
			unknownNumber,
		},
		{
			"a shard that is not there",
			kinesis.GetShardIteratorInput{ShardIteratorType: "LATEST", ShardId: aws.String("shardId-000000000007")},
			"ResourceNotFoundException",
		},
		{
			"a stream that is not there",
			kinesis.GetShardIteratorInput{ShardIteratorType: "LATEST", StreamName: aws.String(k.stream + "-no")},
			"ResourceNotFoundException",
		},
	}
	for _, row := range rows {
		if row.in.ShardId == nil {
			row.in.ShardId = aws.String(first)
		}
		if row.in.StreamName == nil {
			row.in.StreamName = &k.stream
		}
		_, err := k.client.GetShardIterator(k.ctx, &row.in)
		k.refused(row.what, err, row.kind)
	}
	_ = k.iteratorWith(&kinesis.GetShardIteratorInput{
		ShardId: aws.String(first), ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: &number,
	})
}

func foreignSequenceNumber(k *kit) {
	k.putAt("0", "lower")
	upper := k.putAt("340282366920938463463374607431768211455", "upper")
	k.same("shard of the highest hash key", *upper.ShardId, "shardId-000000000001")
	_, err := k.client.GetShardIterator(k.ctx, &kinesis.GetShardIteratorInput{
		StreamName: &k.stream, ShardId: aws.String(first),
		ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: upper.SequenceNumber,
	})
	if k.features.UnknownNumberIsNotFound {
		k.refused("a number of the other shard", err, "ResourceNotFoundException")
		return
	}
	k.refused("a number of the other shard", err, "InvalidArgumentException")
}

func millisBehindLatest(k *kit) {
	putApart(k)
	it := k.iterator(first, types.ShardIteratorTypeTrimHorizon)
	out := k.get(it, aws.Int32(1))
	if *out.MillisBehindLatest <= 0 {
		k.t.Errorf("MillisBehindLatest with records to come: got %d", *out.MillisBehindLatest)
	}
	for range patience {
		if out = k.get(out.NextShardIterator, nil); len(out.Records) == 0 {
			break
		}
	}
	k.same("MillisBehindLatest at the tip", *out.MillisBehindLatest, 0)
}
