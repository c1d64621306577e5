package sim_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// retention is for how long the stream keeps records, by its own clock.
const retention = 24 * time.Hour

// planTrims lets records expire in some worlds: as if everything but the stream
// had been suspended for about a day, clocks and all. A Java worker jumps over
// expired records without a word, so there it is of no use.
func (s *scenario) planTrims() {
	d := dice(s.seed)
	if s.kind == awsWorld || s.java || d.below(5, "trims", 0) > 0 {
		return
	}
	ends := slices.DeleteFunc(slices.Clone(s.incidents), func(i incident) bool {
		return i.what != stalls && i.what != crash && i.what != restart && i.what != twin
	})
	for n := range int64(1 + d.below(4, "how many trims", 0)) {
		i := incident{at: d.upTo(s.trouble, "trim", n), span: d.upTo(3*time.Second, "kept", n), slot: -1, what: trim}
		if d.below(2, "kept longer", n) == 0 {
			i.span *= 30
		}
		if len(ends) > 0 && d.below(2, "trim follows", n) == 0 {
			end := ends[d.below(len(ends), "what trim follows", n)].at
			s.leaveUnfinished(end, n)
			i.at = min(s.trouble, end+d.upTo(15*time.Second, "trim after", n))
		}
		s.incidents = append(s.incidents, i)
	}
}

// leaveUnfinished sees to it that objects and closed shards are unfinished when
// a machine ends.
func (s *scenario) leaveUnfinished(end time.Duration, n int64) {
	s.incidents = append(s.incidents, incident{
		at: max(0, end-20*time.Second), span: min(40*time.Second, s.trouble-end), slot: -1, what: sinkDown, chance: 1,
	})
	if d := dice(s.seed); d.below(2, "split with trim", n) == 0 {
		at := max(0, end-5*time.Second) + d.upTo(10*time.Second, "split by trim", n)
		s.incidents = append(s.incidents, incident{at: at, slot: -1, what: split})
	}
}

func (s *scenario) trims() bool {
	return slices.ContainsFunc(s.incidents, func(i incident) bool { return i.what == trim })
}

// clock is what the stream's clock shows at a time.
func (w *world) clock(t time.Time) time.Time {
	shows := t
	for _, i := range w.incidents {
		if i.what == trim && !w.begun.Add(i.at).After(t) {
			shows = shows.Add(retention - i.span)
		}
	}
	return shows
}

// expired reports whether what was put at a time is not there any more.
func (w *world) expired(put time.Time) bool {
	return w.clock(time.Now()).Sub(w.clock(put)) > retention
}

// vanished reports whether a shard is closed and all of it has expired: then
// the stream does not list it any more.
func (p *model) vanished(shardID string) bool {
	p.mu.Lock()
	at, closed := p.closed[shardID]
	p.mu.Unlock()
	return closed && p.w.expired(at)
}

func (p *model) closes(shards ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range shards {
		p.closed[p.stream.Shard(n).ID] = time.Now()
	}
}

// expire lets the records of a shard expire whose time has come, right before a
// read. The read fails if it cannot go on where the one before it ended.
func (r *modelReader) expire() error {
	p := r.p
	if !p.w.trims() {
		return nil
	}
	if p.vanished(r.shardID) {
		return kcl.ErrShardNotFound
	}
	all := p.stream.Records(number(r.shardID))
	gone := 0
	for gone < len(all) && p.w.expired(all[gone].ApproximateArrivalTimestamp) {
		gone++
	}
	p.stream.Trim(number(r.shardID), gone)
	if r.last.IsZero() || gone == 0 {
		return nil
	}
	overtaken := all[gone-1].Position().Compare(r.last)
	// An iterator that is renewed when the last record has expired cannot show
	// that nothing is missing after it.
	if overtaken > 0 || overtaken == 0 && gone < len(all) && r.m.throw("iterator renewed") < 0.3 {
		p.w.count("readers that were overtaken by the trim horizon")
		return kcl.ErrTrimmed
	}
	return nil
}

// stamp gives a page the times of the stream's clock.
func (r *modelReader) stamp(page *kcl.Page) {
	page.At = r.p.w.clock(page.At)
	for i := range page.Records {
		at := &page.Records[i].ApproximateArrivalTimestamp
		*at = r.p.w.clock(*at)
		r.last = page.Records[i].Position().ExtendedSequenceNumber
	}
}

// excuse says why a record that is in no processor's hands may be lost.
type excuse struct {
	gap   bool   // it lies in a gap that was told
	stale bool   // the same, by a machine whose clock stands still: it may be delivered by the lease's holder
	key   string // it was told missing from this object
	blind bool   // it expired before the first read of a lease without a checkpoint: nobody can know of it
}

// between returns the records of a shard from one place to another, both left
// out; a place that is no record's is open.
func (p *model) between(shardID string, after, before checkpoint.ExtendedSequenceNumber) (out []kcl.Record) {
	for _, r := range p.stream.Records(number(shardID)) {
		at := r.Position()
		if (!after.IsRecord() || at.Compare(after) > 0) && (!before.IsRecord() || at.Compare(before) < 0) {
			out = append(out, r)
		}
	}
	return out
}

