package kinesisd_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
)

func TestRequestsThatAreNoneOfKinesis(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	for operation, fanOut := range map[string]bool{
		"SubscribeToShard": true, "DescribeStreamConsumer": true, "RegisterStreamConsumer": true, "StartStreamEncryption": false,
	} {
		message := refused(t, server, operation, fields{}, "UnknownOperationException")
		if !strings.Contains(message, operation) || strings.Contains(message, "PollingConfig") != fanOut {
			t.Errorf("%s is refused with: %s", operation, message)
		}
	}
	for _, row := range []struct {
		name, method, target, content string
		body                          io.Reader
		status                        int
		kind                          string
	}{
		{"GET", http.MethodGet, "Kinesis_20131202.ListStreams", "application/x-amz-json-1.1", nil, 400, "UnknownOperationException"},
		{"no target", http.MethodPost, "", "application/x-amz-json-1.1", nil, 400, "UnknownOperationException"},
		{"another service", http.MethodPost, "DynamoDB_20120810.ListTables", "application/x-amz-json-1.0", nil, 400, "UnknownOperationException"},
		{
			"a body without end", http.MethodPost, "Kinesis_20131202.PutRecords", "application/x-amz-json-1.1",
			bytes.NewReader(make([]byte, 25<<20)), 413, "RequestEntityTooLargeException",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), row.method, "/", row.body)
			r.Header.Set("X-Amz-Target", row.target)
			r.Header.Set("Content-Type", row.content)
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			if w.Code != row.status || !strings.Contains(w.Body.String(), `"__type":"`+row.kind+`"`) {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, row.status, row.kind)
			}
		})
	}
}

// TestCBORMistakes has bodies that are no request in CBOR; the errors are CBOR.
func TestCBORMistakes(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	for name, body := range map[string]string{
		"no body": "", "half a map": "\xa1", "a list": "\x80", "JSON": "{}", "a time in seconds": "\xa1\x61T\xc1\xfb\x41\xd9\x00\x00\x00\x00\x00\x00",
		"another tag": "\xa1\x65Limit\xc2\x41\x01", "text that is not UTF-8": "\xa1\x61a\x61\xff", "not a number": "\xa1\x65Limit\xf9\x7e\x00",
		"lists in lists": strings.Repeat("\x81", 10_000),
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "Kinesis_20131202.ListStreams")
		r.Header.Set("Content-Type", "application/x-amz-cbor-1.1")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		answer, err := cbor.Decode(w.Body.Bytes())
		m, _ := answer.(cbor.Map)
		if w.Code != http.StatusBadRequest || err != nil || m["__type"] != cbor.String("SerializationException") || m["message"] == nil {
			t.Errorf("%s: %d %v, %v; want a SerializationException", name, w.Code, answer, err)
		}
	}
}

// refusal is a request that is refused, and how.
type refusal struct {
	name, operation string
	body            any
	kind, message   string
}

func checkRefusals(t *testing.T, server *kinesisd.Server, rows []refusal) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			want(t, "message", refused(t, server, row.operation, row.body, row.kind), row.message)
		})
	}
}

