package lease

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// load is who holds what of the leases that count.
type load struct {
	held      map[string][]Lease // by owner; me always has an entry
	alive     map[string]bool    // the other owners that were seen to renew something of late
	free      []Seen
	avoided   int           // nobody's, but to be avoided by this worker
	resting   int           // nobody's, and not to be had yet
	earlier   int           // held by an earlier process with our ID
	leftAlone int           // not for this worker; they do not count
	live      int           // all that count
	next      time.Duration // until the first of them is free or overdue; 0: none will be
}

func survey(v View) *load {
	s := &load{held: map[string][]Lease{v.Me: nil}, alive: make(map[string]bool)}
	unfinished := make(map[string]bool, len(v.Leases))
	for _, key := range v.Unreadable {
		unfinished[key] = true
	}
	for _, l := range v.Leases {
		unfinished[l.Key] = !l.Finished()
	}
	for _, l := range v.Leases {
		if l.Owner != "" && !l.Expired && l.Owner != v.Me && !v.LeftAlone[l.Key] {
			s.see(l) // it is there, even if nothing that it holds counts
		}
		switch {
		case !v.Held[l.Key] && v.leftAlone(l.Lease):
			s.leftAlone++
		case !l.Finished() && !waits(l.Lease, unfinished):
			s.count(v, l)
		}
	}
	return s
}

// leftAlone reports whether the lease must not be taken by this worker: it is
// another's, or nobody could renew it.
func (v View) leftAlone(l Lease) bool {
	_, err := l.Next()
	return v.LeftAlone[l.Key] || err != nil
}

// count adds a lease to the load.
func (s *load) count(v View, l Seen) {
	s.live++
	if v.Held[l.Key] {
		s.held[v.Me] = append(s.held[v.Me], l.Lease)
		return
	}
	s.after(l.FreeIn)
	switch {
	case v.Avoid[l.Key] && (l.Free || l.Owner == ""):
		s.avoided++
	case l.Owner == "" && !l.Free:
		s.resting++
	case l.Free:
		s.free = append(s.free, l)
	case l.Owner == v.Me:
		s.earlier++ // it must expire first
	default:
		s.held[l.Owner] = append(s.held[l.Owner], l.Lease)
	}
}

// after notes that something changes in d, if d is positive.
func (s *load) after(d time.Duration) {
	if d > 0 && (s.next == 0 || d < s.next) {
		s.next = d
	}
}

// overdue parts the free leases into those that have been free for too long and
// the others. Of the unclaimed ones as many are left as the other workers that
// are alive lack; the share of one that has died is not kept for it. Whether it
// has is asked again when they have been free for long enough.
func (s *load) overdue(v View, lacks int, rng *rand.Rand) (overdue, fresh []Lease) {
	var unclaimed []Lease
	soon := cmp.Or(v.Unclaimed, v.Overdue)
	for _, l := range s.free {
		nobodys := l.Owner == "" && l.Released == Plain
		switch {
		case v.Overdue > 0 && l.FreeFor >= v.Overdue:
			overdue = append(overdue, l.Lease)
			continue
		case nobodys && soon > 0 && l.FreeFor >= soon:
			unclaimed = append(unclaimed, l.Lease)
		default:
			fresh = append(fresh, l.Lease)
			if nobodys && l.FreeFor > 0 {
				s.after(soon - l.FreeFor)
			}
		}
		if l.FreeFor > 0 {
			s.after(v.Overdue - l.FreeFor)
		}
	}
	rng.Shuffle(len(unclaimed), func(i, j int) { unclaimed[i], unclaimed[j] = unclaimed[j], unclaimed[i] })
	left := min(lacks, len(unclaimed))
	return append(overdue, unclaimed[left:]...), append(fresh, unclaimed[:left]...)
}

// othersLack returns how many leases the other workers that are alive hold too
// few.
func (s *load) othersLack(me string, quotas map[string]int) (n int) {
	for worker, quota := range quotas {
		if worker != me && s.alive[worker] {
			n += max(0, quota-len(s.held[worker]))
		}
	}
	return n
}

// see notes that the owner of l has a share, and whether it is alive.
func (s *load) see(l Seen) {
	if _, ok := s.held[l.Owner]; !ok {
		s.held[l.Owner] = nil
	}
	if !l.Silent {
		s.alive[l.Owner] = true
	}
}

// waits reports whether a parent of l has not ended yet.
func waits(l Lease, unfinished map[string]bool) bool {
	return slices.ContainsFunc(l.Parents, func(p string) bool { return unfinished[p] })
}

// unheld returns how many leases nobody holds.
func (s *load) unheld() int { return len(s.free) + s.avoided + s.resting + s.earlier }

// quotas returns how many leases each worker should hold: an equal share, and
// of the remainder those get one more who already hold most. So the fewest
// leases move, and all workers with the same view agree.
func (s *load) quotas() map[string]int {
	workers := slices.SortedFunc(maps.Keys(s.held), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(s.held[b]), len(s.held[a])), cmp.Compare(a, b))
	})
	out := make(map[string]int, len(workers))
	for i, w := range workers {
		out[w] = s.live / len(workers)
		if i < s.live%len(workers) {
			out[w]++
		}
	}
	return out
}
