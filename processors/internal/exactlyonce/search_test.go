package exactlyonce_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// world is a model as a search sees it. S is a state of it, and E what makes two
// states one.
type world[S, E comparable] interface {
	begin() S
	follow(s S) []next[S] // all that may happen in s; good until the next call
	essence(s S) E
	broken(s S) string // the promise that s breaks, "" for none
	delivered(s S) bool
	account() account
}

// account is what a model knows when all is visited.
type account struct {
	reached [events]bool
	failed  error // the model is wrong, not the protocol
}

// next is a state that a transition leads to.
type next[S any] struct {
	state S
	step  step
	bad   string // the transition itself breaks a promise
}

// outcome is what a search found.
type outcome struct {
	account

	states, depth int
	bad           string // what was broken; "" if nothing was
	trace         []step // the shortest way there
	complete      bool   // some world delivered everything
	took          time.Duration
}

func (o outcome) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, after %d steps:", o.bad, len(o.trace))
	for i, s := range o.trace {
		fmt.Fprintf(&b, "\n\t%2d  %v", i+1, s)
	}
	return b.String()
}

// isGood fails t unless no promise was broken, and each event of want is among
// what was seen.
func (o outcome) isGood(t *testing.T, want []event) {
	t.Helper()
	t.Logf("%d states, depth %d, %v", o.states, o.depth, o.took.Round(time.Millisecond))
	switch {
	case o.failed != nil:
		t.Fatal(o.failed)
	case o.bad != "":
		t.Fatal(o)
	case !o.complete:
		t.Error("no world delivered everything")
	}
	for _, e := range want {
		if !o.reached[e] {
			t.Errorf("never seen: %v", e)
		}
	}
}

// most is how many states a search visits. It fails if there are more, and does
// not take all memory.
const most = 3_000_000

// node is a state that was reached, and from which.
type node[S any] struct {
	state S
	from  int32
}

// search visits every state of a world, nearest first, until a promise is broken.
func search[S, E comparable](w world[S, E]) (o outcome) {
	start := time.Now()
	nodes := []node[S]{{w.begin(), -1}}
	seen := map[E]struct{}{w.essence(w.begin()): {}}
	layer := 1                                              // nodes up to here are at o.depth
	for i := 0; i != len(nodes) && len(nodes) < most; i++ { // there are more in each round
		if i == layer {
			o.depth++
			layer = len(nodes)
		}
		s := nodes[i].state
		if o.bad = w.broken(s); o.bad != "" {
			o.trace = way(w, nodes, i)
			break
		}
		o.complete = o.complete || w.delivered(s)
		if last := visit(w, i, &nodes, seen); last != nil {
			o.bad = last.bad
			o.trace = append(way(w, nodes, i), last.step)
			break
		}
	}
	o.states, o.account, o.took = len(nodes), w.account(), time.Since(start)
	if len(nodes) >= most {
		o.failed = errors.Join(o.failed, fmt.Errorf("%d states are not all", most))
	}
	return o
}

// visit adds what follows the ith state, and returns the transition that broke
// a promise by itself.
func visit[S, E comparable](w world[S, E], i int, nodes *[]node[S], seen map[E]struct{}) *next[S] {
	for _, n := range w.follow((*nodes)[i].state) {
		if n.bad != "" {
			return &n
		}
		e := w.essence(n.state)
		if _, known := seen[e]; !known {
			seen[e] = struct{}{}
			*nodes = append(*nodes, node[S]{n.state, int32(i)})
		}
	}
	return nil
}

// way returns the steps to the ith state, by making them again.
func way[S, E comparable](w world[S, E], nodes []node[S], i int) []step {
	from := nodes[i].from
	if from < 0 {
		return nil
	}
	steps := way(w, nodes, int(from))
	after := w.follow(nodes[from].state)
	last := slices.IndexFunc(after, func(n next[S]) bool { return n.state == nodes[i].state })
	return append(steps, after[last].step)
}

// brokenBy says which promise is broken if the checkpoint is done, each record is
// in count places of the store, and so much was reported as lost.
func brokenBy(records, done uint8, count func(r uint8) int, reported bag, maybeTwice bool) string {
	for r := uint8(1); r <= records; r++ {
		n := count(r)
		if r <= done && n == 0 && !reported.has(r) {
			return fmt.Sprintf("LOST: record %d, the checkpoint is %d", r, done)
		}
		if n > 1 && !maybeTwice {
			return fmt.Sprintf("TWICE: record %d", r)
		}
	}
	return ""
}
