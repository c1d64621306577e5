package processors

import (
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// buffer gathers the records of the next cut of one shard.
type buffer struct {
	body        *body // nil while there are no records
	first, last checkpoint.Position
	oldest      time.Time // arrival of the oldest record; they are not in order
	opened      time.Time // when the first record came in, by our clock

	// mark is the last place that was appended, to this cut or an earlier
	// one: what is not above it was delivered before.
	mark checkpoint.ExtendedSequenceNumber
}

// isNew reports whether a record was not appended before.
func (b *buffer) isNew(r *kcl.Record) bool {
	return exactlyonce.IsNew(place(r), b.mark)
}

// note counts a record that was written to the body.
func (b *buffer) note(r *kcl.Record, now time.Time) {
	at := r.Position()
	if b.body.records == 1 {
		b.first, b.opened, b.oldest = at, now, at.Arrival
	}
	if at.Arrival.Before(b.oldest) {
		b.oldest = at.Arrival
	}
	b.last, b.mark = at, at.ExtendedSequenceNumber
}

// take empties the buffer and returns what was in it. The mark stays.
func (b *buffer) take() buffer {
	taken := *b
	*b = buffer{mark: b.mark}
	return taken
}

func place(r *kcl.Record) checkpoint.ExtendedSequenceNumber {
	return checkpoint.ExtendedSequenceNumber{SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber}
}

// fill is what decides whether a cut closes.
type fill struct {
	records  int64
	bytes    int64 // before compression
	age      time.Duration
	pressure bool // the worker needs memory
	noSpool  bool // the spool cannot leave memory
}

// Reasons for which a cut closes.
const (
	reasonSize       = "size"
	reasonInterval   = "interval"
	reasonPressure   = "pressure"
	reasonSpool      = "spool"
	reasonShutdown   = "shutdown"
	reasonShardEnded = "shard end"
	reasonRedo       = "redo"
)

// closeReason says why a cut closes now, "" if it stays open. A cut without
// records never closes; the record that reaches the size is in it.
// Source: Firehose "Buffering hints".
func closeReason(f fill, size int64, interval time.Duration) string {
	switch {
	case f.records == 0:
		return ""
	case f.bytes >= size:
		return reasonSize
	case f.noSpool:
		return reasonSpool
	case f.age >= interval:
		return reasonInterval
	case f.pressure:
		return reasonPressure
	default:
		return ""
	}
}
