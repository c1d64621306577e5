package clusterd

import "strings"

// filter leaves of an answer what filter_path names: "items.*.error", "**.status", or
// all but what is after a "-".
func filter(answer any, paths string) any {
	if paths == "" {
		return answer
	}
	var with, without [][]string
	for path := range strings.SplitSeq(paths, ",") {
		if rest, ok := strings.CutPrefix(path, "-"); ok {
			without = append(without, strings.Split(rest, "."))
		} else {
			with = append(with, strings.Split(path, "."))
		}
	}
	ok := true
	if len(with) > 0 {
		answer, ok = include(answer, with)
	}
	if ok && len(without) > 0 {
		answer, ok = exclude(answer, without)
	}
	if !ok {
		return object{}
	}
	return answer
}

// step is what is left of paths below a member; whole if one of them ends there.
func step(paths [][]string, name string) (below [][]string, whole bool) {
	for _, p := range paths {
		if p[0] == "**" {
			below = append(below, p)
			if len(p) == 1 || !matches(p[1], name) {
				continue
			}
			p = p[1:]
		}
		if !matches(p[0], name) {
			continue
		}
		if len(p) == 1 {
			return nil, true
		}
		below = append(below, p[1:])
	}
	return below, false
}

// include is what of a value the paths name; false if that is nothing.
func include(value any, paths [][]string) (any, bool) {
	switch v := value.(type) {
	case *object:
		return include(*v, paths)
	case object:
		kept := object{}
		for _, m := range v {
			below, whole := step(paths, m.name)
			if whole {
				kept = append(kept, m)
			} else if part, ok := include(m.value, below); ok && len(below) > 0 {
				kept = append(kept, member{m.name, part})
			}
		}
		return kept, len(kept) > 0
	case []any:
		var kept []any
		for _, element := range v {
			if part, ok := include(element, paths); ok {
				kept = append(kept, part)
			}
		}
		return kept, len(kept) > 0
	}
	return nil, false
}

// exclude is what of a value the paths do not name.
func exclude(value any, paths [][]string) (any, bool) {
	switch v := value.(type) {
	case *object:
		return exclude(*v, paths)
	case object:
		kept := object{}
		for _, m := range v {
			below, whole := step(paths, m.name)
			if whole {
				continue
			}
			if part, ok := exclude(m.value, below); ok {
				kept = append(kept, member{m.name, part})
			}
		}
		return kept, len(kept) > 0 || len(v) == 0
	case []any:
		kept := []any{}
		for _, element := range v {
			if part, ok := exclude(element, paths); ok {
				kept = append(kept, part)
			}
		}
		return kept, true
	}
	return value, true
}
