package kinesissource_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// skipping is an API that asks for the page after one without records at once.
type skipping struct{ *kinesis.Client }

func (s skipping) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, opts ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	for {
		out, err := s.Client.GetRecords(ctx, in, opts...)
		if err != nil || len(out.Records) > 0 || *out.MillisBehindLatest == 0 {
			return out, err
		}
		next := *in
		next.ShardIterator = out.NextShardIterator
		in = &next
	}
}

// adding is an API that has a record more.
type adding struct{ *kinesis.Client }

func (a adding) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, opts ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	out, err := a.Client.GetRecords(ctx, in, opts...)
	if err == nil {
		out.Records = append(out.Records, types.Record{SequenceNumber: aws.String("9")})
	}
	return out, err
}

// An API that goes on by itself, as it sees no records, or puts some there, skips
// none: it is told to have the SDK decode.
func TestAnAPIThatLooksAtRecordsSkipsNothing(t *testing.T) {
	t.Parallel()
	for _, o := range []kinesissource.Options{{}, {CBOR: true}, {SDKDecoding: true}} {
		for name, wrap := range map[string]func(*kinesis.Client) (kinesissource.API, int){
			"it reads on": func(c *kinesis.Client) (kinesissource.API, int) { return skipping{c}, 1 },
			"it adds one": func(c *kinesis.Client) (kinesissource.API, int) { return adding{c}, 2 },
		} {
			synctest.Test(t, func(t *testing.T) {
				const page = `{"Records":[{"SequenceNumber":"%d","PartitionKey":"k","Data":"eA=="}],"MillisBehindLatest":%d,"NextShardIterator":"i%d"}`
				api, n := wrap(client(byOperation{
					"GetShardIterator": {answers: []wireAnswer{{200, `{"ShardIterator":"i1"}`, ""}}},
					"GetRecords":       {answers: []wireAnswer{{200, fmt.Sprintf(page, 1, 1000, 2), ""}, {200, fmt.Sprintf(page, 2, 0, 3), ""}}},
				}, localKey()))
				p, err := newSource(t, api, o).Open("s0", trimHorizon()).Next(t.Context(), kcl.Room{})
				if (err == nil) != o.SDKDecoding || err == nil && (len(p.Records) != n || p.Records[0].SequenceNumber != "1") {
					t.Errorf("%s, with %+v: Next = %+v, %v", name, o, p, err)
				}
			})
		}
	}
}
