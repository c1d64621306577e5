package jq

import (
	"strings"

	"github.com/itchyny/gojq"
)

func (m *machine) containsFunc(v any, args []any) any {
	if !sameKind(v, args[0]) {
		return fault(m.describe(v) + " and " + m.describe(args[0]) + " cannot have their containment checked")
	}
	found := m.contains(v, args[0], new(int))
	if err := m.pressOn(1023); err != nil {
		return err
	}
	return found
}

// sameKind tells whether values are of one kind, of which true and false are two in jq.
func sameKind(a, b any) bool {
	if _, ok := a.(bool); ok {
		return a == b
	}
	return kind(a) == kind(b)
}

// contains ends with any answer when the program is to end; n counts what it looks at.
func (m *machine) contains(v, part any, n *int) bool {
	if *n++; m.pressOn(*n) != nil || !sameKind(v, part) {
		return false
	}
	switch v := v.(type) {
	case string:
		part, _ := part.(string)
		whole, _, _ := strings.Cut(v, "\x00") // as C's strings end
		part, _, _ = strings.Cut(part, "\x00")
		return strings.Contains(whole, part)
	case []any:
		part, _ := part.([]any)
		for _, p := range part {
			if !m.anyContains(v, p, n) {
				return false
			}
		}
		return true
	case map[string]any:
		part, _ := part.(map[string]any)
		for name, p := range part {
			if inner, ok := v[name]; !ok || !m.contains(inner, p, n) {
				return false
			}
		}
		return true
	}
	return gojq.Compare(v, part) == 0
}

func (m *machine) anyContains(list []any, part any, n *int) bool {
	for _, v := range list {
		if m.contains(v, part, n) {
			return true
		}
		if m.ctx.Err() != nil {
			return false
		}
	}
	return false
}
