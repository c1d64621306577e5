package kinesissource

import (
	"errors"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
)

const (
	// growAfter is how many full pages in a row must have come before a page may
	// have more records: a try that is too large costs the time of a page.
	growAfter = 8

	// firstRecords is how many records a reader with a limited room asks for while
	// it does not know how large they are.
	firstRecords = 100
)

// asking is how many records a reader asks for: fewer after a page that came
// too slowly, so that a link that cannot carry a large one carries a small one;
// and no more than there is room for, as far as one can tell.
type asking struct {
	limit, most int
	full        int // pages in a row that had as many records as were asked for

	// mean is what a record takes of the memory: the mean of the page whose records
	// were largest. Each page with smaller ones takes it half of the way to its own,
	// so that one large record does not make all later pages small; if the next one
	// comes as a surprise, the answer waits for room. 0: no page had records yet.
	mean float64
}

// records returns how many records to ask for.
func (a asking) records(room kcl.Room) int {
	switch {
	case room.Bytes <= 0:
		return a.limit
	case a.mean == 0:
		return min(a.limit, firstRecords)
	}
	return int(max(1, min(float64(a.limit), float64(room.Bytes)/a.mean)))
}

// tooSlow returns what to ask for after a page of n records at most that did not
// come in time.
func (a asking) tooSlow(n int) asking {
	a.limit, a.full = max(1, n/2), 0
	return a
}

// tooLarge returns what to ask for after an answer for which there was no room: it
// was to have n records, and would have taken so many bytes.
func (a asking) tooLarge(n int, bytes int64) asking {
	a.mean = max(a.mean, float64(bytes)/float64(n))
	return a
}

// came returns what to ask for after a page of so many records, of n at most, that
// takes so many bytes. One with fewer than the limit does not tell whether more
// would have come in time.
func (a asking) came(records, n int, bytes int64) asking {
	if records > 0 {
		mean := max(1, float64(bytes)/float64(records))
		a.mean = max(mean, (a.mean+mean)/2)
	}
	if a.limit == a.most || records < n || n < a.limit {
		return a
	}
	if a.full++; a.full >= growAfter {
		a.limit, a.full = min(a.most, 2*a.limit), 0
	}
	return a
}

// learn draws from the outcome of GetRecords for n records, an answer that takes so
// many bytes or an error, how many records to ask for next.
func (r *reader) learn(records, n int, bytes int64, err error) {
	was := r.asking
	if err == nil {
		r.asking = was.came(records, n, bytes)
	} else if late, ok := errors.AsType[*deadline.Error](err); ok && late.Body {
		r.asking = was.tooSlow(n)
	} else if no, ok := errors.AsType[*kcl.NoRoomError](err); ok {
		r.asking = was.tooLarge(n, no.Bytes)
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

// memory returns what the answer's page takes.
func (a *answer) memory() int64 {
	if a.page != nil && a.page.Ours {
		return a.page.Memory
	}
	return a.size + recordOverhead*int64(len(a.records))
}

// recordOverhead is what a record takes beside its data and key, about.
const recordOverhead = 256
