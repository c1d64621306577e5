package esarchive

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/shardmill/shardmill/processors"
)

// ledger knows what has become of each document of a cut, and which may be sent next. It
// is pure: times are told to it. Documents that were never sent, and those that are
// done, take no room in it. One goroutine uses it.
type ledger struct {
	docs  processors.Documents
	retry time.Duration

	next     int               // the first document that was never taken
	turns    []turn            // of documents never sent that waited for one of the same id
	open     map[uint64][]turn // ids of fields that have no outcome, with the documents that wait for it
	queued   int               // these documents
	waiting  entries           // for their next try
	underway int               // documents that are in a request

	outcome processors.IndexOutcome // but for Failed
	failed  []failure               // whose lines are not made yet
	bytes   int64                   // of what is kept of failures that may pass

	malformed *last // the latest document's that cannot be sent
}

// entry is a document that is to be sent, or was. Times are those of the clock that
// counts for RetryDuration, but due.
type entry struct {
	document int
	attempts int
	began    time.Duration // its time
	due      time.Time     // the next try
	first    int64         // wall clock of the first try, in nanoseconds; 0 before
	id       uint64        // digest of an id of a field, if owner
	owner    bool          // of the id: no other document of it is sent
	queued   bool          // it waited for another of its id, since began
	free     bool          // the next try is made whatever the time is
	broke    time.Duration // when its request failed as a whole, the first time since it was answered for; see clock.since
	share    int           // it goes with at most so many, which have one too; 0 for any number
	halvings int           // of its requests, though none else was answered
	last     *last         // try; nil before
}

// turn is that of a document to be sent once no other of its id is any more, for which it
// has waited since a time.
type turn struct {
	document int
	id       uint64
	since    time.Duration
}

// failure is a document that failed for good.
type failure struct {
	entry
	ended time.Time
}

const (
	entryBytes   = 144 // about, in memory
	turnBytes    = 24
	failureBytes = 256
	manyBytes    = 16 << 20 // of messages, from which on they are kept brief

	// lastTry is how long before the end of its time a document is tried once more, so
	// that the try begins before it.
	lastTry = 250 * time.Millisecond
)

// entries is a heap: what is due first, and of these the first document.
type entries []entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].before(&e[j]) }
func (e entries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *entries) Push(x any)        { *e = append(*e, x.(entry)) } //nolint:forcetypeassert // of heap, for us

func (e *entries) Pop() any {
	old := *e
	x := old[len(old)-1]
	old[len(old)-1] = entry{}
	*e = old[:len(old)-1]
	return x
}

func (e *entry) before(o *entry) bool {
	return cmp.Or(e.due.Compare(o.due), cmp.Compare(e.document, o.document)) < 0
}

func newLedger(docs processors.Documents, retry time.Duration) *ledger {
	return &ledger{docs: docs, retry: retry, open: map[uint64][]turn{}}
}

// done reports whether each document has an outcome.
func (l *ledger) done() bool {
	return l.underway == 0 && len(l.waiting) == 0 && len(l.turns) == 0 && l.next == l.docs.Len()
}

// untried reports whether there are documents that were never sent and may be.
func (l *ledger) untried() bool { return len(l.turns) > 0 || l.next < l.docs.Len() }

// peek returns the document that is to be sent next, if one may be at that time: those that
// are to be tried again come first, unless only untried ones count.
func (l *ledger) peek(now time.Time, untried bool) (entry, bool) {
	switch {
	case !untried && len(l.waiting) > 0 && !l.waiting[0].due.After(now):
		return l.waiting[0], true
	case len(l.turns) > 0:
		t := l.turns[0]
		return entry{document: t.document, id: t.id, owner: true, queued: true, began: t.since}, true
	case l.next < l.docs.Len():
		return entry{document: l.next}, true
	}
	return entry{}, false
}

// take removes the document that peek returned. It is in a request then, until one of the
// other methods says what became of it.
func (l *ledger) take(e entry) {
	switch {
	case e.first != 0 && len(l.waiting) > 0 && l.waiting[0].document == e.document:
		heap.Pop(&l.waiting)
	case len(l.turns) > 0 && l.turns[0].document == e.document:
		l.turns = l.turns[1:]
	default:
		l.next++
	}
	l.underway++
}

// want returns about how many bytes a request has that is filled now, at most limit
// unless the next document is larger; 0 for none. room is what a document needs beside
// its data.
func (l *ledger) want(now time.Time, untried bool, limit, room int64) int64 {
	e, ok := l.peek(now, untried)
	if !ok {
		return 0
	}
	n := int64(l.docs.Document(e.document).Size) + room
	first := n
	for _, w := range l.waiting {
		if n >= limit || untried {
			break
		}
		if !w.due.After(now) && w.document != e.document {
			n += int64(l.docs.Document(w.document).Size) + room
		}
	}
	for _, t := range l.turns {
		if n >= limit {
			break
		}
		n += int64(l.docs.Document(t.document).Size) + room
	}
	for d := l.next; d < l.docs.Len() && n < limit; d++ {
		n += int64(l.docs.Document(d).Size) + room
	}
	return max(first, min(n, limit))
}

