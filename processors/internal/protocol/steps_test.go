package protocol_test

import (
	"fmt"

	"github.com/shardmill/shardmill/processors/internal/protocol"
	"github.com/shardmill/shardmill/processors/plan"
)

// variant is what a world may do, and in which way its protocol deviates from
// the good one.
type variant struct {
	records                                      uint8
	crashes, lost, takes, redeliveries, releases uint8 // how many of each there may be

	sealed  bool // kind S: uploads that are completed, else kind R
	impure  bool // which records are fine differs from one transform to the next
	trim    bool // record 1 may expire at any time
	combine bool // a commit may carry the next prepare
	sameID  bool // the workers have one worker ID

	everyState bool // the search does without essences

	atLeastOnce [3]bool // by worker: no prepare
	ignores     [3]bool // by worker: begins at the checkpoint whatever is pending, as Java does
	maybeTwice  bool    // nothing more is promised than that no record is lost

	// The deviations.
	unprepared    bool // publishes before it prepares
	inDoubt       bool // goes on while the prepare's outcome is unknown
	ownHints      bool // a redo ends where the successor likes
	overwrites    bool // puts without If-None-Match
	derivedKey    bool // the key is made of the cut's bounds
	derivedStart  bool // the key is made of the cut's beginning
	freshKey      bool // a redo draws a key of its own
	replans       bool // a redo that cannot reproduce the cut forgets the plan
	releaseClears bool // a release removes the plan
	oldFilter     bool // after a redo the records after the former checkpoint pass
	appendsTwice  bool // no high-water mark
	unfenced      bool // a commit has no condition
	counterOnly   bool // a write that fails its condition counts as done if owner and counter are as it would leave them
	unreadPlan    bool // commits a pending cut without looking for its object
	losesQuietly  bool // a redo does not compare with the plan
}

// event is something that a good world must have seen, or it proves little.
type event uint8

const (
	redone event = iota
	found
	refusedPut
	adoptedTake
	adoptedPrepare
	adoptedCommit
	lateAfterCommit
	lateWhileOwned
	droppedAgain
	leaseLost
	releasedPending
	rest
	wholeAfterAll
	gaveUpWaiting
	completedTwice
	combined
	ignored
	misjudged
	events
)

func (e event) String() string {
	return [...]string{
		"a successor finishes a cut", "a successor finds the object", "a put is refused with 412", "a take that had happened is adopted",
		"a prepare that had happened is adopted", "a commit that had happened is adopted", "a put lands after the successor's commit",
		"a put of a former holder lands", "a redelivered record is dropped", "a write fails since the lease is lost",
		"a lease is released with its plan", "the rest of a trimmed cut is put", "a whole object wins against a rest",
		"a put is repeated while the first is under way", "an upload is completed twice", "a commit carries the next prepare",
		"a plan is ignored", "a plan is not taken for what it is",
	}[e]
}

// step is one transition, as it is told.
type step struct {
	who  uint8
	does string
	n    uint8
	key  uint8
	body bag
}

func (s step) String() string {
	text := s.does
	if s.who != 0 {
		text = name(s.who) + ": " + text
	}
	if s.n != 0 {
		text += fmt.Sprintf(" %d", s.n)
	}
	if s.key != 0 {
		text += fmt.Sprintf(" key %d", s.key)
	}
	if s.body != 0 {
		text += " " + s.body.String()
	}
	return text
}

// next is a state that a transition leads to.
type next struct {
	state state
	step  step
	bad   string // the transition itself breaks a promise
}

// model makes the transitions of one variant.
type model struct {
	variant

	rows    *rows
	next    []next // of the state that is expanded
	reached [events]bool
	full    bool // the bounds were too small
}

func (m *model) init() state {
	return state{crashes: m.crashes, lost: m.lost, takes: m.takes, redeliveries: m.redeliveries, releases: m.releases}
}

func (m *model) to(t state, s step) { m.next = append(m.next, next{state: t, step: s}) }

// expand sets m.next to all that may happen in s.
func (m *model) expand(s state) {
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
	for who := uint8(1); who <= 2; who++ {
		m.stop(s, who)
		m.work(s, who)
	}
	for i := range m.next {
		m.next[i].state.forget()
	}
}

