package processors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/pipeline"
	"github.com/shardmill/shardmill/processors/transform"
)

// entrance is where records enter the cut.
type entrance interface {
	// enter has the cut take a record in. If that completes the cut, it is delivered,
	// which may wait for the one before.
	enter(r *kcl.Record, what become) error

	// stopping is closed when nothing is to be waited for any more; nil for never.
	stopping() <-chan struct{}
}

// incoming are the records of one shard on their way into the cut.
type incoming interface {
	// begin is told of the holding, and of the checkpoint after which records come.
	begin(holding context.Context, after checkpoint.ExtendedSequenceNumber)

	// call is told of each call how to ask for another one, and for room.
	call(wake func(), room func(int64) bool)

	// take takes the next record in, unless it was there before.
	take(ctx context.Context, r *kcl.Record, to entrance) error

	// advance brings on what need not be waited for, and begins what is due: that waits
	// for others if no more may be under way.
	advance(ctx context.Context, to entrance) error

	// finish brings all of them into the cut, however long that takes.
	finish(ctx context.Context, to entrance) error

	held() BufferedEvent // what is under way
	drop()               // forgets that, and ends what goes on behind
}

// straight are records without a transform: each enters the cut at once.
type straight struct{ become become }

func (s straight) take(_ context.Context, r *kcl.Record, to entrance) error {
	return to.enter(r, s.become)
}

func (straight) begin(context.Context, checkpoint.ExtendedSequenceNumber) {}
func (straight) call(func(), func(int64) bool)                            {}
func (straight) advance(context.Context, entrance) error                  { return nil }
func (straight) finish(context.Context, entrance) error                   { return nil }
func (straight) held() BufferedEvent                                      { return BufferedEvent{} }
func (straight) drop()                                                    {}

// maxCalls is how many batches of a shard are transformed side by side, as Firehose
// does.
const maxCalls = 5

// transforms has records transformed, in batches, several of a shard side by side, and
// lets them enter the cut in the order in which they came. One goroutine uses it.
type transforms struct {
	pipeline *pipeline.Pipeline
	runner   *transform.Runner
	shardID  string
	size     int64
	interval time.Duration

	holding context.Context  //nolint:containedctx // ends with the lease, and what goes on behind with it
	wake    func()           // asks for a call; nil if nobody listens
	room    func(int64) bool // whether so many bytes more may be held; nil if nobody counts

	seen  sieve
	open  *batch   // gathers records; nil if there are none
	queue []*batch // complete ones, in order: the first ones are under way
}

// batch is some records of one shard, in order.
type batch struct {
	opened  time.Time // when the first record came in, by our clock
	records []kcl.Record
	parts   []pipeline.Output // of all of them
	asked   []transform.Record
	ends    []end // of each record, in these two

	memory, bytes, request int64 // of records and parts; of what the transform gets; of that as a request
	made                   int64 // of what it gave back; 0 until that is looked at

	behind  *errand // nil until it is under way
	answers []transform.Outcome

	next int // the first record that has not entered the cut
}

type end struct{ parts, asked int }

// recordBytes is about what a record of a batch takes in memory beside its data.
const recordBytes = 1 << 10

func (b *batch) held() int64 {
	n := b.memory + recordBytes*int64(len(b.parts))
	switch {
	case b.behind == nil:
		return n
	case !b.behind.isOver():
		return n + 2*b.request // and the answer, which may be as long
	}
	if b.made == 0 {
		for i := range b.answers {
			b.made += int64(len(b.answers[i].Data))
		}
	}
	return n + b.made
}

// begin implements incoming.
func (t *transforms) begin(holding context.Context, after checkpoint.ExtendedSequenceNumber) {
	t.holding, t.seen.mark = holding, after
}

// call implements incoming.
func (t *transforms) call(wake func(), room func(int64) bool) { t.wake, t.room = wake, room }

// take implements incoming. When it returns, at most one batch is not under way, the open
// one.
func (t *transforms) take(ctx context.Context, r *kcl.Record, to entrance) error {
	if !t.seen.lets(r) {
		return nil
	}
	own := r.Clone()
	parts, asked, request, err := t.prepare(ctx, &own)
	if err != nil {
		return err
	}
	if t.open != nil && len(t.open.asked) > 0 && t.open.request+request > transform.MaxBytes {
		if err := t.close(ctx, to); err != nil {
			return err
		}
	}
	if t.open == nil {
		t.open = &batch{opened: time.Now()}
	}
	b := t.open
	b.records, b.parts, b.asked = append(b.records, own), append(b.parts, parts...), append(b.asked, asked...)
	b.ends = append(b.ends, end{len(b.parts), len(b.asked)})
	b.memory, b.request = b.memory+int64(len(own.Data)), b.request+request
	for i := range asked {
		b.bytes += int64(len(asked[i].Data))
	}
	if !t.pipeline.IsInPlace() {
		for i := range parts {
			b.memory += int64(len(parts[i].Data))
		}
	}
	t.seen.mark = own.Position().ExtendedSequenceNumber
	if b.bytes >= t.size || b.memory >= 2*t.size { // the latter of records that fail before
		return t.close(ctx, to)
	}
	return nil
}