func TestMessagesAreThoseOfTheService(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 3)
	number := put(t, server, "0", "a")
	checkRefusals(t, server, []refusal{
		{
			"a stream that is not there", "ListShards",
			fields{"StreamName": "no"},
			"ResourceNotFoundException", "Stream no under account 000000000000 not found.",
		},
		{
			"an ARN of a stream that is not there", "PutRecord",
			fields{"StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/no", "PartitionKey": "k", "Data": ""},
			"ResourceNotFoundException", "Stream no under account 000000000000 not found.",
		},
		{
			"a stream that exists", "CreateStream",
			fields{"StreamName": orders, "ShardCount": 1},
			"ResourceInUseException", "Stream orders under account 000000000000 already exists.",
		},
		{
			"nothing", "CreateStream",
			fields{},
			"ValidationException", "1 validation error detected: Value null at 'streamName' failed to satisfy constraint: Member must not be null",
		},
		{
			"two mistakes", "DescribeStream",
			fields{"StreamName": "", "Limit": 0},
			"ValidationException", "3 validation errors detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or " +
				"equal to 1; Value '' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; " +
				"Value '' at 'streamName' failed to satisfy constraint: Member must have length greater than or equal to 1",
		},
		{
			"a shard that is not there", "GetShardIterator",
			fields{"StreamName": orders, "ShardId": "shardId-9", "ShardIteratorType": trim},
			"ResourceNotFoundException", "Shard shardId-9 in stream orders under account 000000000000 does not exist",
		},
		{
			"a sequence number of another shard", "GetShardIterator",
			fields{"StreamName": orders, "ShardId": shard1, "ShardIteratorType": atSeq, "StartingSequenceNumber": number},
			badArgs, "Invalid StartingSequenceNumber. It encodes shardId-000000000000, while it was used in a call to a shard with shardId-000000000001",
		},
		{
			"a sequence number that was never given", "GetShardIterator",
			fields{"StreamName": orders, "ShardId": shard0, "ShardIteratorType": atSeq, "StartingSequenceNumber": kinesisd.MakeSequence(1, 1, 1, 0)},
			badArgs, "StartingSequenceNumber " + kinesisd.MakeSequence(1, 1, 1, 0) + " used in GetShardIterator on shard shardId-000000000000 in stream " +
				"orders under account 000000000000 is invalid because it did not come from this stream.",
		},
	})
}

func TestMessagesOfReshardsAndTokensAreThoseOfTheService(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 3)
	do(t, server, "SplitShard", fields{"StreamName": orders, "ShardToSplit": shard1, "NewStartingHashKey": "170000000000000000000000000000000000000"})
	checkRefusals(t, server, []refusal{
		{
			"a hash key at the border of a split", "SplitShard",
			fields{"StreamName": orders, "ShardToSplit": shard0, "NewStartingHashKey": "1"},
			badArgs, "NewStartingHashKey 1 used in SplitShard() on shard shardId-000000000000 in stream orders under account 000000000000 is not both " +
				"greater than one plus the shard's StartingHashKey 0 and less than the shard's EndingHashKey 113427455640312821154458202477256070484.",
		},
		{
			"a closed shard to split", "SplitShard",
			fields{"StreamName": orders, "ShardToSplit": shard1, "NewStartingHashKey": "1"},
			badArgs, "Shard shardId-000000000001 in stream orders under account 000000000000 has already been merged or split, and thus is not eligible " +
				"for merging or splitting.",
		},
		{
			"shards that are no neighbours", "MergeShards",
			fields{"StreamName": orders, "ShardToMerge": shard0, "AdjacentShardToMerge": "shardId-000000000002"},
			badArgs, "Shards shardId-000000000000 and shardId-000000000002 in stream orders under account 000000000000 are not an adjacent pair of shards " +
				"eligible for merging",
		},
		{"a bad iterator", "GetRecords", fields{"ShardIterator": "AAAA"}, badArgs, "Invalid ShardIterator."},
		{
			"an ARN that is none", "GetRecords",
			fields{"ShardIterator": "AAAA", "StreamARN": orders},
			"ValidationException", "1 validation error detected: Value 'orders' at 'streamARN' failed to satisfy constraint: Member must satisfy " +
				`regular expression pattern: arn:aws.*:kinesis:.*:\d{12}:stream/\S+`,
		},
		{"a token and a stream", "ListShards", fields{"StreamName": orders, "NextToken": "t"}, badArgs, "NextToken and StreamName cannot be provided together."},
		{
			"a token and a filter", "ListShards",
			fields{"ShardFilter": fields{"Type": "AT_LATEST"}, "NextToken": "t"},
			badArgs, "NextToken and ShardFilter cannot be provided together.",
		},
		{
			"a name and an ARN of two streams", "DeleteStream",
			fields{"StreamName": "a", "StreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/b"},
			badArgs,
			"StreamName a does not match the StreamARN arn:aws:kinesis:us-east-1:123456789012:stream/b.",
		},
		{"a number for a name", "DeleteStream", `{"StreamName":5}`, "SerializationException", "NUMBER can not be converted to string"},
	})
}