// land lets a request reach the store, and its answer the sender if it still
// waits for it.
func (m *model) land(s state, i int) {
	r, t := s.net[i], s
	t.arrive(i)
	n := next{step: step{who: r.by, does: "the store takes the put of", key: r.key, body: r.body}}
	o := &t.objects[r.key-1][r.slot]
	w := t.worker(r.by)
	waits := w.at == waiting && w.cut.key == r.key && w.slot == r.slot && w.body[r.slot] == r.body
	there := *o != 0 && (m.sealed || !m.overwrites)
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
	m.reached[refusedPut] = m.reached[refusedPut] || there && !m.sealed
	m.reached[completedTwice] = m.reached[completedTwice] || there && m.sealed
	if !waits {
		m.reached[lateWhileOwned] = m.reached[lateWhileOwned] || s.row.owner != r.by && s.row.owner != 0
		m.reached[lateAfterCommit] = m.reached[lateAfterCommit] || s.row.done >= r.body.last() && s.row.owner != r.by
		m.reached[wholeAfterAll] = m.reached[wholeAfterAll] || !there && s.reported&r.body != 0
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
	if m.releaseClears {
		t.row.plan = planned{}
	}
	*t.worker(who) = worker{}
	m.reached[releasedPending] = m.reached[releasedPending] || a.ok && t.row.plan.key != 0
	m.to(t, step{who: who, does: "releases the lease"})
}

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
	return m.atLeastOnce[1] == m.atLeastOnce[2] && m.ignores[1] == m.ignores[2]
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
	n := next{step: step{who: who, does: does + "; nothing is pending"}}
	switch v := m.rows.judge(t.row); {
	case v == plan.None:
	case m.ignores[who]:
		m.reached[ignored] = true
		n.step = step{who: who, does: does + " and ignores the plan up to", n: t.row.plan.last, key: t.row.plan.key}
	case v == plan.Redo:
		m.reached[redone] = true
		w.at, w.cut, w.prepared, w.successor = looking, t.row.plan, true, true
		n.step = step{who: who, does: does + " and finds the plan up to", n: w.cut.last, key: w.cut.key}
		if m.sealed {
			w.at, w.body = cutting, t.staged[w.cut.key-1]
		} else if m.impure {
			w.at = reading
		}
	case v == plan.Void:
		m.reached[misjudged] = true
		n.step = step{who: who, does: does + " and clears a plan that does not fit the row"}
		t.row = m.rows.ask(question{write: commit, row: t.row, held: holds(t.row, who, *w), last: w.done, who: who}).row
		w.counter = t.row.counter
	default:
		m.reached[misjudged] = true
		n.step = step{who: who, does: does + " and gives up, since the plan is " + v.String()}
		*w = worker{}
	}
	n.state = t
	m.next = append(m.next, n)
}

// fits gathers the records in (from, through] that can be read and are new, and
// reports those that cannot be read any more.
func (m *model) fits(s *state, into bag, mark, from, through uint8) bag {
	for r := from + 1; r <= through; r++ {
		if !m.appendsTwice && !protocol.IsNew(number(r), number(mark)) {
			continue
		}
		if r > s.expired {
			into = into.add(r)
		} else if !s.reported.has(r) {
			s.reported = s.reported.add(r)
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
		if m.sealed {
			t.staged[w.cut.key-1] = w.body
		}
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

// look is a successor's HEAD of the plan's object.
func (m *model) look(s state, who uint8) {
	w := s.worker(who)
	if m.unreadPlan || m.holds(s, w.cut, 0) == protocol.KeyOurs {
		m.reached[found] = true
		w.at, w.slot = cutting, 2
		m.to(s, step{who: who, does: "finds the object of", key: w.cut.key})
		return
	}
	w.at = reading
	m.to(s, step{who: who, does: "finds no object of", key: w.cut.key})
}

func (m *model) holds(s state, p planned, slot uint8) protocol.KeyState {
	return protocol.JudgeKey(uuid(p.key).String(), s.objects[p.key-1][slot] != 0, uuid(p.key))
}

// lookAgain is the HEAD after a 412.
func (m *model) lookAgain(s state, who uint8) {
	w := s.worker(who)
	w.at = cutting
	n := next{step: step{who: who, does: "sees whose object is under", key: w.cut.key}}
	switch m.holds(s, w.cut, w.slot) {
	case protocol.KeyOurs:
		w.slot++
		w.skip()
	case protocol.KeyTaken:
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
		m.again(s, who, p.whole&^expired(s))
		return
	}
	for last := p.after + 1; last <= m.records; last++ {
		t := s
		t.worker(who).cut.last = last
		m.again(t, who, m.fits(&t, 0, p.after, p.after, last))
	}
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
	if !m.ownHints && !protocol.IsWhole(w.cut.full(), size(body), digest(body)) && !m.losesQuietly {
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

func size(b bag) (n int64) {
	for r := uint8(1); r <= 3; r++ {
		n += int64(b.count(r))
	}
	return n
}

// cut makes the next step of a closed cut.
func (m *model) cut(s state, who uint8) {
	w := s.worker(who)
	w.skip()
	at := protocol.Next(protocol.Progress{Planned: !w.noPlan, Prepared: w.prepared, Published: w.slot == 2})
	if m.unprepared && at == protocol.Prepare && w.slot < 2 {
		at = protocol.Publish
	}
	switch at {
	case protocol.Prepare:
		m.prepare(s, who)
	case protocol.Publish:
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
