package jq

import (
	"cmp"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// compare orders values as jq does; gojq's Compare does not end when the program is to, and values
// whose parts are the same ones take as long as if each was another. The error is one that
// the program cannot catch.
func (m *machine) compare(l, r any) (int, error) {
	if err := m.step(1); err != nil {
		return 0, err
	}
	switch l := l.(type) {
	case string:
		if r, ok := r.(string); ok {
			return strings.Compare(l, r), m.step(min(len(l), len(r)) / sizeOfCall)
		}
	case []any:
		if r, ok := r.([]any); ok {
			return m.compareLists(l, r)
		}
	case map[string]any:
		if r, ok := r.(map[string]any); ok {
			return m.compareObjects(l, r)
		}
	}
	return gojq.Compare(l, r), nil // of numbers and the like, or of two kinds
}

func (m *machine) compareLists(l, r []any) (int, error) {
	for i := range min(len(l), len(r)) {
		if c, err := m.compare(l[i], r[i]); c != 0 || err != nil {
			return c, err
		}
	}
	return cmp.Compare(len(l), len(r)), nil
}

// compareObjects compares the names before the values.
func (m *machine) compareObjects(l, r map[string]any) (int, error) {
	left, right := sortedNames(l), sortedNames(r)
	if err := m.step(len(left) + len(right)); err != nil {
		return 0, err
	}
	if c := slices.Compare(left, right); c != 0 {
		return c, nil
	}
	for _, name := range left {
		if c, err := m.compare(l[name], r[name]); c != 0 || err != nil {
			return c, err
		}
	}
	return 0, nil
}

func sortedNames(object map[string]any) []string {
	list := make([]string, 0, len(object))
	for name := range object {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// comparison makes an operator of what the order of two values says.
func (m *machine) comparison(says func(order int) bool) func(any, []any) any {
	return func(_ any, args []any) any {
		c, err := m.compare(args[0], args[1])
		if err != nil {
			return err
		}
		return says(c)
	}
}

// keyed is a value with what it is ordered by.
type keyed struct{ value, key any }

// arrange sorts values by their keys; those of equal keys remain in order.
func (m *machine) arrange(list []keyed) error {
	var failed error
	slices.SortStableFunc(list, func(a, b keyed) int {
		if failed != nil {
			return 0
		}
		c, err := m.compare(a.key, b.key)
		failed = err
		return c
	})
	return failed
}

// lists are an array and the keys of its elements, which builtin.jq makes one for each.
func (m *machine) lists(v, keys any) (list, by []any, err error) {
	list, ok := v.([]any)
	if !ok {
		return nil, nil, fault(m.describe(v) + " cannot be sorted, as it is not an array")
	}
	by, ok = keys.([]any)
	if !ok || len(by) != len(list) {
		return nil, nil, fault(m.describe(v) + " cannot be sorted by " + m.describe(keys))
	}
	return list, by, nil
}

func (m *machine) sortedBy(v, keys any) ([]keyed, error) {
	list, by, err := m.lists(v, keys)
	if err != nil {
		return nil, err
	}
	if err := m.charge(3 * sizeOfElement * len(list)); err != nil {
		return nil, err
	}
	pairs := make([]keyed, len(list))
	for i := range list {
		pairs[i] = keyed{list[i], by[i]}
	}
	return pairs, m.arrange(pairs)
}

func (m *machine) sort(v any, _ []any) any { return m.sortBy(v, []any{v}) }

func (m *machine) sortBy(v any, args []any) any {
	pairs, err := m.sortedBy(v, args[0])
	if err != nil {
		return err
	}
	sorted := make([]any, len(pairs))
	for i, p := range pairs {
		sorted[i] = p.value
	}
	return sorted
}

func (m *machine) groupBy(v any, args []any) any {
	pairs, err := m.sortedBy(v, args[0])
	if err != nil {
		return err
	}
	groups := []any{}
	for begin := 0; begin < len(pairs); {
		var group []any
		end := begin
		for ; end < len(pairs); end++ {
			if c, err := m.compare(pairs[begin].key, pairs[end].key); err != nil {
				return err
			} else if c != 0 && end > begin { // one that is not equal to itself is a group
				break
			}
			group = append(group, pairs[end].value)
		}
		if err := m.charge(sizeOfValue); err != nil {
			return err
		}
		groups = append(groups, group)
		begin = end
	}
	return groups
}

// extreme returns the first element with the least key, or the last with the greatest.
func (m *machine) extreme(least bool) func(any, []any) any {
	return func(v any, args []any) any {
		keys := v
		if len(args) > 0 {
			keys = args[0]
		}
		list, by, err := m.lists(v, keys)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return nil
		}
		best := 0
		for i := range by {
			c, err := m.compare(by[best], by[i])
			if err != nil {
				return err
			}
			if i > 0 && c > 0 == least {
				best = i
			}
		}
		return list[best]
	}
}
