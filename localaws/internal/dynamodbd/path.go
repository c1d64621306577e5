package dynamodbd

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// step is one step of a document path: an attribute or map key, or an index of
// a list.
type step struct {
	name  string
	index int // of a list, if name is not used
	list  bool
}

// path is a document path such as a.b[2].c. Its first step is the name of an
// attribute.
type path []step

// String is the path as DynamoDB's error answers spell it: [a, b, [2], c].
func (p path) String() string {
	texts := make([]string, len(p))
	for i, s := range p {
		texts[i] = s.name
		if s.list {
			texts[i] = "[" + strconv.Itoa(s.index) + "]"
		}
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// compare orders paths; within one list higher indexes come first, so that
// removing in this order keeps those still to be removed in place.
func (p path) compare(o path) int {
	return slices.CompareFunc(p, o, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(b.index, a.index))
	})
}

// overlaps says that one of the paths is within the other, or is the other.
func (p path) overlaps(o path) bool {
	n := min(len(p), len(o))
	return slices.Equal(p[:n], o[:n])
}

// conflicts says that the paths take one place for a list and for a map.
func (p path) conflicts(o path) bool {
	for i := range min(len(p), len(o)) {
		if p[i] != o[i] {
			return p[i].list != o[i].list
		}
	}
	return false
}

// checkOverlap refuses paths of which two mean the same place, or one a place
// within the other.
func checkOverlap(clause string, paths []path) error {
	for i, p := range paths {
		for _, o := range paths[:i] {
			if o.overlaps(p) {
				return invalid("Invalid %s: Two document paths overlap with each other; must remove or rewrite one of these paths; "+
					"path one: %s, path two: %s", clause, o, p)
			}
			if o.conflicts(p) {
				return invalid("Invalid %s: Two document paths conflict with each other; must remove or rewrite one of these paths; "+
					"path one: %s, path two: %s", clause, o, p)
			}
		}
	}
	return nil
}

// find gives the value at the path.
func (p path) find(it Item) (Value, bool) {
	v := Value{Kind: KindMap, Map: it}
	for _, s := range p {
		var ok bool
		if v, ok = s.into(v); !ok {
			return Value{}, false
		}
	}
	return v, true
}

// into gives the value one step into v.
func (s step) into(v Value) (Value, bool) {
	switch {
	case s.list && v.Kind == KindList && s.index < len(v.List):
		return v.List[s.index], true
	case !s.list && v.Kind == KindMap:
		inner, ok := v.Map[s.name]
		return inner, ok
	}
	return Value{}, false
}

func errPathForUpdate() error {
	return invalid("The document path provided in the update expression is invalid for update")
}

// set gives the row with the value at the path; the row itself stays as it is.
// An index past the end of a list appends.
func (p path) set(it Item, v Value) (Item, error) {
	changed, err := p.setIn(Value{Kind: KindMap, Map: it}, v)
	return changed.Map, err
}

func (p path) setIn(doc, v Value) (Value, error) {
	if len(p) == 0 {
		return v, nil
	}
	s := p[0]
	inner, found := s.into(doc)
	if !found && (len(p) > 1 || !s.fits(doc)) {
		return Value{}, errPathForUpdate()
	}
	inner, err := p[1:].setIn(inner, v)
	if err != nil {
		return Value{}, err
	}
	return s.with(doc, inner, found), nil
}

// fits says that doc is a list for an index, or a map for a name.
func (s step) fits(doc Value) bool {
	return s.list && doc.Kind == KindList || !s.list && doc.Kind == KindMap
}

// with gives a copy of doc that has the value where the step leads.
func (s step) with(doc, v Value, found bool) Value {
	if !s.list {
		doc.Map = maps.Clone(doc.Map)
		if doc.Map == nil {
			doc.Map = map[string]Value{}
		}
		doc.Map[s.name] = v
		return doc
	}
	doc.List = slices.Clone(doc.List)
	if found {
		doc.List[s.index] = v
	} else {
		doc.List = append(doc.List, v)
	}
	return doc
}

// remove gives the row without what is at the path. Nothing there is no error,
// but no place for it is.
func (p path) remove(it Item) (Item, error) {
	changed, err := p.removeIn(Value{Kind: KindMap, Map: it})
	return changed.Map, err
}

func (p path) removeIn(doc Value) (Value, error) {
	s := p[0]
	if !s.fits(doc) {
		return Value{}, errPathForUpdate()
	}
	inner, found := s.into(doc)
	if len(p) > 1 {
		if !found {
			return Value{}, errPathForUpdate()
		}
		inner, err := p[1:].removeIn(inner)
		return s.with(doc, inner, true), err
	}
	if !found {
		return doc, nil
	}
	if s.list {
		doc.List = slices.Delete(slices.Clone(doc.List), s.index, s.index+1)
		return doc, nil
	}
	doc.Map = maps.Clone(doc.Map)
	delete(doc.Map, s.name)
	return doc, nil
}

// project gives the parts of the row that the paths lead to, within the
// documents that hold them; elements of a list close up. It is nil if there are
// none.
func project(it Item, paths []path) Item {
	picked, ok := pick(Value{Kind: KindMap, Map: it}, paths)
	if !ok {
		return nil
	}
	return picked.Map
}

func pick(doc Value, paths []path) (Value, bool) {
	inside := map[step][]path{}
	for _, p := range paths {
		if len(p) == 0 {
			return doc, true
		}
		inside[p[0]] = append(inside[p[0]], p[1:])
	}
	picked := Value{Kind: doc.Kind}
	for _, s := range slices.SortedFunc(maps.Keys(inside), func(a, b step) int { return cmp.Compare(a.index, b.index) }) {
		inner, ok := s.into(doc)
		if !ok {
			continue
		}
		inner, ok = pick(inner, inside[s])
		switch {
		case !ok:
		case s.list:
			picked.List = append(picked.List, inner)
		default:
			if picked.Map == nil {
				picked.Map = map[string]Value{}
			}
			picked.Map[s.name] = inner
		}
	}
	return picked, picked.List != nil || picked.Map != nil
}
