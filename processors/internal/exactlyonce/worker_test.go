package exactlyonce_test

import (
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// holds returns the row as a worker believes that it is.
func holds(now row, who uint8, w worker) held {
	return held{owner: who, instance: who, counter: w.counter, switches: now.switches}
}

// work is what a worker does of its own.
func (m *model) work(s state, who uint8) {
	switch s.worker(who).at {
	case idle:
		m.take(s, who)
	case taking:
		m.takeAgain(s, who)
	case fresh:
		m.read(s, who)
	case looking:
		m.look(s, who)
	case reading:
		m.rebuild(s, who)
	case cutting:
		m.cut(s, who)
	case waiting:
		m.giveUpWaiting(s, who)
	case refused:
		m.lookAgain(s, who)
	}
}

// take is possible whatever the present holder does: it may be slow, or stopped.
func (m *model) take(s state, who uint8) {
	if s.takes == 0 || s.row.done >= m.records || s.row.counter == 0 && who == 2 && m.symmetric() {
		return
	}
	s.takes--
	seen := held{s.row.owner, s.row.instance, s.row.counter, s.row.switches}
	a := m.rows.ask(question{write: take, row: s.row, held: seen, who: who})
	if !a.ok {
		return
	}
	t := s
	t.row = a.row
	m.start(t, who, "takes the lease")
	if s.lost == 0 {
		return
	}
	s.lost--
	*s.worker(who) = worker{at: taking, counter: seen.counter, seenOwner: seen.owner, seenSwitches: seen.switches}
	m.to(s, step{who: who, does: "takes the lease, which does not happen, nor is it answered"})
	s.row = a.row
	m.to(s, step{who: who, does: "takes the lease; the answer is lost"})
}

// symmetric reports whether it is all one which worker begins.
func (m *model) symmetric() bool {
	return m.atLeastOnce[1] == m.atLeastOnce[2] && m.ignores[1] == m.ignores[2] && m.otherRule[1] == m.otherRule[2]
}

func (m *model) takeAgain(s state, who uint8) {
	w := *s.worker(who)
	q := question{write: take, row: s.row, held: held{owner: w.seenOwner, counter: w.counter, switches: w.seenSwitches}, who: who}
	a := m.rows.ask(q)
	adopted := a.ok && a.row == s.row
	if !a.ok && m.counterOnly && m.looksDone(s.row, who, w) {
		a.ok = true
	}
	if !a.ok {
		m.lose(s, who, "takes again")
		return
	}
	does := "takes again"
	if adopted {
		m.reached[adoptedTake] = true
		does = "(it had happened) takes"
	}
	s.row = a.row
	m.start(s, who, does)
}

// looksDone is what the good protocol does not settle for.
func (m *model) looksDone(now row, who uint8, w worker) bool {
	return now.counter == w.counter+1 && m.rows.id(now.owner) == m.rows.id(who)
}

// lose ends a holding that turned out to be over.
func (m *model) lose(s state, who uint8, does string) {
	m.reached[leaseLost] = true
	*s.worker(who) = worker{}
	m.to(s, step{who: who, does: does + ", but the lease is lost"})
}

// start is Initialize: it settles what is pending, from the row that the take
// returned.
func (m *model) start(t state, who uint8, does string) {
	w := t.worker(who)
	*w = worker{at: fresh, counter: t.row.counter, done: t.row.done, read: t.row.done, mark: t.row.done}
	n := next[state]{step: step{who: who, does: does + "; nothing is pending"}}
	switch v := m.rows.judge(t.row); {
	case v == exactlyonce.None:
	case m.ignores[who]:
		m.reached[ignored] = true
		n.step = step{who: who, does: does + " and ignores the plan up to", n: t.row.plan.last, key: t.row.plan.key}
	case v == exactlyonce.Redo || v == exactlyonce.Void && m.misfits:
		m.reached[redone] = true
		w.at, w.cut, w.prepared, w.successor = looking, t.row.plan, true, true
		n.step = step{who: who, does: does + " and finds the plan up to", n: w.cut.last, key: w.cut.key}
		if m.impure {
			w.at = reading
		}
	case v == exactlyonce.Void:
		m.reached[voided] = true
		n.step = step{who: who, does: does + " and clears a plan that does not fit the row"}
		t.row = m.rows.ask(question{write: commit, row: t.row, held: holds(t.row, who, *w), last: w.done, who: who}).row
		w.counter = t.row.counter
	default:
		m.reached[unfinishable] = true
		n.step = step{who: who, does: does + " and gives up, since the plan is " + v.String()}
		*w = worker{}
	}
	n.state = t
	m.next = append(m.next, n)
}

// fits gathers the records in (from, through] that can be read and are new, and
// reports those that cannot be read any more.
func (m *model) fits(s *state, into bag, mark, from, through uint8) bag {
	if m.appendsTwice {
		mark = 0
	}
	return gather(into, mark, from, through, s.expired, &s.reported)
}

// gather is fits for what any state knows.
func gather(into bag, mark, from, through, expired uint8, reported *bag) bag {
	for r := from + 1; r <= through; r++ {
		switch {
		case !exactlyonce.IsNew(number(r), number(mark)):
		case r > expired:
			into = into.add(r)
		case !reported.has(r):
			*reported = reported.add(r)
		}
	}
	return into
}

// read lets a batch come, and closes the cut after it. The batch, or any part
// of its end, may come twice.
func (m *model) read(s state, who uint8) {
	w := *s.worker(who)
	for last := w.read + 1; last <= m.records; last++ {
		t := s
		body := m.fits(&t, 0, w.mark, w.read, last)
		m.close(t, who, last, body)
		if s.redeliveries == 0 {
			continue
		}
		t.redeliveries--
		for from := w.read; from < last; from++ {
			if again := m.fits(&t, body, max(w.mark, body.last()), from, last); again != body {
				m.close(t, who, last, again)
			} else {
				m.reached[droppedAgain] = true
			}
		}
	}
	if s.redeliveries == 0 {
		return
	}
	for from := range w.read {
		t := s
		t.redeliveries--
		t.worker(who).read = from
		m.to(t, step{who: who, does: "is given again what is after", n: from})
	}
}

// close makes a cut of a body.
func (m *model) close(s state, who, read uint8, body bag) {
	w := s.worker(who)
	w.read, w.mark = read, max(w.mark, read)
	if body == 0 {
		m.to(s, step{who: who, does: "reads nothing new up to", n: read})
		return
	}
	m.split(body, func(fine, failed bag) {
		t := s
		w := t.worker(who)
		w.at, w.body, w.slot, w.noPlan, w.prepared, w.successor = cutting, [2]bag{fine, failed}, 0, m.atLeastOnce[who], false, false
		w.cut = planned{key: m.keyOf(&t, w.done, body.last()), after: w.done, last: body.last(), whole: body}
		w.skip()
		m.to(t, step{who: who, does: told("closes the cut up to", failed), n: w.cut.last, key: w.cut.key, body: body})
	})
}

func told(does string, failed bag) string {
	if failed == 0 {
		return does
	}
	return "(of which " + failed.String() + " fail) " + does
}

// split calls f with each way to divide a body in records that are fine and
// records that fail.
func (m *model) split(body bag, f func(fine, failed bag)) {
	if !m.impure {
		f(body, 0)
		return
	}
	for choice := range bag(8) {
		failed, all := bag(0), true
		for r := uint8(1); r <= 3; r++ {
			if choice>>(r-1)&1 == 1 {
				failed |= body & (3 << (2 * (r - 1)))
				all = all && body.has(r)
			}
		}
		if all {
			f(body&^failed, failed)
		}
	}
}

// keyOf returns the key of a new cut, which is drawn.
func (m *model) keyOf(s *state, after, last uint8) uint8 {
	switch {
	case m.derivedStart:
		return after + 1
	case m.derivedKey:
		return after + last*(last-1)/2 + 1
	}
	key := s.newKey()
	if key == 0 {
		m.full = true
		return keys
	}
	return key
}

// skip passes over bodies without records.
func (w *worker) skip() {
	for w.slot < 2 && w.body[w.slot] == 0 {
		w.slot++
	}
}
