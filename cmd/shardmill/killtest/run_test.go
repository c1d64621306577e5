//go:build kill || search || redshift

package killtest_test

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that has to happen.
const patience = 2 * time.Minute

// leastHits is how many archivers must have been struck for a run to count.
const leastHits = 50

// run is what the test did and saw.
type run struct {
	t         *testing.T
	s         *services
	archivers *archivers
	rng       *rand.Rand

	todo    []point
	hits    map[string]int // archivers struck, by step
	stops   int
	misses  int
	planned int             // leases that had a plan when their archiver was struck
	taken   []time.Duration // of each such lease, until it had another owner
	resumed []time.Duration // until that one's first commit

	reshard    func() // to be called once, while an archiver is struck
	resharding bool
}

func newRun(t *testing.T, s *services, a *archivers, rng *rand.Rand) *run {
	t.Helper()
	return &run{t: t, s: s, archivers: a, rng: rng, hits: make(map[string]int)}
}

func (r *run) total() (n int) {
	for _, hits := range r.hits {
		n += hits
	}
	return n
}

// victim is an archiver that was struck.
type victim struct {
	archiver

	slot   int
	shard  string // which it was aimed at for, if for one
	point  point
	fault  fault
	at     time.Time
	leases map[string]lease // what it held, planned ones if there are
	any    bool             // one of them that goes on is enough
}

// strike strikes an archiver at a point, waits until the other one has gone on
// with its shards, and lets it live again.
func (r *run) strike(p point) {
	r.t.Helper()
	slot := r.pick()
	first := r.hit(slot, p, func() bool { return true })
	victims := []victim{first}
	if p.chain {
		r.archivers.start(slot, false)
		victims = append(victims, r.hit(1-slot, p, func() bool {
			return len(ownedBy(r.s.leases(r.t), first.worker)) == 0
		}))
	}
	if r.reshard != nil && !r.resharding {
		r.resharding = true
		r.reshard()
	}
	for _, v := range victims {
		r.awaitSuccessor(v)
	}
	for _, i := range r.rng.Perm(len(victims)) {
		if v := victims[i]; !v.point.early && v.fault.ID > 0 {
			r.s.remove(v.fault)
		}
	}
	last := victims[len(victims)-1]
	if p.stop {
		last.signal(syscall.SIGCONT)
		return
	}
	r.archivers.start(last.slot, r.rng.IntN(2) == 0)
}

// pick chooses an archiver that has leases.
func (r *run) pick() int {
	r.t.Helper()
	var slots []int
	r.eventually("an archiver to have leases", func() bool {
		leases := r.s.leases(r.t)
		for slot, a := range r.archivers.slots {
			if len(ownedBy(leases, a.worker)) > 0 {
				slots = append(slots, slot)
			}
		}
		return len(slots) > 0
	})
	return slots[r.rng.IntN(len(slots))]
}

// hit brings an archiver to a point and kills or stops it there. Before that it
// waits for more.
func (r *run) hit(slot int, p point, more func() bool) victim {
	r.t.Helper()
	v := victim{archiver: r.archivers.slots[slot], slot: slot, point: p}
	held := func() bool { return true }
	if p.fault.Kind != "" {
		f := p.fault
		f.UserAgent = "app/" + v.name
		v.fault = r.s.add(f)
		held = func() bool { return r.s.look(v.fault).Struck }
	}
	r.eventually(v.name+" to be struck: "+p.how, func() bool { return held() && more() })
	time.Sleep(time.Duration(r.rng.IntN(200)) * time.Millisecond) // so that several shards may be
	if p.stop {
		v.signal(syscall.SIGSTOP)
	} else {
		v.kill()
	}
	v.at = time.Now()
	r.look(&v)
	if p.early {
		r.s.remove(v.fault)
	}
	return v
}

// look sees what a victim held, and counts the hit if it was at the point.
func (r *run) look(v *victim) (hit bool) {
	r.t.Helper()
	planned := make(map[string]lease)
	v.leases = ownedBy(r.s.leases(r.t), v.worker)
	for shard, l := range v.leases {
		switch {
		case l.checkpoint == shardEnd:
			delete(v.leases, shard)
		case l.pending:
			planned[shard] = l
		}
	}
	if len(v.leases) == 0 || v.point.planned && len(planned) == 0 {
		r.misses++
		v.any = true
		return false
	}
	r.hits[v.point.step]++
	if v.point.stop {
		r.stops++
	}
	r.planned += len(planned)
	if v.any = len(planned) == 0; !v.any {
		v.leases = planned
	}
	return true
}

// awaitSuccessor waits until the victim's leases have other owners, and these
// have committed.
func (r *run) awaitSuccessor(v victim) {
	r.t.Helper()
	taken, resumed := make(map[string]bool), make(map[string]bool)
	r.eventually("a successor of "+v.name+" to commit, which was struck: "+v.point.how, func() bool {
		now, leases := time.Since(v.at), r.s.leases(r.t)
		for shard, before := range v.leases {
			l, there := leases[shard]
			ended := !there || l.checkpoint == shardEnd
			if !taken[shard] && (ended || l.owner != v.worker && l.owner != "") {
				taken[shard] = true
				r.taken = append(r.taken, now)
			}
			if taken[shard] && !resumed[shard] && (ended || l.checkpoint != before.checkpoint) {
				resumed[shard] = true
				r.resumed = append(r.resumed, now)
			}
		}
		return len(resumed) == len(v.leases) || v.any && (len(resumed) > 0 || len(v.leases) == 0)
	})
}

// eventually waits for what must happen, and fails if an archiver ends by itself.
func (r *run) eventually(what string, done func() bool) {
	r.t.Helper()
	eventually(r.t, what, patience, func() bool {
		for _, a := range r.archivers.slots {
			if a.diedByItself() {
				r.t.Fatalf("%s ended with %v", a.name, a.err)
			}
		}
		return done()
	})
}

// report prints what was done.
func (r *run) report() {
	r.t.Helper()
	for _, step := range []string{atPrepare, atPut, prepareToPut, publishToCommit, anyMoment} {
		r.t.Logf("struck %3d times: %s", r.hits[step], step)
		if r.hits[step] == 0 {
			r.t.Errorf("no archiver was struck: %s", step)
		}
	}
	r.t.Logf("struck %3d times in all, %d of them stopped, the others killed; %d leases had a plan; %d times missed",
		r.total(), r.stops, r.planned, r.misses)
	if r.total() < leastHits {
		r.t.Errorf("struck %d times; at least %d are asked for", r.total(), leastHits)
	}
	r.t.Logf("takeover of %d leases: another owner after a median of %v, at most %v; its first commit after %v, at most %v",
		len(r.resumed), median(r.taken), slices.Max(r.taken), median(r.resumed), slices.Max(r.resumed))
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2].Round(10 * time.Millisecond)
}
