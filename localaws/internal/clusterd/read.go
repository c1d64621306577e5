package clusterd

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Document is a document of an index.
type Document struct {
	Index, Type, ID string
	Routing         string
	Version         int64  // 1, and one more with each write; or as given
	Source          []byte // as it was received; not to be changed
	Writes          int    // how often it was written, the first time included
}

// Indices returns the names of all indices, sorted.
func (s *Server) Indices() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.indices))
}

// Documents returns those of an index, an alias or a data stream, in the order in which
// they were first written; nil if there is none of that name.
func (s *Server) Documents(name string) []Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Document
	for _, x := range s.resolve(name) {
		for _, d := range x.order {
			if !d.deleted {
				all = append(all, Document{
					Index: x.name, Type: x.kind, ID: d.id, Routing: d.routing, Version: d.version, Source: d.source, Writes: d.writes,
				})
			}
		}
	}
	return all
}

// Count is how many documents an index, an alias or a data stream has.
func (s *Server) Count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return size(s.resolve(name))
}

func size(list []*index) int {
	n := 0
	for _, x := range list {
		n += len(x.order) - x.deleted
	}
	return n
}

// shards is what an answer says of them.
func shards(n int) object {
	return object{{"total", n}, {"successful", n}, {"skipped", 0}, {"failed", 0}}
}

func (s *Server) nodes(*http.Request, []byte) (any, *apiError) {
	node := object{
		{"name", nodeName},
		{"host", "127.0.0.1"},
		{"ip", "127.0.0.1"},
		{"version", s.engine.number()},
		{"http", object{{"max_content_length_in_bytes", s.options.MaxContentLength}}},
	}
	return object{
		{"_nodes", object{{"total", 1}, {"successful", 1}, {"failed", 0}}},
		{"cluster_name", nodeName},
		{"nodes", object{{"localAAAAAAAAAAAAAAAAA", node}}},
	}, nil
}

func (s *Server) health(*http.Request, []byte) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return object{
		{"cluster_name", nodeName},
		{"status", "green"},
		{"timed_out", false},
		{"number_of_nodes", 1},
		{"number_of_data_nodes", 1},
		{"active_primary_shards", len(s.indices)},
		{"active_shards", len(s.indices)},
		{"number_of_pending_tasks", 0},
	}, nil
}

// mappings is an index's mapping as it is shown.
func (s *Server) mappings(x *index) any {
	if !s.engine.isOld() {
		return x.mapping.describe(true)
	}
	if x.kind == "" {
		return object{}
	}
	return object{{x.kind, x.mapping.describe(true)}}
}

// settings are an index's as they are shown.
func (x *index) describeSettings() object {
	o := object{}
	for _, name := range slices.Sorted(maps.Keys(x.settings)) {
		parts := strings.Split(name, ".")
		at := &o
		for _, part := range parts[:len(parts)-1] {
			if n := len(*at); n == 0 || (*at)[n-1].name != part {
				*at = append(*at, member{part, &object{}})
			}
			below, isObject := (*at)[len(*at)-1].value.(*object)
			if !isObject {
				break
			}
			at = below
		}
		*at = append(*at, member{parts[len(parts)-1], x.settings[name]})
	}
	o = append(o, member{"uuid", x.uuid}, member{"provided_name", x.name})
	return object{{"index", o}}
}

func (x *index) describeAliases() object {
	o := object{}
	for _, name := range slices.Sorted(maps.Keys(x.aliases)) {
		options := object{}
		if a := x.aliases[name]; a.writes || a.refuses {
			options = append(options, member{"is_write_index", a.writes})
		}
		o = append(o, member{name, options})
	}
	return o
}

// each describes the indices that a name stands for.
func (s *Server) each(name string, describe func(x *index) object) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.found(name)
	if err != nil {
		return nil, err
	}
	o := object{}
	for _, x := range list {
		o = append(o, member{x.name, describe(x)})
	}
	return o, nil
}

func (s *Server) getIndex(name string, _ *http.Request, _ []byte) (any, *apiError) {
	return s.each(name, func(x *index) object {
		o := object{{"aliases", x.describeAliases()}, {"mappings", s.mappings(x)}, {"settings", x.describeSettings()}}
		if x.stream != "" {
			o = append(o, member{"data_stream", x.stream})
		}
		return o
	})
}

func (s *Server) getMapping(name string, _ *http.Request, _ []byte) (any, *apiError) {
	return s.each(name, func(x *index) object { return object{{"mappings", s.mappings(x)}} })
}

