//go:build kill

package killtest_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

const (
	chaosArchivers = 4
	chaosFailover  = 3 * time.Second
	// leastShards and mostShards are how many are open.
	leastShards, mostShards = 4, 12
	// mostTroubled is how many archivers may be dead or stopped at a time.
	mostTroubled = 3
)

// TestChaos has four archivers live through trouble of every kind, chosen at
// random, for a while. Then it is calm, and in the end every record must be in
// exactly one object.
func TestChaos(t *testing.T) { //nolint:paralleltest // its processes need the cores
	began := time.Now()
	lasts := chaosTime(t)
	c := newChaos(t, lasts)
	c.trouble(lasts)
	t.Logf("%v: the trouble ends", time.Since(began).Round(time.Second))
	c.calm()
	t.Logf("%v: everything is archived", time.Since(began).Round(time.Second))
	c.account()
	t.Logf("took %v", time.Since(began).Round(time.Second))
}

// chaos is a run of TestChaos. One goroutine does everything.
type chaos struct {
	t         *testing.T
	dir       string
	s         *services
	feed      *feeder
	archivers *archivers
	rng       *rand.Rand
	watch     *watch

	agenda   []job
	bag      []trouble // what comes next
	next     time.Time // when
	troubled map[int]bool
	storms   int            // on the lease table, now
	strikes  map[string]int // by kind
	points   map[string]int // archivers struck, by step of the protocol
	reshards map[string]int // by kind
	shutdown map[string]int // archivers that were told to end, by how they did
	calming  bool
}

// job is something to do later.
type job struct {
	at time.Time
	do func()
}

func newChaos(t *testing.T, lasts time.Duration) *chaos {
	t.Helper()
	rng := newRand(t, "SHARDMILL_CHAOS_SEED")
	// An hour's records fit into the services' memory.
	rate := 1000 * int64(setting(t, "SHARDMILL_CHAOS_KB", max(1, min(500, int(900_000/lasts.Seconds())))))
	c := &chaos{
		t: t, dir: newDir(t, "SHARDMILL_CHAOS_DIR"), rng: rng, watch: newWatch(t),
		troubled: make(map[int]bool), strikes: make(map[string]int), points: make(map[string]int), reshards: make(map[string]int), shutdown: make(map[string]int),
	}
	t.Logf("for %v, %d bytes a second, in %s", lasts, rate, c.dir)
	c.s = startServices(t, c.dir)
	c.feed = startFeeder(t, c.s, c.dir, rand.New(rand.NewPCG(rng.Uint64(), 0)), ordinary(rate))
	c.feed.allow(1 << 60)
	c.archivers = newArchivers(t, c.s, c.dir, settings{
		count: chaosArchivers, delivery: "exactly-once", failover: int(chaosFailover / time.Second), memoryMBs: 64, sizeMBs: 1, codec: "GZIP",
		// The log of writes has room for 10,000.
		interval: 1 + int(lasts/(30*time.Minute)),
	})
	return c
}

// chaosTime is how long the trouble lasts.
func chaosTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SHARDMILL_CHAOS_TIME")
	if text == "" {
		return 90 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("SHARDMILL_CHAOS_TIME is %q; it must be a positive duration", text)
	}
	return d
}

// trouble makes it, from when the archivers are at work.
func (c *chaos) trouble(lasts time.Duration) {
	c.t.Helper()
	eventually(c.t, "the archivers to work", patience, func() bool {
		leases := c.s.leases(c.t)
		return len(leases) >= shardCount && len(ownedBy(leases, "")) == 0
	})
	reported := time.Now()
	for end := reported.Add(lasts); time.Now().Before(end); c.step() {
		if now := time.Now(); now.After(c.next) {
			c.next = now.Add(c.between(300*time.Millisecond, 1800*time.Millisecond))
			c.make()
		}
		if time.Since(reported) > 5*time.Minute {
			reported = time.Now()
			c.t.Logf("%v to go: %s", time.Until(end).Round(time.Second), c.progress())
		}
	}
}

// make makes one trouble.
func (c *chaos) make() {
	c.t.Helper()
	if len(c.bag) == 0 {
		c.bag = troubles()
		c.rng.Shuffle(len(c.bag), func(i, j int) { c.bag[i], c.bag[j] = c.bag[j], c.bag[i] })
	}
	next := c.bag[0]
	c.bag = c.bag[1:]
	if next.make(c) {
		c.strikes[next.kind]++
	}
}

// step does what is due and looks around.
func (c *chaos) step() {
	c.t.Helper()
	now := time.Now()
	due := c.agenda
	c.agenda = nil
	for _, j := range due {
		if j.at.After(now) && !c.calming {
			c.agenda = append(c.agenda, j)
			continue
		}
		j.do() // may add others
	}
	if c.feed.failed() {
		c.t.Fatal(c.feed.err)
	}
	c.watch.look(c.s, c.archivers.slots, c.troubled, c.storms > 0)
	for slot, a := range c.archivers.slots {
		if !c.troubled[slot] && a.diedByItself() {
			c.t.Errorf("%s ended with %v", a.name, a.err)
			c.archivers.start(slot, false)
		}
	}
	time.Sleep(50 * time.Millisecond)
}

// later has something done after a while, or when it is calm.
func (c *chaos) later(after time.Duration, do func()) {
	c.agenda = append(c.agenda, job{at: time.Now().Add(after), do: do})
}

// calm ends all trouble and waits until everything that was put is archived.
func (c *chaos) calm() {
	c.t.Helper()
	c.calming = true
	c.s.clear()
	end := time.Now().Add(patience)
	for ; len(c.agenda) > 0; c.step() {
		if time.Now().After(end) {
			c.t.Fatal("what was struck does not come back")
		}
	}
	c.feed.finish(c.t)
	for end = time.Now().Add(3 * patience); !c.s.isArchived(c.t); c.step() {
		if time.Now().After(end) {
			c.t.Errorf("not everything is archived: %+v", c.s.leases(c.t))
			break
		}
	}
	c.settle()
	c.archivers.end()
}

// settle waits until each lease has been with one archiver for longer than a
// lease that was stolen is not released: what is still owned after an end in
// order was forgotten.
func (c *chaos) settle() {
	c.t.Helper()
	settled, since := owners(c.s.leases(c.t)), time.Now()
	for end := time.Now().Add(patience); time.Since(since) < 2*chaosFailover; c.step() {
		now := owners(c.s.leases(c.t))
		if !maps.Equal(now, settled) || !c.archivers.own(now) {
			settled, since = now, time.Now()
		}
		if time.Now().After(end) {
			c.t.Errorf("the leases do not stay with the archivers: %v", now)
			return
		}
	}
}
