// Package feed puts records into a Kinesis stream.
package feed

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/cenkalti/backoff/v4"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline"
)

// Limits of one call. Source: Kinesis API PutRecords.
const (
	maxRecords = 500
	maxBytes   = 4 << 20 // of 5 MiB: partition keys count too

	// requestTimeout bounds one call until its answer begins.
	requestTimeout = time.Minute
)

// API is what a Feeder needs of *kinesis.Client.
type API interface {
	PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, o ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// Feeder puts records, in the order given, in as few calls as may be. One
// goroutine owns it; Progress may be called by any.
type Feeder struct {
	api    API
	stream string
	before func(ctx context.Context, bytes int) error

	data    []byte // of the open batch
	ends    []int  // of each record in data
	number  int64  // of the last record: its partition key
	entries []types.PutRecordsRequestEntry

	mu    sync.Mutex // guards what follows
	n     int64
	size  int64
	doubt int64
	since time.Time         // when the call, or the calls, for the present batch began
	why   string            // what the last answer to it said; "" if there was none
	last  map[string]string // shard: the last sequence number put
}

// New returns a Feeder. before, if not nil, is called before each call with
// the bytes that it will put, and may wait.
func New(api API, stream string, before func(ctx context.Context, bytes int) error) *Feeder {
	return &Feeder{api: api, stream: stream, before: before, last: make(map[string]string)}
}

// Add adds a record, whose data it copies, and makes a call if the batch is
// full. The partition key is the running number of the record, from 1.
//
// An error is final: the records that were put are those of Progress.
func (f *Feeder) Add(ctx context.Context, data []byte) error {
	if len(f.ends) == maxRecords || len(f.ends) > 0 && len(f.data)+len(data) > maxBytes {
		if err := f.Flush(ctx); err != nil {
			return err
		}
	}
	f.data = append(f.data, data...)
	f.ends = append(f.ends, len(f.data))
	return nil
}

// Flush puts what was added.
func (f *Feeder) Flush(ctx context.Context) error {
	if len(f.ends) == 0 {
		return nil
	}
	if f.before != nil {
		if err := f.before(ctx, len(f.data)); err != nil {
			return err
		}
	}
	start := 0
	f.entries = f.entries[:0]
	for _, end := range f.ends {
		f.number++
		f.entries = append(f.entries, types.PutRecordsRequestEntry{
			Data: f.data[start:end:end], PartitionKey: aws.String(strconv.FormatInt(f.number, 10)),
		})
		start = end
	}
	err := f.put(ctx)
	f.data, f.ends = f.data[:0], f.ends[:0]
	return err
}

// put puts the entries, those that are refused again and again until ctx ends.
func (f *Feeder) put(ctx context.Context) error {
	f.waits(time.Now())
	defer f.waits(time.Time{})
	pause := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(2*time.Second), backoff.WithMaxElapsedTime(0))
	for {
		out, unclear, err := f.call(ctx)
		f.doubts(unclear * len(f.entries)) // each try may have put them all
		if err != nil {
			some := ""
			if unclear > 0 {
				some = ", of which some may be there"
			}
			return fmt.Errorf("putting %d records into stream %s%s: %w", len(f.entries), f.stream, some, err)
		}
		refused := f.note(out)
		if refused == 0 {
			return nil
		}
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("putting %d records that stream %s refused: %w", refused, f.stream, context.Cause(ctx))
		}
	}
}

// call makes one call, which the SDK may repeat. It reports also of how many tries
// it is unclear what they did: such a call is not repeated here.
func (f *Feeder) call(ctx context.Context) (out *kinesis.PutRecordsOutput, unclear int, err error) {
	if ctx.Err() != nil {
		return nil, 0, context.Cause(ctx)
	}
	timed, call := deadline.Start(ctx, requestTimeout)
	defer call.End()
	out, err = f.api.PutRecords(timed, &kinesis.PutRecordsInput{StreamName: &f.stream, Records: f.entries}, unanswered(&unclear))
	if unclear == 0 && isUnclear(err) {
		unclear = 1 // a call whose tries are not known
	}
	if err != nil && ctx.Err() != nil {
		return nil, unclear, context.Cause(ctx)
	}
	return out, unclear, deadline.Explain(timed, err)
}

func (f *Feeder) doubts(records int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doubt += int64(records)
}

func (f *Feeder) waits(since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since, f.why = since, ""
}

// note counts what was put and leaves in f.entries what was refused.
func (f *Feeder) note(out *kinesis.PutRecordsOutput) (refused int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	again := f.entries[:0]
	for i, r := range out.Records {
		if r.ErrorCode != nil {
			again = append(again, f.entries[i])
			f.why = "the stream refuses them: " + *r.ErrorCode
			continue
		}
		f.n++
		f.size += int64(len(f.entries[i].Data))
		shard, seq := aws.ToString(r.ShardId), aws.ToString(r.SequenceNumber)
		if old := f.last[shard]; old == "" || checkpoint.CompareDecimal(old, seq) < 0 {
			f.last[shard] = seq
		}
	}
	f.entries = again
	return len(again)
}

// Progress returns how many records and bytes were put.
func (f *Feeder) Progress() (records, bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n, f.size
}

// Doubt returns how many records more than those of Progress may be in the
// stream, at most: it was not answered whether they were put. Some of them may be
// there a second time, since the SDK repeats such calls.
func (f *Feeder) Doubt() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.doubt
}

// Waits returns for how long the present batch is being put, 0 if none is, and
// why it was not yet.
func (f *Feeder) Waits() (d time.Duration, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since.IsZero() {
		return 0, ""
	}
	return time.Since(f.since), cmp.Or(f.why, "there is no answer")
}

// Last returns the sequence number of the last record put into each shard.
func (f *Feeder) Last() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.last)
}
