package sim_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// kind is what a world is made of.
type kind string

// The kinds of worlds.
const (
	processorWorld kind = "processors" // processors that fail, panic and block, over a stream and a table in memory
	archiverWorld  kind = "archivers"  // archivers with exactly-once objects, over the same
	awsWorld       kind = "localaws"   // archivers over the local services, through the AWS SDK
)

// what is a kind of trouble.
type what int

// The kinds of trouble. Those with a chance strike each request, or call, with
// that chance while they last.
const (
	stalls   what = iota // the machine stands still
	crash                // the machine is gone; another one starts soon, perhaps with the same worker ID
	restart              // the worker shuts down and starts again
	twin                 // another process with the same worker ID starts while the first goes on for a while
	slows                // requests take long
	fails                // requests fail without effect
	loses                // answers are lost, and what is tried next is throttled
	throttle             // requests are refused
	late                 // requests whose sender gave up take effect all the same
	stale                // lists of the table lag behind
	sinkDown             // the object store answers nothing
	sick                 // processors fail, panic and block
	split                // one shard becomes two
	merge                // two shards become one
	chain                // one after the other, faster than anybody reads
	whats                // those above are drawn in turn

	trim   // the stream's clock jumps so far ahead that all records but those of the last span expire
	silent // requests are never answered, whether or not they take effect
	behind // listings of the shards lag behind by up to 20 s
)

func (w what) String() string {
	return [...]string{
		"stalls", "crashes", "restarts", "twins", "slow requests", "failing requests", "lost answers", "throttling", "late requests",
		"lagging lists", "object store down", "sick processors", "split", "merge", "reshards in a row", "", "trim",
		"requests never answered", "lagging listings",
	}[w]
}

// incident is one trouble of a world.
type incident struct {
	at, span time.Duration
	slot     int // whose; -1: everybody's
	what     what
	chance   float64
}

func (i incident) String() string {
	who := "everybody"
	if i.slot >= 0 {
		who = fmt.Sprintf("slot %d", i.slot)
	}
	text := fmt.Sprintf("%10v %v: %v", i.at, who, i.what)
	if i.what == trim {
		return fmt.Sprintf("%s of all but the last %v", text, i.span)
	}
	if i.span > 0 {
		text += fmt.Sprintf(" for %v", i.span)
	}
	if i.chance > 0 {
		text += fmt.Sprintf(", %.0f %%", 100*i.chance)
	}
	return text
}

// scenario is all that makes a world.
type scenario struct {
	kind      kind
	seed      uint64
	shards    int
	slots     int // machines at one time
	trouble   time.Duration
	calm      time.Duration // in so long after the trouble everything must be well
	failover  []time.Duration
	rate      []float64 // how fast each slot's clock runs
	frozen    bool      // the clock of the first machine in slot 0 stands still
	java      bool      // a worker like Java's is there, too, until the trouble ends
	buffering int       // seconds

	// scarce says that some machines have little memory. Who waits for it is served in
	// the order of asking, and who asks in one instant asks in any order: such a world
	// need not replay to the nanosecond.
	scarce    bool
	sealed    bool // cuts have several objects: there is a backup
	incidents []incident

	transformed bool // records go through a transform into partitions
	indexed     bool // records are documents of a cluster
	loads       bool // objects are loaded into a warehouse
}

func newScenario(k kind, seed uint64) scenario {
	rng := rand.New(rand.NewPCG(seed, 7))
	s := scenario{
		kind: k, seed: seed, shards: 2 + rng.IntN(4), slots: 2 + rng.IntN(4), trouble: 20 * time.Minute, calm: 12 * time.Minute,
		buffering: 5 + rng.IntN(40), frozen: rng.IntN(6) == 0, java: k == processorWorld && rng.IntN(4) == 0,
	}
	if k == awsWorld {
		s.shards, s.slots, s.trouble = 1+rng.IntN(3), 2+rng.IntN(2), 6*time.Minute
	}
	drift, differ := rng.IntN(2) == 0, rng.IntN(3) == 0 && !s.java
	for range s.slots {
		f, r := 10*time.Second, 1.0
		if differ {
			f = []time.Duration{8 * time.Second, 10 * time.Second, 15 * time.Second}[rng.IntN(3)]
		}
		if drift {
			r = 0.96 + 0.08*rng.Float64()
		}
		s.failover, s.rate = append(s.failover, f), append(s.rate, r)
	}
	s.plan(rng)
	s.planTrims() // last, so that the indices of the others stay
	s.planSilence()
	return s
}

