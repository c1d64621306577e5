package sim_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	// seeds is how many worlds each test runs: `make sim SEEDS=n`.
	seeds = flag.Uint64("seeds", defaultSeeds, "worlds to run")
	// first is the seed of the first one.
	first = flag.Uint64("first", 0, "the first seed")
	// logs puts what the workers log into the timelines.
	logs = flag.Bool("logs", false, "put what the workers log into the timelines")
	// shrinks takes away from a broken world what it does not need.
	shrinks = flag.Bool("shrink", true, "shrink worlds that break")
	// keep leaves out all incidents but these.
	keep = flag.String("keep", "", "of the first seed's incidents, keep these, by their indices")
)

// TestMain lets the heap grow: what is live is small, and collecting it often is
// a quarter of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// outcome is what became of a world.
type outcome struct {
	violated []string
	log      []event // in order; those of one instant by their text
	counts   map[string]int
}

// run plays one world.
func run(t *testing.T, s scenario) (o outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, s)
		w.play()
		slices.SortFunc(w.log, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.text, b.text)) })
		o = outcome{w.violated, w.log, w.counts}
	})
	return o
}

// TestWorlds runs a world of each kind for each seed.
func TestWorlds(t *testing.T) { //nolint:tparallel // the kinds are
	t.Parallel()
	var all tally
	t.Run("kinds", func(t *testing.T) {
		for _, k := range []kind{processorWorld, archiverWorld, awsWorld} {
			t.Run(string(k), func(t *testing.T) {
				t.Parallel()
				worlds(t, k, &all)
			})
		}
	})
	t.Logf("in all %v", &all)
}

// tally is what many worlds met.
type tally struct {
	mu     sync.Mutex // guards what follows
	worlds int
	broken int
	counts map[string]int
}

func (s *tally) add(o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worlds++
	if len(o.violated) > 0 {
		s.broken++
	}
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	for what, n := range o.counts {
		s.counts[what] += n
	}
}

func (s *tally) String() string {
	return fmt.Sprintf("%d worlds, %d broken; %d virtual hours, %d records in %d shards, %d crashes, %d leases taken; %s", s.worlds, s.broken,
		s.counts["virtual minutes"]/60, s.counts["records"], s.counts["shards"], s.counts["crashes"], s.counts["leases taken"], lossesIn(s.counts))
}

// worlds runs the worlds of one kind and prints what they met.
func worlds(t *testing.T, k kind, all *tally) { //nolint:thelper // it is the test
	n := *seeds
	if k == awsWorld {
		n = (n + 9) / 10 // through the SDK a world takes ten times as long
	}
	var these tally
	t.Run("seeds", func(t *testing.T) {
		for seed := *first; seed < *first+n; seed++ {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				s := newScenario(k, seed)
				s.scarce, s.sealed, s.transformed = seed%2 == 1, seed%4 > 1, seed%8 > 3
				s.indexed = !s.transformed && seed%16 > 7
				s.loads = !s.transformed && !s.indexed && seed%3 > 0
				if *keep != "" {
					s = s.only(indices(t, *keep))
				}
				o := run(t, s)
				these.add(o)
				all.add(o)
				if len(o.violated) > 0 {
					report(t, s, o)
				}
			})
		}
	})
	for _, what := range slices.Sorted(keys(these.counts)) {
		t.Logf("%10d  %s", these.counts[what], what)
	}
	t.Logf("of %s: %v", k, &these)
}

func indices(t *testing.T, list string) (out []int) {
	t.Helper()
	for text := range strings.SplitSeq(list, ",") {
		i, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("-keep=%s: %v", list, err)
		}
		out = append(out, i)
	}
	return out
}

// report takes away what a broken world does not need, and prints the rest for
// a person to read.
func report(t *testing.T, s scenario, o outcome) {
	t.Helper()
	if !*shrinks {
		t.Errorf("%s, seed %d, is broken: %s", s.kind, s.seed, o.violated[0])
		return
	}
	kept, small := shrink(s, func(c scenario) bool { return len(run(t, c).violated) > 0 })
	again := run(t, small)
	if len(again.violated) == 0 {
		again = o // it does not break each time
	}
	t.Errorf("%s is broken: %s\n\nsmallest: %v\nagain: -first=%d -seeds=1 -keep=%s\nas a row of broken_test.go: {%q, %d, []int{%s}, %q},\n\n%s",
		s.kind, o.violated[0], small, s.seed, join(kept), s.kind, s.seed, join(kept), again.violated[0], timeline(again))
}

func join(list []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
}

// broken begins an event of the timeline that must not be.
const broken = "VIOLATION: "

// timeline returns what happened until a little after the first violation.
func timeline(o outcome) string {
	end := slices.IndexFunc(o.log, func(e event) bool { return strings.HasPrefix(e.text, broken) })
	if end < 0 {
		end = len(o.log) - 1
	}
	var b strings.Builder
	for _, e := range o.log[max(0, end-80):min(len(o.log), end+6)] {
		fmt.Fprintf(&b, "%15v  %s\n", e.at, e.text)
	}
	return b.String()
}

// shrinkFor is how long the shrinking of one world may take.
const shrinkFor = 2 * time.Minute

// shrink takes incidents away while the world stays broken: halves first, then
// one by one. It returns the indices of those that are left.
func shrink(s scenario, breaks func(scenario) bool) (kept []int, small scenario) {
	for i := range s.incidents {
		kept = append(kept, i)
	}
	begun := time.Now()
	for size := (len(kept) + 1) / 2; size > 0; size /= 2 {
		for from := 0; from < len(kept) && time.Since(begun) < shrinkFor; {
			without := slices.Concat(kept[:from], kept[min(len(kept), from+size):])
			if breaks(s.only(without)) {
				kept = without
			} else {
				from += size
			}
		}
	}
	return kept, s.only(kept)
}
