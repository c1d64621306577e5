package kinesissource

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

// The operations, as the API and its permissions name them.
const (
	opListShards       = "ListShards"
	opGetShardIterator = "GetShardIterator"
	opGetRecords       = "GetRecords"
)

const (
	firstBackOff = 250 * time.Millisecond // the longest first wait after throttling
	maxBackOff   = 5 * time.Second

	// maxReadBackOff is as long as the slowest reader waits between calls: one
	// that waits for longer never gets a shard that another one insists on.
	maxReadBackOff = time.Second

	// warnAfter is how long a call must be refused to be worth a line: a page of
	// 10 MiB for another application makes a shard refuse for five seconds.
	warnAfter    = 15 * time.Second
	warnInterval = time.Minute // between two lines of one call

	// beatEvery is how often a wait on purpose is a sign of life.
	beatEvery = 30 * time.Second
)

// call does do until it is not throttled, and returns its error with the
// operation, the shard and the class it belongs to. ready, if not nil, is asked
// to wait before each try.
func (s *Source) call(ctx context.Context, op, shardID string, ready, do func(context.Context) error) error {
	var wait *pause.BackOff
	refused := refusals{src: s, op: op, shardID: shardID}
	for {
		if ready != nil {
			if err := ready(ctx); err != nil {
				return err
			}
		}
		err := s.try(ctx, do)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !isThrottle(err):
			return s.describe(op, shardID, err)
		}
		refused.note(err)
		if wait == nil {
			wait = newBackOff(op, shardID)
		}
		if err := rest(ctx, wait.Next(ctx)); err != nil {
			return err
		}
	}
}

func (s *Source) try(ctx context.Context, do func(context.Context) error) error {
	ctx, call := deadline.Start(ctx, s.o.RequestTimeout)
	defer call.End()
	return deadline.Explain(ctx, do(ctx))
}

// rest waits on purpose, however long: a call around the wait does not take it
// for silence.
func rest(ctx context.Context, d time.Duration) error {
	for d > beatEvery {
		if err := pause.For(ctx, beatEvery); err != nil {
			return err
		}
		deadline.Beat(ctx)
		d -= beatEvery
	}
	return pause.For(ctx, d)
}

// refusals are those of one call that is throttled.
type refusals struct {
	src         *Source
	op, shardID string

	n     int
	began time.Time // when the first one came
	told  time.Time // when the last line was written
}

// note counts a refusal, and tells of those that go on.
func (r *refusals) note(err error) {
	if r.src.o.Throttled != nil {
		r.src.o.Throttled(r.op, r.shardID)
	}
	now := time.Now()
	if r.n++; r.n == 1 {
		r.began = now
	}
	if now.Sub(r.began) < warnAfter || now.Sub(r.told) < warnInterval {
		return
	}
	r.told = now
	r.src.o.Logger.Warn("throttled", zap.String("operation", r.op), zap.String("stream", r.src.o.StreamName),
		zap.String("shard", r.shardID), zap.Int("in_a_row", r.n), zap.Error(err))
}

// newBackOff returns waits that are uniform between 0 and a limit, which grows
// from firstBackOff to maxBackOff or maxReadBackOff.
func newBackOff(op, shardID string) *pause.BackOff {
	most := maxBackOff
	if op == opGetRecords {
		most = maxReadBackOff
	}
	return pause.NewBackOff(op+" "+shardID, firstBackOff/2, most/2, 1)
}

// perCall makes a client of the SDK keep the limits of its calls, and retry all
// it would retry but throttled calls: those wait here, longer, and are counted.
// Answers of GetRecords are decoded here, unless the user wants the SDK to.
func (s *Source) perCall(o *kinesis.Options) {
	if !s.o.SDKDecoding {
		o.Protocol = s.decoder.Wrap(o.Protocol)
	}
	if s.http != nil {
		o.HTTPClient = s.http
	} else {
		o.HTTPClient = deadline.Client(o.HTTPClient, 0)
	}
	if o.Retryer != nil {
		o.Retryer = unthrottled{o.Retryer}
	}
}

type unthrottled struct{ aws.Retryer }

// IsErrorRetryable reports whether the SDK is to retry after err.
func (r unthrottled) IsErrorRetryable(err error) bool {
	return !isThrottle(err) && r.Retryer.IsErrorRetryable(err)
}

// GetAttemptToken passes on what the wrapped retryer has of aws.RetryerV2.
func (r unthrottled) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	if v2, ok := r.Retryer.(aws.RetryerV2); ok {
		return v2.GetAttemptToken(ctx)
	}
	return r.GetInitialToken(), nil
}
