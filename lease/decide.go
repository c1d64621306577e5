package lease

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// View is what Decide decides on.
type View struct {
	Leases []Seen
	Me     string

	// Unreadable are the keys of leases whose rows cannot be read: nobody can
	// have them, and they have not ended.
	Unreadable []string

	// Held are the keys of the leases that this process holds. A row that
	// names Me but is not among them belongs to an earlier process.
	Held map[string]bool

	// Surplus are the held leases that are being given up because this worker
	// has more than its share.
	Surplus map[string]bool

	// Avoid are keys to leave to others for now.
	Avoid map[string]bool

	// LeftAlone are keys of leases that this worker may not take.
	LeftAlone map[string]bool

	// Overdue is how long a lease may stay free before it is taken by whoever
	// sees that, beyond its share: others may be full, or avoid it. 0 means
	// for ever.
	Overdue time.Duration

	// Unclaimed is the same for a lease that nobody owns and that nobody
	// marked when it was released, but for as many as the other workers that
	// are alive lack to their shares. 0 means Overdue.
	Unclaimed time.Duration

	// KeepSurplus says to give no surplus up: what was given up before came back.
	KeepSurplus bool

	MaxLeases int // never hold more; 0 means no limit
	MaxSteal  int // steal at most so many at once; 0 means 1
}

// Decision is what to do about a View.
type Decision struct {
	Take    []Lease  // free leases, in random order
	Steal   []Lease  // leases that others hold and renew
	Surplus []string // keys of held leases to give up

	// Quota is how many leases this worker should hold; Spillover how many
	// more it would take but for MaxLeases; Needed how many it lacks; Free how
	// many there are that nobody holds, those to avoid too; LeftAlone how many
	// there are, finished ones too, that it may not take and does not hold.
	Quota, Spillover, Needed, Free, LeftAlone int

	// Again is when to decide anew at the latest, since then a lease will be free,
	// or overdue, that has not moved from one list to the next; 0 if there is none.
	Again time.Duration
}

// Decide says which leases to take, steal and give up, by the rules of the
// 2.x LeaseTaker, but: all free leases of the share are taken at once, finished
// leases and those that wait for a parent are not load, and a surplus among
// workers of this package is released instead of stolen. rng breaks ties, so
// that workers do not all go for the same rows.
//
// Source: KCL DynamoDBLeaseTaker.computeLeasesToTake, chooseLeasesToSteal.
func Decide(v View, rng *rand.Rand) Decision {
	var d Decision
	s := survey(v)
	quotas := s.quotas()
	d.Quota = quotas[v.Me]
	limit := cmp.Or(v.MaxLeases, len(v.Leases))
	d.Spillover = max(0, d.Quota-limit)
	d.Quota = min(d.Quota, limit)

	mine, lacks := len(s.held[v.Me]), s.othersLack(v.Me, quotas)
	need := d.Quota - mine
	d.Needed, d.Free, d.LeftAlone = max(0, need), s.unheld()-s.earlier, s.leftAlone
	overdue, fresh := s.overdue(v, lacks, rng)
	d.Take = pick(overdue, limit-mine, rng, func(l Lease) Lease { return l })
	d.Take = append(d.Take, pick(fresh, need-len(d.Take), rng, func(l Lease) Lease { return l })...)
	switch {
	case len(d.Take) > 0:
	case need < 0 && v.KeepSurplus && mine <= limit:
	case need < 0:
		stay := slices.DeleteFunc(slices.Clone(s.held[v.Me]), func(l Lease) bool { return v.Surplus[l.Key] })
		wanted := max(lacks-s.unheld(), mine-limit) - (mine - len(stay)) // what is being given up is for them, too
		d.Surplus = pick(stay, min(len(stay)-d.Quota, wanted), rng, func(l Lease) string { return l.Key })
	case need > 0 && s.avoided+s.earlier == 0:
		d.Steal = s.steal(v, need, mine, rng)
	}
	room := limit - mine
	if v.MaxLeases > 0 { // also held are leases that count no more, or not yet
		room = max(0, v.MaxLeases-len(v.Held))
		d.Take = d.Take[:min(len(d.Take), room)]
		d.Steal = d.Steal[:min(len(d.Steal), room)]
	}
	if room > 0 {
		d.Again = s.next
	}
	return d
}

// steal chooses leases of the most loaded worker. From a Java worker, which
// gives nothing up by itself, it takes what the shares allow; from one of ours
// a single lease, and only while we hold none: then that worker cannot know
// that we are there.
func (s *load) steal(v View, need, mine int, rng *rand.Rand) []Lease {
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
