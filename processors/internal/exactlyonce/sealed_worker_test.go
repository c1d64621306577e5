package exactlyonce_test

import (
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// work is what a worker does of its own.
func (m *sealedModel) work(s sealedState, who uint8) {
	w := s.worker(who)
	switch w.at {
	case away:
		m.take(s, who)
	case reads:
		m.read(s, who)
	case fetches:
		m.fetch(s, who)
	default:
		m.cut(s, who)
	}
	if m.behind && w.at >= seals && w.at <= commits && (!w.successor || w.cut.announced || m.readsEarly) {
		m.fill(s, who)
	}
}

// cut makes the next step of a closed cut.
func (m *sealedModel) cut(s sealedState, who uint8) {
	at := s.worker(who).at
	switch exactlyonce.Next(exactlyonce.Progress{
		Planned: true, Bundled: true, Sealed: at > seals, Prepared: at > prepares, Published: at > publishes,
		Loading: at == announces || at == awaits, Announced: at > announces, Loaded: at > awaits,
	}) {
	case exactlyonce.Bulk: // it has no documents
	case exactlyonce.Seal:
		m.seal(s, who)
		if m.prepareFirst {
			m.prepare(s, who)
		}
	case exactlyonce.Prepare:
		m.prepare(s, who)
		if m.publishFirst {
			m.publish(s, who)
		}
	case exactlyonce.Publish:
		m.publish(s, who)
	case exactlyonce.Announce:
		m.announce(s, who)
	case exactlyonce.Await:
		m.await(s, who)
	case exactlyonce.Commit:
		m.commit(s, who)
	}
}

func (m *sealedModel) take(s sealedState, who uint8) {
	if s.takes == 0 || s.row.done >= m.records || s.row.counter == 0 && who == 2 {
		return
	}
	s.takes--
	seen := held{s.row.owner, s.row.instance, s.row.counter, s.row.switches}
	a := m.rows.ask(question{write: take, row: s.row, held: seen, who: who})
	if !a.ok {
		return
	}
	s.row = a.row
	w := s.worker(who)
	*w = sealedWorker{at: reads, counter: a.row.counter, done: a.row.done, read: a.row.done, mark: a.row.done}
	if m.rows.judge(a.row) == exactlyonce.Redo {
		w.at, w.cut, w.successor = fetches, a.row.plan, true
	}
	if w.cut.announced && !m.putsAgain {
		w.at = awaits
		if !m.forgetsMark {
			w.mark = w.cut.last
		}
	}
	m.to(s, step{who: who, does: "takes the lease", key: a.row.plan.key})
}

// fetch is what a successor does with the bundle of a plan.
func (m *sealedModel) fetch(s sealedState, who uint8) {
	w := s.worker(who)
	at := w.cut.key - 1
	there := s.objects[at][0] + s.objects[at][1]
	switch {
	case m.redraws:
		m.split(w.cut.whole, func(fine, failed bag) {
			t := s
			w := t.worker(who)
			w.at, w.body = publishes, [2]bag{fine, failed}
			m.settle(w)
			m.to(t, step{who: who, does: told("makes again", failed), key: w.cut.key, body: w.cut.whole})
		})
	case s.bundles[at] != [2]bag{}:
		w.at, w.body = publishes, s.bundles[at]
		m.reached[carriedOn] = true
		for slot, o := range s.objects[at] { // HEAD of each
			if o != 0 {
				w.stored |= 1 << slot
				m.reached[foundSome] = true
			}
		}
		if s.markers&bit(w.cut.key) != 0 {
			w.stored |= markerBit
		}
		m.settle(w)
		m.to(s, step{who: who, does: "gets the bundle of", key: w.cut.key})
	case there == w.cut.whole && !m.manyKeys && m.isMarked(s, w.cut.key) || m.believing: // by HEAD of the keys in the plan
		m.reached[allThere] = true
		if w.at = commits; m.onLoad && s.objects[at][0] != 0 {
			w.at = announces
		}
		m.to(s, step{who: who, does: "finds no bundle, but the objects of", key: w.cut.key})
	default:
		m.giveUp(s, who)
	}
}

// giveUp clears a plan whose bundle is lost: its records are delivered again.
func (m *sealedModel) giveUp(s sealedState, who uint8) {
	w := s.worker(who)
	key := w.cut.key
	a := m.rows.ask(question{write: commit, row: s.row, held: m.holds(s, who), last: w.done, who: who})
	if !a.ok {
		m.lose(s, who)
		return
	}
	bad := ""
	if s.gone&bit(key) == 0 {
		bad = "BROKEN: nobody else removed the bundle of a pending plan"
	}
	m.reached[gaveUpOnce] = true
	s.row, s.broken = a.row, true
	*w = sealedWorker{at: reads, counter: a.row.counter, done: w.done, read: w.done, mark: w.done}
	m.next = append(m.next, next[sealedState]{s, step{who: who, does: "tells that exactly once is broken, and clears the plan of", key: key}, bad})
}

func (m *sealedModel) lose(s sealedState, who uint8) {
	m.reached[leaseLost] = true
	*s.worker(who) = sealedWorker{}
	m.to(s, step{who: who, does: "finds that its lease is lost"})
}

// fill reads on while a cut is under way.
func (m *sealedModel) fill(s sealedState, who uint8) {
	for last := s.worker(who).read + 1; last <= m.records; last++ {
		t := s
		w := t.worker(who)
		w.ahead = gather(w.ahead, max(w.mark, w.ahead.last()), w.read, last, t.expired, &t.reported)
		w.read = last
		m.reached[filledBehind] = true
		m.to(t, step{who: who, does: "reads on up to", n: last})
	}
}

// read closes a cut of what was read already, or after a batch more.
func (m *sealedModel) read(s sealedState, who uint8) {
	w := *s.worker(who)
	for last := w.read; last <= m.records; last++ {
		t := s
		body := gather(w.ahead, max(w.mark, w.ahead.last()), w.read, last, t.expired, &t.reported)
		t.worker(who).read = last
		if body != 0 {
			m.close(t, who, body)
		} else if last > w.read {
			m.to(t, step{who: who, does: "reads nothing new up to", n: last})
		}
	}
	for from := uint8(0); s.redeliveries > 0 && from < w.read; from++ {
		t := s
		t.redeliveries--
		t.worker(who).read = from
		m.to(t, step{who: who, does: "is given again what is after", n: from})
	}
}

func (m *sealedModel) close(s sealedState, who uint8, body bag) {
	key := s.newKey()
	if key == 0 {
		m.full = true
		return
	}
	m.split(body, func(fine, failed bag) {
		t := s
		w := t.worker(who)
		w.at, w.ahead, w.body, w.mark = seals, 0, [2]bag{fine, failed}, max(w.mark, body.last())
		w.stored, w.under, w.successor = 0, 0, false
		w.cut = planned{key: key, after: w.done, last: body.last(), whole: body}
		m.to(t, step{who: who, does: told("closes the cut", failed), key: key, body: body})
	})
}

// split calls f with what a transform may make of a body: its first record fails, or
// none does.
func (m *sealedModel) split(body bag, f func(fine, failed bag)) {
	first := body & -body & 0x15
	f(body&^first, first)
	if m.redraws || m.impure {
		f(body, 0)
	}
}

// seal puts the bundle, or first its parts and then what completes them.
func (m *sealedModel) seal(s sealedState, who uint8) {
	w := s.worker(who)
	r := sealedRequest{does: putBundle, key: w.cut.key, body: w.body, by: who}
	if w.under&bundleBit != 0 {
		m.hangUp(s, who, bundleBit)
		return
	}
	if m.parts && s.uploads&bit(w.cut.key) == 0 {
		r.does, r.body = putParts, [2]bag{}
	}
	m.send(s, r, bundleBit)
}

// hangUp gives a request up that goes on.
func (m *sealedModel) hangUp(s sealedState, who, mask uint8) {
	if s.lost > 0 {
		s.lost--
		s.worker(who).under &^= mask
		m.to(s, step{who: who, does: "gives a put up that is still under way"})
	}
}

// publish puts objects side by side.
func (m *sealedModel) publish(s sealedState, who uint8) {
	w := *s.worker(who)
	for slot := range uint8(2) {
		switch mask := uint8(1) << slot; {
		case w.under&mask != 0:
			m.hangUp(s, who, mask)
		case w.stored&mask == 0 && w.body[slot] != 0:
			m.send(s, sealedRequest{does: putObject, key: w.cut.key, slot: slot, body: [2]bag{w.body[slot]}, by: who}, mask)
		}
	}
	if m.marks && w.body[0] != 0 {
		m.mark(s, who)
	}
}

func (m *sealedModel) prepare(s sealedState, who uint8) {
	w := *s.worker(who)
	w.at = publishes
	m.settle(&w)
	m.write(s, question{write: prepare, row: s.row, held: m.holds(s, who), plan: w.cut, who: who}, w, "prepares")
}

func (m *sealedModel) commit(s sealedState, who uint8) {
	w := *s.worker(who)
	done := sealedWorker{
		at: reads, done: w.cut.last, read: max(w.read, w.cut.last), mark: w.cut.last,
		ahead: w.ahead, listed: w.listed, dead: w.dead,
	}
	if m.deletes && !w.cut.announced {
		done.dead |= bit(w.cut.key)
	}
	if w.successor {
		done.read = w.read
	}
	m.write(s, question{write: commit, row: s.row, held: m.holds(s, who), last: w.cut.last, who: who}, done, "commits")
}

// write makes a conditional write of the row; the answer may be lost, and the same
// write is then made again. When it succeeded, what was listed before was listed by
// the holder.
func (m *sealedModel) write(s sealedState, q question, done sealedWorker, does string) {
	a := m.rows.ask(q)
	if !a.ok {
		m.lose(s, q.who)
		return
	}
	t := s
	t.row = a.row
	if s.lost > 0 && a.row != s.row {
		t.lost--
		m.to(t, step{who: q.who, does: "(the answer is lost) " + does})
		t.lost++
	}
	done.counter = a.row.counter
	done.dead, done.listed = done.dead|done.listed, 0
	*t.worker(q.who) = done
	m.to(t, step{who: q.who, does: does})
}
