package exactlyonce_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// sealedModel makes the transitions of one variant.
type sealedModel struct {
	sealedVariant

	rows    *rows
	next    []next[sealedState] // of the state that is expanded
	reached [events]bool
	full    bool // the bounds were too small

	everyState bool // no two states are one
}

func (v sealedVariant) search(ctx context.Context, everyState bool) outcome {
	return search(&sealedModel{sealedVariant: v, rows: newRows(ctx, false, true), everyState: everyState})
}

func (v sealedVariant) small() searched {
	v.records, v.crashes, v.lost, v.takes = 2, 1, 1, 3
	return v
}

func (m *sealedModel) begin() sealedState {
	return sealedState{
		crashes: m.crashes, lost: m.lost, takes: m.takes, releases: m.releases, redeliveries: m.redeliveries,
		sweeps: m.sweeps, losses: m.losses, clones: m.clones,
	}
}

func (m *sealedModel) to(t sealedState, s step) {
	for who := uint8(1); who <= 2; who++ {
		if w := t.worker(who); w.at == awaits && t.isHeld(who) {
			t.awaited |= bit(w.cut.key)
		}
	}
	m.next = append(m.next, next[sealedState]{state: t, step: s})
}

func (m *sealedModel) follow(s sealedState) []next[sealedState] {
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
	return m.next
}

func (m *sealedModel) broken(s sealedState) string {
	if bad := brokenBy(m.records, s.row.done, s.count, s.reported, s.broken); bad != "" || !m.marks {
		return bad
	}
	return m.unloaded(s)
}

// delivered reports whether nothing is left to do but to delete bundles.
func (m *sealedModel) delivered(s sealedState) bool {
	return s.row.done == m.records && s.row.plan.key == 0 && s.markers == 0
}

func (m *sealedModel) account() account { return m.rows.account(m.reached, m.full, sealedRequests) }

// chance is what happens by nobody's doing.
func (m *sealedModel) chance(s sealedState) {
	m.load(s)
	if m.trim && s.expired == 0 {
		t := s
		t.expired = 1
		m.to(t, step{does: "record 1 expires"})
	}
	for key := uint8(1); s.losses > 0 && key <= keys; key++ {
		if s.bundles[key-1] == [2]bag{} {
			continue
		}
		t := s
		t.losses--
		t.bundles[key-1], t.gone = [2]bag{}, t.gone|bit(key)
		m.reached[lostBundle] = true
		m.to(t, step{does: "a rule of the bucket removes the bundle of", key: key})
	}
	for key := uint8(1); s.losses > 0 && key <= keys; key++ {
		if s.uploads&bit(key) != 0 {
			t := s
			t.losses--
			t.uploads &^= bit(key)
			m.to(t, step{does: "a rule of the bucket aborts the upload of", key: key})
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
		m.to(t, step{does: "a worker on a clone of the table clears there the plan of", key: s.row.plan.key})
		return
	}
	at := s.row.plan.key - 1
	for slot, b := range t.bundles[at] {
		if t.objects[at][slot] == 0 {
			t.objects[at][slot] = b
		}
	}
	t.bundles[at] = [2]bag{}
	m.to(t, step{does: "a worker on a clone of the table carries out the plan of", key: s.row.plan.key})
}

// land lets a request reach the store, and its answer the sender if it waits.
func (m *sealedModel) land(s sealedState, i int) {
	r, t := s.net[i], s
	t.net[i] = sealedRequest{}
	t.sort()
	w := t.worker(r.by)
	mask := uint8(bundleBit)
	switch r.does {
	case putObject:
		mask = 1 << r.slot
	case putMarker:
		mask = markerBit
	default:
	}
	waits := w.cut.key == r.key && w.under&mask != 0
	bundle, object := &t.bundles[r.key-1], &t.objects[r.key-1][r.slot]
	told := step{who: r.by, does: "the store answers: " + r.does.String(), key: r.key}
	switch r.does {
	case deleteBundle:
		m.reached[swept] = m.reached[swept] || *bundle != [2]bag{}
		m.reached[aborted] = m.reached[aborted] || t.uploads&bit(r.key) != 0
		*bundle, t.uploads = [2]bag{}, t.uploads&^bit(r.key)
		m.to(t, told)
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
		if r.slot == 1 {
			t.failed = t.failed.with(r.body[0])
		}
	case putMarker:
		m.reached[lateMarker] = m.reached[lateMarker] || t.taken&bit(r.key) != 0
		t.markers |= bit(r.key) // If-None-Match, as above
	}
	if waits {
		m.answer(&t, w, r, mask)
	}
	m.to(t, told)
}

// bundle stores one, unless its upload was aborted.
func (m *sealedModel) bundle(t *sealedState, r sealedRequest, bundle *[2]bag) {
	if *bundle != [2]bag{} {
		m.reached[putAgain] = true
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
	case r.does == putObject, r.does == putMarker:
		w.stored |= mask
	case r.does == putBundle && t.bundles[r.key-1] != [2]bag{}:
		w.at = max(w.at, prepares)
	case r.does == putBundle:
		m.reached[uploadedAgain] = true // no such upload: from its beginning
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
	hasMarker := m.marks && w.body[0] != 0
	if w.at != publishes || w.stored&3 != 3 || hasMarker && !m.unmarked && w.stored&markerBit == 0 {
		return
	}
	switch w.at = commits; {
	case hasMarker && m.onLoad && m.unannounced:
		w.at = awaits
	case hasMarker && m.onLoad:
		w.at = announces
	}
}

func (m *sealedModel) send(s sealedState, r sealedRequest, mask uint8) {
	bad := ""
	if r.does == putMarker && s.awaited&bit(r.key) != 0 && s.isHeld(r.by) {
		bad = "MARKED AGAIN: by a holder, after one had begun to wait for the marker's end"
	}
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
	m.next = append(m.next, next[sealedState]{s, step{who: r.by, does: r.does.String(), key: r.key}, bad})
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
		m.to(t, step{who: who, does: "crashes"})
	}
	if s.releases > 0 {
		t := s
		t.releases--
		t.row = m.rows.ask(question{write: release, row: s.row, held: m.holds(s, who), who: who}).row
		*t.worker(who) = sealedWorker{}
		m.to(t, step{who: who, does: "releases the lease"})
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
		m.to(t, step{who: who, does: fmt.Sprintf("lists bundles %b", seen)})
	}
	dead := w.dead
	if m.deleteFirst && (w.at == publishes || w.at == commits) {
		dead |= bit(w.cut.key)
	}
	if m.deletesUnsure && w.at == announces {
		dead |= bit(w.cut.key)
	}
	for key := uint8(1); key <= keys; key++ {
		if dead&bit(key) != 0 {
			t := s
			t.worker(who).dead &^= bit(key)
			m.send(t, sealedRequest{does: deleteBundle, key: key, by: who}, 0)
		}
	}
}
