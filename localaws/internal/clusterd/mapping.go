package clusterd

import (
	"encoding/json"
	"slices"
	"strings"
)

// field is what a mapping says of a field.
type field struct {
	kind       string            // its type: "object" for one that has properties
	properties map[string]*field // of an object
	dynamic    string            // of an object: "true", "false", "strict"; "" as the one above
	given      json.RawMessage   // as it was given; nil if it came to be
	keyword    bool              // has a field .keyword below
	fresh      bool              // came to be in the document that is being parsed
}

func newObject() *field { return &field{kind: "object", properties: make(map[string]*field)} }

// describe is a field as a mapping shows it.
func (f *field) describe(root bool) any {
	if f.kind != "object" {
		if f.given != nil {
			return f.given
		}
		o := object{{"type", f.kind}}
		if f.keyword {
			o = append(o, member{"fields", object{{"keyword", object{{"type", "keyword"}, {"ignore_above", 256}}}}})
		}
		return o
	}
	o := object{}
	if f.dynamic != "" {
		o = append(o, member{"dynamic", f.dynamic})
	}
	if len(f.properties) == 0 {
		if root {
			return o
		}
		return append(o, member{"type", "object"})
	}
	names := make([]string, 0, len(f.properties))
	for name := range f.properties {
		names = append(names, name)
	}
	slices.Sort(names)
	properties := object{}
	for _, name := range names {
		properties = append(properties, member{name, f.properties[name].describe(false)})
	}
	return append(o, member{"properties", properties})
}

// size is how many fields there are below, as their limit counts them.
func (f *field) size() int {
	n := 0
	for _, p := range f.properties {
		n += 1 + p.size()
		if p.keyword {
			n++
		}
	}
	return n
}

// mappingError is what the server says of a mapping that it cannot read.
func mappingError(reason string) *apiError { return refuse(400, "mapper_parsing_exception", reason) }

// given is a mapping as somebody gives it.
type given struct {
	Type       string                     `json:"type"`
	Dynamic    any                        `json:"dynamic"`
	Properties map[string]json.RawMessage `json:"properties"`
	Fields     map[string]json.RawMessage `json:"fields"`
}

// merge adds a given mapping to what there is.
func (f *field) merge(raw json.RawMessage, path string) *apiError {
	var g given
	if err := json.Unmarshal(raw, &g); err != nil {
		return mappingError("Failed to parse mapping: " + err.Error())
	}
	switch d := g.Dynamic.(type) {
	case bool:
		f.dynamic = map[bool]string{true: "true", false: "false"}[d]
	case string:
		f.dynamic = d
	}
	for name, raw := range g.Properties {
		var p given
		if err := json.Unmarshal(raw, &p); err != nil {
			return mappingError("Expected map for property [" + name + "] but got something else")
		}
		if p.Type == "" && p.Properties == nil {
			return mappingError("No type specified for field [" + name + "]")
		}
		kind := p.Type
		if kind == "" || kind == "nested" {
			kind = "object"
		}
		old := f.properties[name]
		full := strings.TrimPrefix(path+"."+name, ".")
		switch {
		case old == nil && kind == "object":
			old = newObject()
			f.properties[name] = old
		case old == nil:
			f.properties[name] = &field{kind: kind, given: raw, keyword: len(p.Fields) > 0}
			continue
		case old.kind != kind:
			return illegal("mapper [" + full + "] cannot be changed from type [" + old.kind + "] to [" + kind + "]")
		case kind != "object":
			continue
		}
		if err := old.merge(raw, full); err != nil {
			return err
		}
	}
	return nil
}
