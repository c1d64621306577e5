package lease

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// View is what Plan decides on.
type View struct {
	Leases []Seen
	Me     string

	// Held are the keys of the leases that this process holds. A row that
	// names Me but is not among them belongs to an earlier process.
	Held map[string]bool

	// Leaving are the held leases that were asked to be given up.
	Leaving map[string]bool

	// Avoid are keys to leave to others for now.
	Avoid map[string]bool

	// Overdue is how long a lease may stay free before it is taken by whoever
	// sees that, beyond its share: others may be full, or avoid it. 0 means
	// for ever.
	Overdue time.Duration

	// KeepSurplus says to give nothing up: what was given up before came back.
	KeepSurplus bool

	MaxLeases int // never hold more; 0 means no limit
	MaxSteal  int // steal at most so many at once; 0 means 1
}

// Decision is what to do about a View.
type Decision struct {
	Take    []Lease  // free leases, in random order
	Steal   []Lease  // leases that others hold and renew
	Release []string // keys of held leases to give up

	// Quota is how many leases this worker should hold; Spillover how many
	// more it would take but for MaxLeases; Needed how many it lacks; Free how
	// many there are that nobody holds, those to avoid too.
	Quota, Spillover, Needed, Free int
}

// Plan decides which leases to take, steal and give up, by the rules of the
// 2.x LeaseTaker, but: all free leases of the share are taken at once, finished
// leases and those that wait for a parent are not load, and a surplus among
// workers of this package is released instead of stolen. rng breaks ties, so
// that workers do not all go for the same rows.
//
// Source: KCL DynamoDBLeaseTaker.computeLeasesToTake, chooseLeasesToSteal.
func Plan(v View, rng *rand.Rand) Decision {
	var d Decision
	s := survey(v)
	d.Quota = s.quota(v.Me)
	limit := cmp.Or(v.MaxLeases, len(v.Leases))
	d.Spillover = max(0, d.Quota-limit)
	d.Quota = min(d.Quota, limit)

	mine := len(s.held[v.Me])
	d.Needed, d.Free = max(0, d.Quota-mine), s.avoided+len(s.free)
	switch need := d.Quota - mine; {
	case mine < limit && len(s.overdue) > 0:
		d.Take = pick(s.overdue, limit-mine, rng, func(l Lease) Lease { return l })
	case need < 0 && v.KeepSurplus && mine <= limit:
	case need < 0:
		stay := slices.DeleteFunc(slices.Clone(s.held[v.Me]), func(l Lease) bool { return v.Leaving[l.Key] })
		d.Release = pick(stay, len(stay)-d.Quota, rng, func(l Lease) string { return l.Key })
	case need > 0 && len(s.free) > 0:
		d.Take = pick(s.free, need, rng, func(l Lease) Lease { return l })
	case need > 0 && s.avoided+s.earlier == 0:
		d.Steal = s.steal(v, need, mine, rng)
	}
	if v.MaxLeases > 0 { // also held are leases that count no more, or not yet
		room := max(0, v.MaxLeases-len(v.Held))
		d.Take = d.Take[:min(len(d.Take), room)]
		d.Steal = d.Steal[:min(len(d.Steal), room)]
	}
	return d
}

// load is who holds what of the leases that count.
type load struct {
	held    map[string][]Lease // by owner; me always has an entry
	free    []Lease
	overdue []Lease // those of free that nobody has taken for long
	avoided int     // free, but to be avoided by this worker
	earlier int     // held by an earlier process with our ID
	live    int
}

func survey(v View) load {
	s := load{held: map[string][]Lease{v.Me: nil}}
	unfinished := make(map[string]bool, len(v.Leases))
	for _, l := range v.Leases {
		unfinished[l.Key] = !l.Finished()
	}
	for _, l := range v.Leases {
		mine := v.Held[l.Key]
		if l.Owner != "" && !l.Expired && l.Owner != v.Me {
			s.see(l.Owner) // it is alive, even if nothing that it holds counts
		}
		if l.Unreadable != "" || l.Finished() || waits(l.Lease, unfinished) {
			continue
		}
		s.live++
		switch {
		case mine:
			s.held[v.Me] = append(s.held[v.Me], l.Lease)
		case l.Free && v.Avoid[l.Key]:
			s.avoided++
		case l.Free:
			s.free = append(s.free, l.Lease)
			if v.Overdue > 0 && l.FreeFor > v.Overdue {
				s.overdue = append(s.overdue, l.Lease)
			}
		case l.Owner == v.Me:
			s.earlier++ // it must expire first
		default:
			s.held[l.Owner] = append(s.held[l.Owner], l.Lease)
		}
	}
	return s
}

// see notes that worker is alive.
func (s load) see(worker string) {
	if _, ok := s.held[worker]; !ok {
		s.held[worker] = nil
	}
}

// waits reports whether a parent of l has not ended yet.
func waits(l Lease, unfinished map[string]bool) bool {
	return slices.ContainsFunc(l.Parents, func(p string) bool { return unfinished[p] })
}

// quota returns how many leases worker should hold: an equal share, and of the
// remainder those get one more who already hold most. So the fewest leases
// move, and all workers with the same view agree.
func (s load) quota(worker string) int {
	workers := slices.SortedFunc(maps.Keys(s.held), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(s.held[b]), len(s.held[a])), cmp.Compare(a, b))
	})
	n := s.live / len(workers)
	if slices.Index(workers, worker) < s.live%len(workers) {
		n++
	}
	return n
}

// steal chooses leases of the most loaded worker. From a Java worker, which
// gives nothing up by itself, it takes what the shares allow; from one of ours
// a single lease, and only while we hold none: then that worker cannot know
// that we are there.
func (s load) steal(v View, need, mine int, rng *rand.Rand) []Lease {
	var from []Lease
	for _, owner := range slices.Sorted(maps.Keys(s.held)) {
		if owner != v.Me && len(s.held[owner]) > len(from) {
			from = s.held[owner]
		}
	}
	if len(from) < mine+2 {
		return nil // it would only move the imbalance
	}
	ours := func(l Lease) bool { return l.Instance != "" }
	if slices.ContainsFunc(from, ours) {
		if mine > 0 {
			return nil
		}
		return pick(from, 1, rng, func(l Lease) Lease { return l })
	}
	n := min(need, (len(from)-mine)/2, max(1, v.MaxSteal))
	return pick(from, n, rng, func(l Lease) Lease { return l })
}

// pick returns f of n elements of list, drawn at random.
func pick[T any](list []Lease, n int, rng *rand.Rand, f func(Lease) T) []T {
	shuffled := slices.Clone(list)
	rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	n = max(0, min(n, len(list)))
	out := make([]T, 0, n)
	for _, l := range shuffled[:n] {
		out = append(out, f(l))
	}
	return out
}
