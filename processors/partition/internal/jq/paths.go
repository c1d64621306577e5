package jq

import (
	"slices"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// maxGap is how far behind the end of an array an element may be set.
const maxGap = 1 << 20

func (m *machine) setpathFunc(v any, args []any) any {
	path, ok := args[0].([]any)
	if !ok {
		return fault("Path must be specified as an array")
	}
	return m.setpath(v, path, args[1])
}

func (m *machine) setpath(v any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	inner := m.get(v, path[0])
	if err, ok := inner.(error); ok {
		return err
	}
	inner = m.setpath(inner, path[1:], value)
	if err, ok := inner.(error); ok {
		return err
	}
	return m.set(v, path[0], inner)
}

// get is what v has at one step of a path.
func (m *machine) get(v, at any) any {
	switch v := v.(type) {
	case nil:
		switch at.(type) {
		case nil, bool, []any:
		default:
			return nil
		}
	case map[string]any:
		if name, ok := at.(string); ok {
			return v[name]
		}
	case string:
		if slice, ok := at.(map[string]any); ok {
			return m.part(v, slice)
		}
	case []any:
		if slice, ok := at.(map[string]any); ok {
			begin, end, ok := bounds(len(v), slice)
			if !ok {
				return fault("Start and end indices of an array slice must be numbers")
			}
			return v[begin:end:end]
		}
		if f, ok := gojq.ToFloat64(at); ok {
			i := truncated(f)
			if i < 0 {
				i += len(v)
			}
			if float64(truncated(f)) != f || i < 0 || i >= len(v) {
				return nil
			}
			return v[i]
		}
	}
	return fault("Cannot index " + kind(v) + " with " + kind(at))
}

// part is a slice of a text, by characters.
func (m *machine) part(s string, slice map[string]any) any {
	if err := m.charge((utf8.UTFMax + 1) * len(s)); err != nil {
		return err
	}
	characters := []rune(s)
	begin, end, ok := bounds(len(characters), slice)
	if !ok {
		return fault("Start and end indices of an string slice must be numbers")
	}
	return string(characters[begin:end])
}

// route tells whether a path can be gone: gojq goes into texts, too.
func (m *machine) route(v any, args []any) any {
	path, ok := args[0].([]any)
	if !ok {
		return fault("Path must be specified as an array")
	}
	for _, step := range path {
		if v = m.get(v, step); v == nil {
			return true
		}
		if err, ok := v.(error); ok {
			return err
		}
	}
	return true
}

func (m *machine) set(v, at, value any) any {
	name, isName := at.(string)
	object, isObject := v.(map[string]any)
	if isName && (isObject || v == nil) {
		if err := m.charge(sizeOfMember * (len(object) + 1)); err != nil {
			return err
		}
		b := m.build(len(object) + 1).all(object)
		b.set(name, value)
		return b.done()
	}
	list, isList := v.([]any)
	if isList || v == nil {
		if slice, ok := at.(map[string]any); ok {
			return m.setSlice(list, slice, value)
		}
		if f, ok := gojq.ToFloat64(at); ok {
			return m.setElement(list, truncated(f), value)
		}
	}
	return fault("Cannot update field at " + kind(at) + " index of " + kind(v))
}

func (m *machine) setElement(list []any, i int, value any) any {
	if i < 0 {
		i += len(list)
	}
	if i < 0 {
		return fault("Out of bounds negative array index")
	}
	if i > len(list)+maxGap {
		m.left = 0
	}
	n := max(len(list), i+1)
	if err := m.charge(sizeOfElement * n); err != nil {
		return err
	}
	set := make([]any, n)
	copy(set, list)
	set[i] = value
	return set
}

func (m *machine) setSlice(list []any, slice map[string]any, value any) any {
	begin, end, ok := bounds(len(list), slice)
	if !ok {
		return fault("Start and end indices of an array slice must be numbers")
	}
	with, ok := value.([]any)
	if !ok {
		return fault("A slice of an array can only be assigned another array")
	}
	if err := m.charge(sizeOfElement * (len(list) + len(with))); err != nil {
		return err
	}
	return slices.Concat(list[:begin], with, list[end:])
}

// bounds of a slice, which has numbers or null as start and end.
func bounds(length int, slice map[string]any) (begin, end int, ok bool) {
	n := float64(length)
	from, fromOK := gojq.ToFloat64(orElse(slice["start"], 0.0))
	to, toOK := gojq.ToFloat64(orElse(slice["end"], n))
	if !fromOK || !toOK || from != from || to != to {
		return 0, 0, false
	}
	if from < 0 {
		from += n
	}
	if to < 0 {
		to += n
	}
	begin = int(min(max(from, 0), n))
	end = int(min(max(to, 0), n))
	if float64(end) < to {
		end++
	}
	end = max(begin, min(end, length))
	return begin, end, true
}

func orElse(v, other any) any {
	if v == nil {
		return other
	}
	return v
}

// delpaths deletes paths, the last first, so that none moves what another one means.
func (m *machine) delpaths(v any, args []any) any {
	paths, ok := args[0].([]any)
	if !ok {
		return fault("Paths must be specified as an array")
	}
	sorted, err := m.sortedBy(paths, paths)
	if err != nil {
		return err
	}
	list := make([][]any, len(paths))
	for i, p := range sorted {
		if list[i], ok = p.value.([]any); !ok {
			return fault("Path must be specified as array, not " + kind(p.value))
		}
	}
	if len(list) == 0 {
		return v
	}
	if len(list[0]) == 0 {
		return nil
	}
	return m.delete(v, list, 0)
}

// delete deletes sorted paths, which are the same before start.
func (m *machine) delete(v any, paths [][]any, start int) any {
	var at []any
	for i := 0; i < len(paths); {
		step, j := paths[i][start], i
		for ; j < len(paths); j++ {
			if order, err := m.compare(step, paths[j][start]); err != nil {
				return err
			} else if order != 0 && j > i { // one that is not equal to itself is alone
				break
			}
		}
		if len(paths[i]) == start+1 {
			at = append(at, step)
		} else {
			inner := m.get(v, step)
			if inner != nil {
				if _, bad := inner.(error); !bad {
					inner = m.delete(inner, paths[i:j], start+1)
				}
				if err, bad := inner.(error); bad {
					return err
				}
				if v = m.set(v, step, inner); m.exhausted {
					return v
				}
				if err, bad := v.(error); bad {
					return err
				}
			}
		}
		i = j
	}
	return m.without(v, at)
}

// without deletes what is at steps of one value.
func (m *machine) without(v any, at []any) any {
	if v == nil || len(at) == 0 {
		return v
	}
	switch v := v.(type) {
	case []any:
		return m.withoutElements(v, at)
	case map[string]any:
		if err := m.charge(sizeOfMember * len(v)); err != nil {
			return err
		}
		gone := map[string]bool{}
		for _, name := range at {
			s, ok := name.(string)
			if !ok {
				return fault("Cannot delete " + kind(name) + " field of object")
			}
			gone[s] = true
		}
		b := m.build(len(v))
		for _, name := range m.names(v) {
			if !gone[name] {
				b.set(name, v[name])
			}
		}
		return b.done()
	}
	return fault("Cannot delete fields from " + kind(v))
}

func (m *machine) withoutElements(list, at []any) any {
	if err := m.charge((sizeOfElement + 1) * len(list)); err != nil {
		return err
	}
	gone := make([]bool, len(list))
	for _, step := range at {
		var begin, end int
		if slice, ok := step.(map[string]any); ok {
			if begin, end, ok = bounds(len(list), slice); !ok {
				return fault("Start and end indices of an array slice must be numbers")
			}
		} else if f, ok := gojq.ToFloat64(step); ok {
			if begin = truncated(f); f < 0 {
				begin += len(list)
			}
			if end = begin + 1; begin < 0 || end > len(list) {
				continue
			}
		} else {
			return fault("Cannot delete " + kind(step) + " element of array")
		}
		if err := m.step(max(0, end-begin)); err != nil {
			return err
		}
		for i := begin; i < end; i++ {
			gone[i] = true
		}
	}
	rest := make([]any, 0, len(list))
	for i, v := range list {
		if !gone[i] {
			rest = append(rest, v)
		}
	}
	return rest
}

// has differs from gojq's for null, and for numbers that are not whole.
func (m *machine) has(v any, args []any) any {
	switch v := v.(type) {
	case nil:
		return false
	case map[string]any:
		if name, ok := args[0].(string); ok {
			_, has := v[name]
			return has
		}
	case []any:
		if f, ok := gojq.ToFloat64(args[0]); ok {
			i := truncated(f)
			return i >= 0 && i < len(v)
		}
	}
	return fault("Cannot check whether " + kind(v) + " has a " + kind(args[0]) + " key")
}
