package config

import (
	"fmt"
	"strings"
	"unicode"
)

// says ends a message with Firehose's own text.
func says(remedy, text string) string { return remedy + ". Firehose says: " + text }

// constraint is Firehose's text for a value that breaks a rule of its model.
func (p place) constraint(rule string) string {
	var path strings.Builder
	start := true
	for _, c := range p.path {
		if start {
			c = unicode.ToLower(c)
		}
		start = c == '.'
		path.WriteRune(c)
	}
	return fmt.Sprintf("1 validation error detected: Value at '%s' failed to satisfy constraint: %s", path.String(), rule)
}

// inert accepts a member whose value does nothing.
func inert(place) {}

// notBuilt refuses a member, whatever its value.
func notBuilt(remedy string) func(place) {
	return func(p place) { p.fault("is not built yet; %s", remedy) }
}

// switchable reads an object that does nothing while Enabled is false.
type switchable struct {
	feature string
	members []string // beside Enabled
	omitted string   // why Enabled must be given; "" if false is its default
}

func (s switchable) read(p place) {
	members := map[string]func(place){"Enabled": func(at place) {
		if on, _ := at.boolean(); on {
			at.bad("%s is not built yet; set it to false", s.feature)
		}
	}}
	for _, name := range s.members {
		members[name] = inert
	}
	given, ok := p.read(shape{of: "Firehose's " + last(p.path), members: members})
	if ok && s.omitted != "" && !given["Enabled"] {
		p.fault("has no Enabled; %s, and %s is not built yet; set Enabled to false", s.omitted, s.feature)
	}
}

// last returns the last name of a path.
func last(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