// plan fills in the incidents.
func (s *scenario) plan(rng *rand.Rand) {
	for _, always := range []incident{{what: slows, chance: 0.04}, {what: fails, chance: 0.03}, {what: throttle, chance: 0.02}, {what: loses, chance: 0.02}, {what: sick, chance: 0.08}} {
		if rng.IntN(3) > 0 {
			always.slot, always.span = -1, s.trouble
			s.incidents = append(s.incidents, always)
		}
	}
	for range 8 + rng.IntN(24) {
		i := incident{at: time.Duration(rng.Int64N(int64(s.trouble))), slot: rng.IntN(s.slots), what: what(rng.IntN(int(whats)))}
		switch i.what {
		case stalls:
			i.span = time.Duration(rng.Int64N(int64(30 * time.Second)))
		case crash, restart, twin:
		case split, merge, chain:
			i.slot = -1
		case slows, fails, loses, throttle, late, stale, sinkDown, sick, whats, trim, silent, behind:
			i.span = time.Duration(rng.Int64N(int64(40 * time.Second)))
			i.chance = 0.1 + 0.9*rng.Float64()
			if rng.IntN(3) == 0 {
				i.slot = -1
			}
		}
		i.span = min(i.span, s.trouble-i.at)
		s.incidents = append(s.incidents, i)
	}
	slices.SortStableFunc(s.incidents, func(a, b incident) int { return cmp.Compare(a.at, b.at) })
}

// planSilence has requests that are never answered in half of the worlds, and
// listings that are behind in a third of those in memory. It is over some minutes
// before the calm, in which nothing may hang any more.
func (s *scenario) planSilence() {
	d := dice(s.seed)
	until := s.trouble - 4*time.Minute
	who := func(name string, n int64) int { return d.below(s.slots+1, name, n) - 1 }
	if d.below(2, "silence", 0) == 0 {
		for n := range int64(1 + d.below(3, "silences", 0)) {
			s.incidents = append(s.incidents, incident{
				at: d.upTo(until, "silence at", n), span: d.upTo(30*time.Second, "silence for", n), slot: who("silence of", n),
				what: silent, chance: 0.1 + 0.9*d.throw("silence how often", n),
			})
		}
	}
	if s.kind != awsWorld && d.below(3, "behind", 0) == 0 {
		for n := range int64(1 + d.below(3, "behinds", 0)) {
			s.incidents = append(s.incidents, incident{
				at: d.upTo(until, "behind at", n), span: d.upTo(4*time.Minute, "behind for", n), slot: who("who is behind", n), what: behind, chance: 0.7,
			})
		}
	}
}

// only returns the scenario with no more than the incidents of these indices.
func (s scenario) only(keep []int) scenario {
	all := s.incidents
	s.incidents = nil
	for _, i := range keep {
		s.incidents = append(s.incidents, all[i])
	}
	return s
}

func (s scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "a world of %s, seed %d: %d shards, %d machines, failover times %v, clock rates %.3v, buffering %ds", s.kind, s.seed, s.shards, s.slots, s.failover, s.rate, s.buffering)
	if s.frozen {
		b.WriteString(", the first machine's clock stands still")
	}
	if s.java {
		b.WriteString(", a Java worker")
	}
	for _, i := range s.incidents {
		fmt.Fprintf(&b, "\n  %v", i)
	}
	return b.String()
}
