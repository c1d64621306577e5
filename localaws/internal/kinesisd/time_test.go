package kinesisd_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
)

func TestSDKClientSeesAnIteratorExpireInVirtualTime(t *testing.T) {
	t.Parallel()
	server := kinesisd.New(kinesisd.Options{}) // made outside of the bubble, as it may be
	synctest.Test(t, func(t *testing.T) {
		client := newClient(server)
		_, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(orders), ShardCount: aws.Int32(1)})
		if err != nil {
			t.Fatal(err)
		}
		it, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: aws.String(orders), ShardId: aws.String(shard0), ShardIteratorType: types.ShardIteratorTypeLatest,
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		out, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
		if err != nil {
			t.Fatalf("after five minutes: %v", err)
		}
		time.Sleep(time.Millisecond)
		_, err = client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
		if _, ok := errors.AsType[*types.ExpiredIteratorException](err); !ok {
			t.Errorf("after five minutes and a millisecond: got %v, want ExpiredIteratorException", err)
		}
		if _, err = client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: out.NextShardIterator}); err != nil {
			t.Errorf("with the next iterator: %v", err)
		}
	})
}

func TestDateIsThatOfTheBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, kinesisd.Options{}, 1)
		put(t, server, "0", "a")
		_, answer := read(t, server, iterator(t, server, shard0, trim))
		want(t, "time of arrival", answer["Records"].([]any)[0].(fields)["ApproximateArrivalTimestamp"].(float64), 946684800)
	})
}

func TestArrivalsNeverGoBack(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	put(t, server, "0", "in this century")
	synctest.Test(t, func(t *testing.T) { put(t, server, "0", "when a bubble begins, in 2000") })
	_, answer := read(t, server, iterator(t, server, shard0, trim))
	records := answer["Records"].([]any)
	want(t, "time of arrival", records[1].(fields)["ApproximateArrivalTimestamp"], records[0].(fields)["ApproximateArrivalTimestamp"])
}

func TestNextTokenExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, kinesisd.Options{}, 3)
		token := do(t, server, "ListShards", fields{"StreamName": orders, "MaxResults": 1})["NextToken"]
		time.Sleep(300 * time.Second)
		do(t, server, "ListShards", fields{"NextToken": token})
		time.Sleep(time.Millisecond)
		refused(t, server, "ListShards", fields{"NextToken": token}, "ExpiredNextTokenException")
	})
}

func TestRecordsAndClosedShardsExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, kinesisd.Options{}, 1)
		put(t, server, "0", "old")
		time.Sleep(time.Hour)
		put(t, server, "0", "young")
		time.Sleep(time.Hour)
		do(t, server, "SplitShard", fields{"StreamName": orders, "ShardToSplit": shard0, "NewStartingHashKey": halfHash})
		time.Sleep(22 * time.Hour)
		data, _ := read(t, server, iterator(t, server, shard0, trim))
		want(t, "records at 24 hours", data, "old young")
		time.Sleep(time.Millisecond)
		data, _ = read(t, server, iterator(t, server, shard0, trim))
		want(t, "records after 24 hours", data, "young")
		want(t, "bytes after 24 hours", server.StoredBytes(orders), 5)
		time.Sleep(2 * time.Hour)
		want(t, "bytes after 26 hours", server.StoredBytes(orders), 0)
		want(t, "shards after 26 hours", shardsOf(t, server, ""), "1 2")
		want(t, "shards at the trim horizon after 26 hours", shardsOf(t, server, "AT_TRIM_HORIZON"), "1 2")
		refused(t, server, "GetShardIterator", fields{"StreamName": orders, "ShardId": shard0, "ShardIteratorType": trim}, "ResourceNotFoundException")
	})
}

func TestLongerRetentionKeepsRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, kinesisd.Options{}, 1)
		do(t, server, "IncreaseStreamRetentionPeriod", fields{"StreamName": orders, "RetentionPeriodHours": 48})
		put(t, server, "0", "a")
		time.Sleep(48 * time.Hour)
		want(t, "bytes after 48 hours", server.StoredBytes(orders), 1)
		do(t, server, "DecreaseStreamRetentionPeriod", fields{"StreamName": orders, "RetentionPeriodHours": 24})
		want(t, "bytes after the decrease", server.StoredBytes(orders), 0)
	})
}

func TestStreamIsInAStateForTheDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, kinesisd.Options{Delay: time.Minute}, 2)
		state := func() any {
			return do(t, server, "DescribeStreamSummary", fields{"StreamName": orders})["StreamDescriptionSummary"].(fields)["StreamStatus"]
		}
		want(t, "state", state(), "CREATING")
		refused(t, server, "ListShards", fields{"StreamName": orders}, "ResourceInUseException")
		record := fields{"StreamName": orders, "PartitionKey": "key", "Data": ""}
		refused(t, server, "PutRecord", record, "ResourceNotFoundException")
		time.Sleep(time.Minute)
		want(t, "state after the delay", state(), "ACTIVE")

		split := fields{"StreamName": orders, "ShardToSplit": shard0, "NewStartingHashKey": "1000"}
		do(t, server, "SplitShard", split)
		want(t, "state", state(), "UPDATING")
		message := refused(t, server, "SplitShard", split, "ResourceInUseException")
		want(t, "message", message, "Stream orders under account 000000000000 not ACTIVE, instead in state UPDATING")
		refused(t, server, "MergeShards", fields{"StreamName": orders, "ShardToMerge": shard0, "AdjacentShardToMerge": shard1}, "ResourceInUseException")
		put(t, server, "0", "a")
		want(t, "open shards before the delay", shardsOf(t, server, "AT_LATEST"), "0 1")
		time.Sleep(time.Minute)
		want(t, "state after the delay", state(), "ACTIVE")
		want(t, "open shards after the delay", shardsOf(t, server, "AT_LATEST"), "1 2 3")

		do(t, server, "DeleteStream", fields{"StreamName": orders})
		want(t, "state", state(), "DELETING")
		refused(t, server, "CreateStream", fields{"StreamName": orders, "ShardCount": 1}, "ResourceInUseException")
		time.Sleep(time.Minute)
		refused(t, server, "DescribeStreamSummary", fields{"StreamName": orders}, "ResourceNotFoundException")
		do(t, server, "CreateStream", fields{"StreamName": orders, "ShardCount": 1})
	})
}

func TestListShardsFiltersByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, kinesisd.Options{}, 1)
		start := time.Now()
		time.Sleep(time.Hour)
		do(t, server, "SplitShard", fields{"StreamName": orders, "ShardToSplit": shard0, "NewStartingHashKey": halfHash})
		time.Sleep(time.Hour)
		do(t, server, "MergeShards", fields{"StreamName": orders, "ShardToMerge": shard1, "AdjacentShardToMerge": "shardId-000000000002"})
		time.Sleep(time.Hour)
		for _, row := range []struct {
			after    time.Duration
			at, from string
		}{
			{-time.Hour, "[0]", "[0 1 2 3]"},
			{0, "[0]", "[0 1 2 3]"},
			{30 * time.Minute, "[0]", "[0 1 2 3]"},
			{90 * time.Minute, "[1 2]", "[1 2 3]"},
			{150 * time.Minute, "[3]", "[3]"},
		} {
			for kind, wanted := range map[string]string{"AT_TIMESTAMP": row.at, "FROM_TIMESTAMP": row.from} {
				filter := fields{"Type": kind, "Timestamp": start.Add(row.after).Unix()}
				var got []int
				for _, shard := range do(t, server, "ListShards", fields{"StreamName": orders, "ShardFilter": filter})["Shards"].([]any) {
					var n int
					if _, err := fmt.Sscanf(shard.(fields)["ShardId"].(string), "shardId-%d", &n); err != nil {
						t.Fatal(err)
					}
					got = append(got, n)
				}
				want(t, fmt.Sprintf("%s %v after the start", kind, row.after), fmt.Sprint(got), wanted)
			}
		}
	})
}

