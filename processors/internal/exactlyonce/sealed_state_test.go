package exactlyonce_test

import "slices"

// The model of kind S. All objects of a cut are in one bundle before the prepare,
// and a successor publishes them from there. Rows, records and plans are those of
// the model of kind R; what is said there of takes, adopted writes and expiry is not
// said again. A bundle and its objects share the number of their cut, its key.

// sealedVariant is what a world of kind S may do, and in which way its protocol
// deviates from the good one.
type sealedVariant struct {
	records                                            uint8
	crashes, lost, takes, releases, redeliveries       uint8
	sweeps, losses, clones                             uint8 // how often bundles are swept, lost to a rule of the bucket, and the table cloned
	parts                                              bool  // bundles are uploaded in parts, which a sweep may abort
	behind                                             bool  // the next cut fills while one is under way
	manyKeys                                           bool  // the plan does not name the objects' keys
	impure                                             bool  // which records fail differs from one transform to the next
	trim                                               bool  // record 1 may expire
	prepareFirst, publishFirst, deleteFirst            bool  // deviations: before the seal, the prepare, the commit
	sweepUnfenced, cloneCarriesOut, redraws, believing bool  // deviations
	sweepsOwn, readsEarly                              bool  // deviations
	deletes                                            bool  // bundles are deleted after the commit, or not, else never
	marks, onLoad                                      bool  // cuts have markers; the checkpoint waits until they are gone
	marksFirst, unmarked, unannounced, unawaited       bool  // deviations
	deletesUnsure, putsAgain, forgetsMark              bool  // deviations
}

type sealedPlace uint8

const (
	away      sealedPlace = iota // not holding; the zero worker
	reads                        // between two cuts
	seals                        // the bundle is not known to be stored
	prepares                     // the plan is not known to be in the row
	publishes                    // some object is not known to be stored
	announces                    // that they are is not known to be in the row
	awaits                       // the marker was not seen to be gone
	commits
	fetches // a successor, before it has the bundle
)

// sealedWorker is what a worker has in memory.
type sealedWorker struct {
	at               sealedPlace
	counter          uint8
	done, read, mark uint8
	ahead            bag // read while a cut is under way
	cut              planned
	body             [2]bag
	stored, under    uint8 // objects that are known to be stored, requests that it waits for: bits
	successor        bool
	listed, dead     uint8 // bundles by key, as bits: seen since the last write of the row; to be deleted
}

// bundleBit is a wait for the bundle, and markerBit one for the marker.
const (
	bundleBit = 1 << 2
	markerBit = 1 << 3
)

// sealedRequests are enough at a time, or the search fails.
const sealedRequests = 9

type errand uint8

const (
	putObject errand = iota + 1
	putParts
	putBundle
	deleteBundle
	putMarker
)

func (e errand) String() string {
	return [...]string{"", "puts an object of", "uploads the bundle of", "puts the bundle of", "deletes the bundle of", "puts the marker of"}[e]
}

type sealedRequest struct {
	does      errand
	key, slot uint8
	body      [2]bag
	by        uint8
}

func (r sealedRequest) order() int {
	return int(r.does)<<24 | int(r.key)<<20 | int(r.slot)<<18 | int(r.by)<<16 | int(r.body[0])<<8 | int(r.body[1])
}

type sealedState struct {
	row      row
	workers  [2]sealedWorker
	objects  [keys][2]bag
	bundles  [keys][2]bag
	uploads  uint8 // by key, as bits: parts are there
	net      [sealedRequests]sealedRequest
	expired  uint8
	reported bag
	settled  bag   // what the objects hold whose keys nobody will ask for again
	gone     uint8 // bundles that a rule of the bucket removed
	broken   bool  // exactly once was given up, and told
	markers  uint8 // by key, as bits
	loaded   bag   // each record once
	taken    uint8 // by key, as bits: a marker was there, and is loaded
	failed   bag   // what objects of failed records have, each record once
	awaited  uint8 // by key, as bits: a holder has begun to wait for the marker's end

	crashes, lost, takes, releases, redeliveries, sweeps, losses, clones uint8
}

func (s *sealedState) worker(who uint8) *sealedWorker { return &s.workers[who-1] }

func (s *sealedState) count(r uint8) (n int) {
	n = int(s.settled.count(r))
	for _, o := range s.objects {
		n += int(o[0].count(r)) + int(o[1].count(r))
	}
	return n
}

func (s *sealedState) sort() {
	slices.SortFunc(s.net[:], func(a, b sealedRequest) int { return a.order() - b.order() })
}

// used returns the keys that somebody refers to.
func (s *sealedState) used() uint8 {
	used := bit(s.row.plan.key) | s.markers
	for _, w := range s.workers {
		used |= w.listed | w.dead | bit(w.cut.key)
	}
	for _, r := range s.net {
		used |= bit(r.key)
	}
	return used
}

// forget drops what makes no difference to what can follow: objects that nobody
// asks for again are counted, and workers that can only find that their lease is
// lost are away. Bundles of no use are kept only if they can be swept.
func (s *sealedState) forget() {
	for i := range s.workers {
		w := &s.workers[i]
		stale := s.row.counter > w.counter+1 && w.dead|w.listed == 0
		if stale && w.at != fetches && w.at != publishes {
			*w = sealedWorker{}
		}
	}
	s.drop()
	used := s.used()
	for i := range keys {
		if used>>i&1 == 0 {
			s.settled += s.objects[i][0] + s.objects[i][1]
			s.objects[i] = [2]bag{}
			if s.sweeps == 0 {
				s.bundles[i], s.uploads = [2]bag{}, s.uploads&^(1<<i)
			}
			s.gone &^= 1 << i
			s.taken, s.awaited = s.taken&^(1<<i), s.awaited&^(1<<i)
		}
	}
}

// drop takes requests back that can change nothing and that nobody waits for.
func (s *sealedState) drop() {
	for i, r := range s.net {
		w := s.workers[max(r.by, 1)-1]
		switch {
		case r.does == putMarker && s.markers&bit(r.key) != 0 && (w.cut.key != r.key || w.under&markerBit == 0),
			r.does == putObject && s.objects[r.key-1][r.slot] != 0 && (w.cut.key != r.key || w.under>>r.slot&1 == 0),
			r.does == deleteBundle && s.bundles[r.key-1] == [2]bag{} && s.uploads&bit(r.key) == 0 && !s.mayCome(r.key):
			s.net[i] = sealedRequest{}
		}
	}
	s.sort()
}

// mayCome reports whether a bundle or a part of it is under way.
func (s *sealedState) mayCome(key uint8) bool {
	return slices.ContainsFunc(s.net[:], func(r sealedRequest) bool { return r.key == key && (r.does == putBundle || r.does == putParts) })
}

// essence is a state without how large its counters are, but for how far each
// worker is behind.
func (m *sealedModel) essence(s sealedState) sealedState {
	if m.everyState {
		return s
	}
	for i := range s.workers {
		if w := &s.workers[i]; w.at != away {
			w.counter = 2 - min(s.row.counter-w.counter, 2)
		}
	}
	s.row.counter, s.row.switches = 2, 0
	return s
}

func (s *sealedState) newKey() uint8 {
	used := s.used() | s.uploads
	for key := uint8(1); key <= keys; key++ {
		if used&bit(key) == 0 && s.objects[key-1] == [2]bag{} && s.bundles[key-1] == [2]bag{} {
			return key
		}
	}
	return 0
}

// bit stands for a key; 0 has none.
func bit(key uint8) uint8 { return 1 << key >> 1 }