// prepare returns the parts of a record, and those that the transform gets.
func (t *transforms) prepare(ctx context.Context, r *kcl.Record) (parts []pipeline.Output, asked []transform.Record, request int64, err error) {
	err = t.pipeline.Run(ctx, r, func(o pipeline.Output) error {
		if !t.pipeline.IsInPlace() {
			isSource := isSame(o.Source, o.Data)
			o.Data = bytes.Clone(o.Data)
			if isSource {
				o.Source = o.Data
			}
		}
		parts = append(parts, o)
		if o.Nothing || o.Failure.Type != "" {
			return nil
		}
		asked = append(asked, transform.Record{
			Data: o.Data, Arrival: r.ApproximateArrivalTimestamp,
			ShardID: t.shardID, PartitionKey: r.PartitionKey, SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber,
		})
		request += int64(transform.Size(&asked[len(asked)-1]))
		return nil
	})
	return parts, asked, request, err
}

// close completes the open batch, and returns when it is under way, or when nothing is to be
// waited for. Until then it lets others enter the cut.
func (t *transforms) close(ctx context.Context, to entrance) error {
	if t.open != nil {
		t.queue, t.open = append(t.queue, t.open), nil
	}
	for {
		if t.start() {
			return nil
		}
		switch err := t.first(ctx, to); {
		case errors.Is(err, kcl.ErrStopping):
			return nil
		case err != nil:
			return err
		}
	}
}

// start has batches transformed, as many as may be. It reports whether all are under
// way.
func (t *transforms) start() bool {
	running := 0
	for _, b := range t.queue {
		switch {
		case b.behind != nil:
		case running > 0 && (running >= maxCalls || t.room != nil && !t.room(2*b.request)):
			return false
		default:
			b.behind = send(t.holding, func(ctx context.Context) (err error) {
				b.answers, err = t.runner.Run(ctx, b.asked)
				return err
			}, t.wake)
		}
		running++
	}
	return true
}

// first waits for the first batch, and lets it enter the cut.
func (t *transforms) first(ctx context.Context, to entrance) error {
	b := t.queue[0]
	if err := b.behind.wait(ctx, to.stopping()); err != nil {
		return fmt.Errorf("waiting for the transform of a batch: %w", err)
	}
	if err := b.behind.err; err != nil {
		b.behind = nil // the next call tries it again
		return fmt.Errorf("transforming %d records: %w", len(b.asked), err)
	}
	for b.next < len(b.records) {
		if ctx.Err() != nil {
			return fmt.Errorf("taking in what was transformed: %w", context.Cause(ctx)) // the next call goes on
		}
		if err := to.enter(&b.records[b.next], t.become(b)); err != nil {
			return err
		}
		b.next++
	}
	t.queue = t.queue[1:]
	return nil
}

// become passes what the transform made of the next record of a batch.
func (t *transforms) become(b *batch) become {
	var from end
	if b.next > 0 {
		from = b.ends[b.next-1]
	}
	return func(_ context.Context, _ *kcl.Record, add func(pipeline.Output) error) error {
		answers := b.answers[from.asked:]
		for _, o := range b.parts[from.parts:b.ends[b.next].parts] {
			if !o.Nothing && o.Failure.Type == "" {
				o = t.judge(o, &answers[0])
				answers = answers[1:]
			}
			if err := add(o); err != nil {
				return err
			}
		}
		return nil
	}
}

// judge returns a part as the transform has it.
func (t *transforms) judge(o pipeline.Output, a *transform.Outcome) pipeline.Output {
	if f := a.Failure; f != nil {
		o.Data = nil
		o.Failure = pipeline.Failure{Type: pipeline.ProcessingFailed, Code: f.Code, Message: f.Message, Attempts: a.Attempts, Ended: a.Ended, ARN: t.runner.ARN()}
		return o
	}
	o.Data, o.Transformed, o.Dropped, o.PartitionKeys = a.Data, true, a.Dropped, a.PartitionKeys
	return o
}

// advance implements incoming.
func (t *transforms) advance(ctx context.Context, to entrance) error {
	if t.open != nil && time.Since(t.open.opened) >= t.interval {
		if err := t.close(ctx, to); err != nil {
			return err
		}
	}
	for t.start(); len(t.queue) > 0 && t.queue[0].behind.isOver(); t.start() {
		if err := t.first(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

// finish implements incoming.
func (t *transforms) finish(ctx context.Context, to entrance) error {
	if err := t.close(ctx, to); err != nil {
		return err
	}
	for len(t.queue) > 0 {
		if err := t.first(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

// held implements incoming.
func (t *transforms) held() BufferedEvent {
	var e BufferedEvent
	var oldest time.Time
	for _, b := range t.all() {
		e.Held += b.held()
		for i := b.next; i < len(b.records); i++ {
			r := &b.records[i]
			e.Records, e.Bytes = e.Records+1, e.Bytes+int64(len(r.Data))
			if at := r.ApproximateArrivalTimestamp; oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
		}
	}
	e.Freshness = ageOf(oldest, time.Now())
	return e
}

func (t *transforms) all() []*batch {
	if t.open == nil {
		return t.queue
	}
	return append(slices.Clip(t.queue), t.open)
}

// drop implements incoming.
func (t *transforms) drop() {
	for _, end := range []func(*errand){(*errand).cancel, (*errand).end} { // all hear of it before one is waited for
		for _, b := range t.queue {
			if b.behind != nil {
				end(b.behind)
			}
		}
	}
	t.open, t.queue = nil, nil
}
