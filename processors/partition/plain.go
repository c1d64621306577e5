package partition

import (
	"slices"
	"strconv"

	"github.com/itchyny/gojq"

	"github.com/shardmill/shardmill/processors/partition/internal/jsontext"
)

// path is the steps of a plain path.
type path []step

// step is the name of a member, or the index of an element.
type step struct {
	name    string
	element bool
	index   int
}

// maxIndex bounds the indices of plain paths. Others are jq's.
const maxIndex = 1 << 20

// plainPath returns the path that a query is, if it is one.
func plainPath(q *gojq.Query) (path, bool) {
	if q.Term == nil || len(q.FuncDefs) > 0 {
		return nil, false
	}
	var p path
	switch q.Term.Type {
	case gojq.TermTypeIdentity:
	case gojq.TermTypeIndex:
		s, ok := plainStep(q.Term.Index)
		if !ok {
			return nil, false
		}
		p = path{s}
	default:
		return nil, false
	}
	for _, suffix := range q.Term.SuffixList {
		s, ok := plainStep(suffix.Index)
		if !ok {
			return nil, false
		}
		p = append(p, s)
	}
	return p, true
}

func plainStep(x *gojq.Index) (s step, ok bool) {
	switch {
	case x == nil || x.IsSlice:
		return step{}, false
	case x.Name != "":
		return step{name: x.Name}, true
	case x.Str != nil:
		return step{name: x.Str.Str}, x.Str.Queries == nil
	}
	t := x.Start.Term
	if t == nil || len(t.SuffixList) > 0 || len(x.Start.FuncDefs) > 0 {
		return step{}, false
	}
	switch t.Type {
	case gojq.TermTypeString:
		return step{name: t.Str.Str}, t.Str.Queries == nil
	case gojq.TermTypeNumber:
		n, err := strconv.Atoi(t.Number)
		return step{element: true, index: n}, err == nil && n >= 0 && n <= maxIndex
	default:
		return step{}, false
	}
}

// node is where some paths have come to.
type node struct {
	leaves   []int // the paths that end here
	all      []int // these, and those that go on from here
	branches []branch
	names    int // of the branches: how many are members
}

type branch struct {
	step
	to *node
}

// add adds a path, whose value becomes the leaf of that number.
func (n *node) add(p path, number int) {
	n.all = append(n.all, number)
	if len(p) == 0 {
		n.leaves = append(n.leaves, number)
		return
	}
	i := slices.IndexFunc(n.branches, func(b branch) bool { return b.step == p[0] })
	if i < 0 {
		i = len(n.branches)
		n.branches = append(n.branches, branch{p[0], new(node)})
		if !p[0].element {
			n.names++
		}
	}
	n.branches[i].to.add(p[1:], number)
}

// leaf is what is at the end of a path.
type leaf struct {
	state      byte // missing, wrong, or the first byte of the value
	plain      bool // of a string: it is as it is read
	begin, end int
}

const (
	missing = 0 // or null
	wrong   = 1 // the path goes through what has no such step: jq's error
)

// walk finds the leaves in a record; false if that is not one JSON text.
func (e *Extractor) walk(data []byte) bool {
	clear(e.leaves)
	end := e.visit(data, jsontext.Skip(data, 0), 0, e.x.plain)
	return end >= 0 && jsontext.Skip(data, end) == len(data)
}

// visit goes through the value at i, at which n is, and returns where it ends, or -1.
func (e *Extractor) visit(data []byte, i, depth int, n *node) (end int) {
	if i >= len(data) {
		return -1
	}
	c := data[i]
	plain := false
	switch {
	case c == '"':
		end, plain = jsontext.String(data, i)
	case c == '{' && n.names > 0:
		end = e.visitMembers(data, i, depth, n)
	case c == '[' && n.names < len(n.branches):
		end = e.visitElements(data, i, depth, n)
	default:
		end = jsontext.Value(data, i, depth)
	}
	for _, b := range n.branches {
		if c != 'n' && (c != '{' || b.element) && (c != '[' || !b.element) {
			e.set(b.to.all, wrong)
		}
	}
	if c == 'n' {
		c = missing
	}
	for _, l := range n.leaves {
		e.leaves[l] = leaf{c, plain, i, end}
	}
	return end
}

func (e *Extractor) set(leaves []int, state byte) {
	for _, l := range leaves {
		e.leaves[l] = leaf{state: state}
	}
}

func (e *Extractor) visitMembers(data []byte, i, depth int, n *node) int {
	for m := jsontext.Members(data, i, depth); ; {
		if !m.Next() {
			return m.End
		}
		name := m.Name
		if !m.Plain {
			begin := len(e.buf)
			e.buf = jsontext.AppendText(e.buf, name)
			name = e.buf[begin:]
			e.buf = e.buf[:begin]
		}
		if to := n.member(name); to != nil {
			e.set(to.all, missing) // of members of the same name the last one counts
			m.At = e.visit(data, m.At, m.Depth, to)
		} else {
			m.At = jsontext.Value(data, m.At, m.Depth)
		}
	}
}

func (n *node) member(name []byte) *node {
	for i := range n.branches {
		if b := &n.branches[i]; !b.element && string(name) == b.name {
			return b.to
		}
	}
	return nil
}

func (e *Extractor) visitElements(data []byte, i, depth int, n *node) int {
	at := 0
	for c := jsontext.Elements(data, i, depth); ; at++ {
		if !c.Next() {
			return c.End
		}
		if to := n.element(at); to != nil {
			c.At = e.visit(data, c.At, c.Depth, to)
		} else {
			c.At = jsontext.Value(data, c.At, c.Depth)
		}
	}
}

func (n *node) element(at int) *node {
	for i := range n.branches {
		if b := &n.branches[i]; b.element && b.index == at {
			return b.to
		}
	}
	return nil
}

// collect makes the values of what walk found.
func (e *Extractor) collect(data []byte) error {
	leaves := e.leaves[:len(e.x.keys)]
	for _, l := range leaves { // an error of jq comes before what is wrong with a value
		if l.state == wrong {
			return failure(failed)
		}
	}
	for i, l := range leaves {
		switch l.state {
		case missing:
			return failure(nullOrEmpty)
		case '[', '{':
			return failure(notScalar)
		}
		if e.values[i] = e.text(data, l); len(e.values[i]) == 0 {
			return failure(nullOrEmpty)
		}
	}
	return nil
}

// text is a scalar as a value.
func (e *Extractor) text(data []byte, l leaf) []byte {
	raw := data[l.begin:l.end]
	switch {
	case l.state == 't', l.state == 'f':
		return raw
	case l.state != '"':
		return e.number(raw)
	case l.plain:
		return raw[1 : len(raw)-1]
	}
	begin := len(e.buf)
	e.buf = jsontext.AppendText(e.buf, raw[1:len(raw)-1])
	return e.buf[begin:len(e.buf):len(e.buf)]
}

// number is one as jq prints it, which of short integers is as they are.
func (e *Extractor) number(raw []byte) []byte {
	const exact = 15 // digits that a double has
	if len(raw) <= exact && onlyDigits(raw[1:]) {
		return raw
	}
	begin := len(e.buf)
	e.buf = jsontext.AppendNumber(e.buf, jsontext.ParseNumber(raw))
	return e.buf[begin:len(e.buf):len(e.buf)]
}

func onlyDigits(s []byte) bool {
	for _, c := range s {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}
