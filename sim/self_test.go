package sim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestSeedsReplay runs worlds twice: what happens is the same to the
// nanosecond, so a seed that broke once breaks again. A machine that is busy may
// wake up the goroutines of one instant in another order, once in many runs: then
// a third run is as one of the two was.
func TestSeedsReplay(t *testing.T) {
	t.Parallel()
	differ := 0
	const worlds = 8 // and on until records have expired in two
	for seed, expires := uint64(0), 0; seed < worlds || expires < 2; seed++ {
		s := newScenario([]kind{processorWorld, archiverWorld}[seed%2], seed)
		s.loads = seed%4 == 1
		if s.trims() {
			expires++
		} else if seed >= worlds {
			continue
		}
		a, b := run(t, s).log, run(t, s).log
		if slices.Equal(a, b) {
			continue
		}
		t.Logf("seed %d: two runs differ: %s", seed, firstDifference(a, b))
		if c := run(t, s).log; !slices.Equal(a, c) && !slices.Equal(b, c) {
			t.Logf("and the third: %s", firstDifference(a, c))
			differ++
		}
	}
	if differ > 0 {
		t.Errorf("%d worlds did not replay", differ)
	}
}

// firstDifference returns where two logs part, with what came before.
func firstDifference(a, b []event) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	var out strings.Builder
	fmt.Fprintf(&out, "at event %d of %d and %d", i, len(a), len(b))
	for _, e := range a[max(0, i-8):i] {
		fmt.Fprintf(&out, "\n  %v %s", e.at, e.text)
	}
	for mark, log := range map[string][]event{"-": a, "+": b} {
		for _, e := range log[i:min(len(log), i+3)] {
			fmt.Fprintf(&out, "\n%s %v %s", mark, e.at, e.text)
		}
	}
	return out.String()
}

// TestASlowClockIsFound gives one machine a clock of half the speed, which no
// margin covers: worlds must break, and what is left of one after shrinking must
// break again, in the same way.
func TestASlowClockIsFound(t *testing.T) {
	t.Parallel()
	found := 0
	for seed := range uint64(6) {
		s := newScenario(processorWorld, seed)
		s.rate[0] = 0.5
		if o := run(t, s); len(o.violated) == 0 {
			continue
		}
		found++
		kept, small := shrink(s, func(c scenario) bool { return len(run(t, c).violated) > 0 })
		a, b := run(t, small), run(t, small)
		if len(a.violated) == 0 || !slices.Equal(a.violated, b.violated) {
			t.Errorf("seed %d: what is left does not break the same way twice: %v and %v", seed, a.violated, b.violated)
		}
		t.Logf("seed %d: %d of %d incidents are left: %s", seed, len(kept), len(s.incidents), a.violated[0])
		break
	}
	if found == 0 {
		t.Error("no world broke with a clock of half the speed")
	}
}

// TestWorldsThatWereBroken runs worlds that broke once, as they were shrunk.
func TestWorldsThatWereBroken(t *testing.T) {
	t.Parallel()
	for _, row := range brokenOnce() {
		t.Run(row.what, func(t *testing.T) {
			t.Parallel()
			o := run(t, newScenario(row.kind, row.seed).only(row.keep))
			if len(o.violated) > 0 {
				t.Errorf("%s\n%s", o.violated[0], timeline(o))
			}
		})
	}
}
