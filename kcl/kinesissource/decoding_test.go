package kinesissource_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go/middleware"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// copied returns what the reader has up to n records.
func copied(t *testing.T, r kcl.ShardReader, n int) (all []kcl.Record) {
	t.Helper()
	for len(all) < n {
		p, err := r.Next(t.Context(), kcl.Room{})
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range p.Records {
			all = append(all, record.Clone())
		}
		if p.Release != nil {
			p.Release()
		}
	}
	return all
}

// contents counts requests of GetRecords by the content type of their answers.
type contents struct {
	kinesis.HTTPClient

	json, cbor atomic.Int64
}

func (c *contents) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.HTTPClient.Do(r)
	if err == nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
		if strings.Contains(resp.Header.Get("Content-Type"), "cbor") {
			c.cbor.Add(1)
		} else {
			c.json.Add(1)
		}
	}
	return resp, err
}

// However a shard is read, its records are the same.
func TestDecodings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 50
		s := newStream(t, 1)
		s.putRecords(n)
		var want []kcl.Record
		for i, o := range []kinesissource.Options{{SDKDecoding: true}, {}, {CBOR: true}, {CBOR: true, SDKDecoding: true}} {
			counted := &contents{HTTPClient: s.stack.AWSConfig().HTTPClient}
			client := kinesis.NewFromConfig(s.stack.AWSConfig(), func(o *kinesis.Options) { o.HTTPClient = counted })
			got := copied(t, newSource(t, client, o).Open(shardID, trimHorizon()), n)
			if i == 0 {
				want = got
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("with %+v %+v, want %+v", o, got, want)
			}
			if spoken := counted.cbor.Load() > 0; spoken != (o.CBOR && !o.SDKDecoding) || counted.json.Load()+counted.cbor.Load() == 0 {
				t.Errorf("with %+v CBOR is %v", o, spoken)
			}
		}
		if len(want) != n || want[7].PartitionKey != "key-8" || string(want[7].Data) != "8" || want[7].ApproximateArrivalTimestamp.IsZero() {
			t.Errorf("records are %+v", want)
		}
	})
}

// A server that does not know CBOR is asked in JSON at once, and this is told once.
func TestCBORIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		page := `{"Records":[{"SequenceNumber":"%d","PartitionKey":"k","Data":"eA=="}],"MillisBehindLatest":7,"NextShardIterator":"i%d"}`
		w := &wire{answers: []wireAnswer{
			{200, `{"ShardIterator":"i1"}`, ""},
			{415, `{}`, ""}, {200, fmt.Sprintf(page, 1, 2), ""}, {200, fmt.Sprintf(page, 2, 3), ""},
		}}
		r := newSource(t, client(w, localKey()), kinesissource.Options{CBOR: true, Logger: zap.New(core)}).Open("s0", trimHorizon())
		begun := time.Now()
		p, err := r.Next(t.Context(), kcl.Room{})
		if err != nil || len(p.Records) != 1 || time.Since(begun) != 0 {
			t.Fatalf("Next = %+v, %v after %v", p, err, time.Since(begun))
		}
		if p, err = r.Next(t.Context(), kcl.Room{}); err != nil || len(p.Records) != 1 {
			t.Fatalf("Next = %+v, %v", p, err)
		}
		told := logs.FilterMessage("the server does not speak CBOR; speaking JSON").Len()
		if told != 1 || logs.Len() != 1 {
			t.Errorf("told %d times: %v", told, logs.All())
		}
		if first, second := w.requests[1], w.requests[2]; strings.HasPrefix(first, "GetRecords {") || !strings.HasPrefix(second, "GetRecords {") {
			t.Errorf("asked by %q and then %q", first, second)
		}
	})
}

// An API that makes the calls in its own way, without the options that it is given,
// or has decoded the answer by itself, is understood.
func TestOwnAPI(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		s.putRecords(10)
		for _, api := range []kinesissource.API{ignoring{s.api}, s.api} {
			got := copied(t, newSource(t, api, kinesissource.Options{}).Open(shardID, trimHorizon()), 10)
			if len(got) != 10 || string(got[9].Data) != "10" {
				t.Errorf("got %+v", got)
			}
		}
		// A middleware that changes records needs the SDK's decoding.
		changed := kinesis.NewFromConfig(s.stack.AWSConfig(), kinesis.WithAPIOptions(func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("change", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				out, m, err := next.HandleInitialize(ctx, in)
				if o, ok := out.Result.(*kinesis.GetRecordsOutput); ok {
					for i := range o.Records {
						o.Records[i].PartitionKey = aws.String("changed")
					}
				}
				return out, m, err
			}), middleware.Before)
		}))
		got := copied(t, newSource(t, changed, kinesissource.Options{SDKDecoding: true}).Open(shardID, trimHorizon()), 10)
		if got[0].PartitionKey != "changed" {
			t.Errorf("got %+v", got[0])
		}
	})
}

// ignoring is an API that ignores options.
type ignoring struct{ api *kinesis.Client }

func (i ignoring) ListShards(ctx context.Context, in *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	return i.api.ListShards(ctx, in)
}

func (i ignoring) GetShardIterator(ctx context.Context, in *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	return i.api.GetShardIterator(ctx, in)
}

func (i ignoring) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	return i.api.GetRecords(ctx, in)
}