// excuses notes that records may be lost, which must have expired, and returns
// how many there are.
func (w *world) excuses(who string, records []kcl.Record, why excuse) (n int) {
	for _, r := range records {
		if !w.expired(r.ApproximateArrivalTimestamp) {
			w.violate("%s that record %s is lost, which has not expired", who, r.Data)
			return n
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range records {
		old := w.excused[string(r.Data)]
		if why.key == "" || !old.gap && !old.stale {
			n++
		}
		w.excused[string(r.Data)] = excuse{old.gap || why.gap, old.stale || why.stale, max(old.key, why.key), old.blind || why.blind}
	}
	return n
}

// gap is told of records that expired before they were read.
func (w *world) gap(m *machine, e kcl.LossEvent) {
	p, ok := w.parts.(*model)
	if !ok || !w.trims() {
		w.violate("%s reports records of %s lost", m.name, e.ShardID)
		return
	}
	if m.isDead() {
		return // nobody hears it
	}
	w.note("%s tells a gap in %s from %v to %v", m.name, short(e.ShardID), e.After, e.Before)
	if e.After.IsRecord() {
		at := slices.IndexFunc(p.stream.Records(number(e.ShardID)), func(r kcl.Record) bool { return r.SequenceNumber == e.After.SequenceNumber })
		if put := p.stream.Records(number(e.ShardID))[at].ApproximateArrivalTimestamp; !w.expired(put) {
			w.violate("%s tells a gap in %s after %v, which has not expired", m.name, short(e.ShardID), e.After)
		}
	}
	lost := p.between(e.ShardID, e.After.ExtendedSequenceNumber, e.Before.ExtendedSequenceNumber)
	w.count("gaps told")
	if w.excuses(m.name+" tells", lost, excuse{gap: !m.frozen, stale: m.frozen}) == 0 {
		w.count("gaps told that are empty")
	}
}

// shortObject is told of an object that an archiver finished for another one,
// and whose records had expired.
func (w *world) shortObject(m *machine, e processors.RecordsLostEvent) {
	p, ok := w.parts.(*model)
	if !ok || !w.trims() {
		w.violate("%s reports %d records of %s lost", m.name, e.Lost, e.ShardID)
		return
	}
	if m.isDead() {
		return
	}
	w.note("%s tells that an object of %s lacks %d records, from %v to %v", m.name, short(e.ShardID), e.Lost, e.From, e.To)
	lost := p.between(e.ShardID, checkpoint.ExtendedSequenceNumber{}, e.To)
	lost = slices.DeleteFunc(lost, func(r kcl.Record) bool {
		return r.Position().Compare(e.From) < 0 || r.Position().Compare(e.Last) > 0
	})
	w.count("objects told short")
	if n := w.excuses(m.name+" tells", lost, excuse{key: e.Key}); int64(n) != e.Lost || n == 0 {
		w.violate("%s tells that an object of %s lacks %d records from %v to %v, and %d are missing", m.name, short(e.ShardID), e.Lost, e.From, e.To, n)
	}
}

// blind is whether a session can know what is missing before its first record:
// not if its lease had no checkpoint.
type blind struct {
	m     *machine
	shard string
	is    bool
}

// sees is told of each batch, and of the end of the shard.
func (b *blind) sees(records []kcl.Record) {
	p, ok := b.m.w.parts.(*model)
	if !ok || !b.is || !b.m.w.trims() || b.m.isDead() {
		return
	}
	b.is = false
	var first checkpoint.ExtendedSequenceNumber
	if len(records) > 0 {
		first = records[0].Position().ExtendedSequenceNumber
	}
	b.m.w.excuses(b.m.name+" sees", p.between(b.shard, checkpoint.ExtendedSequenceNumber{}, first), excuse{blind: true})
}

// mayBeLost reports whether a record may be missing.
func (w *world) mayBeLost(shardID, record string) bool {
	if !w.trims() {
		return false
	}
	w.mu.Lock()
	_, excused := w.excused[record]
	w.mu.Unlock()
	return excused || w.unleased(shardID)
}

// unleased reports whether a shard vanished before it had a lease: no worker
// ever heard of it.
func (w *world) unleased(shardID string) bool {
	p, ok := w.parts.(*model)
	w.mu.Lock()
	_, leased := w.at[shardID]
	w.mu.Unlock()
	return ok && !leased && p.vanished(shardID)
}

// countLosses counts the records that nobody has in the end, by who told it.
func (w *world) countLosses(shardID string) {
	done := w.parts.done(shardID)
	for _, r := range w.parts.records(shardID) {
		if done[r] {
			continue
		}
		why := w.excused[r]
		w.count("records expired")
		switch {
		case why.gap || why.stale || why.key != "":
			w.count("records expired, and told")
		case why.blind:
			w.count("records expired before a lease without a checkpoint was read")
		case w.unleased(shardID):
			w.count("records expired with their shard before it had a lease")
		}
	}
}

// toldRightly checks that no record that was told lost is delivered, but by a
// put that was late: of the object that was told short.
func (w *world) toldRightly(record string, keys []string) {
	why := w.excused[record]
	switch {
	case len(keys) == 0 || !why.gap && why.key == "":
	case why.gap && w.mayAwait(): // its checkpoint had waited for the load for as long as records are kept, and the lease changed hands
		w.count("records told lost while their load was awaited")
	case why.gap:
		w.violate("record %s was told lost in a gap, and is in an object", record)
	case !slices.Contains(keys, why.key):
		w.violate("record %s was told missing from an object, and is in another one", record)
	default:
		w.count("records told missing that a late put has brought")
	}
}

// lossesIn says what became of what expired.
func lossesIn(counts map[string]int) string {
	return fmt.Sprintf("%d records expired unread, %d of them told", counts["records expired"], counts["records expired, and told"])
}
