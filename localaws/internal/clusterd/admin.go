package clusterd

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// acknowledged is the answer to what was done.
func acknowledged() object { return object{{"acknowledged", true}} }

// content is what is given when an index is made, or by a template.
type content struct {
	Settings map[string]any            `json:"settings"`
	Mappings json.RawMessage           `json:"mappings"`
	Aliases  map[string]map[string]any `json:"aliases"`
}

// template is what new indices get.
type template struct {
	name     string
	patterns []string
	order    int
	stream   bool // of data streams
	content  content
}

// flatten writes settings with a dot for each level, each a text, as the server keeps
// them; nil removes one.
func flatten(to map[string]any, prefix string, settings map[string]any) {
	for name, value := range settings {
		if below, ok := value.(map[string]any); ok {
			flatten(to, prefix+name+".", below)
			continue
		}
		to[settingName(prefix+name)] = value
	}
}

// set changes settings.
func set(settings map[string]string, changes map[string]any) {
	flat := make(map[string]any)
	flatten(flat, "", changes)
	for name, value := range flat {
		if value == nil {
			delete(settings, name)
		} else {
			settings[name] = fmt.Sprint(value)
		}
	}
}

// apply gives an index what somebody says it is to have. The caller holds mu.
func (s *Server) apply(x *index, c content) *apiError {
	set(x.settings, c.Settings)
	if len(c.Mappings) > 0 {
		mapping, err := s.untyped(x, c.Mappings)
		if err != nil {
			return err
		}
		if err = x.mapping.merge(mapping, ""); err != nil {
			return err
		}
		x.fields = x.mapping.size()
	}
	for name, options := range c.Aliases {
		x.aliases[name] = aliasOf(options)
	}
	return nil
}

func aliasOf(options map[string]any) alias {
	writes, given := options["is_write_index"].(bool)
	return alias{writes: writes, refuses: given && !writes}
}

// untyped is a mapping without the type around it, which Elasticsearch 6 needs. The
// caller holds mu.
func (s *Server) untyped(x *index, raw json.RawMessage) (json.RawMessage, *apiError) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, mappingError("Failed to parse mapping: " + err.Error())
	}
	if !s.engine.isOld() {
		for name := range m {
			if !slices.Contains([]string{"properties", "dynamic", "_source", "_routing", "_meta", "date_detection", "numeric_detection", "dynamic_templates"}, name) {
				return nil, mappingError("Root mapping definition has unsupported parameters:  [" + name + " : " + string(m[name]) + "]")
			}
		}
		return raw, nil
	}
	for kind, mapping := range m {
		if len(m) > 1 || kind == "properties" {
			return nil, mappingError("Root mapping definition has unsupported parameters: " + kind)
		}
		x.kind = kind
		return mapping, nil
	}
	return raw, nil
}

// templateOf is the template with the highest order for a name; nil if there is none.
// The caller holds mu.
func (s *Server) templateOf(name string) *template {
	var best *template
	for _, key := range slices.Sorted(maps.Keys(s.templates)) {
		if t := s.templates[key]; matchesAny(t.patterns, name) && (best == nil || t.order > best.order) {
			best = t
		}
	}
	return best
}

func (s *Server) putTemplate(name string, body []byte) (any, *apiError) {
	var given struct {
		Patterns []string        `json:"index_patterns"`
		Order    int             `json:"order"`
		Priority int             `json:"priority"`
		Stream   json.RawMessage `json:"data_stream"`
		Template content         `json:"template"`
		content
	}
	if err := json.Unmarshal(body, &given); err != nil {
		return nil, refuse(http.StatusBadRequest, "parse_exception", err.Error())
	}
	t := &template{
		name: name, patterns: given.Patterns, order: max(given.Order, given.Priority), stream: given.Stream != nil, content: given.content,
	}
	if given.Template.Settings != nil || given.Template.Mappings != nil || given.Template.Aliases != nil {
		t.content = given.Template
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.apply(&index{mapping: newObject(), settings: make(map[string]string), aliases: make(map[string]alias)}, t.content); err != nil {
		return nil, err
	}
	s.templates[name] = t
	return acknowledged(), nil
}

func (s *Server) putStream(name string) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.templateOf(name)
	if t == nil || !t.stream {
		return nil, illegal("no matching index template found for data stream [" + name + "]")
	}
	if s.streams[name] != nil {
		return nil, refuse(http.StatusBadRequest, "resource_already_exists_exception", "data_stream ["+name+"] already exists")
	}
	if _, err := s.createStream(name, t); err != nil {
		return nil, err
	}
	return acknowledged(), nil
}

func (s *Server) getStream(name string) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []any{}
	for _, key := range slices.Sorted(maps.Keys(s.streams)) {
		d := s.streams[key]
		if !matches(name, key) {
			continue
		}
		var backing []any
		for _, b := range d.backing {
			backing = append(backing, object{{"index_name", b}, {"index_uuid", s.indices[b].uuid}})
		}
		list = append(list, object{
			{"name", key},
			{"timestamp_field", object{{"name", "@timestamp"}}},
			{"indices", backing},
			{"generation", len(d.backing)},
			{"status", "GREEN"},
			{"template", d.template},
		})
	}
	if len(list) == 0 && !strings.Contains(name, "*") {
		return nil, s.noIndex(name)
	}
	return object{{"data_streams", list}}, nil
}

