package exactlyonce_test

import (
	"context"
	"fmt"
	"strings"
)

// outcome is what a search found.
type outcome struct {
	states, depth int
	bad           string // what was broken; "" if nothing was
	trace         []step // the shortest way there
	complete      bool   // some world delivered everything
	reached       [events]bool
	failed        error // the model is wrong, not the protocol
}

func (o outcome) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, after %d steps:", o.bad, len(o.trace))
	for i, s := range o.trace {
		fmt.Fprintf(&b, "\n\t%2d  %v", i+1, s)
	}
	return b.String()
}

// node is a state that was reached, and from which.
type node struct {
	state state
	from  int32
}

// search visits every state of a variant, nearest first, until a promise is
// broken.
func search(ctx context.Context, v variant) outcome {
	m := &model{variant: v, rows: newRows(ctx, v.sameID)}
	nodes := []node{{m.init(), -1}}
	seen := map[essence]struct{}{m.essence(m.init()): {}}
	var o outcome
	layer := 1                         // nodes up to here are at o.depth
	for i := 0; i != len(nodes); i++ { // there are more in each round
		if i == layer {
			o.depth++
			layer = len(nodes)
		}
		s := nodes[i].state
		if o.bad = m.broken(s); o.bad != "" {
			o.trace = m.way(nodes, i)
			break
		}
		o.complete = o.complete || m.delivered(s)
		if last := m.visit(i, &nodes, seen); last != nil {
			o.bad = last.bad
			o.trace = append(m.way(nodes, i), last.step)
			break
		}
	}
	o.states, o.reached, o.failed = len(nodes), m.reached, m.rows.failed
	if m.full {
		o.failed = fmt.Errorf("the model's bounds are too small: %d keys, %d requests", keys, requests)
	}
	return o
}

// visit adds what follows the ith state, and returns the transition that broke
// a promise by itself.
func (m *model) visit(i int, nodes *[]node, seen map[essence]struct{}) *next {
	m.expand((*nodes)[i].state)
	for j := range m.next {
		n := m.next[j]
		if n.bad != "" {
			return &n
		}
		e := m.essence(n.state)
		if _, known := seen[e]; !known {
			seen[e] = struct{}{}
			*nodes = append(*nodes, node{n.state, int32(i)})
		}
	}
	return nil
}

// way returns the steps to the ith state, by making them again.
func (m *model) way(nodes []node, i int) []step {
	if nodes[i].from < 0 {
		return nil
	}
	steps := m.way(nodes, int(nodes[i].from))
	m.expand(nodes[nodes[i].from].state)
	for _, n := range m.next {
		if n.state == nodes[i].state {
			return append(steps, n.step)
		}
	}
	return steps
}

// broken says which promise a state breaks.
func (m *model) broken(s state) string {
	for r := uint8(1); r <= m.records; r++ {
		n := s.count(r)
		if r <= s.row.done && n == 0 && !s.reported.has(r) {
			return fmt.Sprintf("LOST: record %d, the checkpoint is %d", r, s.row.done)
		}
		if n > 1 && !m.maybeTwice {
			return fmt.Sprintf("TWICE: record %d", r)
		}
	}
	return ""
}

// delivered reports whether nothing is left to do.
func (m *model) delivered(s state) bool {
	return s.row.done == m.records && s.row.plan.key == 0 && s.net == [requests]request{}
}
