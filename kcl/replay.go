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
		source: s.w.cfg.Source, shardID: s.info.ShardID, first: first, last: last,
		read: s.read, split: newExpander(o.HashRangeRule, o.HashRange), acct: s.acct,
	}
	return func(yield func(Record, error) bool) { r.run(ctx, yield) }
}

// replayer reads one range of a shard.
type replayer struct {
	source      Source
	shardID     string
	first, last checkpoint.ExtendedSequenceNumber
	read        func(context.Context, ShardReader) (Page, error)
	split       *expander
	acct        *budget.Account
	yielded     bool
}

// errShortReplay means that the tip of a shard was reached before the last
// record of a replay, although records before it were there.
var errShortReplay = errors.New("shard ended before the last record to replay")

func (r *replayer) run(ctx context.Context, yield func(Record, error) bool) {
	reader := r.source.Open(r.shardID, checkpoint.Position{ExtendedSequenceNumber: r.first})
	for oldest := false; ; {
		page, err := r.read(ctx, reader)
		over := err == nil && (page.End || len(page.Records) == 0 && page.BehindLatest == 0)
		switch {
		case errors.Is(err, ErrShardNotFound):
			return // every record has expired
		case err != nil && !errors.Is(err, ErrTrimmed):
			yield(Record{}, err)
			return
		case err == nil:
			done := r.yieldPage(page, yield)
			page.release()
			if done {
				return
			}
		}
		switch {
		case !over && err == nil:
		case r.yielded:
			yield(Record{}, fmt.Errorf("%w: %v", errShortReplay, r.last))
			return
		case oldest:
			return // nothing of the range is left
		default:
			// Nothing was found where the range should be: only the oldest
			// record that is left tells that it has expired.
			oldest = true
			reader = r.source.Open(r.shardID, checkpoint.Sentinel(checkpoint.TrimHorizon))
		}
	}
}

// yieldPage yields the page's records within the range. done means that the
// range is over, or the caller has had enough. The page and what is built of it
// count as the one page that a shard may always have: nothing is read ahead.
func (r *replayer) yieldPage(p Page, yield func(Record, error) bool) (done bool) {
	counted := p.memory()
	r.acct.Adjust(0, counted)
	defer func() { r.acct.Release(counted) }()
	r.split.begin(p.Records, checkpoint.ExtendedSequenceNumber{})
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
