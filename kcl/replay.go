package kcl

import (
	"context"
	"errors"
	"iter"

	"github.com/shardmill/shardmill/checkpoint"
)

// replay implements InitializationInput.Replay.
func (s *session) replay(ctx context.Context, first, last checkpoint.ExtendedSequenceNumber, o ReplayOptions) iter.Seq2[Record, error] {
	r := replayer{
		source: s.w.cfg.Source, shardID: s.info.ShardID, first: first, last: last,
		split: newExpander(o.HashRangeRule, o.HashRange),
	}
	return func(yield func(Record, error) bool) { r.run(ctx, yield) }
}

// replayer reads one range of a shard.
type replayer struct {
	source      Source
	shardID     string
	first, last checkpoint.ExtendedSequenceNumber
	split       *expander
}

func (r *replayer) run(ctx context.Context, yield func(Record, error) bool) {
	reader := r.source.Open(r.shardID, checkpoint.Position{ExtendedSequenceNumber: r.first})
	for trimmed := false; ; {
		page, err := reader.Next(ctx)
		switch {
		case errors.Is(err, ErrTrimmed) && !trimmed:
			trimmed = true
			reader = r.source.Open(r.shardID, checkpoint.Sentinel(checkpoint.TrimHorizon))
			continue
		case errors.Is(err, ErrShardNotFound):
			return // every record has expired
		case err != nil:
			yield(Record{}, err)
			return
		}
		done := r.yieldPage(page, yield)
		page.release()
		if done || page.End || len(page.Records) == 0 && page.BehindLatest == 0 {
			return
		}
	}
}

// yieldPage yields the page's records within the range. done means that the
// range is over, or the caller has had enough.
func (r *replayer) yieldPage(p Page, yield func(Record, error) bool) (done bool) {
	for _, rec := range r.split.expand(p.Records, checkpoint.ExtendedSequenceNumber{}) {
		at := rec.Position().ExtendedSequenceNumber
		if at.Compare(r.first) < 0 {
			continue
		}
		if at.Compare(r.last) > 0 || !yield(rec, nil) {
			return true
		}
		if at == r.last {
			return true
		}
	}
	return false
}
