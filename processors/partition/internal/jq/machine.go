package jq

import (
	"context"
	"reflect"
	"slices"

	"github.com/itchyny/gojq"
)

// machine is what the functions of one program share while it runs: what it may still
// allocate, and the order of members, which the maps of gojq do not keep.
type machine struct {
	ctx       context.Context //nolint:containedctx // gojq passes none to its functions
	left      int64           // bytes that it may still allocate
	exhausted bool
	steps     int // that were pressed on through
	order     map[uintptr]names
	regexps   map[string]*pattern

	regexpBytes int // of regexps, as they were charged
}

// names are those of an object's members, in their order. The object is there so that
// its address remains its own.
type names struct {
	object map[string]any
	list   []string
}

func newMachine() *machine {
	return &machine{order: map[uintptr]names{}, regexps: map[string]*pattern{}}
}

// begin makes the machine ready for another input.
func (m *machine) begin(ctx context.Context, allowance int64) {
	m.forget()
	m.ctx, m.left, m.exhausted, m.steps = ctx, allowance, false, 0
}

// keptOrders is up to how many objects the table of their orders is kept for the next input.
const keptOrders = 1024

// forget lets go of the values of the last run: clear keeps a table as large as it was.
func (m *machine) forget() {
	if m.ctx = nil; len(m.order) > keptOrders {
		m.order = map[uintptr]names{}
	}
	clear(m.order)
}

// fault is an error that "try" can catch, with jq's text. That quotes values, so it is
// for nobody but the program.
type fault string

func (f fault) Error() string { return string(f) }

// charge takes n bytes from what the program may allocate. If that is too much, or the
// program is to end, the result is an error that it cannot catch.
func (m *machine) charge(n int) error {
	if m.left -= int64(n); m.left < 0 {
		m.exhausted = true
		return new(gojq.HaltError)
	}
	return nil
}

// pressOn is asked by what takes long, once for each of many things it does.
func (m *machine) pressOn(i int) error {
	if i%1024 == 1023 && m.ctx.Err() != nil {
		return new(gojq.HaltError)
	}
	return nil
}

// step is pressOn for what counts nothing itself; n is for how many it stands.
func (m *machine) step(n int) error {
	before := m.steps / 1024
	if m.steps += n; m.steps/1024 != before && m.ctx.Err() != nil {
		return new(gojq.HaltError)
	}
	return nil
}

// decodes charges what is read as JSON.
func (m *machine) decodes(bytes int) error {
	if err := m.charge(bytes); err != nil {
		return err
	}
	return m.step(1)
}

// Sizes, in bytes, that are charged.
const (
	sizeOfElement = 16
	sizeOfMember  = 64
	sizeOfValue   = 48
	sizeOfCall    = 256
)

// ordered notes the order of the members of an object.
func (m *machine) ordered(object map[string]any, list []string) {
	m.order[reflect.ValueOf(object).Pointer()] = names{object, list}
}

// names returns those of the members of an object, in their order. They are not changed.
func (m *machine) names(object map[string]any) []string {
	if n, ok := m.order[reflect.ValueOf(object).Pointer()]; ok {
		return n.list
	}
	list := make([]string, 0, len(object))
	for name := range object {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// build makes an object of members that are given in order.
type build struct {
	m      *machine
	object map[string]any
	list   []string
}

func (m *machine) build(size int) *build {
	return &build{m, make(map[string]any, size), make([]string, 0, size)}
}

func (b *build) set(name string, v any) {
	if _, again := b.object[name]; !again {
		b.list = append(b.list, name)
	}
	b.object[name] = v
}

func (b *build) all(object map[string]any) *build {
	for _, name := range b.m.names(object) {
		b.set(name, object[name])
	}
	return b
}

func (b *build) done() map[string]any {
	if !slices.IsSorted(b.list) {
		b.m.ordered(b.object, b.list)
	}
	return b.object
}

// kind is the type of a value, as jq names it.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "number"
}
