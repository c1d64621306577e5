package kinesissource

import (
	"errors"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
)

// growAfter is how many full pages in a row must have come before a page may
// have more records: a try that is too large costs the time of a page.
const growAfter = 8

// asking is how many records a reader asks for: fewer after a page that came
// too slowly, so that a link that cannot carry a large one carries a small one.
type asking struct {
	limit, most int
	full        int // pages in a row that had as many records as were asked for
}

// tooSlow returns what to ask for after a page that did not come in time.
func (a asking) tooSlow() asking { return asking{limit: max(1, a.limit/2), most: a.most} }

// came returns what to ask for after a page of n records. One with fewer than
// were asked for does not tell whether more would have come in time.
func (a asking) came(n int) asking {
	if a.limit == a.most || n < a.limit {
		return a
	}
	if a.full++; a.full < growAfter {
		return a
	}
	return asking{limit: min(a.most, 2*a.limit), most: a.most}
}

// learn draws from the outcome of GetRecords, which brought so many, how many records to ask for next.
func (r *reader) learn(records int, err error) {
	was := r.asking
	if err == nil {
		r.asking = was.came(records)
	} else if late, ok := errors.AsType[*deadline.Error](err); ok && late.Body {
		r.asking = was.tooSlow()
	}
	fields := []zap.Field{
		zap.String("stream", r.src.o.StreamName), zap.String("shard", r.shardID),
		zap.Int("records", r.asking.limit), zap.Int("max_records", r.asking.most),
	}
	switch {
	case r.asking.limit < was.limit:
		r.src.o.Logger.Warn("a page came too slowly; asking for fewer records", append(fields, zap.Error(err))...)
	case r.asking.limit > was.limit:
		r.src.o.Logger.Info("pages come in time; asking for more records", fields...)
	}
}
