package document

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Place is a value of a document and where it is. What is wrong with it goes to
// its report.
type Place struct {
	*Report

	Path  string // of the members that lead to it, with dots; "" for the document
	Line  int    // of the key, or of the list's item
	value value
}

// Fault says "<path> <what>" about the place.
func (p Place) Fault(format string, args ...any) {
	path := p.Path
	if path == "" {
		path = "the file"
	}
	p.fault(p.Line, "%s %s", path, fmt.Sprintf(format, args...))
}

// Bad says "<path> is <value>; <remedy>".
func (p Place) Bad(remedy string, args ...any) {
	p.Fault("is %s; %s", p.show(), fmt.Sprintf(remedy, args...))
}

// Warn says "<path> is <value>; <remark>".
func (p Place) Warn(remark string) {
	p.warn(p.Line, "%s is %s; %s", p.Path, p.show(), remark)
}

func (p Place) show() string {
	switch p.value.kind {
	case text:
		if p.value.written != "" {
			return quote(p.value.text) + ", from " + quote(p.value.written)
		}
		return quote(p.value.text)
	case list:
		return "a list"
	case object:
		return "an object"
	default:
		return p.value.text
	}
}

// Shape says what an object may have.
type Shape struct {
	Of      string // whose shape it is, for messages
	Members map[string]func(Place)
	Others  map[string]string // names that belong elsewhere, and where
}

// Read calls the function of each member, in the order of the file. It returns
// the names that were given or seem to have been meant, or false if there is no
// object.
func (p Place) Read(s Shape) (map[string]bool, bool) {
	if p.value.kind != object {
		p.WrongKind("an object")
		return nil, false
	}
	given := map[string]bool{}
	for _, m := range p.value.members {
		at := Place{p.Report, join(p.Path, m.key), m.line, m.value}
		see, known := s.Members[m.key]
		switch {
		case !known:
			given[at.unknown(s, m.key)] = true
			continue
		case m.value.kind == null:
			at.Fault("has no value; give it one or remove it")
		case m.value.kind != unusable:
			see(at)
		}
		given[m.key] = true
	}
	return given, true
}

// unknown reports a key that is no member, and returns the one that may have
// been meant.
func (p Place) unknown(s Shape, key string) string {
	if where, ok := s.Others[key]; ok {
		p.Fault("is not a member of %s; it belongs in %s", s.Of, where)
		return ""
	}
	names := slices.Sorted(maps.Keys(s.Members))
	meant := nearest(key, names)
	if meant != "" {
		p.Fault("is not a member of %s; did you mean %s?", s.Of, meant)
	} else {
		p.Fault("is not a member of %s; remove it; its members are %s", s.Of, strings.Join(names, ", "))
	}
	return meant
}

// Need reports that a member is missing.
func (p Place) Need(given map[string]bool, key, remedy string) {
	if !given[key] {
		at := Place{Report: p.Report, Path: join(p.Path, key), Line: p.Line}
		at.Fault("is missing; %s", remedy)
	}
}

// WrongKind reports a value of another type than the one wanted.
func (p Place) WrongKind(want string) {
	switch p.value.kind {
	case unusable:
	case null:
		p.Fault("has no value; it must be %s", want)
	case text:
		p.Bad("it must be %s, not a string", want)
	default:
		p.Bad("it must be %s", want)
	}
}

// Text returns the text that is there.
func (p Place) Text() (string, bool) {
	switch p.value.kind {
	case text:
	case number:
		p.Fault("is %s, a number; it must be a string: put it in quotes", p.show())
		return "", false
	case boolean:
		p.Fault("is %s, a boolean; it must be a string: put it in quotes", p.show())
		return "", false
	default:
		p.WrongKind("a string")
		return "", false
	}
	if i := strings.IndexFunc(p.value.text, unicode.IsControl); i >= 0 {
		c := []rune(p.value.text[i:])[0]
		p.Bad("remove the control character %U", c)
		return "", false
	}
	return p.value.text, true
}

// Items returns the places of a list's items; false, and what reports it, if
// there is no list. want says what is wanted.
func (p Place) Items(want string) ([]Place, bool) {
	if p.value.kind != list {
		p.WrongKind(want)
		return nil, false
	}
	var all []Place
	for i, each := range p.value.items {
		all = append(all, Place{p.Report, item(p.Path, i), each.line, each})
	}
	return all, true
}

// Is reports whether the value is this text.
func (p Place) Is(s string) bool { return p.value.kind == text && p.value.text == s }

// IsScalar reports whether the value is a number or a truth value: what a text
// may be taken for that has no quotes.
func (p Place) IsScalar() bool { return p.value.kind == number || p.value.kind == boolean }

// Name returns the last name of the path.
func (p Place) Name() string { return p.Path[strings.LastIndexByte(p.Path, '.')+1:] }

// OneOf returns the text that is there if it is one of the choices, else "".
func (p Place) OneOf(choices ...string) string {
	s, ok := p.Text()
	if !ok || slices.Contains(choices, s) {
		return s
	}
	p.Bad("it must be %s", strings.Join(choices, " or "))
	return ""
}

// isVariable reports whether a variable is all that is there: it may be any scalar.
func (p Place) isVariable() bool { return variable.MatchString(p.value.written) }

// Integer returns the number that is there if it is in the range.
func (p Place) Integer(lowest, highest int) (int, bool) {
	span := fmt.Sprintf("between %d and %d", lowest, highest)
	switch {
	case p.value.kind == number, p.isVariable():
	case p.value.written != "":
		p.Bad("it must be a number %s, or one variable that is one", span)
		return 0, false
	case p.value.kind == text:
		p.Fault("is %s, a string; it must be a number %s, without quotes", p.show(), span)
		return 0, false
	default:
		p.WrongKind("a number " + span)
		return 0, false
	}
	digits := strings.TrimPrefix(p.value.text, "-")
	if digits == "" || len(digits) > 1 && digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		p.Bad("it must be a whole number %s, in decimal digits", span)
		return 0, false
	}
	n, err := strconv.Atoi(p.value.text)
	if err != nil || n < lowest || n > highest {
		p.Bad("it must be %s", span)
		return 0, false
	}
	return n, true
}

// Boolean returns the truth value that is there.
func (p Place) Boolean() (on, ok bool) {
	is := p.value.text
	switch {
	case p.value.kind == boolean, p.isVariable() && (is == "true" || is == "false"):
		return is == "true", true
	case p.isVariable():
		p.Bad("it must be true or false")
	case p.value.kind == text:
		p.Fault("is %s, a string; it must be true or false, without quotes", p.show())
	default:
		p.WrongKind("true or false")
	}
	return false, false
}