// limitRow is a test of one limit, in virtual time.
type limitRow struct {
	name string
	run  func(*testing.T, *kinesisd.Server)
}

func checkLimits(t *testing.T, rows []limitRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				row.run(t, newServer(t, kinesisd.Options{Limits: true}, 1))
			})
		})
	}
}

func TestLimitsOfWriting(t *testing.T) {
	t.Parallel()
	record := fields{"StreamName": orders, "PartitionKey": "k", "Data": []byte{}}
	checkLimits(t, []limitRow{
		{"A thousand records a second in", func(t *testing.T, server *kinesisd.Server) {
			t.Helper()
			for range 1000 {
				do(t, server, "PutRecord", record)
			}
			message := refused(t, server, "PutRecord", record, throttled)
			want(t, "message", message, "Rate exceeded for shard shardId-000000000000 in stream orders under account 000000000000.")
			time.Sleep(10 * time.Millisecond)
			for range 10 {
				do(t, server, "PutRecord", record)
			}
			refused(t, server, "PutRecord", record, throttled)
		}},
		{"A MiB a second in, and PutRecords fails only what is above it", func(t *testing.T, server *kinesisd.Server) {
			t.Helper()
			half := fields{"PartitionKey": "k", "Data": make([]byte, 1<<19-1)}
			answer := do(t, server, "PutRecords", fields{"StreamName": orders, "Records": []any{half, half, half}})
			want(t, "failed", answer["FailedRecordCount"].(float64), 1)
			results := answer["Records"].([]any)
			want(t, "third result", results[2].(fields)["ErrorCode"].(string), throttled)
			want(t, "bytes", server.StoredBytes(orders), 2*(1<<19-1))
			time.Sleep(time.Second)
			answer = do(t, server, "PutRecords", fields{"StreamName": orders, "Records": []any{half, half}})
			want(t, "failed after a second", answer["FailedRecordCount"].(float64), 0)
		}},
	})
}

func TestLimitsOfReading(t *testing.T) {
	t.Parallel()
	reading := func(t *testing.T, server *kinesisd.Server) fields {
		t.Helper()
		return fields{"ShardIterator": iterator(t, server, shard0, trim)}
	}
	checkLimits(t, []limitRow{
		{"Five reads a second", func(t *testing.T, server *kinesisd.Server) {
			t.Helper()
			for range 5 {
				do(t, server, "GetRecords", reading(t, server))
			}
			refused(t, server, "GetRecords", reading(t, server), throttled)
			time.Sleep(200 * time.Millisecond)
			do(t, server, "GetRecords", reading(t, server))
		}},
		{"Two MiB a second out", func(t *testing.T, server *kinesisd.Server) {
			t.Helper()
			for range 3 {
				do(t, server, "PutRecord", fields{"StreamName": orders, "PartitionKey": "k", "Data": make([]byte, 1<<20-1)})
				time.Sleep(time.Second)
			}
			do(t, server, "GetRecords", reading(t, server))
			time.Sleep(400 * time.Millisecond)
			refused(t, server, "GetRecords", reading(t, server), throttled)
			time.Sleep(200 * time.Millisecond)
			do(t, server, "GetRecords", reading(t, server))
		}},
		{"Five seconds of nothing after a full page", func(t *testing.T, server *kinesisd.Server) {
			t.Helper()
			for range 11 {
				do(t, server, "PutRecord", fields{"StreamName": orders, "PartitionKey": "k", "Data": make([]byte, 1<<20-1)})
				time.Sleep(time.Second)
			}
			do(t, server, "GetRecords", reading(t, server))
			time.Sleep(5*time.Second - time.Millisecond)
			refused(t, server, "GetRecords", reading(t, server), throttled)
			time.Sleep(time.Millisecond)
			do(t, server, "GetRecords", reading(t, server))
		}},
	})
}
