package kinesistest

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the service places records by MD5
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func putTests() []test {
	return []test{
		{"Records come back as they were put, in the order of their sequence numbers", 1, roundTrip},
		{"A record goes to the shard of its key's MD5 or of its explicit hash key", 2, placement},
		{"PutRecords answers for each record in the order of the request", 2, putRecords},
		{"A PutRecords of more than 500 records or 10 MiB is refused", 1, tooMany},
		{"A record of more than 1 MiB is refused", 1, tooLarge},
		{"A GetRecords answers at most 10 MiB and goes on after that", 1, pageLimit},
		{"Wrong records are refused", 1, badRecords},
	}
}

func roundTrip(k *kit) {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	want := []types.PutRecordsRequestEntry{
		{PartitionKey: aws.String("plain"), Data: []byte("text")},
		{PartitionKey: aws.String("binary"), Data: binary},
		{PartitionKey: aws.String(`quote " backslash \ tab` + "\t" + "end"), Data: []byte("a")},
		{PartitionKey: aws.String("Grüße, 世界 🌍 \u2028"), Data: []byte("ab")},
		{PartitionKey: aws.String(strings.Repeat("k", 256)), Data: []byte("abc")},
	}
	out, err := k.client.PutRecords(k.ctx, &kinesis.PutRecordsInput{StreamName: &k.stream, Records: want})
	k.must("putting records", err)
	k.same("failed records", *out.FailedRecordCount, 0)
	it := k.iterator(first, types.ShardIteratorTypeTrimHorizon)
	var got []types.Record
	for range patience {
		page := k.get(it, nil)
		got, it = append(got, page.Records...), page.NextShardIterator
		if len(got) >= len(want) {
			break
		}
	}
	k.same("records", len(got), len(want))
	for i, record := range got {
		if *record.PartitionKey != *want[i].PartitionKey || !bytes.Equal(record.Data, want[i].Data) {
			k.t.Errorf("record %d: got key %q and %q", i, *record.PartitionKey, record.Data)
		}
		k.same("its sequence number", *record.SequenceNumber, *out.Records[i].SequenceNumber)
		if i > 0 && hashKey(k.t, *record.SequenceNumber).Cmp(hashKey(k.t, *got[i-1].SequenceNumber)) <= 0 {
			k.t.Errorf("record %d has %s after %s", i, *record.SequenceNumber, *got[i-1].SequenceNumber)
		}
		if record.ApproximateArrivalTimestamp == nil || record.ApproximateArrivalTimestamp.IsZero() {
			k.t.Errorf("record %d has no time of arrival", i)
		}
	}
}

func placement(k *kit) {
	const middle = 1 << 63 // of the upper half of the hash
	for i := range 20 {
		key := fmt.Sprint("key ", i)
		sum := md5.Sum([]byte(key)) //nolint:gosec // see the import
		want := first
		if binary.BigEndian.Uint64(sum[:]) >= middle {
			want = "shardId-000000000001"
		}
		k.same("shard of "+key, *k.put(key, "data").ShardId, want)
	}
	if k.features.UnevenRanges {
		return
	}
	k.same("the last key below the middle", *k.putAt("170141183460469231731687303715884105727", "a").ShardId, first)
	k.same("the middle", *k.putAt("170141183460469231731687303715884105728", "a").ShardId, "shardId-000000000001")
}

func putRecords(k *kit) {
	var in []types.PutRecordsRequestEntry
	for i := range 10 {
		in = append(in, types.PutRecordsRequestEntry{
			PartitionKey: aws.String("key"), Data: []byte(strconv.Itoa(i)), ExplicitHashKey: aws.String([]string{"0", highestHashKey}[i%2]),
		})
	}
	out, err := k.client.PutRecords(k.ctx, &kinesis.PutRecordsInput{StreamName: &k.stream, Records: in})
	k.must("putting records", err)
	k.same("answers", len(out.Records), len(in))
	for shard, want := range []string{"[0 2 4 6 8]", "[1 3 5 7 9]"} {
		id := fmt.Sprintf("shardId-%012d", shard)
		data, _ := k.read(k.iterator(id, types.ShardIteratorTypeTrimHorizon), 5)
		k.same("records of "+id, data, want)
	}
	for i, result := range out.Records {
		k.same("shard of a record", *result.ShardId, fmt.Sprintf("shardId-%012d", i%2))
	}
}

