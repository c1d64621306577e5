package points_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
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
	pairsFlag = flag.String("pairs", "79", "run each n-th pair, or all")
	only      = flag.String("only", "", "run only worlds whose name matches this expression")
	timeline  = flag.Bool("timeline", false, "print what happened in each world")
)

// TestMain lets the heap grow: what is live is small, and collecting it often is
// a quarter of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// tally counts what the worlds of a test met.
type tally struct {
	mu      sync.Mutex
	worlds  int
	records int
	virtual time.Duration
	strikes map[string]int
}

func (c *tally) add(w *world) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worlds++
	c.virtual += time.Since(w.begun)
	for _, rs := range w.records {
		c.records += len(rs)
	}
	for s, n := range w.hits {
		c.strikes[string(s.point)+": "+string(s.kind)] += n
	}
}

func (c *tally) log(t *testing.T) {
	t.Helper()
	var lines []string
	total := 0
	for what, n := range c.strikes {
		lines = append(lines, fmt.Sprintf("%4d  %s", n, what))
		total += n
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[6:], b[6:]) })
	t.Logf("strikes:\n%s\n%d worlds, %d strikes of %d sorts, %d records, %v of virtual time",
		strings.Join(lines, "\n"), c.worlds, total, len(lines), c.records, c.virtual.Round(time.Second))
}

// scenario is one world to run.
type scenario struct {
	strikes              []strike
	plain, large, sealed bool
	transformed, indexed bool
	loading              bool
}

func (s scenario) name() string {
	var out []string
	for _, k := range s.strikes {
		out = append(out, k.String())
	}
	name := strings.Join(out, ", then ")
	if s.plain {
		name = "plain, " + name
	}
	if s.sealed {
		name = "sealed, " + name
	}
	if s.transformed {
		name = "transformed, " + name
	}
	if s.loading {
		name = "loading, " + name
	}
	if s.indexed {
		name = "indexed, " + name
	}
	return strings.ReplaceAll(name, "/", "-")
}

// run plays each scenario in a world of its own.
func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	c := &tally{strikes: map[string]int{}}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("worlds", func(t *testing.T) {
		for _, s := range scenarios {
			if !chosen.MatchString(s.name()) {
				continue
			}
			t.Run(s.name(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, s)
					if s.strikes[0].kind == handOver {
						w.interval = 20 // so that there is something to put whenever it comes
					}
					w.play(s.strikes)
					if len(w.violations) > 0 {
						first := w.violations[:min(len(w.violations), 12)]
						t.Errorf("%d violations, the first are:\n%s\n\n%s", len(w.violations), strings.Join(first, "\n"), w.timeline())
					} else if *timeline {
						t.Log(w.timeline())
					}
					c.add(w)
				})
			})
		}
	})
	c.log(t)
}

// singles are all points with all their kinds, on worker A.
func singles() []scenario {
	var out []scenario
	each := func(points []point, base scenario) {
		for _, p := range points {
			for _, k := range kindsOf(p) {
				s := base
				s.strikes = []strike{{worker: "A", point: p, kind: k, skip: usualSkip(p)}}
				if k == handOver {
					s.strikes[0].skip = 0
				}
				out = append(out, s)
			}
		}
	}
	each(archiverPoints(), scenario{})
	each(startPoints(), scenario{})
	each(plainPoints(), scenario{plain: true})
	each(uploadPoints(), scenario{large: true})
	each(sealedPoints(), scenario{sealed: true})
	each(transformedPoints(), scenario{transformed: true})
	each(documentPoints(), scenario{indexed: true, sealed: true})
	each(loadPoints(), scenario{loading: true})
	return out
}

// TestSingles strikes each point once with each kind.
func TestSingles(t *testing.T) { //nolint:tparallel // run makes the subtests parallel
	t.Parallel()
	run(t, singles())
}

// pairs are the points of A with those of B, less those that cannot follow.
func pairs() []scenario {
	var out []scenario
	out = append(out, pairsOf(archiverPoints(), scenario{})...)
	out = append(out, pairsOf(sealedPoints(), scenario{sealed: true})...)
	out = append(out, pairsOf(transformedPoints(), scenario{transformed: true})...)
	out = append(out, pairsOf(documentPoints(), scenario{indexed: true, sealed: true})...)
	return append(out, pairsOf(loadPoints(), scenario{loading: true})...)
}

func pairsOf(points []point, base scenario) (out []scenario) {
	for _, p := range points {
		for _, q := range points {
			for _, k := range both(p) {
				if q == createLease && (p != listShards && p != createLease || k == lostThrottled) {
					continue // A creates the leases
				}
				if q == elect {
					continue // who is elected after A is not chosen: it may be another than B, to the end
				}
				for _, l := range both(q) {
					s := base
					s.strikes = []strike{
						{worker: "A", point: p, kind: k, skip: usualSkip(p)},
						{worker: "B", point: q, kind: l},
					}
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// both returns the kinds that p has in pairs.
func both(p point) []kind {
	return slices.DeleteFunc(inPairs(), func(k kind) bool { return !slices.Contains(kindsOf(p), k) })
}

// TestPairs strikes A, and then B.
func TestPairs(t *testing.T) { //nolint:tparallel // run makes the subtests parallel
	t.Parallel()
	all := pairs()
	if *pairsFlag == "all" {
		run(t, all)
		return
	}
	every, err := strconv.Atoi(*pairsFlag)
	if err != nil || every < 1 {
		t.Fatalf("-pairs is %q; it must be a number, or all", *pairsFlag)
	}
	var some []scenario
	for i := 0; i < len(all); i += every {
		some = append(some, all[i])
	}
	run(t, some)
}
