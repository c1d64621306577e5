package processors

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/errorlines"
	"github.com/shardmill/shardmill/processors/internal/spool"
)

// documents are those of a cut that is gathered: in the log of its outputs, each followed
// by the place of its record.
type documents struct {
	log   *spool.Spool
	list  []document
	bytes int64
	place []byte // of the latest one
}

type document struct {
	from    int64 // in the log
	arrival int64 // milliseconds since 1970; noArrival if unknown
	size    uint32
	place   uint16 // bytes
}

const (
	documentBytes = 24
	maxPlace      = 128 // bytes of most places
	noArrival     = -1 << 63
)

// add notes a document that is the last thing that was written to the log.
func (d *documents) add(r *kcl.Record, at extent) {
	d.place = append(append(d.place[:0], r.SequenceNumber...), '.')
	d.place = strconv.AppendInt(d.place, r.SubSequenceNumber, 10)
	_, _ = d.log.Write(d.place) // never fails
	arrival := int64(noArrival)
	if !r.ApproximateArrivalTimestamp.IsZero() {
		arrival = r.ApproximateArrivalTimestamp.UnixMilli()
	}
	d.list = append(d.list, document{at.from, arrival, uint32(at.size), uint16(len(d.place))})
	d.bytes += at.size
}

// len returns their number; nil has none.
func (d *documents) len() int {
	if d == nil {
		return 0
	}
	return len(d.list)
}

// held returns what they take in memory beside the log.
func (d *documents) held() int64 {
	if d == nil {
		return 0
	}
	return documentBytes * int64(cap(d.list))
}

// Len implements Documents.
func (d *documents) Len() int { return len(d.list) }

// Document implements Documents.
func (d *documents) Document(i int) Document {
	e := &d.list[i]
	out := Document{Size: int(e.size)}
	if e.arrival != noArrival {
		out.Arrival = time.UnixMilli(e.arrival).UTC()
	}
	return out
}

// Read implements Documents.
func (d *documents) Read(i int, buf []byte) (place, data []byte, err error) {
	e := &d.list[i]
	n := int(e.size) + int(e.place)
	if buf = buf[:0]; cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := d.log.ReadAt(buf, e.from); err != nil {
		return nil, nil, kcl.GiveUp(fmt.Errorf("reading the documents of a cut: %w", err))
	}
	return buf[e.size:], buf[:e.size:e.size], nil
}

// unindexed is a cut whose documents do not have an outcome each.
type unindexed struct {
	closing  *closing
	outputs  *outputs
	indexing Indexing
}

// unindexed implements contents.
func (o *outputs) unindexed(c *closing) *unindexed {
	if o.documents.len() == 0 {
		return nil
	}
	return &unindexed{closing: c, outputs: o, indexing: c.indexing(o.documents)}
}

// index brings the documents to the index.
func (u *unindexed) index(ctx context.Context) error {
	if err := u.indexing.Run(ctx); err != nil {
		return fmt.Errorf("indexing %d documents: %w", u.outputs.documents.len(), err)
	}
	return nil
}

// note has those that failed become lines of an error object, once.
func (u *unindexed) note() error {
	o := u.outputs
	if o.indexed != nil {
		return nil
	}
	outcome := u.indexing.Outcome()
	failures := outcome.Failed
	if want := int64(o.documents.len()); outcome.Indexed+outcome.Superseded+int64(len(failures)) != want {
		return kcl.GiveUp(fmt.Errorf("%w: %d documents, %d indexed, %d superseded, %d failed", errOutcome, want, outcome.Indexed, outcome.Superseded, len(failures)))
	}
	for i := range failures {
		if i%1000 == 999 { // each is read
			deadline.Beat(u.closing.ctx)
		}
		if err := o.failDocument(u.closing.failedType, &failures[i]); err != nil {
			return err
		}
	}
	o.indexed = &IndexedEvent{
		Documents: outcome.Indexed, Bytes: outcome.IndexedBytes, Superseded: outcome.Superseded, Failed: int64(len(failures)), Requests: outcome.Requests,
	}
	return nil
}

// errOutcome means that an index does not say of each document what became of it.
var errOutcome = errors.New("the outcome of a cut's documents does not add up")

func (u *unindexed) held() BufferedEvent {
	g := &u.closing.gathered
	n, _ := u.outputs.held()
	return BufferedEvent{Records: g.records, Bytes: g.bytes, Held: n + u.indexing.Held(), Freshness: ageOf(g.oldest, time.Now())}
}

func (u *unindexed) release() { u.outputs.release(true, u.closing.sink.log) }

// failDocument has the last lane take the line of a document that could not be indexed.
func (o *outputs) failDocument(failure string, f *DocumentFailure) error {
	if need := o.documents.Document(f.Document).Size + maxPlace; cap(o.scratch) < need {
		o.scratch = make([]byte, need)
	}
	_, data, err := o.documents.Read(f.Document, o.scratch)
	if err != nil {
		return err
	}
	at := o.documents.Document(f.Document).Arrival
	from := o.log.Size()
	line := errorlines.Document{
		Line: errorlines.Line{Data: data, ErrorCode: f.Code, ErrorMessage: f.Message, AttemptsMade: f.Attempts, Arrival: at, Ended: f.Ended},
		ID:   f.ID, Index: f.Index, Type: f.Type, Serverless: f.Serverless,
	}
	if err := o.lines.EncodeDocument(o.log, &line); err != nil {
		return fmt.Errorf("writing an error line: %w", err)
	}
	o.putLine(failure, &kcl.Record{ApproximateArrivalTimestamp: at}, from)
	return nil
}
