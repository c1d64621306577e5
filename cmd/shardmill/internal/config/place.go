package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// place is a value and where it is.
type place struct {
	*report

	path  string
	line  int // of the key, or of the list's item
	value value
}

// fault says "<path> <what>" about the place.
func (p place) fault(format string, args ...any) {
	path := p.path
	if path == "" {
		path = "the file"
	}
	p.report.fault(p.line, "%s %s", path, fmt.Sprintf(format, args...))
}

// bad says "<path> is <value>; <remedy>".
func (p place) bad(remedy string, args ...any) {
	p.fault("is %s; %s", p.show(), fmt.Sprintf(remedy, args...))
}

// warn says "<path> is <value>; <remark>".
func (p place) warn(remark string) {
	p.report.warn(p.line, "%s is %s; %s", p.path, p.show(), remark)
}

func (p place) show() string {
	switch p.value.kind {
	case text:
		return quote(p.value.text)
	case list:
		return "a list"
	case object:
		return "an object"
	default:
		return p.value.text
	}
}

// shape says what an object may have.
type shape struct {
	of      string // whose shape it is, for messages
	members map[string]func(place)
	others  map[string]string // names that belong elsewhere, and where
}

// read calls the function of each member, in the order of the file. It returns
// the names that were given or seem to have been meant, or false if there is no
// object.
func (p place) read(s shape) (map[string]bool, bool) {
	if p.value.kind != object {
		p.wrongKind("an object")
		return nil, false
	}
	given := map[string]bool{}
	for _, m := range p.value.members {
		at := place{p.report, join(p.path, m.key), m.line, m.value}
		read, known := s.members[m.key]
		switch {
		case !known:
			given[at.unknown(s, m.key)] = true
			continue
		case m.value.kind == null:
			at.fault("has no value; give it one or remove it")
		case m.value.kind != unusable:
			read(at)
		}
		given[m.key] = true
	}
	return given, true
}

// unknown reports a key that is no member, and returns the one that may have
// been meant.
func (p place) unknown(s shape, key string) string {
	if where, ok := s.others[key]; ok {
		p.fault("is not a member of %s; it belongs in %s", s.of, where)
		return ""
	}
	names := slices.Sorted(maps.Keys(s.members))
	meant := nearest(key, names)
	if meant != "" {
		p.fault("is not a member of %s; did you mean %s?", s.of, meant)
	} else {
		p.fault("is not a member of %s; remove it; its members are %s", s.of, strings.Join(names, ", "))
	}
	return meant
}

// need reports that a member is missing.
func (p place) need(given map[string]bool, key, remedy string) {
	if !given[key] {
		at := place{report: p.report, path: join(p.path, key), line: p.line}
		at.fault("is missing; %s", remedy)
	}
}

// wrongKind reports a value of another type than the one wanted.
func (p place) wrongKind(want string) {
	switch p.value.kind {
	case unusable:
	case null:
		p.fault("has no value; it must be %s", want)
	case text:
		p.bad("it must be %s, not a string", want)
	default:
		p.bad("it must be %s", want)
	}
}

// string returns the text that is there.
func (p place) string() (string, bool) {
	switch p.value.kind {
	case text:
	case number:
		p.fault("is %s, a number; it must be a string: put it in quotes", p.show())
		return "", false
	case boolean:
		p.fault("is %s, a boolean; it must be a string: put it in quotes", p.show())
		return "", false
	default:
		p.wrongKind("a string")
		return "", false
	}
	if i := strings.IndexFunc(p.value.text, unicode.IsControl); i >= 0 {
		c := []rune(p.value.text[i:])[0]
		p.bad("remove the control character %U", c)
		return "", false
	}
	return p.value.text, true
}

// oneOf returns the text that is there if it is one of the choices, else "".
func (p place) oneOf(choices ...string) string {
	s, ok := p.string()
	if !ok || slices.Contains(choices, s) {
		return s
	}
	p.bad("it must be %s", strings.Join(choices, " or "))
	return ""
}

// integer returns the number that is there if it is in the range.
func (p place) integer(lowest, highest int) (int, bool) {
	span := fmt.Sprintf("between %d and %d", lowest, highest)
	switch p.value.kind {
	case number:
	case text:
		p.fault("is %s, a string; it must be a number %s, without quotes", p.show(), span)
		return 0, false
	default:
		p.wrongKind("a number " + span)
		return 0, false
	}
	digits := strings.TrimPrefix(p.value.text, "-")
	if digits == "" || len(digits) > 1 && digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		p.bad("it must be a whole number %s, in decimal digits", span)
		return 0, false
	}
	n, err := strconv.Atoi(p.value.text)
	if err != nil || n < lowest || n > highest {
		p.bad("it must be %s", span)
		return 0, false
	}
	return n, true
}

// boolean returns the truth value that is there.
func (p place) boolean() (value, ok bool) {
	switch p.value.kind {
	case boolean:
		return p.value.text == "true", true
	case text:
		p.fault("is %s, a string; it must be true or false, without quotes", p.show())
	default:
		p.wrongKind("true or false")
	}
	return false, false
}
