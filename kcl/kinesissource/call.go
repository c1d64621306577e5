package kinesissource

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"go.uber.org/zap"

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
	maxBackOff   = 5 * time.Second        // as long as a shard can refuse after a page of 10 MiB

	// warnAfter is how many refusals in a row are worth a line: fewer are
	// normal when several applications read one shard.
	warnAfter = 5
)

// call does do until it is not throttled, and returns its error with the
// operation, the shard and the class it belongs to. ready, if not nil, is asked
// to wait before each try.
func (s *Source) call(ctx context.Context, op, shardID string, ready, do func(context.Context) error) error {
	wait := newBackOff(op + " " + shardID)
	for n := 1; ; n++ {
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
		s.reportThrottle(op, shardID, n, err)
		if err := wait.Wait(ctx); err != nil {
			return err
		}
	}
}

func (s *Source) try(ctx context.Context, do func(context.Context) error) error {
	timed, cancel := context.WithTimeout(ctx, s.o.RequestTimeout)
	defer cancel()
	err := do(timed)
	if err != nil && timed.Err() != nil {
		return fmt.Errorf("no answer within %v: %w", s.o.RequestTimeout, err)
	}
	return err
}

func (s *Source) reportThrottle(op, shardID string, n int, err error) {
	if s.o.Throttled != nil {
		s.o.Throttled(op, shardID)
	}
	if n == warnAfter {
		s.o.Logger.Warn("throttled", zap.String("operation", op), zap.String("stream", s.o.StreamName),
			zap.String("shard", shardID), zap.Int("in_a_row", n), zap.Error(err))
	}
}

// newBackOff returns waits that are uniform between 0 and a limit, which grows
// from firstBackOff to maxBackOff.
func newBackOff(what string) *pause.BackOff {
	return pause.NewBackOff(what, firstBackOff/2, maxBackOff/2, 1)
}

// ownThrottling makes the SDK retry all it would retry but throttled calls:
// those wait here, longer, and are counted.
func ownThrottling(o *kinesis.Options) {
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
