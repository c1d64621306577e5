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
	r := replayer{
		source: s.stream.source, shardID: s.info.ShardID, first: first, last: last,
		read: s.stream.read, split: newExpander(o.HashRangeRule, o.HashRange), acct: s.acct,
	}
	return func(yield func(Record, error) bool) { r.run(ctx, yield) }
}

// replayer reads one range of a shard.
type replayer struct {
	source      Source
	shardID     string
	first, last checkpoint.ExtendedSequenceNumber
	read        func(ctx context.Context, shardID string, r ShardReader, room Room) (Page, error)
	split       *expander
	acct        *budget.Account
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
	reader := r.source.Open(r.shardID, from)
	defer reader.Close()
	for {
		page, err := r.read(ctx, r.shardID, reader, Room{})
		switch {
		case errors.Is(err, ErrShardNotFound):
			return false // every record has expired
		case errors.Is(err, ErrTrimmed):
			return r.ended(yield)
		case err != nil:
			yield(Record{}, err)
			return false
		}
		done := r.yieldPage(page, yield)
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

// yieldPage yields the page's records within the range, and releases it. done means that the
// range is over, or the caller has had enough. The page and what is built of it
// count as the one page that a shard may always have: nothing is read ahead.
func (r *replayer) yieldPage(p Page, yield func(Record, error) bool) (done bool) {
	defer p.release()
	counted := p.memory()
	r.acct.Adjust(0, counted)
	defer func() { r.acct.Release(counted) }()
	r.split.begin(p, checkpoint.ExtendedSequenceNumber{})
	defer r.split.end()
	for {
		recs, ok := r.split.next()
		if !ok {
			return false
		}
		now := p.memory() + r.split.bytes()
		r.acct.Adjust(counted, now)
		if counted = now; r.yieldBatch(recs, yield) {
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
