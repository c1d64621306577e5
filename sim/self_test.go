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
	const worlds = 6
	for seed := range uint64(worlds) {
		s := newScenario([]kind{processorWorld, archiverWorld}[seed%2], seed)
		a, b := run(t, s), run(t, s)
		if !slices.Equal(a.log, b.log) {
			differ++
			for i := range min(len(a.log), len(b.log)) {
				if a.log[i] != b.log[i] {
					t.Logf("seed %d differs at event %d of %d:\n%s\n%s", seed, i, len(a.log), a.log[i], b.log[i])
					break
				}
			}
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d worlds did not replay", differ, worlds)
	}
}