func TestForeignRegionAndAccountInAnARNAreAccepted(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{Account: "111111111111", Region: "eu-central-1"}, 1)
	facts := do(t, server, "DescribeStreamSummary", fields{"StreamARN": "arn:aws:kinesis:ap-south-1:123456789012:stream/orders"})
	want(t, "ARN", fmt.Sprint(facts["StreamDescriptionSummary"].(fields)["StreamARN"]), "arn:aws:kinesis:eu-central-1:111111111111:stream/orders")
}

func TestMoreThanAThousandShardsAreListedInPages(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 2500)
	var sizes []int
	body := fields{"StreamName": orders, "MaxResults": 5000}
	for {
		answer := do(t, server, "ListShards", body)
		sizes = append(sizes, len(answer["Shards"].([]any)))
		token, ok := answer["NextToken"]
		if !ok {
			break
		}
		body = fields{"NextToken": token}
	}
	want(t, "pages", fmt.Sprint(sizes), "[1000 1000 500]")
	put(t, server, maxHash, "a")
	data, _ := read(t, server, iterator(t, server, "shardId-000000002499", trim))
	want(t, "records of the last shard", data, "a")
}

func TestShardLimitHolds(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{ShardLimit: 4}, 4)
	refused(t, server, "CreateStream", fields{"StreamName": "five", "ShardCount": 5}, "LimitExceededException")
	refused(t, server, "UpdateShardCount", fields{"StreamName": orders, "TargetShardCount": 5, "ScalingType": "UNIFORM_SCALING"}, "LimitExceededException")
	refused(t, server, "SplitShard", fields{"StreamName": orders, "ShardToSplit": shard0, "NewStartingHashKey": "1000"}, "LimitExceededException")
}

func TestDiscardFreesMemoryAndIsNoExpiry(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{TrimmedIterator: kinesisd.TrimmedRefuse}, 1)
	var numbers []string
	for range 100 {
		numbers = append(numbers, put(t, server, "0", strings.Repeat("x", 20_000)))
	}
	_, before := server.Chunks(orders, shard0)
	server.Discard(orders, shard0, numbers[79])
	want(t, "bytes stored", server.StoredBytes(orders), 20*20_000)
	if _, after := server.Chunks(orders, shard0); after > before/2 {
		t.Errorf("chunks take %d bytes of %d after 80 of 100 records are discarded", after, before)
	}
	for _, kind := range []string{atSeq, afterSeq} {
		_, answer := read(t, server, iterator(t, server, shard0, kind, "StartingSequenceNumber", numbers[3]))
		want(t, "first record "+kind, fmt.Sprint(answer["Records"].([]any)[0].(fields)["SequenceNumber"]), numbers[80])
	}
	server.Discard(orders, shard0, numbers[99])
	count, _ := server.Chunks(orders, shard0)
	want(t, "chunks when all is discarded", count, 0)
	for _, ignored := range []string{"", "TRIM_HORIZON", kinesisd.MakeSequence(1, 1, 1, 0)} {
		server.Discard(orders, shard0, ignored)
	}
	server.Discard("no", shard0, numbers[0])
	server.Discard(orders, "no", numbers[0])
	next := put(t, server, "0", "next")
	data, _ := read(t, server, iterator(t, server, shard0, afterSeq, "StartingSequenceNumber", numbers[99]))
	want(t, "records after all", data, "next")
	server.Discard(orders, shard0, next)
}

func TestDiscardToTheEndOfAClosedShard(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	put(t, server, "0", "a")
	do(t, server, "SplitShard", fields{"StreamName": orders, "ShardToSplit": shard0, "NewStartingHashKey": halfHash})
	closed := do(t, server, "ListShards", fields{"StreamName": orders})["Shards"].([]any)[0].(fields)
	server.Discard(orders, shard0, closed["SequenceNumberRange"].(fields)["EndingSequenceNumber"].(string))
	want(t, "bytes stored", server.StoredBytes(orders), 0)
	data, answer := read(t, server, iterator(t, server, shard0, trim))
	want(t, "records", data, "")
	want(t, "children", len(answer["ChildShards"].([]any)), 2)
}

