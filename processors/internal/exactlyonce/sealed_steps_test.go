package exactlyonce_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

type sealedModel struct {
	sealedVariant
	rows    *rows
	next    []sealedNext
	reached [sealedEvents]bool
	full    bool
}

func (m *sealedModel) to(s sealedState, format string, args ...any) {
	m.next = append(m.next, sealedNext{state: s, does: fmt.Sprintf(format, args...)})
}

func (m *sealedModel) expand(s sealedState) {
	m.next = m.next[:0]
	for i, r := range s.net {
		if r.does != 0 && (i == 0 || r != s.net[i-1]) {
			m.land(s, i)
		}
	}
	m.chance(s)
	for who := uint8(1); who <= 2; who++ {
		m.stop(s, who)
		m.work(s, who)
		m.clean(s, who)
	}
	for i := 0; i < len(m.next) && !m.everyState; i++ {
		m.next[i].state.forget()
	}
}

// chance is what happens by nobody's doing.
func (m *sealedModel) chance(s sealedState) {
	if m.trim && s.expired == 0 {
		t := s
		t.expired = 1
		m.to(t, "record 1 expires")
	}
	for key := uint8(1); s.losses > 0 && key <= keys; key++ {
		if s.bundles[key-1] == [2]bag{} {
			continue
		}
		t := s
		t.losses--
		t.bundles[key-1], t.gone = [2]bag{}, t.gone|bit(key)
		m.reached[lostBundle] = true
		m.to(t, "a rule of the bucket removes bundle %d", key)
	}
	for key := uint8(1); s.losses > 0 && key <= keys; key++ {
		if s.uploads&bit(key) != 0 {
			t := s
			t.losses--
			t.uploads &^= bit(key)
			m.to(t, "a rule of the bucket aborts the upload of bundle %d", key)
		}
	}
	if s.clones == 0 || s.row.plan.key == 0 {
		return
	}
	t := s
	t.clones--
	l := m.rows.lease(s.row)
	other := exactlyonce.NewIdentity("clone", "clicks", "", shard)
	verdict, _, _ := exactlyonce.Judge(l.Pending, l.Checkpoint.ExtendedSequenceNumber, other, []string{bucket})
	if verdict == exactlyonce.Void && !m.cloneCarriesOut {
		m.reached[clonedVoid] = true
		m.to(t, "a worker on a clone of the table clears plan %d there", s.row.plan.key)
		return
	}
	at := s.row.plan.key - 1
	for slot, b := range t.bundles[at] {
		if t.objects[at][slot] == 0 {
			t.objects[at][slot] = b
		}
	}
	t.bundles[at] = [2]bag{}
	m.to(t, "a worker on a clone of the table carries plan %d out", s.row.plan.key)
}

// land lets a request reach the store, and its answer the sender if it waits.
func (m *sealedModel) land(s sealedState, i int) {
	r, t := s.net[i], s
	t.net[i] = sealedRequest{}
	t.sort()
	w := t.worker(r.by)
	mask := uint8(bundleBit)
	if r.does == putObject {
		mask = 1 << r.slot
	}
	waits := w.cut.key == r.key && w.under&mask != 0
	bundle, object := &t.bundles[r.key-1], &t.objects[r.key-1][r.slot]
	does := fmt.Sprintf("the store takes what %s sent (%v) of cut %d", name(r.by), r.does, r.key)
	switch r.does {
	case deleteBundle:
		m.reached[swept] = m.reached[swept] || *bundle != [2]bag{} && !waits
		m.reached[aborted] = m.reached[aborted] || t.uploads&bit(r.key) != 0
		*bundle, t.uploads = [2]bag{}, t.uploads&^bit(r.key)
		m.to(t, "%s", does)
		return
	case putParts:
		t.uploads |= bit(r.key)
	case putBundle:
		m.bundle(&t, r, bundle)
	case putObject:
		m.reached[lateObject] = m.reached[lateObject] || *object == 0 && s.row.instance != r.by
		if *object == 0 { // If-None-Match; who finds it sees by its UUID that it is the cut's
			*object = r.body[0]
		}
	}
	if waits {
		m.answer(&t, w, r, mask)
	}
	m.to(t, "%s", does)
}

// bundle stores one, unless its upload was aborted.
func (m *sealedModel) bundle(t *sealedState, r sealedRequest, bundle *[2]bag) {
	if *bundle != [2]bag{} {
		m.reached[sealedTwice] = true
		return
	}
	if m.parts && t.uploads&bit(r.key) == 0 {
		return
	}
	*bundle, t.uploads = r.body, t.uploads&^bit(r.key)
}

func (m *sealedModel) answer(t *sealedState, w *sealedWorker, r sealedRequest, mask uint8) {
	w.under &^= mask
	switch {
	case r.does == putObject:
		w.stored |= mask
	case r.does == putBundle && t.bundles[r.key-1] != [2]bag{}:
		w.at = max(w.at, prepares)
	case r.does == putBundle:
		m.reached[sealedAgain] = true // no such upload: from its beginning
	}
	m.settle(w)
}

