package kinesissource_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// noRecords is what a shard answers that has nothing yet.
var noRecords = []byte(`{"MillisBehindLatest":1,"NextShardIterator":"i","Records":[]}`)

// BenchmarkEmptyCall is a call that brings no records, without a network, beside
// the same call by the SDK's client alone: the best of each, taken in turns.
//
// The SDK's allocations are spread over all that it does: 54 put the operation's
// steps together, 49 are the signature's, 28 the answer's, 26 are values of
// contexts, 29 the request and its copies, and the rest are of identity, endpoint,
// retrying and headers. No option leaves them out; only who does without its
// client, and so without what users add to it, could.
func BenchmarkEmptyCall(b *testing.B) {
	const calls = 200
	alone := client(memory{page: noRecords}, localKey())
	s, err := kinesissource.New(client(memory{page: noRecords}, localKey()), kinesissource.Options{StreamName: streamName, NoRateLimit: true})
	if err != nil {
		b.Fatal(err)
	}
	kinesissource.KeepReleased(s)
	r := s.Open(shardID, trimHorizon())
	byReader := func() {
		for range calls {
			page, err := r.Next(b.Context(), kcl.Room{})
			if err != nil {
				b.Fatal(err)
			}
			if page.Release != nil {
				page.Release()
			}
		}
	}
	bySDK := func() {
		for range calls {
			if _, err := alone.GetRecords(b.Context(), &kinesis.GetRecordsInput{ShardIterator: aws.String("i"), Limit: aws.Int32(10_000)}); err != nil {
				b.Fatal(err)
			}
		}
	}
	var ours, sdk turn
	for b.Loop() {
		ours = better(ours, measure(byReader))
		b.StopTimer()
		sdk = better(sdk, measure(bySDK))
		b.StartTimer()
	}
	b.ReportMetric(float64(ours.time)/float64(sdk.time), "x-of-SDK-alone")
	b.ReportMetric(float64(ours.time.Nanoseconds())/calls, "best-ns/call")
	b.ReportMetric(float64(sdk.time.Nanoseconds())/calls, "SDK-ns/call")
	b.ReportMetric(float64(ours.allocs)/calls, "allocs/call")
	b.ReportMetric(float64(sdk.allocs)/calls, "SDK-allocs/call")
}