func TestTrimExpires(t *testing.T) {
	t.Parallel()
	for option, refuses := range map[kinesisd.TrimmedIterator]bool{"": false, kinesisd.TrimmedOldest: false, kinesisd.TrimmedRefuse: true} {
		t.Run("iterators "+string(option), func(t *testing.T) {
			t.Parallel()
			server := newServer(t, kinesisd.Options{TrimmedIterator: option}, 1)
			var numbers []string
			for i := range 4 {
				numbers = append(numbers, put(t, server, "0", strconv.Itoa(i)))
			}
			server.Trim(orders, shard0, numbers[2])
			data, _ := read(t, server, iterator(t, server, shard0, trim))
			want(t, "records", data, "2 3")
			for _, kind := range []string{atSeq, afterSeq} {
				if refuses {
					refused(t, server, "GetShardIterator", fields{
						"StreamName": orders, "ShardId": shard0, "ShardIteratorType": kind, "StartingSequenceNumber": numbers[1],
					}, badArgs)
					continue
				}
				data, _ = read(t, server, iterator(t, server, shard0, kind, "StartingSequenceNumber", numbers[1]))
				want(t, "records "+kind, data, "2 3")
			}
			data, _ = read(t, server, iterator(t, server, shard0, atSeq, "StartingSequenceNumber", numbers[2]))
			want(t, "records at the oldest", data, "2 3")
		})
	}
}

func TestTrimOfAClosedShardExpiresIt(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	put(t, server, "0", "a")
	do(t, server, "SplitShard", fields{"StreamName": orders, "ShardToSplit": shard0, "NewStartingHashKey": halfHash})
	want(t, "shards at the trim horizon before", shardsOf(t, server, "AT_TRIM_HORIZON"), "0")
	server.Trim(orders, shard0, "")
	want(t, "shards at the trim horizon after", shardsOf(t, server, "AT_TRIM_HORIZON"), "1 2")
	want(t, "shards", shardsOf(t, server, ""), "1 2")
	server.Trim(orders, shard1, "")
	want(t, "shards after trimming an open one", shardsOf(t, server, ""), "1 2")
}

func TestDryRunDoesNothing(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	const kind = "DryRunOperationException"
	record := fields{"PartitionKey": "k", "Data": ""}
	refused(t, server, "PutRecord", fields{"StreamName": orders, "PartitionKey": "k", "Data": "", "DryRun": true}, kind)
	refused(t, server, "PutRecords", fields{"StreamName": orders, "Records": []any{record}, "DryRun": true}, kind)
	refused(t, server, "GetShardIterator", fields{"StreamName": orders, "ShardId": shard0, "ShardIteratorType": trim, "DryRun": true}, kind)
	it := iterator(t, server, shard0, trim)
	refused(t, server, "GetRecords", fields{"ShardIterator": it, "DryRun": true}, kind)
	_, answer := read(t, server, it)
	want(t, "records", len(answer["Records"].([]any)), 0)
}

func TestIteratorOfADeletedStreamIsOfNoUseToTheNext(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	it := iterator(t, server, shard0, trim)
	do(t, server, "DeleteStream", fields{"StreamName": orders})
	refused(t, server, "GetRecords", fields{"ShardIterator": it}, "ResourceNotFoundException")
	do(t, server, "CreateStream", fields{"StreamName": orders, "ShardCount": 1})
	refused(t, server, "GetRecords", fields{"ShardIterator": it}, badArgs)
}

func TestNextTokenOfADeletedStreamIsOfNoUseToTheNext(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 2)
	token := do(t, server, "ListShards", fields{"StreamName": orders, "MaxResults": 1})["NextToken"]
	do(t, server, "DeleteStream", fields{"StreamName": orders})
	do(t, server, "CreateStream", fields{"StreamName": orders, "ShardCount": 2})
	refused(t, server, "ListShards", fields{"NextToken": token}, badArgs)
}

