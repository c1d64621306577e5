package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/feed"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

const putHelp = `shardmill put --stream NAME [FLAGS] FILE...|-

Puts each line of the input, with its newline, as one record. The partition key
is the running number of the line. A line waits for others for a tenth of a second
at most. With --aggregate the lines for one shard go into one record, in the
format of the Kinesis Producer Library, which costs fewer records; consumers must
take such records apart, as the KCL and 'shardmill archive' do. When it is told
to end it puts what it has read, for 20 seconds at most; when the stream takes
nothing it says so, and at the end also how many records may be in the stream
because a call was not answered.

Examples:

  shardmill put --stream orders --create-shards 4 testdata/clickstream.ndjson
  tail -f access.log | shardmill put --stream logs --rate 500 -
`

func runPut(ctx context.Context, args []string, s stdio) error {
	f := newFlags("put", putHelp)
	stream := f.String("stream", "", "`name` of the stream; required")
	shards := f.Int("create-shards", 0, "create the stream with so many `shards` unless it is there")
	rate := f.Int("rate", 0, "put at most so many `lines` a second")
	aggregate := f.Bool("aggregate", false, "pack lines into aggregated records, as the Kinesis Producer Library does")
	if err := f.parse(args); err != nil {
		return err
	}
	in := lines.Input{Files: f.Args(), Stdin: s.in}
	var errs []error
	if *stream == "" {
		errs = append(errs, errors.New("put: --stream is required"))
	}
	if *shards < 0 {
		errs = append(errs, fmt.Errorf("put: --create-shards is %d; it must be positive", *shards))
	}
	if *rate < 0 || *rate > maxRate {
		errs = append(errs, fmt.Errorf("put: --rate is %d; it must be positive, and at most %d", *rate, maxRate))
	}
	if f.NArg() == 0 {
		errs = append(errs, errors.New("put: name the files to put, or - for standard input"))
	}
	errs = append(errs, in.Check())
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	clients, err := loadAWS(ctx, "", zap.NewNop())
	if err != nil {
		return err
	}
	if in.MaxBytes, err = ensureStream(ctx, clients.Kinesis, *stream, *shards, s); err != nil {
		return err
	}
	feeder := feed.New(clients.Kinesis, *stream, nil)
	if *aggregate {
		if err := pack(ctx, feeder, clients.Kinesis, *stream, s); err != nil {
			return err
		}
	}
	err = putAll(ctx, feeder, in, *rate, s)
	records, bytes := feeder.Progress()
	if *aggregate {
		s.printf("put %d lines in %d records, %d bytes\n", records, feeder.Puts(), bytes)
	} else {
		s.printf("put %d records, %d bytes\n", records, bytes)
	}
	if n := feeder.Doubt(); n > 0 {
		s.printf("up to %d more may be in the stream: it was not answered whether they were put\n", n)
	}
	return err
}

const (
	// maxRate is far beyond any stream, and far from an overflow.
	maxRate = 1_000_000_000

	// linger is how long a record waits for others to be put with.
	linger = 100 * time.Millisecond
)

// maxLate is how far putting may be behind its rate and still catch up.
const maxLate = 100 * time.Millisecond

// due returns when after the start a record is put, the n-th at a rate.
func due(n int64, rate int) time.Duration {
	whole, rest := n/int64(rate), n%int64(rate)
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(rate)
}

// flushTimeout is how long after a signal what was read may still be put.
const flushTimeout = 20 * time.Second

// putAll puts the input until it ends or ctx is done; what was read is put, if
// that can be done soon. It says when the stream takes nothing.
func putAll(ctx context.Context, feeder *feed.Feeder, in lines.Input, rate int, s stdio) error {
	hard, cancel := outlast(ctx, flushTimeout)
	defer cancel()
	return s.telling(func() {
		if waits, why := feeder.Waits(); waits >= tellEvery {
			s.notef("still putting records into the stream after %v: %s\n", waits.Round(time.Second), why)
		}
	}, func() error { return putRecords(ctx, hard, feeder, in, rate) })
}

