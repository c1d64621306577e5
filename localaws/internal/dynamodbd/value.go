package dynamodbd

import (
	"cmp"
	"maps"
	"slices"
)

// Kind is the type of a [Value], spelled as on the wire.
type Kind string

// The types of attribute values.
const (
	KindString    Kind = "S"
	KindNumber    Kind = "N"
	KindBinary    Kind = "B"
	KindBool      Kind = "BOOL"
	KindNull      Kind = "NULL"
	KindList      Kind = "L"
	KindMap       Kind = "M"
	KindStringSet Kind = "SS"
	KindNumberSet Kind = "NS"
	KindBinarySet Kind = "BS"
)

// Item is a row of a table: its attributes by name.
type Item map[string]Value

// Value is an attribute value. Kind says which field holds it. Values are never
// changed once they are made, so they may be shared; a holder of one must not
// change it either.
type Value struct {
	Kind Kind
	Text string           // S; N in its normal form without exponent; B as raw bytes
	Bool bool             // BOOL
	Set  []string         // SS, NS, BS: as Text, ascending by value
	List []Value          // L
	Map  map[string]Value // M
}

// number gives the number that Text or a member of Set spells. It was checked
// when the value was made.
func number(text string) decimal {
	d, _ := parseDecimal(text)
	return d
}

// equal says whether two values have the same type and content; numbers are in
// normal form, sets are sorted.
func (v Value) equal(o Value) bool {
	return v.Kind == o.Kind && v.Text == o.Text && v.Bool == o.Bool && slices.Equal(v.Set, o.Set) &&
		slices.EqualFunc(v.List, o.List, Value.equal) && maps.EqualFunc(v.Map, o.Map, Value.equal)
}

// compare orders two values of one ordered type (S, N, B). Other pairs have no
// order: ok is false.
func (v Value) compare(o Value) (order int, ok bool) {
	if v.Kind != o.Kind || !v.ordered() {
		return 0, false
	}
	return compareText(v.Kind, v.Text, o.Text), true
}

func (v Value) ordered() bool {
	return v.Kind == KindString || v.Kind == KindNumber || v.Kind == KindBinary
}

func compareText(kind Kind, a, b string) int {
	if kind == KindNumber || kind == KindNumberSet {
		return number(a).compare(number(b))
	}
	return cmp.Compare(a, b)
}

func (v Value) isSet() bool {
	return v.Kind == KindStringSet || v.Kind == KindNumberSet || v.Kind == KindBinarySet
}

// memberKind is the type of the members of a set type.
func (k Kind) memberKind() Kind { return k[:1] }

// newSet makes a set value of members, which it sorts in place.
func newSet(kind Kind, members []string) Value {
	slices.SortFunc(members, func(a, b string) int { return compareText(kind, a, b) })
	return Value{Kind: kind, Set: members}
}

// union is the set with the members of both.
func (v Value) union(o Value) Value {
	members := slices.Clone(v.Set)
	for _, m := range o.Set {
		if !slices.Contains(v.Set, m) {
			members = append(members, m)
		}
	}
	return newSet(v.Kind, members)
}

// minus is the set without the members of o; it may be empty, which no stored
// set may be.
func (v Value) minus(o Value) Value {
	members := slices.Clone(v.Set)
	return Value{Kind: v.Kind, Set: slices.DeleteFunc(members, func(m string) bool { return slices.Contains(o.Set, m) })}
}

// size is what the value counts towards the 400 KB of a row, in bytes.
func (v Value) size() int {
	switch v.Kind {
	case KindString, KindBinary:
		return len(v.Text)
	case KindNumber:
		return number(v.Text).storedSize()
	case KindBool, KindNull:
		return 1
	case KindList:
		total := 3
		for _, e := range v.List {
			total += 1 + e.size()
		}
		return total
	case KindMap:
		return 3 + len(v.Map) + Item(v.Map).size()
	default:
		total := 0
		for _, m := range v.Set {
			total += Value{Kind: v.Kind.memberKind(), Text: m}.size()
		}
		return total
	}
}

// depth counts the levels of documents below and including the value.
func (v Value) depth() int {
	deepest := 0
	for _, e := range v.List {
		deepest = max(deepest, e.depth())
	}
	for _, e := range v.Map {
		deepest = max(deepest, e.depth())
	}
	return deepest + 1
}

// size is what the row counts towards limits and capacity, in bytes.
func (it Item) size() int {
	total := 0
	for name, v := range it {
		total += len(name) + v.size()
	}
	return total
}

func (it Item) equal(o Item) bool { return maps.EqualFunc(it, o, Value.equal) }