func TestSequenceNumberThatIsYetToComeIsRefused(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	created, index, seconds, shard, err := kinesisd.TakeSequence(put(t, server, "0", "a"))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, server, "GetShardIterator", fields{
		"StreamName": orders, "ShardId": shard0, "ShardIteratorType": atSeq,
		"StartingSequenceNumber": kinesisd.MakeSequence(created, index+1, seconds, shard),
	}, badArgs)
}

func TestRecordSizeIsDataAndKey(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	do(t, server, "CreateStream", fields{"StreamName": "large", "ShardCount": 1, "MaxRecordSizeInKiB": 2048})
	for _, row := range []struct {
		stream string
		size   int
	}{{orders, 1 << 20}, {"large", 2 << 20}} {
		record := fields{"StreamName": row.stream, "PartitionKey": "key", "Data": make([]byte, row.size-len("key"))}
		do(t, server, "PutRecord", record)
		record["Data"] = make([]byte, row.size-len("key")+1)
		refused(t, server, "PutRecord", record, "ValidationException")
	}
}

func TestRequestsInAnyFormOfJSON(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"white space":        " {\n\"Records\" : [ { \"Data\" : \"YQ==\" , \"PartitionKey\" : \"k\" } ] ,\t\"StreamName\":\"orders\" }\r\n",
		"unknown members":    `{"X":{"Y":[1,"]",null,{"}":true}]},"Records":[{"Z":-1.5e3,"Data":"YQ==","PartitionKey":"k"}],"StreamName":"orders"}`,
		"escapes":            `{"Stream\u004eame":"ord\u0065rs","Records":[{"Data":"YQ\u003d=","PartitionKey":"\ud83c\udf0d\"\\"}]}`,
		"null members":       `{"StreamARN":null,"DryRun":null,"StreamName":"orders","Records":[{"ExplicitHashKey":null,"Data":"YQ==","PartitionKey":"k"}]}`,
		"members given anew": `{"Records":[],"StreamName":"orders","Records":[{"Data":"Yg==","Data":"YQ==","PartitionKey":"k"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, kinesisd.Options{}, 1)
			do(t, server, "PutRecords", body)
			data, _ := read(t, server, iterator(t, server, shard0, trim))
			want(t, "data", data, "a")
		})
	}
}

func TestBadBodiesOfPutRecords(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	for _, body := range []string{
		"", "{", "null", "[]", "5", `"x"`, `{"Records":{}}`, `{"Records":[5]}`, `{"Records":[{"Data":5}]}`, `{"Records":[{"Data":"*"}]}`,
		`{"Records":[{"Data":"YQ=="}`, `{"Records":[{"Data":"YQ==",}]}`, `{"StreamName":"orders"}x`, `{"StreamName":5}`, `{"X":tru}`, `{"X":"` + "\n" + `"}`,
		`{"DryRun":1}`, `{"Records":[{"PartitionKey":"` + "\x01" + `"}]}`, `{"Records":[{"PartitionKey":"` + "\xff" + `"}]}`, `{"X":[}`, `{"X":"\x"}`, `{"X":}`,
	} {
		refused(t, server, "PutRecords", body, "SerializationException")
	}
	want(t, "bytes stored", server.StoredBytes(orders), 0)
}

func TestPutsAndReadsAtOnce(t *testing.T) {
	t.Parallel()
	server := newServer(t, kinesisd.Options{}, 1)
	const writers, each = 4, 50
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				put(t, server, "0", strings.Repeat("x", 1000))
			}
		})
	}
	records := 0
	last := ""
	for it := iterator(t, server, shard0, trim); records < writers*each; {
		_, answer := read(t, server, it)
		for _, record := range answer["Records"].([]any) {
			number := record.(fields)["SequenceNumber"].(string)
			if number <= last {
				t.Errorf("%s after %s", number, last)
			}
			last = number
			records++
			server.Discard(orders, shard0, number)
		}
		it = answer["NextShardIterator"].(string)
	}
	wg.Wait()
	want(t, "records", records, writers*each)
	want(t, "bytes stored", server.StoredBytes(orders), 0)
}