// settle moves a worker on whose objects are all stored.
func (m *sealedModel) settle(w *sealedWorker) {
	for slot, b := range w.body {
		if b == 0 {
			w.stored |= 1 << slot
		}
	}
	if w.at == publishes && w.stored == 3 {
		w.at = commits
	}
}

func (m *sealedModel) send(s sealedState, r sealedRequest, mask uint8, does string) {
	switch again := slices.Contains(s.net[:], r); {
	case again && r.does == putObject: // a second copy changes nothing
	case s.net[0].does != 0:
		m.full = true
		return
	default:
		s.net[0] = r
		s.sort()
	}
	s.worker(r.by).under |= mask
	m.to(s, "%s %s of cut %d", name(r.by), does, r.key)
}

func (m *sealedModel) stop(s sealedState, who uint8) {
	w := *s.worker(who)
	if w.at == away {
		return
	}
	if s.crashes > 0 {
		t := s
		t.crashes--
		*t.worker(who) = sealedWorker{}
		m.to(t, "%s crashes", name(who))
	}
	if s.releases > 0 {
		t := s
		t.releases--
		t.row = m.rows.ask(question{write: release, row: s.row, held: m.holds(s, who), who: who}).row
		*t.worker(who) = sealedWorker{}
		m.to(t, "%s releases the lease", name(who))
	}
}

func (m *sealedModel) holds(s sealedState, who uint8) held {
	return held{owner: who, instance: who, counter: s.worker(who).counter, switches: s.row.switches}
}

// clean lists bundles, and deletes those that are known to be of no use: its own
// after the commit, and what was listed before a write of the row that succeeded,
// so that whoever put them has lost the lease and can never prepare them.
func (m *sealedModel) clean(s sealedState, who uint8) {
	w := *s.worker(who)
	if s.sweeps > 0 && (w.at == reads || m.sweepsOwn && w.at != away) {
		t := s
		t.sweeps--
		seen := t.uploads
		for i, b := range t.bundles {
			if b != [2]bag{} {
				seen |= 1 << i
			}
		}
		if t.worker(who).listed |= seen; m.sweepUnfenced {
			t.worker(who).dead |= seen
		}
		m.to(t, "%s lists bundles %b", name(who), seen)
	}
	dead := w.dead
	if m.deleteFirst && w.at == commits && w.successor {
		dead |= bit(w.cut.key)
	}
	for key := uint8(1); key <= keys; key++ {
		if dead&bit(key) != 0 {
			t := s
			t.worker(who).dead &^= bit(key)
			m.send(t, sealedRequest{does: deleteBundle, key: key, by: who}, 0, "deletes the bundle")
		}
	}
}

// searchSealed visits every state, nearest first, until a promise is broken.
func searchSealed(ctx context.Context, v sealedVariant) sealedOutcome {
	m := &sealedModel{sealedVariant: v, rows: newRows(ctx, false)}
	type node struct {
		state sealedState
		from  int
		does  string
	}
	begin := sealedState{
		crashes: v.crashes, lost: v.lost, takes: v.takes, releases: v.releases, redeliveries: v.redeliveries,
		sweeps: v.sweeps, losses: v.losses, clones: v.clones,
	}
	nodes, seen := []node{{begin, -1, ""}}, map[sealedState]struct{}{begin: {}}
	const most = 3_000_000
	var o sealedOutcome
	for i := 0; i != len(nodes) && o.bad == "" && len(nodes) < most; i++ {
		m.expand(nodes[i].state)
		for _, n := range m.next {
			e := n.state
			if !m.everyState {
				e = e.essence()
			}
			if _, known := seen[e]; known && n.bad == "" {
				continue
			}
			seen[e] = struct{}{}
			nodes = append(nodes, node{n.state, i, n.does})
			o.whole = o.whole || n.state.row.done == v.records && n.state.row.plan.key == 0
			if o.bad = n.bad; o.bad == "" {
				o.bad = m.breaks(n.state)
			}
			if o.bad != "" {
				for at := len(nodes) - 1; at > 0; at = nodes[at].from {
					o.trace = append([]string{nodes[at].does}, o.trace...)
				}
				break
			}
		}
	}
	o.states, o.reached, o.failed = len(nodes), m.reached, m.rows.failed
	if len(nodes) >= most {
		o.failed = errors.Join(o.failed, errors.New("too many states"))
	}
	if m.full {
		o.failed = errors.Join(o.failed, fmt.Errorf("the model's bounds are too small: %d keys, %d requests", keys, sealedRequests))
	}
	return o
}

// breaks says which promise a state breaks.
func (m *sealedModel) breaks(s sealedState) string {
	for r := uint8(1); r <= m.records; r++ {
		n := s.count(r)
		if r <= s.row.done && n == 0 && !s.reported.has(r) {
			return fmt.Sprintf("LOST: record %d, the checkpoint is %d", r, s.row.done)
		}
		if n > 1 && !s.broken {
			return fmt.Sprintf("TWICE: record %d", r)
		}
	}
	return ""
}
