package exactlyonce_test

import (
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// look is a successor's HEAD of the plan's object.
func (m *model) look(s state, who uint8) {
	w := s.worker(who)
	if m.unreadPlan || m.holds(s, w.cut, 0) == exactlyonce.KeyOurs {
		m.reached[found] = true
		w.at, w.slot = cutting, 2
		m.to(s, step{who: who, does: "finds the object of", key: w.cut.key})
		return
	}
	w.at = reading
	m.to(s, step{who: who, does: "finds no object of", key: w.cut.key})
}

func (m *model) holds(s state, p planned, slot uint8) exactlyonce.KeyState {
	return exactlyonce.JudgeKey(uuid(p.key).String(), s.objects[p.key-1][slot] != 0, uuid(p.key))
}

// lookAgain is the HEAD after a 412.
func (m *model) lookAgain(s state, who uint8) {
	w := s.worker(who)
	w.at = cutting
	n := next[state]{step: step{who: who, does: "sees whose object is under", key: w.cut.key}}
	switch m.holds(s, w.cut, w.slot) {
	case exactlyonce.KeyOurs:
		w.slot++
		w.skip()
	case exactlyonce.KeyTaken:
		n.bad = "STUCK: the key is taken"
	default:
	}
	n.state = s
	m.next = append(m.next, n)
}

// rebuild reads a plan's records again.
func (m *model) rebuild(s state, who uint8) {
	p := s.worker(who).cut
	if !m.ownHints {
		m.again(s, who, m.readAs(who, p.whole&^expired(s)))
		return
	}
	for last := p.after + 1; last <= m.records; last++ {
		t := s
		t.worker(who).cut.last = last
		m.again(t, who, m.fits(&t, 0, p.after, p.after, last))
	}
}

// readAs is what a worker takes records for. One with another rule for
// aggregated records leaves the first out and has the last one twice.
func (m *model) readAs(who uint8, body bag) bag {
	first := body & -body & 0x15
	if m.otherRule[who] && body != first {
		return (body - first).add(body.last())
	}
	return body
}

func expired(s state) bag {
	if s.expired == 0 {
		return 0
	}
	return 3 // all of record 1
}

// again goes on with what of a plan's records could be read.
func (m *model) again(s state, who uint8, body bag) {
	w := s.worker(who)
	p := s.row.plan
	found := exactlyonce.JudgeReplay(w.cut.full(), replay(body))
	if m.ownHints || m.losesQuietly || m.believes && found == exactlyonce.ReplayWrong {
		found = exactlyonce.ReplayWhole
	}
	switch found {
	case exactlyonce.ReplayWhole:
	case exactlyonce.ReplayWrong:
		m.reached[differs] = true
		*w = worker{}
		m.to(s, step{who: who, does: "reads other records than the plan's and gives up"})
		return
	case exactlyonce.ReplayShort:
		if m.replans {
			*w = worker{at: fresh, counter: w.counter, done: w.done, read: w.done, mark: w.done}
			m.to(s, step{who: who, does: "cannot make the plan's object and begins anew"})
			return
		}
		m.reached[rest] = m.reached[rest] || body != 0
		if lost := p.whole &^ body; !s.reported.has(1) && lost.has(1) {
			s.reported = s.reported.add(1)
		}
	}
	if m.freshKey {
		w.cut.key = m.keyOf(&s, w.cut.after, w.cut.last)
	}
	m.split(body, func(fine, failed bag) {
		t := s
		w := t.worker(who)
		w.at, w.body = cutting, [2]bag{fine, failed}
		w.skip()
		m.to(t, step{who: who, does: told("makes again", failed), key: w.cut.key, body: body})
	})
}

// cut makes the next step of a closed cut.
func (m *model) cut(s state, who uint8) {
	w := s.worker(who)
	w.skip()
	at := exactlyonce.Next(exactlyonce.Progress{Planned: !w.noPlan, Prepared: w.prepared, Published: w.slot == 2})
	if m.unprepared && at == exactlyonce.Prepare && w.slot < 2 {
		at = exactlyonce.Publish
	}
	switch at {
	case exactlyonce.Prepare:
		m.prepare(s, who)
	case exactlyonce.Publish:
		m.send(s, who)
	default:
		m.commit(s, who)
	}
}

func (m *model) send(s state, who uint8) {
	w := s.worker(who)
	r := request{key: w.cut.key, slot: w.slot, body: w.body[w.slot], by: who}
	w.at = waiting
	if !s.send(r) {
		m.full = true
		return
	}
	m.to(s, step{who: who, does: "puts", key: r.key, body: r.body})
}

func (m *model) giveUpWaiting(s state, who uint8) {
	if s.lost == 0 {
		return
	}
	s.lost--
	s.worker(who).at = cutting
	m.reached[gaveUpWaiting] = true
	m.to(s, step{who: who, does: "gives a put up that is still under way"})
}

func (m *model) prepare(s state, who uint8) {
	w := *s.worker(who)
	done := w
	done.prepared = true
	q := question{write: prepare, row: s.row, held: holds(s.row, who, w), plan: w.cut, who: who}
	m.write(s, q, done, adoptedPrepare, step{who: who, does: "prepares", n: w.cut.last, key: w.cut.key})
	if m.inDoubt && s.lost > 0 {
		s.lost--
		*s.worker(who) = done
		m.to(s, step{who: who, does: "prepares, which does not happen, nor is it answered, and goes on", n: w.cut.last})
	}
}

func (m *model) commit(s state, who uint8) {
	w := *s.worker(who)
	done := worker{at: fresh, done: w.cut.last, read: max(w.read, w.cut.last), mark: w.cut.last}
	if w.successor {
		done.read = w.read // pages that were fetched before the redo
		if m.oldFilter {
			done.mark = w.mark
		}
	}
	if w.cut.last >= m.records && done.read >= m.records {
		done = worker{}
	}
	q := question{write: commit, row: s.row, held: holds(s.row, who, w), last: w.cut.last, who: who}
	m.write(s, q, done, adoptedCommit, step{who: who, does: "commits", n: w.cut.last})
	if m.combine && !w.successor && !w.noPlan {
		m.commitAndPrepare(s, who)
	}
}

// write makes a conditional write of the row, after which the worker is done.
func (m *model) write(s state, q question, done worker, adopted event, told step) {
	a := m.rows.ask(q)
	if m.unfenced && q.write == commit && !a.ok {
		a.row.done, a.row.plan, a.row.counter, a.ok = q.last, planned{}, s.row.counter+1, true
	}
	if !a.ok && m.counterOnly && m.looksDone(s.row, q.who, *s.worker(q.who)) {
		a.ok = true
	}
	if !a.ok {
		m.lose(s, q.who, told.does)
		return
	}
	if a.row == s.row {
		m.reached[adopted] = true
		told.does = "(it had happened) " + told.does
	}
	t := s
	t.row = a.row
	if s.lost > 0 && a.row != s.row {
		t.lost--
		lost := told
		lost.does = "(the answer is lost) " + told.does
		m.to(t, lost)
		t.lost++
	}
	if done.at != idle {
		done.counter = a.row.counter
	}
	*t.worker(q.who) = done
	m.to(t, told)
}

// commitAndPrepare is a commit whose write carries the next plan. Package lease
// has no such write, so its condition is said here.
func (m *model) commitAndPrepare(s state, who uint8) {
	w := *s.worker(who)
	for last := w.cut.last + 1; last <= m.records; last++ {
		t := s
		body := m.fits(&t, 0, w.cut.last, w.cut.last, last)
		if body == 0 {
			continue
		}
		key := m.keyOf(&t, w.cut.last, body.last())
		p := planned{key: key, after: w.cut.last, last: body.last(), whole: body}
		after := row{s.row.owner, s.row.instance, w.counter + 1, 0, w.cut.last, p}
		if s.row != after && (s.row.counter != w.counter || s.row.instance != who) {
			continue // it is told by commit that the lease is lost
		}
		m.reached[combined] = true
		t.row = after
		*t.worker(who) = worker{
			at: cutting, counter: after.counter, done: w.cut.last, read: last, mark: last,
			cut: p, body: [2]bag{body, 0}, prepared: true,
		}
		m.to(t, step{who: who, does: "commits, and prepares in the same write,", n: last, key: key, body: body})
	}
}
