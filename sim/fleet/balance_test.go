package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
)

// TestBalance starts a fleet on a table of free leases, and then replaces a
// tenth of it at once, without a release: the leases must be balanced again
// soon after those of the dead have run out, and few others may move.
//
// Rarely, by the order in which the workers of one instant come, a worker takes
// back what it gave up, and then keeps what it has for 30 failover times, one
// lease or two above the others. So a fleet that is not balanced in time has to be
// the only one of two.
func TestBalance(t *testing.T) {
	t.Parallel()
	for attempt := range uint64(2) {
		var slow []string
		synctest.Test(t, func(t *testing.T) { slow = balance(t, attempt) })
		if slow == nil {
			return
		}
		t.Logf("fleet %d: %v", attempt, slow)
	}
	t.Error("two fleets were not balanced in time")
}

// balance returns what took too long.
func balance(t *testing.T, chance uint64) (slow []string) {
	t.Helper()
	const workers, leases = 50, 1013
	f := newFleet(t, leases)
	f.rng = rand.New(rand.NewPCG(1, 2+chance))
	defer f.end()
	name := fmt.Sprintf("balance, %d workers, %d leases", workers, leases)
	for i := range workers {
		f.start(fmt.Sprintf("worker-%03d", i))
	}
	ticks, moves := f.settle(100)
	figure(t, name+", empty start", ticks, "ticks")
	figure(t, name+", empty start", float64(moves-leases)/float64(leases), "moved needlessly per lease")
	figure(t, name+", empty start", float64(f.writes)/float64(leases), "writes per lease")
	if ticks > 8 {
		slow = append(slow, fmt.Sprintf("balanced after %v ticks", ticks))
	}

	held, _ := f.loads()
	orphans := 0
	for i := range workers / 10 {
		dead := fmt.Sprintf("worker-%03d", 10*i)
		orphans += held[dead]
		f.crash(dead)
		f.start("heir-of-" + dead)
	}
	ticks, moves = f.settle(100)
	figure(t, name+", a tenth replaced", ticks, "ticks")
	figure(t, name+", a tenth replaced", float64(moves-orphans)/float64(leases), "moved needlessly per lease")
	if ticks > 8 {
		slow = append(slow, fmt.Sprintf("balanced again after %v ticks", ticks))
	}
	if n := moves - orphans; n > leases/5 {
		t.Errorf("%d leases moved that could have stayed, of %d", n, leases)
	}
	if f.lost > 0 {
		t.Errorf("%d leases were lost by workers that lived", f.lost)
	}
	return slow
}
