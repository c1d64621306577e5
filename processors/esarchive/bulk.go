package esarchive

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/processors"
)

// request is a bulk request, and its answer. One goroutine at a time has it.
type request struct {
	body    []byte
	entries []entry // the documents, in order
	bytes   int64   // of their data
	hasIDs  bool    // own ones
	probe   bool
	ticket  *ticket
	limit   int64 // that the cluster says it has for bodies; 0 if it does not
	share   int   // it has at most so many documents; 0 for any number

	began    time.Time
	answer   answer
	verdicts []verdict
	rejected bool // some or all documents, with 429
	// isBlocked means that the cluster took no document, by its own state.
	isBlocked bool
	fault     *fault
	isLost    bool // what was called for it did not return
}

// take returns a request without documents.
func (x *Index) take() *request {
	r, _ := x.pool.Get().(*request)
	return r
}

// giveBack gives back the memory of a request, unless it is large, or may be in use.
func (x *Index) giveBack(r *request) {
	if cap(r.body) > maxKept || r.isLost {
		return
	}
	clear(r.entries)
	*r = request{body: r.body[:0], entries: r.entries[:0], verdicts: r.verdicts[:0]}
	x.pool.Put(r)
}

// send makes the request and judges its answer. It ends with ctx. Whatever happens
// within, such as a panic, is not taken for success.
func (x *indexing) send(ctx context.Context, r *request) {
	r.isLost, r.fault = true, &fault{code: codeInternal, message: "the client, or a hook, ended its goroutine"}
	defer func() {
		if v := recover(); v != nil {
			r.fault = &fault{code: codeInternal, message: "the client, or a hook, panicked"}
			x.in.Logger.Error("a request panicked", zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
		}
	}()
	var f *fault
	r.answer, f = x.index.r.bulk(ctx, r.body, len(r.entries))
	f = r.checked(f)
	e := x.event(r, f)
	if f == nil {
		x.judge(r, &e)
	} else if ctx.Err() != nil {
		e.Err = fmt.Errorf("%w: %w", context.Cause(ctx), e.Err)
	}
	x.in.Tried(e)
	r.isLost, r.fault, r.rejected = false, f, e.Rejected
}

// checked returns the fault of an answered request, which may be one of another kind than
// it seems: a node may close the connection while it is sent what is larger than its
// limit, and that is no sign of a cluster that is down.
func (r *request) checked(f *fault) *fault {
	switch {
	case f == nil && len(r.answer.items) != len(r.entries):
		return &fault{
			code: codeMismatch, status: http.StatusOK, mismatch: true,
			message: fmt.Sprintf("the answer is for %d documents, and %d were sent", len(r.answer.items), len(r.entries)),
		}
	case f != nil && f.code == codeReset && r.limit > 0 && int64(len(r.body)) > r.limit:
		return &fault{
			code: "413", tooLarge: true,
			message: fmt.Sprintf("the request has %d bytes, the cluster's http.max_content_length is %d, and: %s", len(r.body), r.limit, f.message),
		}
	}
	return f
}

// event describes a request that has ended.
func (x *indexing) event(r *request, f *fault) processors.BulkEvent {
	e := processors.BulkEvent{
		ShardID: x.in.ShardID, Documents: int64(len(r.entries)), Bytes: r.bytes,
		Duration: time.Since(r.began), Status: http.StatusOK,
	}
	if f != nil {
		e.Failed, e.Status, e.Err = e.Documents, f.status, f.err()
		e.AuthFailure, e.Rejected = f.auth, f.rejected
	}
	return e
}

// judge stores what follows from the answer for each document, and counts.
func (x *indexing) judge(r *request, e *processors.BulkEvent) {
	r.isBlocked = true
	for _, it := range r.answer.items {
		r.isBlocked = r.isBlocked && it.isBlocked()
		v := x.index.s.judge(it, r.hasIDs)
		r.verdicts = append(r.verdicts, v)
		switch v {
		case done:
			e.Indexed++
		case superseded:
			e.Superseded++
		default:
			e.Failed++
			e.Rejected = e.Rejected || it.status == http.StatusTooManyRequests
			e.AuthFailure = e.AuthFailure || it.isAuth()
		}
	}
	e.Blocked = r.isBlocked
}

// errUnread means that a document cannot be read any more.
var errUnread = errors.New("what was gathered cannot be read")

// fill puts documents into a request, up to limit bytes unless the first one is larger.
// Those that cannot be sent fail at once.
func (x *indexing) fill(r *request, now time.Time, untried bool, limit int64) error {
	l := x.ledger
	clock := x.index.clock.read(now)
	for {
		e, ok := l.peek(now, untried)
		if !ok {
			return nil
		}
		size := l.docs.Document(e.document).Size
		if !r.fits(&e) || len(r.entries) > 0 && int64(len(r.body)+size) > limit || int64(size)+x.actions.room() > r.ticket.bytes && len(r.entries) == 0 {
			return nil
		}
		if l.expired(&e, clock) {
			l.take(e)
			l.fail(e, now)
			continue
		}
		before := len(r.body)
		id, why, err := x.compose(r, &e, now)
		switch {
		case err != nil:
			return err
		case why != "":
			l.take(e)
			l.refuse(e, why, now)
			continue
		case len(r.entries) > 0 && int64(len(r.body)) > limit:
			r.body = r.body[:before]
			return nil
		}
		l.take(e)
		if id != 0 && !l.claim(&e, id, clock) {
			r.body = r.body[:before]
			continue
		}
		x.begin(&e, now, clock)
		r.add(e)
		r.bytes += int64(size)
	}
}

// fits reports whether a request may have a document beside those that it has: one of a
// request that was halved goes with others of such requests alone.
func (r *request) fits(e *entry) bool {
	n := len(r.entries)
	return n == 0 || (r.share == 0) == (e.share == 0) && (r.share == 0 || n < min(r.share, e.share))
}

func (r *request) add(e entry) {
	r.entries = append(r.entries, e)
	if r.share = e.share; len(r.entries) > 1 {
		r.share = min(r.share, r.entries[0].share)
	}
}

// begin notes that a document is about to be sent. Its time may have begun before, if it
// was held back.
func (x *indexing) begin(e *entry, now time.Time, clock time.Duration) {
	if e.first != 0 {
		return
	}
	if x.opening != 0 {
		clock = min(clock, x.held)
	}
	if e.queued {
		clock = min(clock, e.began)
	}
	e.first, e.began = now.UnixNano(), clock
}

// compose adds the lines of a document to the body: id is the digest of the id of a field,
// if the order of those that have it counts, and why says what makes the document one that
// is never sent.
func (x *indexing) compose(r *request, e *entry, now time.Time) (id uint64, why string, err error) {
	d := x.ledger.docs.Document(e.document)
	place, data, err := x.read(e.document, d.Size)
	if err != nil {
		return 0, "", err
	}
	text, why := source(data)
	if why != "" {
		return 0, why, nil
	}
	t, why := x.index.s.fields.take(text)
	if why != "" {
		return 0, why, nil
	}
	if !r.hasIDs {
		place = nil
	}
	r.body = x.actions.appendLine(r.body, x.arrival(e, d, now), place, t)
	r.body = append(append(r.body, text...), '\n')
	if t.id != nil && t.version == nil {
		id = x.digest(t.id)
	}
	return id, "", nil
}

// read reads a document into the memory that all are read into, one after the other.
func (x *indexing) read(document, size int) (place, data []byte, err error) {
	const maxPlace = 128
	if cap(x.buf) < size+maxPlace {
		x.buf = make([]byte, 0, size+size/4+maxPlace)
	}
	place, data, err = x.ledger.docs.Read(document, x.buf[:0])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	return place, data, nil
}

// arrival is the time that names the index of a document: that of its record or, if that
// is unknown, of its first try.
func (x *indexing) arrival(e *entry, d processors.Document, now time.Time) time.Time {
	switch {
	case !d.Arrival.IsZero():
		return d.Arrival
	case e.first != 0:
		return time.Unix(0, e.first)
	default:
		return now
	}
}