func tooMany(k *kit) {
	if k.features.NoPutLimits {
		return
	}
	record := types.PutRecordsRequestEntry{PartitionKey: aws.String("key"), Data: []byte("a")}
	_, err := k.client.PutRecords(k.ctx, &kinesis.PutRecordsInput{StreamName: &k.stream, Records: slices.Repeat([]types.PutRecordsRequestEntry{record}, 501)})
	k.refused("501 records", err, "ValidationException")
	record.Data = make([]byte, 1<<20-len("key"))
	_, err = k.client.PutRecords(k.ctx, &kinesis.PutRecordsInput{StreamName: &k.stream, Records: slices.Repeat([]types.PutRecordsRequestEntry{record}, 11)})
	k.refused("11 MiB", err, "InvalidArgumentException")
	out := k.get(k.iterator(first, types.ShardIteratorTypeTrimHorizon), nil)
	k.same("records stored by refused requests", len(out.Records), 0)
}

func tooLarge(k *kit) {
	_, err := k.client.PutRecord(k.ctx, &kinesis.PutRecordInput{StreamName: &k.stream, PartitionKey: aws.String("key"), Data: make([]byte, 1<<20+1)})
	if err == nil {
		k.t.Error("a record of 1 MiB and a byte was accepted")
	}
	if k.features.NoPutLimits {
		return
	}
	_, err = k.client.PutRecords(k.ctx, &kinesis.PutRecordsInput{StreamName: &k.stream, Records: []types.PutRecordsRequestEntry{
		{PartitionKey: aws.String("key"), Data: make([]byte, 1<<20+1)},
	}})
	if err == nil {
		k.t.Error("a PutRecords with a record of 1 MiB and a byte was accepted")
	}
}

func pageLimit(k *kit) {
	if k.features.SlowWithMegabytes {
		return
	}
	const size, count = 700 << 10, 16 // 11.2 MiB
	for range count {
		k.put("key", strings.Repeat("x", size))
	}
	it := k.iterator(first, types.ShardIteratorTypeTrimHorizon)
	out := k.get(it, nil)
	if n := len(out.Records); n == 0 || n*size > 10<<20 {
		k.t.Errorf("the first page has %d records of %d bytes", n, size)
	}
	if *out.MillisBehindLatest == 0 {
		k.t.Error("MillisBehindLatest is 0 with records to come")
	}
}

func badRecords(k *kit) {
	badKey := "ValidationException"
	if k.features.BadKeyIsInvalidArgument {
		badKey = "InvalidArgumentException"
	}
	rows := []struct {
		what string
		in   kinesis.PutRecordInput
		kind string
	}{
		{"a hash key of 2^128", kinesis.PutRecordInput{ExplicitHashKey: aws.String("340282366920938463463374607431768211456")}, "InvalidArgumentException"},
		{"an empty partition key", kinesis.PutRecordInput{PartitionKey: aws.String("")}, badKey},
		{"a partition key of 257", kinesis.PutRecordInput{PartitionKey: aws.String(strings.Repeat("k", 257))}, badKey},
		{"a stream that is not there", kinesis.PutRecordInput{StreamName: aws.String(k.stream + "-no")}, "ResourceNotFoundException"},
	}
	for _, row := range rows {
		row.in.Data = []byte("data")
		if row.in.PartitionKey == nil {
			row.in.PartitionKey = aws.String("key")
		}
		if row.in.StreamName == nil {
			row.in.StreamName = &k.stream
		}
		_, err := k.client.PutRecord(k.ctx, &row.in)
		k.refused(row.what, err, row.kind)
	}
}