// putRecords reads until ctx is done and puts until hard is.
func putRecords(ctx, hard context.Context, feeder *feed.Feeder, in lines.Input, rate int) error {
	start, n := time.Now(), int64(0)
	for r, err := range in.Arriving(ctx, linger) {
		switch {
		case err != nil && ctx.Err() != nil: // all that was read is there
			return feeder.Flush(hard)
		case err != nil:
			return errors.Join(err, feeder.Flush(hard))
		case r.Data == nil:
			err = feeder.Flush(hard) // it has waited
		default:
			n++
			err = feeder.Add(hard, r.Data)
		}
		if err != nil {
			return err
		}
		if r.Data == nil || rate == 0 || n%int64(max(1, rate/10)) != 0 {
			continue
		}
		// A tenth of a second's worth at a time.
		if err := feeder.Flush(hard); err != nil {
			return err
		}
		wait := time.Until(start.Add(due(n, rate)))
		if wait < -maxLate {
			start = start.Add(-wait) // a silence is not made up for
		}
		_ = pause.For(ctx, wait) // the loop sees that ctx is done
	}
	return feeder.Flush(hard)
}

// outlast returns a context that ends d after ctx.
func outlast(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	hard, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if pause.For(hard, d) == nil {
			cancel(fmt.Errorf("%w, and not all was put %v later", context.Cause(ctx), d))
		}
	})
	return hard, func() { stop(); cancel(context.Canceled) }
}

// ensureStream creates the stream if shards is positive and it is not there,
// and waits until it can be used. It returns how many bytes a record may have.
func ensureStream(ctx context.Context, api *kinesis.Client, name string, shards int, s stdio) (recordBytes int, err error) {
	if shards > 0 {
		err := s.while("creating stream "+name, func() error { return createStream(ctx, api, name, shards) })
		if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
			return 0, fmt.Errorf("creating stream %s: %w", name, err)
		}
	}
	err = s.while("waiting for stream "+name+" to become active", func() (err error) {
		recordBytes, err = waitActive(ctx, api, name)
		return err
	})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return 0, fmt.Errorf("stream %s does not exist; --create-shards N creates it", name)
	}
	if err != nil {
		return 0, fmt.Errorf("describing stream %s: %w", name, err)
	}
	return recordBytes, nil
}

func createStream(ctx context.Context, api *kinesis.Client, name string, shards int) error {
	ctx, call := deadline.Start(ctx, requestTimeout)
	defer call.End()
	_, err := api.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(int32(min(shards, 1<<20)))})
	return deadline.Explain(ctx, err)
}

func waitActive(ctx context.Context, api *kinesis.Client, name string) (recordBytes int, err error) {
	for {
		stream, err := describe(ctx, api, name)
		if err != nil {
			return 0, err
		}
		if s := stream.StreamStatus; s == types.StreamStatusActive || s == types.StreamStatusUpdating {
			return int(aws.ToInt32(stream.MaxRecordSizeInKiB)) << 10, nil
		}
		if err := pause.For(ctx, time.Second); err != nil {
			return 0, err
		}
	}
}

// pack has feeder pack records for the shards that are open now.
func pack(ctx context.Context, feeder *feed.Feeder, api *kinesis.Client, name string, s stdio) error {
	var starts []string
	err := s.while("listing the shards of stream "+name, func() (err error) {
		starts, err = openShards(ctx, api, name)
		return err
	})
	if err == nil {
		err = feeder.Pack(starts)
	}
	if err != nil {
		return fmt.Errorf("listing the shards of stream %s: %w", name, err)
	}
	return nil
}

// openShards returns the starting hash keys of the stream's open shards.
func openShards(ctx context.Context, api *kinesis.Client, name string) (starts []string, err error) {
	in := kinesis.ListShardsInput{StreamName: &name, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}}
	for {
		out, err := listShards(ctx, api, &in)
		if err != nil {
			return nil, err
		}
		for _, shard := range out.Shards {
			if r := shard.HashKeyRange; r != nil {
				starts = append(starts, aws.ToString(r.StartingHashKey))
			}
		}
		if out.NextToken == nil {
			return starts, nil
		}
		in = kinesis.ListShardsInput{NextToken: out.NextToken}
	}
}

func listShards(ctx context.Context, api *kinesis.Client, in *kinesis.ListShardsInput) (*kinesis.ListShardsOutput, error) {
	ctx, call := deadline.Start(ctx, requestTimeout)
	defer call.End()
	out, err := api.ListShards(ctx, in)
	return out, deadline.Explain(ctx, err)
}

func describe(ctx context.Context, api *kinesis.Client, name string) (*types.StreamDescriptionSummary, error) {
	ctx, call := deadline.Start(ctx, requestTimeout)
	defer call.End()
	out, err := api.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
	if err != nil {
		return nil, deadline.Explain(ctx, err)
	}
	return out.StreamDescriptionSummary, nil
}
