package exactlyonce_test

// essence is a state without what makes no difference to what can follow:
// which of the free keys was drawn, under which keys objects are that nobody
// will ask for again, how large the counters are, and what a worker is about
// that can only find that its lease is lost.
type essence struct {
	state   state
	settled bag // what those objects hold together
}

// essence returns the essence of a state. Two states
// that have the same one behave alike; a state that keeps too much is visited
// in vain, no more.
func (m *model) essence(s state) essence {
	if m.everyState || m.derivedKey || m.derivedStart || m.unfenced || m.unprepared || m.inDoubt || m.overwrites {
		return essence{state: s} // what follows is not true of these deviations
	}
	m.dismiss(&s)
	s.countFromZero()
	e := essence{state: s}
	var number [keys + 1]uint8 // by old key
	last := uint8(0)
	rename := func(key *uint8) {
		if *key != 0 && number[*key] == 0 {
			last++
			number[*key] = last
		}
		*key = number[*key]
	}
	rename(&e.state.row.plan.key)
	rename(&e.state.workers[0].cut.key)
	rename(&e.state.workers[1].cut.key)
	for i := range e.state.net {
		rename(&e.state.net[i].key)
	}
	e.state.sort()
	e.state.objects = [keys][2]bag{}
	e.state.old = 0
	for i := range keys {
		if n := number[i+1]; n != 0 {
			e.state.objects[n-1] = s.objects[i]
			e.state.old |= s.old >> i & 1 << (n - 1)
		} else if s.old>>i&1 == 0 {
			e.settled += s.objects[i][0] + s.objects[i][1]
		}
	}
	return e
}

// dismiss makes those workers idle that are so after their next write of the
// row, and can do nothing else before.
func (m *model) dismiss(s *state) {
	for i := range s.workers {
		w := &s.workers[i]
		stale := s.row.counter > w.counter+1                       // nor can the write have happened
		sent := w.at == waiting && (w.slot == 1 || w.body[1] == 0) // a second copy changes nothing
		writes := w.at == taking || w.at == fresh && !m.atLeastOnce[i+1] || w.at == cutting && (w.slot == 2 || !w.prepared && !w.noPlan)
		if stale && (writes || sent) {
			*w = worker{}
		}
	}
}

// countFromZero keeps of the counters only how far each is behind the row's,
// which past two is all the same.
func (s *state) countFromZero() {
	base := s.row.switches
	for i := range s.workers {
		w := &s.workers[i]
		if w.at != idle {
			w.counter = 2 - min(s.row.counter-w.counter, 2)
		}
		if w.at == taking {
			base = min(base, w.seenSwitches)
		}
	}
	s.row.counter = 2
	for i := range s.workers {
		if s.workers[i].at == taking {
			s.workers[i].seenSwitches -= base
		}
	}
	if s.workers[0].at != taking && s.workers[1].at != taking {
		base = s.row.switches
	}
	s.row.switches -= base
}
