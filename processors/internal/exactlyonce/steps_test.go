package exactlyonce_test

import "fmt"

// model makes the transitions of one variant.
type model struct {
	variant

	rows    *rows
	next    []next[state] // of the state that is expanded
	reached [events]bool
	full    bool // the bounds were too small

	everyState bool // no two states are one
}

func (m *model) begin() state {
	return state{crashes: m.crashes, lost: m.lost, takes: m.takes, redeliveries: m.redeliveries, releases: m.releases, seeks: m.seeks}
}

func (m *model) to(t state, s step) { m.next = append(m.next, next[state]{state: t, step: s}) }

func (m *model) follow(s state) []next[state] {
	m.next = m.next[:0]
	for i := range s.net {
		if s.net[i].key != 0 && (i == 0 || s.net[i] != s.net[i-1]) {
			m.land(s, i)
		}
	}
	if m.trim && s.expired == 0 {
		t := s
		t.expired = 1
		m.to(t, step{does: "record 1 expires"})
	}
	m.seek(s)
	for who := uint8(1); who <= 2; who++ {
		m.stop(s, who)
		m.work(s, who)
	}
	return m.next
}

func (m *model) broken(s state) string {
	return brokenBy(m.records, s.row.done, s.count, s.reported, m.maybeTwice)
}

// delivered reports whether nothing is left to do.
func (m *model) delivered(s state) bool {
	return s.row.done == m.records && s.row.plan.key == 0 && s.net == [requests]request{}
}

func (m *model) account() account { return m.rows.account(m.reached, m.full, requests) }

// land lets a request reach the store, and its answer the sender if it still
// waits for it.
func (m *model) land(s state, i int) {
	r, t := s.net[i], s
	t.arrive(i)
	n := next[state]{step: step{who: r.by, does: "the store takes the put of", key: r.key, body: r.body}}
	o := &t.objects[r.key-1][r.slot]
	w := t.worker(r.by)
	waits := w.at == waiting && w.cut.key == r.key && w.slot == r.slot && w.body[r.slot] == r.body
	there := *o != 0 && !m.overwrites
	if !there {
		if *o&^r.body != 0 && !m.impure {
			n.bad = fmt.Sprintf("DESTROYED: %v replaced %v", r.body, *o)
		}
		*o = r.body
	} else {
		n.step.does = "the store refuses the put of"
	}
	m.note(s, r, there, waits)
	if waits {
		w.at = cutting
		if there {
			w.at = refused
		} else {
			w.slot++
			w.skip()
		}
	}
	n.state = t
	m.next = append(m.next, n)
}

func (m *model) note(s state, r request, there, waits bool) {
	m.reached[refusedPut] = m.reached[refusedPut] || there
	if !waits {
		m.reached[lateWhileOwned] = m.reached[lateWhileOwned] || s.row.owner != r.by && s.row.owner != 0
		m.reached[lateAfterCommit] = m.reached[lateAfterCommit] || s.row.done >= r.body.last() && s.row.owner != r.by
		m.reached[wholeAfterAll] = m.reached[wholeAfterAll] || !there && s.reported&r.body != 0
	}
}

// seek is an operator who takes the lease, moves the checkpoint back to the
// beginning and releases it. All is delivered again, so what is in the store, or
// is on the way to it, counts no more. What is pending stays or is abandoned.
func (m *model) seek(s state) {
	if s.seeks == 0 || s.row.done == 0 {
		return
	}
	s.seeks--
	for key := uint8(1); key <= keys; key++ {
		if s.uses(key) {
			s.old |= 1 << (key - 1)
		}
	}
	s.row.owner, s.row.instance, s.row.done = 0, 0, 0
	s.row.counter += 3 // take, checkpoint, release
	m.to(s, step{does: "an operator moves the checkpoint to the beginning"})
	if s.row.plan.key != 0 {
		s.row.plan = planned{}
		m.to(s, step{does: "an operator moves the checkpoint to the beginning and abandons the plan"})
	}
}

// stop is how a worker ends its holding: a crash at any time, or a release
// while it makes no write of the row.
func (m *model) stop(s state, who uint8) {
	w := *s.worker(who)
	if w.at == idle {
		return
	}
	if s.crashes > 0 {
		t := s
		t.crashes--
		*t.worker(who) = worker{}
		m.to(t, step{who: who, does: "crashes"})
	}
	if s.releases == 0 || w.at == taking {
		return
	}
	a := m.rows.ask(question{write: release, row: s.row, held: holds(s.row, who, w), who: who})
	t := s
	t.releases--
	t.row = a.row
	if m.releaseClears && a.ok {
		t.row.plan = planned{}
	}
	*t.worker(who) = worker{}
	m.reached[releasedPending] = m.reached[releasedPending] || a.ok && t.row.plan.key != 0
	m.to(t, step{who: who, does: "releases the lease"})
}
