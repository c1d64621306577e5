package kinesisd_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"unicode/utf8"

	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
)

// FuzzRequests sends any body to any operation: no panic, nothing but 200 and
// 4xx, and always an answer that is JSON with its length.
func FuzzRequests(f *testing.F) {
	it := iterator(f, newServer(f, kinesisd.Options{}, 1), shard0, trim) // good for any first stream of that name
	for operation, body := range map[string]string{
		"CreateStream":                  `{"StreamName":"a","ShardCount":2,"Tags":{"a":"b"},"StreamModeDetails":{"StreamMode":"PROVISIONED"}}`,
		"DeleteStream":                  `{"StreamName":"orders"}`,
		"DescribeStream":                `{"StreamName":"orders","Limit":1,"ExclusiveStartShardId":"shardId-000000000000"}`,
		"DescribeStreamSummary":         `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/orders"}`,
		"ListStreams":                   `{"Limit":1,"ExclusiveStartStreamName":"a"}`,
		"ListShards":                    `{"StreamName":"orders","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":1.5e9},"MaxResults":1}`,
		"PutRecord":                     `{"StreamName":"orders","Data":"YQ==","PartitionKey":"k","ExplicitHashKey":"5","SequenceNumberForOrdering":"1"}`,
		"PutRecords":                    `{"StreamName":"orders","Records":[{"Data":"YQ==","PartitionKey":"k\u00e4"},{"Data":"","PartitionKey":"\n"}]}`,
		"GetShardIterator":              `{"StreamName":"orders","ShardId":"shardId-0","ShardIteratorType":"AT_TIMESTAMP","Timestamp":-1e300}`,
		"GetRecords":                    `{"ShardIterator":"` + it + `","Limit":10000}`,
		"SplitShard":                    `{"StreamName":"orders","ShardToSplit":"shardId-000000000001","NewStartingHashKey":"255211775190703847597530955573826158592"}`,
		"MergeShards":                   `{"StreamName":"orders","ShardToMerge":"shardId-000000000001","AdjacentShardToMerge":"shardId-000000000000"}`,
		"UpdateShardCount":              `{"StreamName":"orders","TargetShardCount":5,"ScalingType":"UNIFORM_SCALING"}`,
		"IncreaseStreamRetentionPeriod": `{"StreamName":"orders","RetentionPeriodHours":48}`,
		"DecreaseStreamRetentionPeriod": `{"StreamName":"orders","RetentionPeriodHours":24}`,
		"AddTagsToStream":               `{"StreamName":"orders","Tags":{"a":"b"}}`,
		"RemoveTagsFromStream":          `{"StreamName":"orders","TagKeys":["a"]}`,
		"ListTagsForStream":             `{"StreamName":"orders","ExclusiveStartTagKey":"a","Limit":1}`,
		"RegisterStreamConsumer":        `{}`,
	} {
		f.Add(operation, body)
	}
	f.Fuzz(func(t *testing.T, operation, body string) {
		server := newServer(t, kinesisd.Options{ShardLimit: 64}, 2)
		status, answer := ask(t, server, operation, body)
		if status != http.StatusOK && (status < 400 || status > 499 || answer["__type"] == nil) {
			t.Errorf("%s %q: %d %v", operation, body, status, answer)
		}
		checkStored(t, server)
		if status == http.StatusOK && operation[:3] == "Put" && !json.Valid([]byte(body)) {
			t.Errorf("%s took %q, which is no JSON", operation, body)
		}
	})
}

// checkStored reads all shards, whose answers must be JSON whatever was put.
func checkStored(t *testing.T, server *kinesisd.Server) {
	t.Helper()
	status, answer := ask(t, server, "ListShards", fields{"StreamName": orders})
	if status != http.StatusOK {
		return // the stream was deleted
	}
	for _, shard := range answer["Shards"].([]any) {
		read(t, server, iterator(t, server, shard.(fields)["ShardId"].(string), trim))
	}
}

// FuzzRoundTrip puts a record in the spelling of encoding/json, and reads it
// back.
func FuzzRoundTrip(f *testing.F) {
	f.Add("key", []byte("data"))
	f.Add("", []byte{})
	f.Add("\"\\/\x00\n\u2028<&>", []byte{0, 255})
	f.Add("🌍ü", []byte("a"))
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		server := newServer(t, kinesisd.Options{}, 1)
		if !utf8.ValidString(key) {
			return // JSON could not carry it
		}
		status, answer := ask(t, server, "PutRecord", fields{"StreamName": orders, "PartitionKey": key, "Data": data})
		runes := utf8.RuneCountInString(key)
		if good := runes > 0 && runes <= 256 && data != nil && len(data)+len(key) <= 1<<20; (status == http.StatusOK) != good {
			t.Fatalf("key %q and %d bytes: %d %v", key, len(data), status, answer)
		}
		if status != http.StatusOK {
			return
		}
		_, answer = read(t, server, iterator(t, server, shard0, trim))
		record := answer["Records"].([]any)[0].(fields)
		if record["PartitionKey"] != key || record["Data"] != base64.StdEncoding.EncodeToString(data) {
			t.Errorf("put %q %q, got %v", key, data, record)
		}
	})
}