func (s *Server) getSettings(name string, _ *http.Request, _ []byte) (any, *apiError) {
	return s.each(name, func(x *index) object { return object{{"settings", x.describeSettings()}} })
}

func (s *Server) exists(name string) (any, int, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list, err := s.found(name); err != nil || len(list) == 0 {
		return object{}, http.StatusNotFound, nil
	}
	return object{}, http.StatusOK, nil
}

// getAlias tells of the aliases of indices; names are those asked for, if any.
func (s *Server) getAlias(name string, names []string) (any, int, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.found(name)
	if err != nil {
		return nil, 0, err
	}
	o := object{}
	for _, x := range list {
		aliases := x.describeAliases()
		if len(names) > 0 {
			aliases = slices.DeleteFunc(aliases, func(m member) bool { return !matches(unescaped(names[0]), m.name) })
			if len(aliases) == 0 {
				continue
			}
		}
		o = append(o, member{x.name, object{{"aliases", aliases}}})
	}
	if len(o) == 0 && len(names) > 0 && !strings.Contains(names[0], "*") {
		return object{{"error", "alias [" + unescaped(names[0]) + "] missing"}, {"status", http.StatusNotFound}}, http.StatusNotFound, nil
	}
	return o, http.StatusOK, nil
}

func (s *Server) count(name string, _ *http.Request, _ []byte) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.found(name)
	if err != nil {
		return nil, err
	}
	return object{{"count", size(list)}, {"_shards", shards(len(list))}}, nil
}

func (s *Server) refresh(name string, _ *http.Request, _ []byte) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.found(name)
	if err != nil {
		return nil, err
	}
	return object{{"_shards", shards(len(list))}}, nil
}

func (s *Server) getDocument(name, id string) (any, int, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.found(name)
	if err != nil {
		return nil, 0, err
	}
	for _, x := range list {
		if d := x.byID[id]; d != nil && !d.deleted {
			o := append(s.heading(x, d), member{"_version", d.version})
			if d.routing != "" {
				o = append(o, member{"_routing", d.routing})
			}
			return append(o, member{"found", true}, member{"_source", json.RawMessage(d.source)}), http.StatusOK, nil
		}
	}
	return object{{"_index", name}, {"_id", id}, {"found", false}}, http.StatusNotFound, nil
}

// heading is what names a document.
func (s *Server) heading(x *index, d *document) object {
	o := object{{"_index", x.name}}
	if !s.engine.refusesTypes() {
		o = append(o, member{"_type", x.kind})
	}
	return append(o, member{"_id", d.id})
}

// hit is a document that was found.
type hit struct {
	x *index
	d *document
}

// search finds all documents, in the order of their ids, page by page.
func (s *Server) search(name string, r *http.Request, body []byte) (any, *apiError) {
	var asked struct {
		Size  *int            `json:"size"`
		After []string        `json:"search_after"`
		Query json.RawMessage `json:"query"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &asked); err != nil {
			return nil, refuse(http.StatusBadRequest, "parsing_exception", err.Error())
		}
	}
	if len(asked.Query) > 0 && !bytes.Contains(asked.Query, []byte("match_all")) || r.URL.Query().Has("q") {
		return nil, illegal("queries other than match_all are not supported by the local cluster")
	}
	limit := 10
	if n, err := strconv.Atoi(r.URL.Query().Get("size")); err == nil {
		limit = n
	}
	if asked.Size != nil {
		limit = *asked.Size
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.found(name)
	if err != nil {
		return nil, err
	}
	hits := find(list, asked.After)
	found := []any{}
	for _, h := range hits[:min(limit, len(hits))] {
		o := append(s.heading(h.x, h.d), member{"_score", nil})
		if h.d.routing != "" {
			o = append(o, member{"_routing", h.d.routing})
		}
		found = append(found, append(o, member{"_source", json.RawMessage(h.d.source)}, member{"sort", []any{h.d.id}}))
	}
	var total any = size(list)
	if !s.engine.isOld() {
		total = object{{"value", total}, {"relation", "eq"}}
	}
	return object{
		{"took", 1},
		{"timed_out", false},
		{"_shards", shards(len(list))},
		{"hits", object{{"total", total}, {"max_score", nil}, {"hits", found}}},
	}, nil
}

// find returns the documents after an id, in the order of their ids.
func find(list []*index, after []string) []hit {
	var hits []hit
	for _, x := range list {
		for _, d := range x.order {
			if !d.deleted && (len(after) == 0 || d.id > after[0]) {
				hits = append(hits, hit{x, d})
			}
		}
	}
	slices.SortFunc(hits, func(a, b hit) int { return strings.Compare(a.d.id, b.d.id) })
	return hits
}
