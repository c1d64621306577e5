package esarchive

import (
	"context"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

// absorb takes in what became of a request. When Run is over, one that was not
// answered was cut off: nothing was tried.
func (x *indexing) absorb(r *round, q *request, isOver bool) {
	delete(r.flying, q)
	q.ticket.drop()
	now := time.Now()
	switch {
	case q.fault == nil:
		x.answered(r.ctx, q, now)
	case isOver:
		x.cutOff(q, now)
	default:
		x.failed(r.ctx, q, now)
	}
	x.index.giveBack(q)
}

// cutOff puts back the documents of a request that was cut off.
func (x *indexing) cutOff(q *request, now time.Time) {
	if q.probe {
		x.index.circuit.abandoned()
	}
	for _, e := range q.entries {
		x.ledger.anew(e, now)
	}
}

// answered takes in the answers for documents.
func (x *indexing) answered(ctx context.Context, q *request, now time.Time) {
	x.index.circuit.answered(now)
	isEndless := q.isBlocked && x.index.clock.blocked(q.began, now, x.elsewhere())
	if !q.isBlocked {
		x.index.clock.answer(now)
		x.index.clock.took(q.began)
	}
	x.adapt(q)
	clock := x.index.clock.read(now)
	p := x.pauses(ctx)
	var refused int
	var refusal item // the last one
	for i, e := range q.entries {
		it := q.answer.items[i]
		switch q.verdicts[i] {
		case done, superseded:
			x.ledger.indexed(e, q.verdicts[i] == superseded)
		case anew:
			x.index.refuseIDs()
			x.ledger.anew(e, now)
		case hopeless:
			x.ledger.hopeless(e, x.why(it), now)
		case again:
			refused, refusal = refused+1, it
			e.broke, e.share, e.halvings = 0, 0, 0
			x.ledger.retried(e, x.why(it), now, clock, p.after(e.attempts), isEndless)
		}
	}
	x.troubles.refusal(refused, refusal, now)
}

// elsewhere is how long ago the cluster may have taken other documents so that one it does
// not take is no sign of an outage.
func (x *indexing) elsewhere() time.Duration {
	return max(time.Second, min(time.Minute, x.index.s.retry/2))
}

// why says why a document failed: briefly, once what is kept of others is a lot.
func (x *indexing) why(it item) *last {
	return x.reasons.of(it, x.ledger.bytes+x.failures.ids > manyBytes)
}

// failed takes in that a request failed as a whole.
func (x *indexing) failed(ctx context.Context, q *request, now time.Time) {
	f := q.fault
	x.troubles.request(f, len(q.entries), now)
	x.adapt(q)
	isOutage := slices.ContainsFunc(q.entries, func(e entry) bool { return !x.isAlone(&e) })
	x.report(ctx, q, now, isOutage)
	if v := x.index.s.judgeFault(f, len(q.entries)); v != again {
		x.tooLarge(ctx, q, v, now)
		return
	}
	share, isBlind := x.halve(q)
	clock, why, p := x.index.clock.read(now), f.of(), x.pauses(ctx)
	isDelayed := x.index.circuit.delays()
	for _, e := range q.entries {
		isEndless := x.index.s.PauseWhenDown && f.whole() && !x.isAlone(&e)
		var wait time.Duration // the circuit does
		switch {
		case isDelayed:
		case share > 0:
			wait = p.after(0) // it is another request
		default:
			wait = p.after(e.attempts)
		}
		if share > 0 {
			e.share = share
		}
		if isBlind {
			e.halvings++
		}
		if e.broke == 0 {
			e.broke = x.index.clock.since(now)
		}
		x.ledger.retried(e, why, now, clock, wait, isEndless)
	}
}

// isAlone reports whether the cluster took others since the requests of a document began to
// fail as a whole: so that it is no outage.
func (x *indexing) isAlone(e *entry) bool { return x.index.clock.others(e.broke) }

// blindly is how often a request may be halved though none else was answered: that of
// an outage would else be as many requests as it has documents.
const blindly = 4

// halve returns of how many documents the requests are to be that those of a failed one go
// in, as one of them may be what makes it fail; 0 for any number. That is so if others were
// taken meanwhile, and may be so if the cluster is there and the request is not the first.
func (x *indexing) halve(q *request) (share int, isBlind bool) {
	n := len(q.entries)
	if n == 1 || q.fault.rejected {
		return 0, false
	}
	half := (n + 1) / 2
	if slices.ContainsFunc(q.entries, func(e entry) bool { return x.isAlone(&e) }) {
		return half, false
	}
	isAgain := slices.ContainsFunc(q.entries, func(e entry) bool { return e.broke != 0 && e.halvings < blindly })
	if q.fault.down && q.fault.status != http.StatusInternalServerError || !isAgain {
		return 0, false
	}
	return half, true
}

// report tells those who watch over the cluster of a request that failed.
func (x *indexing) report(ctx context.Context, q *request, now time.Time, isOutage bool) {
	switch {
	case q.fault.whole():
		if isOutage {
			x.index.clock.fault(q.began)
		}
		x.index.circuit.failed(ctx, now, q.fault, q.probe)
	case q.fault.status != 0: // it answered, if not for documents
		x.index.clock.answer(now)
		x.index.circuit.answered(now)
	case q.probe:
		x.index.circuit.abandoned()
	}
}

// tooLarge takes in that a request was too large: its documents are sent in smaller ones
// or, if it had one that is hopeless, it has failed.
func (x *indexing) tooLarge(ctx context.Context, q *request, v verdict, now time.Time) {
	if v == hopeless {
		for _, e := range q.entries {
			x.ledger.hopeless(e, q.fault.of(), now)
		}
		return
	}
	limit := x.index.lesson.refused(int64(len(q.body)), now)
	x.in.Logger.Warn("a request was too large, requests become smaller", zap.Int("bytes", len(q.body)), zap.Int64("limit", limit))
	share, due := 0, now
	if int64(len(q.body)) <= limit { // that does not become smaller
		share, due = (len(q.entries)+1)/2, now.Add(x.pauses(ctx).after(0))
	}
	for _, e := range q.entries {
		if share > 0 {
			e.share = share
		}
		x.ledger.anew(e, due)
	}
}

// adapt lets fewer requests be under way when the cluster is too busy, and more when it
// is not.
func (x *indexing) adapt(q *request) {
	switch {
	case q.rejected:
		x.parallel = max(1, x.parallel/2)
	case q.fault == nil:
		x.parallel = min(x.parallel+1, x.index.s.Parallel)
	}
}

// pauses are those before the next tries of the documents of one request: the same for
// documents that have had as many tries, so that they come into a request together again.
type pauses struct {
	ctx   context.Context
	what  string
	drawn [8]time.Duration
}

func (x *indexing) pauses(ctx context.Context) *pauses {
	return &pauses{ctx: ctx, what: "index documents of " + x.in.ShardID}
}

// after returns the pause after so many tries but one.
func (p *pauses) after(attempts int) time.Duration {
	i := min(attempts, len(p.drawn)-1)
	if p.drawn[i] == 0 {
		p.drawn[i] = pause.Around(p.ctx, p.what, min(firstPause<<i, longPause), 0.5)
	}
	return p.drawn[i]
}

// describe makes what is told of the documents that failed.
func (x *indexing) describe(ctx context.Context) error {
	for i, f := range x.ledger.failed {
		if i%1000 == 999 { // each is read
			deadline.Beat(ctx)
		}
		id, err := x.idOf(f)
		if err != nil {
			x.ledger.failed = x.ledger.failed[i:]
			return err
		}
		d := x.ledger.docs.Document(f.document)
		x.failures.add(f, id, x.index.IndexName(x.arrival(&f.entry, d, f.ended)))
	}
	if n := len(x.ledger.failed); n > 0 {
		x.troubles.gaveUp(n, x.ledger.failed[n-1].last, time.Now())
	}
	x.ledger.failed = x.ledger.failed[:0]
	return nil
}

// idOf reads a document once more, for its id; "" if it has none.
func (x *indexing) idOf(f failure) (string, error) {
	if x.index.s.IDs.None {
		return "", nil
	}
	place, data, err := x.read(f.document, x.ledger.docs.Document(f.document).Size)
	switch {
	case err != nil:
		return "", err
	case x.index.s.ownIDs() && !x.index.noIDs.Load():
		return x.actions.before + string(place), nil
	case !x.index.s.ownIDs():
		if text, why := source(data); why == "" {
			t, _ := x.index.s.fields.take(text)
			return string(t.id), nil
		}
	}
	return "", nil
}

// count stores about how much memory is used.
func (x *indexing) count(r *round) {
	const itemBytes = 48 // of an answer
	n := x.ledger.held() + x.failures.held() + int64(cap(x.buf))
	for q := range r.flying {
		n += int64(cap(q.body)) + (entryBytes+itemBytes)*int64(len(q.entries))
	}
	x.memory.Store(n)
}
