package exactlyonce_test

import "fmt"

// Markers in the model of kind S: one of each cut of which something did not fail. A
// loader may take a marker that is there at any time, and delete it. With a ledger an object
// counts once however often it is marked, so that what TWICE says of objects it says of what
// is loaded.

// with returns b and what it lacks of other, each record once.
func (b bag) with(other bag) bag {
	for r := uint8(1); r <= 3; r++ {
		if other.has(r) && !b.has(r) {
			b = b.add(r)
		}
	}
	return b
}

// isHeld reports whether who holds the lease, as far as the row knows.
func (s *sealedState) isHeld(who uint8) bool {
	return s.row.instance == who && s.row.counter == s.worker(who).counter
}

// isMarked reports whether a cut's marker is there, if it has one.
func (m *sealedModel) isMarked(s sealedState, key uint8) bool {
	return !m.marks || s.objects[key-1][0] == 0 || s.markers&bit(key) != 0
}

// load is what the loader may do.
func (m *sealedModel) load(s sealedState) {
	for key := uint8(1); key <= keys; key++ {
		if s.markers&bit(key) == 0 {
			continue
		}
		t, bad := s, ""
		if s.objects[key-1][0] == 0 {
			bad = "EARLY: a marker names an object that is not there"
		}
		m.reached[loadedOnce] = true
		m.reached[loadedAgain] = m.reached[loadedAgain] || s.taken&bit(key) != 0
		t.markers, t.taken = t.markers&^bit(key), t.taken|bit(key)
		t.loaded = t.loaded.with(s.objects[key-1][0])
		m.next = append(m.next, next[sealedState]{t, step{does: "the loader takes and deletes the marker of", key: key}, bad})
	}
}

// unloaded says which record at or before the checkpoint nobody will load, or, if the
// checkpoint waits for that, nobody has loaded; "" for none.
func (m *sealedModel) unloaded(s sealedState) string {
	there := s.loaded.with(s.failed).with(s.reported)
	if m.onLoad {
		for r := uint8(1); r <= s.row.done; r++ {
			if !there.has(r) {
				return fmt.Sprintf("UNLOADED: record %d, the checkpoint is %d", r, s.row.done)
			}
		}
		return ""
	}
	for key := uint8(1); key <= keys; key++ {
		if s.markers&bit(key) != 0 {
			there = there.with(s.objects[key-1][0])
		}
	}
	for r := uint8(1); r <= s.row.done; r++ {
		if !there.has(r) {
			return fmt.Sprintf("UNMARKED: record %d, the checkpoint is %d", r, s.row.done)
		}
	}
	return ""
}

// mark puts the marker, when all else is known to be stored.
func (m *sealedModel) mark(s sealedState, who uint8) {
	w := *s.worker(who)
	switch {
	case w.under&markerBit != 0:
		m.hangUp(s, who, markerBit)
	case w.stored&markerBit == 0 && (w.stored&3 == 3 || m.marksFirst):
		m.send(s, sealedRequest{does: putMarker, key: w.cut.key, by: who}, markerBit)
	}
}

// announce stores that all of the cut is there. After it the bundle is of no use.
func (m *sealedModel) announce(s sealedState, who uint8) {
	w := *s.worker(who)
	w.at, w.cut.announced = awaits, true
	if !m.forgetsMark {
		w.mark = max(w.mark, w.cut.last)
	}
	if m.deletes {
		w.dead |= bit(w.cut.key)
	}
	m.write(s, question{write: prepare, row: s.row, held: m.holds(s, who), plan: w.cut, who: who}, w, "announces")
}

// await looks for the marker.
func (m *sealedModel) await(s sealedState, who uint8) {
	w := s.worker(who)
	m.reached[awaitedByNext] = m.reached[awaitedByNext] || w.successor && w.cut.announced
	m.reached[readWhileAwaiting] = m.reached[readWhileAwaiting] || w.successor && w.read > w.cut.last
	if s.markers&bit(w.cut.key) == 0 || m.unawaited {
		w.at = commits
		m.to(s, step{who: who, does: "finds no marker any more of", key: w.cut.key})
	}
}
