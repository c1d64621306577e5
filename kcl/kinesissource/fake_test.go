package kinesissource_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

const (
	streamName = "orders"
	streamARN  = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
	shardID    = "shardId-000000000000"
)

// exchange is a call that the source must make next, and the answer: an output
// or an error.
type exchange struct {
	call   string
	answer any
}

// slow is an answer that takes its time.
type slow struct {
	took   time.Duration
	answer any
}

// script is Kinesis as a list of exchanges.
type script struct {
	t     *testing.T
	left  []exchange
	began time.Time
	times []time.Duration // when each call came
}

func newScript(t *testing.T, exchanges ...exchange) *script {
	t.Helper()
	s := &script{t: t, left: exchanges, began: time.Now()}
	t.Cleanup(func() {
		for _, e := range s.left {
			t.Errorf("never called: %s", e.call)
		}
	})
	return s
}

func answer[T any](ctx context.Context, s *script, call string) (*T, error) {
	s.t.Helper()
	s.times = append(s.times, time.Since(s.began))
	if len(s.left) == 0 {
		s.t.Errorf("call after the end of the script: %s", call)
		return nil, errors.New("end of the script")
	}
	e := s.left[0]
	s.left = s.left[1:]
	if call != e.call {
		s.t.Errorf("call\n got %s\nwant %s", call, e.call)
	}
	if a, ok := e.answer.(slow); ok {
		time.Sleep(a.took)
		e.answer = a.answer
	}
	switch a := e.answer.(type) {
	case error:
		return nil, a
	case time.Duration: // no answer for so long
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(a):
			return nil, errors.New("late")
		}
	}
	out, ok := e.answer.(*T)
	if !ok {
		s.t.Errorf("%s: the script answers with a %T", call, e.answer)
		return nil, errors.New("wrong answer")
	}
	return out, nil
}

func (s *script) ListShards(ctx context.Context, in *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	return answer[kinesis.ListShardsOutput](ctx, s, describe("ListShards", in.StreamName, in.StreamARN, "token", in.NextToken, "after", in.ExclusiveStartShardId))
}

func (s *script) GetShardIterator(ctx context.Context, in *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	call := describe("GetShardIterator", in.StreamName, in.StreamARN, "", in.StartingSequenceNumber)
	if aws.ToString(in.ShardId) != shardID {
		call += " of " + aws.ToString(in.ShardId)
	}
	call = strings.Replace(call, " ", " "+string(in.ShardIteratorType)+" ", 1)
	if in.Timestamp != nil {
		call += " " + in.Timestamp.UTC().Format("2006-01-02T15:04:05.000")
	}
	return answer[kinesis.GetShardIteratorOutput](ctx, s, call)
}

func (s *script) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	call := describe("GetRecords", nil, in.StreamARN, "", in.ShardIterator)
	if n := aws.ToInt32(in.Limit); n != 10_000 {
		call += fmt.Sprintf(" limit %d", n)
	}
	return answer[kinesis.GetRecordsOutput](ctx, s, call)
}

// describe writes a call as "Operation stream:NAME arn label:value…".
func describe(operation string, name, arn *string, labelled ...any) string {
	var b strings.Builder
	b.WriteString(operation)
	if name != nil {
		b.WriteString(" name:" + *name)
	}
	if arn != nil {
		b.WriteString(" arn:" + (*arn)[strings.LastIndexByte(*arn, '/')+1:])
	}
	for i := 0; i < len(labelled); i += 2 {
		label, value := labelled[i].(string), labelled[i+1].(*string)
		if value == nil {
			continue
		}
		if label != "" {
			label += ":"
		}
		b.WriteString(" " + label + *value)
	}
	return b.String()
}

// Answers.

func iterator(id string) *kinesis.GetShardIteratorOutput {
	return &kinesis.GetShardIteratorOutput{ShardIterator: aws.String(id)}
}

func iteratorAt(id string, at time.Time) *kinesis.GetShardIteratorOutput {
	out := iterator(id)
	out.ResultMetadata = dated(at)
	return out
}

// records answers with records of the given sequence numbers, and "" for no
// further iterator.
func records(next string, behind time.Duration, sequenceNumbers ...string) *kinesis.GetRecordsOutput {
	out := &kinesis.GetRecordsOutput{MillisBehindLatest: aws.Int64(behind.Milliseconds())}
	if next != "" {
		out.NextShardIterator = aws.String(next)
	}
	for _, n := range sequenceNumbers {
		out.Records = append(out.Records, types.Record{
			SequenceNumber: aws.String(n), PartitionKey: aws.String("key-" + n), Data: []byte("data " + n),
			ApproximateArrivalTimestamp: aws.Time(time.Now()),
		})
	}
	return out
}