// rollover gives a data stream its next index.
func (s *Server) rollover(name string, _ *http.Request, _ []byte) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.streams[name]
	if d == nil {
		return nil, illegal("rollover of [" + name + "]: the local cluster rolls over data streams alone")
	}
	old := d.backing[len(d.backing)-1]
	if err := s.addBacking(d, s.templateOf(name)); err != nil {
		return nil, err
	}
	return object{
		{"acknowledged", true},
		{"shards_acknowledged", true},
		{"old_index", old},
		{"new_index", d.backing[len(d.backing)-1]},
		{"rolled_over", true},
		{"dry_run", false},
		{"conditions", object{}},
	}, nil
}

func (s *Server) putPipeline(name string) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipelines[name] = true
	return acknowledged(), nil
}

func (s *Server) putClusterSettings(_ *http.Request, body []byte) (any, *apiError) {
	var given struct{ Persistent, Transient map[string]any }
	if err := json.Unmarshal(body, &given); err != nil {
		return nil, refuse(http.StatusBadRequest, "parse_exception", err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	set(s.clusterSettings, given.Persistent)
	set(s.clusterSettings, given.Transient)
	return object{{"acknowledged", true}, {"persistent", object{}}, {"transient", object{}}}, nil
}

func (s *Server) putIndex(name string, _ *http.Request, body []byte) (any, *apiError) {
	var c content
	if len(body) > 0 {
		if err := json.Unmarshal(body, &c); err != nil {
			return nil, refuse(http.StatusBadRequest, "parse_exception", err.Error())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.indices[name]; x != nil {
		err := refuse(http.StatusBadRequest, "resource_already_exists_exception", "index ["+name+"/"+x.uuid+"] already exists")
		err.extra = object{{"index", name}, {"index_uuid", x.uuid}}
		return nil, err
	}
	if len(s.holders(name)) > 0 {
		return nil, refuse(http.StatusBadRequest, "invalid_index_name_exception", "Invalid index name ["+name+"], already exists as alias")
	}
	x, err := s.createIndex(name)
	if err != nil {
		return nil, err
	}
	if err = s.apply(x, c); err != nil {
		delete(s.indices, name)
		return nil, err
	}
	return object{{"acknowledged", true}, {"shards_acknowledged", true}, {"index", name}}, nil
}

// found returns the indices that a name stands for, or the error that there are none.
// The caller holds mu.
func (s *Server) found(name string) ([]*index, *apiError) {
	var found []*index
	for part := range strings.SplitSeq(name, ",") {
		list := s.resolve(part)
		if len(list) == 0 && part != "_all" && !strings.Contains(part, "*") {
			return nil, s.noIndex(part)
		}
		found = append(found, list...)
	}
	return found, nil
}

// change does something to each index that a name stands for, until that fails.
func (s *Server) change(name string, do func(x *index) *apiError) *apiError {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.found(name)
	if err != nil {
		return err
	}
	for _, x := range list {
		if err = do(x); err != nil {
			return err
		}
	}
	return nil
}

// changed is change, and the answer to it.
func (s *Server) changed(name string, do func(x *index) *apiError) (any, *apiError) {
	if err := s.change(name, do); err != nil {
		return nil, err
	}
	return acknowledged(), nil
}

func (s *Server) deleteIndex(name string, _ *http.Request, _ []byte) (any, *apiError) {
	return s.changed(name, func(x *index) *apiError {
		delete(s.indices, x.name)
		delete(s.streams, x.stream)
		return nil
	})
}

func (s *Server) putSettings(name string, _ *http.Request, body []byte) (any, *apiError) {
	var given map[string]any
	if err := json.Unmarshal(body, &given); err != nil {
		return nil, refuse(http.StatusBadRequest, "parse_exception", err.Error())
	}
	return s.changed(name, func(x *index) *apiError {
		set(x.settings, given)
		return nil
	})
}

func (s *Server) putMapping(name string, _ *http.Request, body []byte) (any, *apiError) {
	return s.changed(name, func(x *index) *apiError {
		if err := x.mapping.merge(body, ""); err != nil {
			return err
		}
		x.fields = x.mapping.size()
		return nil
	})
}

func (s *Server) close(name string, closed bool) (any, *apiError) {
	err := s.change(name, func(x *index) *apiError {
		x.closed = closed
		return nil
	})
	if err != nil {
		return nil, err
	}
	return object{{"acknowledged", true}, {"shards_acknowledged", true}}, nil
}

func (s *Server) updateAliases(_ *http.Request, body []byte) (any, *apiError) {
	var given struct{ Actions []map[string]map[string]any }
	if err := json.Unmarshal(body, &given); err != nil {
		return nil, refuse(http.StatusBadRequest, "parse_exception", err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, step := range given.Actions {
		for verb, options := range step {
			name, _ := options["alias"].(string)
			of, _ := options["index"].(string)
			list, err := s.found(of)
			if err != nil {
				return nil, err
			}
			for _, x := range list {
				switch verb {
				case "add":
					x.aliases[name] = aliasOf(options)
				case "remove":
					delete(x.aliases, name)
				}
			}
		}
	}
	return acknowledged(), nil
}
