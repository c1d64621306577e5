package kinesissource

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource/internal/decode"
)

// API is what a Source needs of Kinesis; *kinesis.Client has it. Another one
// must return when its context is done, which is after Options.RequestTimeout
// at the latest.
//
// One that passes context and options on to a client gets the output of GetRecords
// without its Records: see Options.SDKDecoding. If it adds some, or reads on for
// lack of them, that is an error of the reader's Next.
type API interface {
	ListShards(ctx context.Context, in *kinesis.ListShardsInput, opts ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(ctx context.Context, in *kinesis.GetShardIteratorInput, opts ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, opts ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

var (
	_ API        = (*kinesis.Client)(nil)
	_ kcl.Source = (*Source)(nil)
)

// Source reads one stream. It is safe for concurrent use, and runs no
// goroutines.
type Source struct {
	api  API
	o    Options
	http kinesis.HTTPClient // of each call; nil: the client's own

	decoder decode.Decoder

	byName atomic.Bool // the server does not take the ARN
}

// New returns the Source of the stream that o names. It makes no call. Of a
// *kinesis.Client that has the SDK's own type of HTTPClient it uses a copy, see
// HTTPClient; no other client is changed.
//
// Errors: what is wrong with o, all of it.
func New(api API, o Options) (*Source, error) {
	if c, ok := api.(*kinesis.Client); api == nil || ok && c == nil {
		return nil, errors.New("no Kinesis client given")
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("invalid options of the Kinesis source: %w", err)
	}
	s := &Source{api: api, o: o, http: ownClient(api)}
	s.decoder.CBOR = o.CBOR
	s.decoder.Refused = func(why string) {
		o.Logger.Warn("the server does not speak CBOR; speaking JSON", zap.String("stream", o.StreamName), zap.String("answer", why))
	}
	return s, nil
}

// ListShards returns every shard that the stream lists, open and closed, from
// all pages. Throttling is waited out; there is no other retry than the SDK's.
//
// Errors: kcl.ErrStreamNotFound, kcl.ErrAccessDenied, context.Cause(ctx). Any
// other may pass.
func (s *Source) ListShards(ctx context.Context) (kcl.ShardList, error) {
	var list kcl.ShardList
	in := &kinesis.ListShardsInput{StreamName: s.name(), StreamARN: s.arn()}
	for {
		out, err := s.listPage(ctx, in)
		if isARNIgnored(in, err) {
			if s.o.FallBackToName && s.byName.CompareAndSwap(false, true) {
				s.o.Logger.Warn("the server does not know streams by ARN; naming it by its name", zap.String("stream", s.o.StreamName))
				in = &kinesis.ListShardsInput{StreamName: s.name()}
				continue
			}
			err = fmt.Errorf("this server knows streams by name only, and the stream was named by its ARN: %w", err)
		}
		if err != nil {
			return kcl.ShardList{}, err
		}
		for i := range out.Shards {
			list.Shards = append(list.Shards, shard(&out.Shards[i]))
		}
		if list.At.IsZero() {
			list.At = serverTime(out.ResultMetadata)
		}
		if aws.ToString(out.NextToken) == "" {
			return list, nil
		}
		// The service refuses a token together with either name of the stream.
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
}

func (s *Source) listPage(ctx context.Context, in *kinesis.ListShardsInput) (out *kinesis.ListShardsOutput, err error) {
	err = s.call(ctx, opListShards, "", nil, func(ctx context.Context) (err error) {
		out, err = s.api.ListShards(ctx, in, s.perCall)
		return err
	})
	if isResourceNotFound(err) {
		err = fmt.Errorf("%w: %w", kcl.ErrStreamNotFound, err)
	}
	return out, err
}

// Open returns a reader of the shard that begins at from. It makes no call; a
// from at which nothing can begin is an error of each Next.
func (s *Source) Open(shardID string, from checkpoint.Position) kcl.ShardReader {
	return &reader{src: s, shardID: shardID, from: from, asking: asking{limit: s.o.MaxRecords, most: s.o.MaxRecords}, pace: newPace(s.o)}
}

// name returns what to name the stream by, if that is not its ARN.
func (s *Source) name() *string {
	if s.arn() != nil {
		return nil
	}
	return aws.String(s.o.StreamName)
}

func (s *Source) arn() *string {
	if s.o.StreamARN == "" || s.byName.Load() {
		return nil
	}
	return aws.String(s.o.StreamARN)
}