func withChildren(out *kinesis.GetRecordsOutput, children ...types.ChildShard) *kinesis.GetRecordsOutput {
	out.ChildShards = children
	return out
}

func child(id string, parents ...string) types.ChildShard {
	return types.ChildShard{ShardId: aws.String(id), ParentShards: parents, HashKeyRange: &types.HashKeyRange{StartingHashKey: aws.String("0"), EndingHashKey: aws.String("9")}}
}

func listing(next string, shards ...types.Shard) *kinesis.ListShardsOutput {
	out := &kinesis.ListShardsOutput{Shards: shards}
	if next != "" {
		out.NextToken = aws.String(next)
	}
	return out
}

func openShard(id string, parents ...string) types.Shard {
	s := types.Shard{
		ShardId:             aws.String(id),
		HashKeyRange:        &types.HashKeyRange{StartingHashKey: aws.String("0"), EndingHashKey: aws.String("9")},
		SequenceNumberRange: &types.SequenceNumberRange{StartingSequenceNumber: aws.String("1")},
	}
	if len(parents) > 0 {
		s.ParentShardId = aws.String(parents[0])
	}
	if len(parents) > 1 {
		s.AdjacentParentShardId = aws.String(parents[1])
	}
	return s
}

func closedShard(id string, parents ...string) types.Shard {
	s := openShard(id, parents...)
	s.SequenceNumberRange.EndingSequenceNumber = aws.String("99")
	return s
}

// Errors, as the SDK's client returns them.

func refusal(code string) error {
	err := error(&smithy.GenericAPIError{Code: code, Message: "refused"})
	switch code {
	case "ExpiredIteratorException":
		err = &types.ExpiredIteratorException{}
	case "InvalidArgumentException":
		err = &types.InvalidArgumentException{}
	case "ResourceNotFoundException":
		err = &types.ResourceNotFoundException{}
	case "ProvisionedThroughputExceededException":
		err = &types.ProvisionedThroughputExceededException{}
	}
	return &smithy.OperationError{ServiceID: "Kinesis", OperationName: "X", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest}}, Err: err,
	}}
}

// dated returns the metadata of an answer with a Date, as the SDK makes it.
func dated(at time.Time) middleware.Metadata {
	header := http.Header{"Date": {at.UTC().Format(http.TimeFormat)}}
	_, metadata, _ := awsmiddleware.RecordResponseTiming{}.HandleDeserialize(context.Background(), middleware.DeserializeInput{},
		middleware.DeserializeHandlerFunc(func(context.Context, middleware.DeserializeInput) (out middleware.DeserializeOutput, m middleware.Metadata, err error) {
			out.RawResponse = &smithyhttp.Response{Response: &http.Response{Header: header}}
			return out, m, nil
		}))
	return metadata
}

// Readers.

func newSource(t *testing.T, api kinesissource.API, o kinesissource.Options) *kinesissource.Source {
	t.Helper()
	if o.StreamARN == "" {
		o.StreamName = streamName
	}
	s, err := kinesissource.New(api, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read makes n calls of Next and describes what they returned.
func read(t *testing.T, api kinesissource.API, from checkpoint.Position, n int) []string {
	t.Helper()
	r := newSource(t, api, kinesissource.Options{}).Open(shardID, from)
	var got []string
	for range n {
		got = append(got, describePage(r.Next(t.Context(), kcl.Room{})))
	}
	return got
}

// describePage writes a page as "1 2, end: child child", an error as its class.
func describePage(p kcl.Page, err error) string {
	if err != nil {
		return describeError(err)
	}
	var b strings.Builder
	for i, r := range p.Records {
		if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(r.SequenceNumber)
	}
	if p.End {
		b.WriteString(" end:")
		for _, c := range p.Children {
			b.WriteString(" " + c.ID + "<" + strings.Join(c.ParentIDs, ","))
		}
	}
	return b.String()
}

func describeError(err error) string {
	for _, class := range []error{kcl.ErrTrimmed, kcl.ErrShardNotFound, kcl.ErrStreamNotFound, kcl.ErrAccessDenied} {
		if errors.Is(err, class) {
			return class.Error()
		}
	}
	return "error"
}

func trimHorizon() checkpoint.Position { return checkpoint.Sentinel(checkpoint.TrimHorizon) }

func at(sequenceNumber string) checkpoint.Position {
	return checkpoint.At(sequenceNumber, 0, time.Time{})
}
