package sim_test

import (
	"slices"
	"testing"
)

// TestSeedsReplay runs worlds twice: what happens is the same to the
// nanosecond, so a seed that broke once breaks again.
func TestSeedsReplay(t *testing.T) {
	t.Parallel()
	differ := 0
	const worlds = 8 // and on until records have expired in two
	for seed, expires := uint64(0), 0; seed < worlds || expires < 2; seed++ {
		s := newScenario([]kind{processorWorld, archiverWorld}[seed%2], seed)
		if s.trims() {
			expires++
		} else if seed >= worlds {
			continue
		}
		a, b := run(t, s), run(t, s)
		if !slices.Equal(a.log, b.log) {
			differ++
			for i := range min(len(a.log), len(b.log)) {
				if a.log[i] != b.log[i] {
					t.Logf("seed %d differs at event %d of %d:\n%v %s\n%v %s", seed, i, len(a.log), a.log[i].at, a.log[i].text, b.log[i].at, b.log[i].text)
					break
				}
			}
		}
	}
	if differ > 0 {
		t.Errorf("%d worlds did not replay", differ)
	}
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
