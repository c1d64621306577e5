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

	packs packs // of records that are packed together; empty if none are

	data    []byte // of the open batch
	batch   []entry
	number  int64 // of the last record that was added: its partition key
	entries []types.PutRecordsRequestEntry

	mu    sync.Mutex // guards what follows
	n     int64
	size  int64
	puts  int64
	doubt int64
	since time.Time         // when the call, or the calls, for the present batch began
	why   string            // what the last answer to it said; "" if there was none
	last  map[string]string // shard: the last sequence number put
}

// entry is a record of a batch, as it is put.
type entry struct {
	end     int // of its data
	key     string
	hashKey *string // nil: that of key

	records int // that were added; 1 unless they are packed together
	bytes   int // of their data
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
	f.number++
	key := strconv.FormatInt(f.number, 10)
	if len(f.packs.open) > 0 {
		return f.pack(ctx, key, data)
	}
	return f.append(ctx, data, entry{key: key, records: 1, bytes: len(data)})
}

// append appends a record with the given data to the batch, and makes a call
// before if the batch is full.
func (f *Feeder) append(ctx context.Context, data []byte, e entry) error {
	if len(f.batch) == maxRecords || len(f.batch) > 0 && len(f.data)+len(data) > maxBytes {
		if err := f.send(ctx); err != nil {
			return err
		}
	}
	f.data = append(f.data, data...)
	e.end = len(f.data)
	f.batch = append(f.batch, e)
	return nil
}

// Flush puts what was added.
func (f *Feeder) Flush(ctx context.Context) error {
	if err := f.closePacks(ctx); err != nil {
		return err
	}
	return f.send(ctx)
}

// send puts the batch.
func (f *Feeder) send(ctx context.Context) error {
	if len(f.batch) == 0 {
		return nil
	}
	if f.before != nil {
		if err := f.before(ctx, len(f.data)); err != nil {
			return err
		}
	}
	start := 0
	f.entries = f.entries[:0]
	for _, e := range f.batch {
		f.entries = append(f.entries, types.PutRecordsRequestEntry{
			Data: f.data[start:e.end:e.end], PartitionKey: aws.String(e.key), ExplicitHashKey: e.hashKey,
		})
		start = e.end
	}
	err := f.put(ctx)
	f.data, f.batch = f.data[:0], f.batch[:0]
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
		f.doubts(unclear) // each try may have put them all
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
	if err == nil && len(out.Records) != len(f.entries) {
		return nil, max(1, unclear), fmt.Errorf("the answer tells of %d records: it is none of PutRecords", len(out.Records))
	}
	if err != nil && ctx.Err() != nil {
		return nil, unclear, context.Cause(ctx)
	}
	return out, unclear, deadline.Explain(timed, err)
}

func (f *Feeder) doubts(tries int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.batch {
		f.doubt += int64(tries * e.records)
	}
}

func (f *Feeder) waits(since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since, f.why = since, ""
}

// note counts what was put and leaves in f.batch and f.entries what was refused.
func (f *Feeder) note(out *kinesis.PutRecordsOutput) (refused int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	batch, again := f.batch[:0], f.entries[:0]
	for i, r := range out.Records {
		if r.ErrorCode != nil {
			batch, again = append(batch, f.batch[i]), append(again, f.entries[i])
			f.why = "the stream refuses them: " + *r.ErrorCode
			continue
		}
		f.puts++
		f.n += int64(f.batch[i].records)
		f.size += int64(f.batch[i].bytes)
		shard, seq := aws.ToString(r.ShardId), aws.ToString(r.SequenceNumber)
		if old := f.last[shard]; old == "" || checkpoint.CompareDecimal(old, seq) < 0 {
			f.last[shard] = seq
		}
	}
	f.batch, f.entries = batch, again
	return len(again)
}

// Progress returns how many of the records that were added were put, and their
// bytes.
func (f *Feeder) Progress() (records, bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n, f.size
}

// Puts returns how many records of the stream that made: as many, unless they were
// packed together.
func (f *Feeder) Puts() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.puts
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
