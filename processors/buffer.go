package processors

import (
	"cmp"
	"context"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/pipeline"
)

// buffer gathers the records of the next cut of one shard, and knows when it
// closes. How a cut ends is none of its business.
type buffer struct {
	newUUID func() exactlyonce.UUID                     // of the next cut
	begin   func(id exactlyonce.UUID) (contents, error) // what it becomes
	size    int64
	pace    *pace
	log     *zap.Logger

	open   gathered
	broken error // what is gathered cannot be trusted
	seen   sieve // of what is in this cut or was in an earlier one

	taking taking                      // the record that is being taken in
	add    func(pipeline.Output) error // adds what becomes of it
}

type taking struct {
	ctx    context.Context //nolint:containedctx // of the call
	record *kcl.Record
	begun  bool // something was added
}

// sieve lets each record pass once.
type sieve struct {
	mark checkpoint.ExtendedSequenceNumber // of the last one: what is not above it has passed
	log  *zap.Logger
}

// lets reports whether a record has not passed yet.
func (s *sieve) lets(r *kcl.Record) bool {
	at := place(r)
	if exactlyonce.IsNew(at, s.mark) {
		return true
	}
	if at.SequenceNumber == s.mark.SequenceNumber && at.SubSequenceNumber < s.mark.SubSequenceNumber && !r.Aggregated {
		s.log.Error("an aggregated record that cannot be split is not archived: a checkpoint stands within it",
			zap.Stringer("sequence_number", at), zap.Stringer("checkpoint", s.mark), zap.Int("bytes", len(r.Data)))
	}
	return false
}

// gathered is what a cut is made of.
type gathered struct {
	contents       contents         // nil while there are no records
	id             exactlyonce.UUID // of the cut: what it becomes may have it inside
	records, bytes int64            // of the shard
	first, last    checkpoint.Position
	oldest         time.Time // arrival of the oldest record; they are not in order
	opened         time.Time // when the first record of the object came in, by our clock; zero while there is none
	late           string    // why the cut would have closed, if it was kept open
}

// contents are what a cut's records become: the body of one object, or outputs that
// become several. One goroutine uses them.
type contents interface {
	take(r *kcl.Record)                                                // the next record, before what becomes of it
	add(ctx context.Context, r *kcl.Record, out pipeline.Output) error // what becomes of it
	filled() int64                                                     // the bytes that count for the cut's size
	unindexed(c *closing) *unindexed                                   // what is to be done before pack; nil for nothing
	pack(c *closing) (parcel, error)                                   // nothing comes any more; after an error they are the caller's

	spoolErr() error                     // why it stays in memory, nil if it need not
	held() (bytes int64, partitions int) // in memory; that are active
	release(reuse bool, log *zap.Logger)
}

// become passes what becomes of a record, part by part. If it fails before the first one,
// the record can be given again.
type become func(ctx context.Context, r *kcl.Record, add func(pipeline.Output) error) error

// append takes a record in, unless it was there before.
func (b *buffer) append(ctx context.Context, r *kcl.Record, now time.Time, what become) error {
	if b.broken != nil {
		return b.broken
	}
	if !b.seen.lets(r) {
		return nil
	}
	if b.open.contents == nil {
		id := b.newUUID()
		made, err := b.begin(id)
		if err != nil {
			return err
		}
		b.open.contents, b.open.id = made, id
	}
	if b.add == nil {
		b.add = b.addPart // once: it is memory of its own
	}
	b.taking = taking{ctx: ctx, record: r}
	err := what(ctx, r, b.add)
	begun := b.taking.begun
	b.taking = taking{}
	switch {
	case err != nil && begun:
		b.broken = kcl.GiveUp(err)
		return b.broken
	case err != nil:
		return err
	}
	b.open.note(r, now)
	b.seen.mark = b.open.last.ExtendedSequenceNumber
	return nil
}

// addPart adds a part of the record that is being taken in.
func (b *buffer) addPart(o pipeline.Output) error {
	t := &b.taking
	if !t.begun {
		b.open.contents.take(t.record)
		t.begun = true
	}
	return b.open.contents.add(t.ctx, t.record, o)
}

// note counts a record that was taken in.
func (g *gathered) note(r *kcl.Record, now time.Time) {
	at := r.Position()
	g.records++
	g.bytes += int64(len(r.Data))
	if g.records == 1 {
		g.first, g.oldest = at.Clone(), at.Arrival
	}
	if g.opened.IsZero() {
		g.opened = now
	}
	if at.Arrival.Before(g.oldest) {
		g.oldest = at.Arrival
	}
	g.last = at
}

// due says why the cut closes now, "" if it stays open. within says that more records
// of the same call may follow.
func (b *buffer) due(now time.Time, within, pressure bool) string {
	made := b.open.contents
	if made == nil {
		return ""
	}
	age := time.Duration(0)
	if !b.open.opened.IsZero() {
		age = now.Sub(b.open.opened)
	}
	return closeReason(fill{
		records: b.open.records, bytes: made.filled(), age: age,
		within: within, pressure: pressure, noSpool: made.spoolErr() != nil,
	}, b.pace.size(b.size), b.pace.interval)
}

// isOver reports whether the cut can take nothing more.
func (b *buffer) isOver() bool {
	return b.open.contents != nil && b.open.contents.filled() == math.MaxInt64
}

// goOn keeps the cut open though it is due for a reason: what is delivered goes on in
// another object. An object whose interval is over may grow, if the cut can have no other.
// It reports false if the cut must close first.
func (b *buffer) goOn(reason string) bool {
	if made, ok := b.open.contents.(*outputs); ok && made.another() {
		b.open.opened = time.Time{}
	} else if reason != reasonInterval {
		return false
	}
	b.open.late = cmp.Or(b.open.late, reason)
	return true
}

// take empties the buffer and returns what was in it; its contents are nil if there was
// nothing. Its error is that the buffer is broken. The mark stays.
func (b *buffer) take() (gathered, error) {
	if b.broken != nil || b.open.contents == nil {
		return gathered{}, b.broken
	}
	if err := b.open.contents.spoolErr(); err != nil {
		b.log.Warn("spool file cannot be used: delivering early", zap.Error(err))
	}
	b.own()
	taken := b.open
	b.open = gathered{}
	return taken, nil
}

// own makes what is kept of the records' strings the buffer's own: those of a page
// are one string.
func (b *buffer) own() {
	b.open.last, b.seen.mark = b.open.last.Clone(), b.seen.mark.Clone()
}

// reset forgets what was gathered, and the mark.
func (b *buffer) reset() {
	if b.open.contents != nil {
		b.open.contents.release(true, b.log)
	}
	b.open, b.broken, b.seen.mark = gathered{}, nil, checkpoint.ExtendedSequenceNumber{}
}

func place(r *kcl.Record) checkpoint.ExtendedSequenceNumber {
	return checkpoint.ExtendedSequenceNumber{SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber}
}

// fill is what decides whether a cut closes.
type fill struct {
	records  int64
	bytes    int64 // before compression
	age      time.Duration
	within   bool // more records of this call may follow
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
// records never closes; the record that reaches the size is in it. An interval of 0
// closes it once a call's records are all in: not an object for each record.
// Source: Firehose "Buffering hints".
func closeReason(f fill, size int64, interval time.Duration) string {
	switch {
	case f.records == 0:
		return ""
	case f.bytes >= size:
		return reasonSize
	case f.noSpool:
		return reasonSpool
	case f.age >= interval && (interval > 0 || !f.within):
		return reasonInterval
	case f.pressure:
		return reasonPressure
	default:
		return ""
	}
}
