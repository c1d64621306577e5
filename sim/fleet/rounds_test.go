package fleet_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// rounds is a fleet that consists of nothing but lease.Observer and lease.Decide,
// for sizes that are too large for goroutines. Time goes in steps.
type rounds struct {
	now      time.Time
	rng      *rand.Rand
	rows     []lease.Lease
	index    map[string]int // into rows
	members  map[string]*member
	moves    int
	attempts int
}

// member is one worker: what it knows and what it is about to take.
type member struct {
	name     string
	observer *lease.Observer
	scanAt   time.Time
	held     map[string]bool
	taking   []lease.Lease // as they were seen
	leaving  []string      // given up in the next step
}

const (
	step = 100 * time.Millisecond

	// takesPerStep is what 16 takes in flight of 10 ms each allow.
	takesPerStep = 160
)

func newRounds(leases int) *rounds {
	r := &rounds{now: time.Unix(0, 0), rng: rand.New(rand.NewPCG(1, 2)), index: map[string]int{}, members: map[string]*member{}}
	for i := range leases {
		key := fmt.Sprintf("shardId-%012d", i)
		r.index[key] = i
		r.rows = append(r.rows, lease.Lease{Key: key, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
	}
	return r
}

// start starts a worker within the next second.
func (r *rounds) start(name string) {
	r.members[name] = &member{
		name: name, observer: lease.NewObserver(failover), held: map[string]bool{},
		scanAt: r.now.Add(time.Duration(r.rng.IntN(int(time.Second)))),
	}
}

// crash ends a worker: its leases run out.
func (r *rounds) crash(name string) { delete(r.members, name) }

// advance makes one step.
func (r *rounds) advance() {
	r.now = r.now.Add(step)
	names := slices.Sorted(maps.Keys(r.members))
	r.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names {
		m := r.members[name]
		switch {
		case len(m.leaving) > 0:
			r.release(m)
		case len(m.taking) > 0:
			r.take(m)
		case !r.now.Before(m.scanAt):
			r.scan(m)
		}
	}
	if r.now.UnixMilli()%3000 == 0 {
		r.renew()
	}
}

// renew moves the counter of every lease that is held.
func (r *rounds) renew() {
	for _, m := range r.members {
		for key := range m.held {
			if row := &r.rows[r.index[key]]; row.Owner == m.name {
				row.Counter++
			}
		}
	}
}

// scan reads the table and decides.
func (r *rounds) scan(m *member) {
	maps.DeleteFunc(m.held, func(key string, _ bool) bool { return r.rows[r.index[key]].Owner != m.name }) // stolen
	d := lease.Decide(lease.View{
		Leases: m.observer.Observe(r.now, r.rows), Me: m.name, Held: m.held, Overdue: 3 * failover, Unclaimed: tick * 11 / 10,
	}, r.rng)
	m.scanAt = r.now.Add(tick - time.Duration(r.rng.IntN(int(tick/10))))
	if again := r.now.Add(d.Again); d.Again > 0 && again.Before(m.scanAt) {
		m.scanAt = again
	}
	m.taking = append(d.Take, d.Steal...)
	m.leaving = d.Surplus
}

// release frees what the worker gives up; it then scans again, as a
// coordinator does.
func (r *rounds) release(m *member) {
	for _, key := range m.leaving {
		row := &r.rows[r.index[key]]
		if row.Owner == m.name {
			row.Owner, row.Instance, row.Released = "", "", lease.Surplus
			row.Counter++
		}
		delete(m.held, key)
	}
	m.leaving, m.scanAt = nil, r.now
}

// take tries the next takes, each of which needs the counter as it was seen.
// Renewals that came between change it, so that counts as lost, too.
func (r *rounds) take(m *member) {
	n := min(takesPerStep, len(m.taking))
	for _, seen := range m.taking[:n] {
		r.attempts++
		row := &r.rows[r.index[seen.Key]]
		if row.Counter != seen.Counter {
			continue
		}
		row.Owner, row.Instance, row.FailoverTime, row.Released = m.name, m.name+"-1", failover, lease.Plain
		row.Counter++
		m.held[seen.Key] = true
		r.moves++
	}
	m.taking = m.taking[n:]
}

// balanced reports whether every lease is held by a live worker and the loads
// differ by one at most.
func (r *rounds) balanced() bool {
	held := make(map[string]int, len(r.members))
	for _, row := range r.rows {
		if r.members[row.Owner] == nil {
			return false
		}
		held[row.Owner]++
	}
	loads := slices.Collect(maps.Values(held))
	return len(held) == len(r.members) && slices.Max(loads)-slices.Min(loads) <= 1
}

// settle returns how many ticks pass until the fleet is balanced, which it then
// stays for one more, and how many leases moved.
func (r *rounds) settle(t *testing.T, limit int) (ticks float64, moves int) {
	t.Helper()
	begin, before := r.now, r.moves
	since := time.Time{}
	for r.now.Sub(begin) < time.Duration(limit)*tick {
		r.advance()
		switch {
		case !r.balanced():
			since = time.Time{}
		case since.IsZero():
			since = r.now
		case r.now.Sub(since) >= tick:
			return float64(since.Sub(begin)) / float64(tick), r.moves - before
		}
	}
	t.Fatalf("not balanced after %d ticks", limit)
	return 0, 0
}

// TestBalanceInRounds is TestBalance for any number of workers.
func TestBalanceInRounds(t *testing.T) {
	t.Parallel()
	workers, leases := 50, 1013
	if *full {
		workers, leases = 500, 10_000
	}
	r := newRounds(leases)
	for i := range workers {
		r.start(fmt.Sprintf("worker-%03d", i))
	}
	ticks, moves := r.settle(t, 30)
	name := fmt.Sprintf("rounds, %d workers, %d leases", workers, leases)
	figure(t, name+", empty start", ticks, "ticks")
	figure(t, name+", empty start", float64(moves-leases)/float64(leases), "moved needlessly per lease")
	figure(t, name+", empty start", float64(r.attempts)/float64(leases), "takes tried per lease")
	if ticks > 8 {
		t.Errorf("balanced after %v ticks", ticks)
	}

	orphans := 0
	for i := range workers / 10 {
		dead := fmt.Sprintf("worker-%03d", 10*i)
		orphans += len(r.members[dead].held)
		r.crash(dead)
		r.start("heir-of-" + dead)
	}
	ticks, moves = r.settle(t, 30)
	figure(t, name+", a tenth replaced", ticks, "ticks")
	figure(t, name+", a tenth replaced", float64(moves-orphans)/float64(leases), "moved needlessly per lease")
	if ticks > 8 {
		t.Errorf("balanced again after %v ticks", ticks)
	}
	if n := moves - orphans; n > leases/5 {
		t.Errorf("%d leases moved that could have stayed, of %d", n, leases)
	}
}
