package kinesissource_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

var noRecords = []byte(`{"MillisBehindLatest":1000,"NextShardIterator":"i","Records":[]}`)

func BenchmarkEmptyOurs(b *testing.B) {
	s, err := kinesissource.New(client(&endless{page: noRecords}, localKey()), kinesissource.Options{StreamName: streamName, NoRateLimit: true})
	if err != nil {
		b.Fatal(err)
	}
	r := s.Open(shardID, trimHorizon())
	b.ReportAllocs()
	begin := cpuTime()
	for b.Loop() {
		if _, err := r.Next(b.Context(), kcl.Room{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func BenchmarkEmptySDK(b *testing.B) {
	c := client(&endless{page: noRecords}, localKey())
	b.ReportAllocs()
	begin := cpuTime()
	for b.Loop() {
		if _, err := c.GetRecords(b.Context(), &kinesis.GetRecordsInput{ShardIterator: aws.String("i"), Limit: aws.Int32(10000)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
}
