package clusterd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// document is one of an index, as it is kept.
type document struct {
	id, routing string
	version     int64
	source      []byte
	writes      int
	deleted     bool // its version is remembered
}

// index is an index.
type index struct {
	name, uuid string
	kind       string // mapping type; "" where there are none, or none yet
	mapping    *field // the root, an object
	fields     int    // in the mapping
	settings   map[string]string
	aliases    map[string]alias
	stream     string // data stream that it backs; "" for none
	closed     bool

	byID    map[string]*document
	order   []*document // in which they were first written
	deleted int         // of these
	next    int64       // _seq_no
}

// alias is what an alias says of an index.
type alias struct{ writes, refuses bool } // is_write_index: true, and false

// stream is a data stream.
type stream struct {
	name     string
	backing  []string
	template string
}

// setting names an index's setting without the part that may be left out.
func settingName(name string) string { return strings.TrimPrefix(name, "index.") }

// isOn reports whether a setting is true.
func (x *index) isOn(name string) bool { return x.settings[name] == "true" }

// number is a setting that is a number.
func (x *index) number(name string, otherwise int) int {
	if n, err := strconv.Atoi(x.settings[name]); err == nil {
		return n
	}
	return otherwise
}

// blocked says why an index takes no writes.
func (s *Server) blocked(x *index) *apiError {
	if x.closed {
		e := refuse(400, "index_closed_exception", "closed")
		e.extra = object{{"index", x.name}, {"index_uuid", x.uuid}}
		return e
	}
	prefix := "index [" + x.name + "] "
	if s.engine.isOld() {
		prefix = ""
	}
	block := func(status int, text string) *apiError {
		return refuse(status, "cluster_block_exception", prefix+"blocked by: ["+text+"];")
	}
	switch status := s.engine.fullDisk(); {
	case x.isOn("blocks.read_only"):
		return block(403, "FORBIDDEN/5/index read-only (api)")
	case x.isOn("blocks.read_only_allow_delete") && status == 429:
		return block(status, "TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block")
	case x.isOn("blocks.read_only_allow_delete"):
		return block(status, "FORBIDDEN/12/index read-only / allow delete (api)")
	case x.isOn("blocks.write"):
		return block(403, "FORBIDDEN/8/index write (api)")
	}
	return nil
}

// newIndex makes an index with what templates say. The caller holds mu.
func (s *Server) newIndex(name string) *index {
	s.made++
	x := &index{
		name: name, uuid: fmt.Sprintf("%022d", s.made), mapping: newObject(), settings: make(map[string]string),
		aliases: make(map[string]alias), byID: make(map[string]*document),
	}
	s.indices[name] = x
	return x
}

// createIndex makes an index that bulk requests ask for. The caller holds mu.
func (s *Server) createIndex(name string) (*index, *apiError) {
	if err := s.checkIndexName(name); err != nil {
		return nil, err
	}
	x := s.newIndex(name)
	if t := s.templateOf(name); t != nil {
		if err := s.apply(x, t.content); err != nil {
			delete(s.indices, name)
			return nil, err
		}
	}
	return x, nil
}

// createStream makes a data stream with its first backing index. The caller holds mu.
func (s *Server) createStream(name string, t *template) (*stream, *apiError) {
	if err := s.checkIndexName(name); err != nil {
		return nil, err
	}
	d := &stream{name: name, template: t.name}
	s.streams[name] = d
	if err := s.addBacking(d, t); err != nil {
		delete(s.streams, name)
		return nil, err
	}
	return d, nil
}

// addBacking gives a data stream an index that is written to. The caller holds mu.
func (s *Server) addBacking(d *stream, t *template) *apiError {
	name := fmt.Sprintf(".ds-%s-%06d", d.name, len(d.backing)+1)
	x := s.newIndex(name)
	x.stream = d.name
	x.mapping.properties["@timestamp"] = &field{kind: "date"}
	x.fields = 1
	if t != nil {
		if err := s.apply(x, t.content); err != nil {
			delete(s.indices, name)
			return err
		}
	}
	d.backing = append(d.backing, name)
	return nil
}

// holders are the indices that have an alias, sorted. The caller holds mu.
func (s *Server) holders(name string) []*index {
	var found []*index
	for _, x := range s.indices {
		if _, ok := x.aliases[name]; ok {
			found = append(found, x)
		}
	}
	slices.SortFunc(found, func(a, b *index) int { return strings.Compare(a.name, b.name) })
	return found
}

// resolve returns the indices that a name, or a pattern, of an index, an alias or a data
// stream stands for, sorted. The caller holds mu.
func (s *Server) resolve(name string) []*index {
	if x := s.indices[name]; x != nil {
		return []*index{x}
	}
	var found []*index
	all := name == "_all" || name == "*" || name == ""
	for _, x := range s.indices {
		ok := all && x.stream == "" || !all && (matches(name, x.name) || x.stream != "" && matches(name, x.stream))
		for a := range x.aliases {
			ok = ok || matches(name, a)
		}
		if ok {
			found = append(found, x)
		}
	}
	slices.SortFunc(found, func(a, b *index) int { return strings.Compare(a.name, b.name) })
	return found
}

// writeIndex is the index that writes to an alias go to; nil if there is none.
func writeIndex(holders []*index, name string) *index {
	for _, x := range holders {
		if x.aliases[name].writes {
			return x
		}
	}
	if len(holders) == 1 && !holders[0].aliases[name].refuses {
		return holders[0]
	}
	return nil
}
