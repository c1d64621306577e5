package kinesissource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
)

const (
	// minRetention is how long Kinesis keeps a record at least.
	minRetention = 24 * time.Hour

	// clockMargin makes up for the whole seconds of the Date header, for the
	// time between an answer's making and its date, and for the approximation
	// in an arrival time.
	clockMargin = time.Second
)

// errNoStart means that a position cannot be where reading begins.
var errNoStart = errors.New("nothing can be read from there")

// openIterator gets an iterator unless there is one.
func (r *reader) openIterator(ctx context.Context) error {
	if r.iterator != "" {
		return nil
	}
	in := &kinesis.GetShardIteratorInput{}
	recheck, err := r.setStart(in)
	if err != nil {
		return err
	}
	began := r.now()
	iterator, at, err := r.getIterator(ctx, in)
	if err != nil {
		return err
	}
	if r.last != "" && !recheck && r.lastMayBeTrimmed() {
		return r.openIterator(ctx) // our clock stood still while this machine was suspended; the answer shows it
	}
	if in.ShardIteratorType == types.ShardIteratorTypeLatest {
		r.rememberLatest(at, began)
	}
	r.iterator, r.proven, r.recheck = iterator, false, recheck
	return nil
}

// getIterator makes one successful call. at is the service's time of the answer,
// zero if it told none.
func (r *reader) getIterator(ctx context.Context, in *kinesis.GetShardIteratorInput) (iterator string, at time.Time, err error) {
	in.StreamName, in.StreamARN, in.ShardId = r.src.name(), r.src.arn(), aws.String(r.shardID)
	var out *kinesis.GetShardIteratorOutput
	err = r.src.call(ctx, opGetShardIterator, r.shardID, nil, func(ctx context.Context) (err error) {
		out, err = r.src.api.GetShardIterator(ctx, in, r.src.perCall)
		return err
	})
	switch {
	case isInvalidArgument(err):
		return "", time.Time{}, r.maybeTrimmed(err)
	case isResourceNotFound(err):
		return "", time.Time{}, r.missing(ctx, err)
	case err != nil:
		return "", time.Time{}, err
	case aws.ToString(out.ShardIterator) == "":
		return "", time.Time{}, fmt.Errorf("opening shard %s of stream %s: the answer has no iterator", r.shardID, r.src.o.StreamName)
	}
	at = serverTime(out.ResultMetadata)
	r.sawTime(at)
	return *out.ShardIterator, at, nil
}

// setStart says where an iterator is to begin: behind what was read, or, before
// anything was, where the reader began. recheck says that it begins at the last
// record read instead of behind it.
func (r *reader) setStart(in *kinesis.GetShardIteratorInput) (recheck bool, err error) {
	switch {
	case r.last != "" && r.lastMayBeTrimmed():
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAtSequenceNumber, aws.String(r.last)
		return true, nil
	case r.last != "":
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, aws.String(r.last)
	case r.from.IsRecord():
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAtSequenceNumber, aws.String(r.from.SequenceNumber)
	case r.from.SequenceNumber == checkpoint.TrimHorizon:
		in.ShardIteratorType = types.ShardIteratorTypeTrimHorizon
	case !r.startTime().IsZero():
		in.ShardIteratorType, in.Timestamp = types.ShardIteratorTypeAtTimestamp, aws.Time(r.startTime())
	case r.from.SequenceNumber == checkpoint.Latest:
		in.ShardIteratorType = types.ShardIteratorTypeLatest
	default:
		return false, fmt.Errorf("opening shard %s of stream %s at %q: %w", r.shardID, r.src.o.StreamName, r.from.SequenceNumber, errNoStart)
	}
	return false, nil
}

// startTime returns the instant at which reading begins, zero if it begins
// elsewhere.
func (r *reader) startTime() time.Time {
	switch {
	case r.from.SequenceNumber == checkpoint.AtTimestamp:
		return r.from.Arrival
	case r.from.SequenceNumber != checkpoint.Latest:
		return time.Time{}
	case !r.from.Arrival.IsZero():
		return r.from.Arrival
	}
	return r.latestSince
}

// rememberLatest notes when a bare LATEST began: at the service's time of the
// answer if it told one, else at ours.
func (r *reader) rememberLatest(at, began time.Time) {
	if at.IsZero() {
		at = began
	}
	r.latestSince = at.Add(-clockMargin)
}

// lastMayBeTrimmed reports whether the last record read may have expired. An
// iterator AFTER an expired record begins at the oldest one without a word of
// what is missing between them; one AT it can be checked. How long the stream
// keeps its records is not known, and what was read does not tell: expired
// records may go all at once.
func (r *reader) lastMayBeTrimmed() bool {
	return r.lastArrival.IsZero() || r.now().Sub(r.lastArrival) > minRetention-time.Hour
}

// maybeTrimmed gives a refused sequence number its meaning: it was valid when
// the service gave it, so its record has expired since.
func (r *reader) maybeTrimmed(err error) error {
	if r.last == "" && !r.from.IsRecord() {
		return err
	}
	return fmt.Errorf("%w: %w", kcl.ErrTrimmed, err)
}