// expired reports whether the time of a document is over, so that it is not tried any more.
func (l *ledger) expired(e *entry, clock time.Duration) bool {
	return e.attempts > 0 && !e.free && clock-e.began >= l.retry
}

// expire gives up the waiting documents whose time is over.
func (l *ledger) expire(now time.Time, clock time.Duration) {
	if !slices.ContainsFunc(l.waiting, func(e entry) bool { return l.expired(&e, clock) }) {
		return
	}
	kept := l.waiting[:0]
	for _, e := range l.waiting {
		if l.expired(&e, clock) {
			l.underway++
			l.fail(e, now)
		} else {
			kept = append(kept, e)
		}
	}
	clear(l.waiting[len(kept):])
	l.waiting = kept
	heap.Init(&l.waiting)
}

// claim reports whether a document whose id has that digest may be sent: none before it
// with that id is without an outcome. Else it is put aside until then, and its time begins:
// or else each of many that are refused would hold up the shard for RetryDuration.
func (l *ledger) claim(e *entry, id uint64, clock time.Duration) bool {
	queue, isOpen := l.open[id]
	if isOpen && !e.owner {
		l.open[id] = append(queue, turn{e.document, id, clock})
		l.queued++
		l.underway--
		return false
	}
	if !isOpen {
		l.open[id] = nil
	}
	e.id, e.owner = id, true
	return true
}

// release lets the next document with the id of one be sent.
func (l *ledger) release(e *entry) {
	if !e.owner {
		return
	}
	queue := l.open[e.id]
	if len(queue) == 0 {
		delete(l.open, e.id)
		return
	}
	l.turns = append(l.turns, queue[0])
	l.open[e.id] = queue[1:]
	l.queued--
}

// end ends the way of a document that was taken.
func (l *ledger) end(e *entry) {
	l.underway--
	l.release(e)
	l.forget(e)
}

// forget takes off what is kept of a document's last try.
func (l *ledger) forget(e *entry) {
	if e.last != nil && !e.last.shared {
		l.bytes -= int64(len(e.last.message))
	}
	e.last = nil
}

// indexed notes that a document is in the index, or a later version of it.
func (l *ledger) indexed(e entry, isSuperseded bool) {
	l.end(&e)
	if isSuperseded {
		l.outcome.Superseded++
		return
	}
	l.outcome.Indexed++
	l.outcome.IndexedBytes += int64(l.docs.Document(e.document).Size)
}

// fail gives a document up, whose last try is known.
func (l *ledger) fail(e entry, now time.Time) {
	why := e.last
	l.end(&e)
	e.last = why
	l.failed = append(l.failed, failure{e, now})
}

// refuse gives up a document that cannot be sent.
func (l *ledger) refuse(e entry, why string, now time.Time) {
	if l.malformed == nil || l.malformed.message != why {
		l.malformed = &last{code: malformed, message: why, shared: true}
	}
	e.last = l.malformed
	l.fail(e, now)
}

// retried notes that a try of a document failed, and has it tried again after the pause
// if its time allows that. Else it has failed.
func (l *ledger) retried(e entry, why *last, now time.Time, clock, pause time.Duration, isEndless bool) {
	l.setLast(&e, why)
	e.attempts++
	e.free = isEndless
	left := l.retry - max(0, clock-e.began)
	switch {
	case isEndless:
	case left <= 0:
		l.fail(e, now)
		return
	case left > lastTry:
		pause = min(pause, left-lastTry)
	default:
		pause = left // it is given up then, but not before
	}
	l.wait(e, now.Add(pause))
}

// hopeless notes that a try of a document failed for good.
func (l *ledger) hopeless(e entry, why *last, now time.Time) {
	l.setLast(&e, why)
	e.attempts++
	l.fail(e, now)
}

// anew has a document sent again when it is due, as if it had not been.
func (l *ledger) anew(e entry, due time.Time) {
	e.free = true
	l.wait(e, due)
}

func (l *ledger) wait(e entry, due time.Time) {
	e.due = due
	l.underway--
	heap.Push(&l.waiting, e)
}

func (l *ledger) setLast(e *entry, why *last) {
	l.forget(e)
	e.last = why
	if !why.shared {
		l.bytes += int64(len(why.message))
	}
}

// soonest returns when the next try is due of those that wait; zero for none.
func (l *ledger) soonest() time.Time {
	if len(l.waiting) == 0 {
		return time.Time{}
	}
	return l.waiting[0].due
}

// held is about how many bytes it has in memory.
func (l *ledger) held() int64 {
	return l.bytes + entryBytes*int64(len(l.waiting)) + turnBytes*int64(len(l.turns)+l.queued) + 64*int64(len(l.open)) + failureBytes*int64(len(l.failed))
}
