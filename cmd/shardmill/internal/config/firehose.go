package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// says ends a message with Firehose's own text.
func says(remedy, text string) string { return remedy + ". Firehose says: " + text }

var listIndex = regexp.MustCompile(`\[(\d+)\]`)

// constraint is Firehose's text for a value that breaks a rule of its model. Its
// paths begin names with small letters, and count items from 1.
func constraint(p document.Place, rule string) string {
	var path strings.Builder
	start := true
	members := listIndex.ReplaceAllStringFunc(p.Path, func(index string) string {
		i, _ := strconv.Atoi(index[1 : len(index)-1])
		return fmt.Sprintf(".%d.member", i+1)
	})
	for _, c := range members {
		if start {
			c = unicode.ToLower(c)
		}
		start = c == '.'
		path.WriteRune(c)
	}
	return fmt.Sprintf("1 validation error detected: Value at '%s' failed to satisfy constraint: %s", path.String(), rule)
}

// notBuilt refuses a member, whatever its value.
func notBuilt(remedy string) func(document.Place) {
	return func(p document.Place) { p.Fault("is not built yet; %s", remedy) }
}

// switchable reads an object that does nothing while Enabled is false.
type switchable struct {
	feature string
	members map[string]idle // beside Enabled
	omitted string          // why Enabled must be given; "" if false is its default
}

// read reports whether it is on.
func (s switchable) read(p document.Place) (on bool) {
	members := map[string]func(document.Place){"Enabled": func(at document.Place) {
		if on, _ = at.Boolean(); on {
			at.Bad("%s is not built yet; set it to false", s.feature)
		}
	}}
	for name, each := range s.members {
		members[name] = each
	}
	given, ok := p.Read(document.Shape{Of: "Firehose's " + p.Name(), Members: members})
	if ok && s.omitted != "" && !given["Enabled"] {
		p.Fault("has no Enabled; %s, and %s is not built yet; set Enabled to false", s.omitted, s.feature)
	}
	return on
}
