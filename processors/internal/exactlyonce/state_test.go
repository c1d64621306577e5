package exactlyonce_test

import (
	"slices"
	"strconv"
	"strings"
)

// The bounds of every world: so many keys and requests at a time are enough,
// and the search fails if they are not.
const (
	keys     = 6
	requests = 6
)

// bag is a multiset of records 1 to 3: two bits say how often each is in it.
type bag uint8

func (b bag) count(r uint8) uint8 { return uint8(b>>(2*(r-1))) & 3 }
func (b bag) add(r uint8) bag     { return b + 1<<(2*(r-1)) }
func (b bag) has(r uint8) bool    { return b.count(r) > 0 }

// last returns the highest record, 0 if there is none.
func (b bag) last() uint8 {
	for r := uint8(3); r > 0; r-- {
		if b.has(r) {
			return r
		}
	}
	return 0
}

func (b bag) String() string {
	var s []string
	for r := uint8(1); r <= 3; r++ {
		for range b.count(r) {
			s = append(s, strconv.Itoa(int(r)))
		}
	}
	return "[" + strings.Join(s, " ") + "]"
}

// planned is a plan as the row and its holder know it; without a key there is
// none.
type planned struct {
	key         uint8 // from 1; also the plan's UUID, which is the object's
	after, last uint8
	whole       bag // what its records were when it was made
	announced   bool
}

// row is the lease row.
type row struct {
	owner, instance uint8 // 0 if it is free; workers may have one ID, never one instance
	counter         uint8
	switches        uint8
	done            uint8 // the checkpoint
	plan            planned
}

// place is where in its code a worker is.
type place uint8

const (
	idle    place = iota // not holding; the zero worker
	taking               // the answer of its take was lost
	fresh                // reading
	looking              // a successor looks for the plan's object
	reading              // a successor reads the plan's records again
	cutting              // protocol.Next says what comes now
	waiting              // for the answer of a put
	refused              // the put was answered with 412
)

// worker is what a worker has in memory.
type worker struct {
	at      place
	counter uint8 // as its last write of the row left it; of taking, as seen before

	seenOwner, seenSwitches uint8 // while taking

	done uint8 // the checkpoint, as it knows it
	read uint8 // the last record that it was given
	mark uint8 // the last record that was appended or checkpointed

	cut       planned
	body      [2]bag // what it puts: records that are fine, and failed ones
	slot      uint8  // how many of the bodies are known to be stored
	noPlan    bool   // at least once
	prepared  bool
	successor bool // the cut is another holder's
}

// request is a put that is under way. It outlives its sender.
type request struct {
	key, slot uint8
	body      bag
	by        uint8
}

// state is one state of the world.
type state struct {
	row     row
	workers [2]worker
	objects [keys][2]bag      // by key: the body of the object and of the error object, 0 for none
	net     [requests]request // sorted, the empty ones first

	expired  uint8 // records up to this one cannot be read any more
	reported bag   // losses that were reported
	old      uint8 // a bit for each key whose object is of before an operator's seek

	crashes, lost, takes, redeliveries, releases, seeks uint8 // what may still happen
}

func (s *state) worker(who uint8) *worker { return &s.workers[who-1] }

// count returns in how many places of the store a record is.
func (s *state) count(r uint8) (n int) {
	for i, o := range s.objects {
		if s.old>>i&1 == 0 {
			n += int(o[0].count(r)) + int(o[1].count(r))
		}
	}
	return n
}

// send puts a request under way; false if there are too many for the model.
func (s *state) send(r request) bool {
	if s.net[0].key != 0 {
		return false
	}
	s.net[0] = r
	s.sort()
	return true
}

func (s *state) arrive(i int) {
	s.net[i] = request{}
	s.sort()
}

func (s *state) sort() {
	slices.SortFunc(s.net[:], func(a, b request) int { return int(a.order()) - int(b.order()) })
}

func (r request) order() uint32 {
	return uint32(r.key)<<24 | uint32(r.slot)<<16 | uint32(r.body)<<8 | uint32(r.by)
}

// uses reports whether anything refers to a key.
func (s *state) uses(key uint8) bool {
	if s.objects[key-1] != [2]bag{} || s.plans(key) {
		return true
	}
	return slices.ContainsFunc(s.net[:], func(r request) bool { return r.key == key })
}

func (s *state) plans(key uint8) bool {
	return s.row.plan.key == key || s.workers[0].cut.key == key || s.workers[1].cut.key == key
}

// newKey returns a key that nothing refers to, 0 if there is none left.
func (s *state) newKey() uint8 {
	for key := uint8(1); key <= keys; key++ {
		if !s.uses(key) {
			s.old &^= 1 << (key - 1)
			return key
		}
	}
	return 0
}
