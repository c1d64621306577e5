package kcl

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/internal/budget"
)

// replay implements InitializationInput.Replay.
func (s *session) replay(ctx context.Context, first, last checkpoint.ExtendedSequenceNumber, o ReplayOptions) iter.Seq2[Record, error] {
	left, _ := KPLFaultsOf(o.KPLFaults.Wire()) // also what went to DeadLetter: it does not go there again
	r := replayer{
		consumer: s.consumer, first: first, last: last, split: newExpander(o.HashRangeRule, o.HashRange, left),
	}
	return func(yield func(Record, error) bool) { r.run(ctx, yield) }
}

// replayer reads one range of a shard.
type replayer struct {
	*consumer

	first, last checkpoint.ExtendedSequenceNumber
	split       *expander
	yielded     bool
}

// errShortReplay means that the tip of a shard was reached before the last
// record of a replay, although records before it were there.
var errShortReplay = errors.New("shard ended before the last record to replay")

// run reads from the first record on. If nothing is found where the range should
// be, only the oldest record that is left tells that it has expired.
func (r *replayer) run(ctx context.Context, yield func(Record, error) bool) {
	if r.readFrom(ctx, checkpoint.Position{ExtendedSequenceNumber: r.first}, yield) {
		r.readFrom(ctx, checkpoint.Sentinel(checkpoint.TrimHorizon), yield)
	}
}

// readFrom yields what a reader opened at from returns of the range, and reports
// whether that is nothing and the range may have expired.
func (r *replayer) readFrom(ctx context.Context, from checkpoint.Position, yield func(Record, error) bool) (nothing bool) {
	reader := r.stream.source.Open(r.info.ShardID, from)
	defer reader.Close()
	pages := r.newPager(reader)
	for {
		page, mem, err := pages.next(ctx)
		switch {
		case errors.Is(err, ErrShardNotFound):
			return false // every record has expired
		case errors.Is(err, ErrTrimmed):
			return r.ended(yield)
		case err != nil:
			yield(Record{}, err)
			return false
		}
		done := r.yieldPage(page, mem, yield)
		switch {
		case done:
			return false
		case page.End || len(page.Records) == 0 && page.BehindLatest == 0:
			return r.ended(yield)
		}
	}
}

// ended notes that there is no more to read, before the last record was found.
func (r *replayer) ended(yield func(Record, error) bool) (nothing bool) {
	if r.yielded {
		yield(Record{}, fmt.Errorf("%w: %v", errShortReplay, r.last))
	}
	return !r.yielded
}

// yieldPage yields the page's records within the range, and lets go of their
// memory. done means that the range is over, or the caller has had enough. Nothing
// is read ahead.
func (r *replayer) yieldPage(p Page, mem *budget.Reservation, yield func(Record, error) bool) (done bool) {
	defer fetched{page: p, mem: mem}.release()
	r.split.begin(p, checkpoint.ExtendedSequenceNumber{})
	defer r.split.end()
	for {
		r.split.within(r.acct.Spare())
		b, ok := r.split.next()
		if !ok {
			return false
		}
		mem.Set(p.memory() + r.split.bytes())
		if r.yieldBatch(b.recs, yield) {
			return true
		}
	}
}

func (r *replayer) yieldBatch(recs []Record, yield func(Record, error) bool) (done bool) {
	for _, rec := range recs {
		at := rec.Position().ExtendedSequenceNumber
		if at.Compare(r.first) < 0 {
			continue
		}
		if at.Compare(r.last) > 0 {
			return true
		}
		r.yielded = true
		if !yield(rec, nil) || at == r.last {
			return true
		}
	}
	return false
}
