package document

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
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
	shown string // Path as the file itself has it
	value Value
}

// member returns the place of a member, or of an item.
func (p Place) member(path string, shown string, line int, v Value) Place {
	return Place{Report: p.Report, Path: path, Line: line, shown: cmp.Or(v.Path, shown), value: v}
}

// Fault says "<path> <what>" about the place.
func (p Place) Fault(format string, args ...any) {
	p.fault(p.Line, "%s %s", cmp.Or(p.shown, "the file"), fmt.Sprintf(format, args...))
}

// Bad says "<path> is <value>; <remedy>".
func (p Place) Bad(remedy string, args ...any) {
	p.Fault("is %s; %s", p.show(), fmt.Sprintf(remedy, args...))
}

// Warn says "<path> is <value>; <remark>".
func (p Place) Warn(remark string) {
	p.warn(p.Line, "%s is %s; %s", p.shown, p.show(), remark)
}

// NoEffect warns that a member does nothing, and why; of the members of one name
// in a document only at the first.
func (p Place) NoEffect(why string) {
	if p.idle[p.Name()] {
		return
	}
	if p.idle == nil {
		p.idle = map[string]bool{}
	}
	p.idle[p.Name()] = true
	p.warn(p.Line, "%s has no effect here; %s", p.shown, why)
}

func (p Place) show() string {
	switch p.value.Kind {
	case Text:
		if p.value.Written != "" {
			return quote(p.value.Text) + ", from " + quote(p.value.Written)
		}
		return quote(p.value.Text)
	case List:
		return "a list"
	case Object:
		return "an object"
	default:
		return p.value.Text
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
	if p.value.Kind != Object {
		p.WrongKind("an object")
		return nil, false
	}
	given := map[string]bool{}
	for _, m := range p.value.Members {
		at := p.member(join(p.Path, m.Key), join(p.shown, p.spelled(m.Key)), m.Line, m.Value)
		see, known := s.Members[m.Key]
		switch {
		case !known:
			given[at.unknown(s, m.Key)] = true
			continue
		case m.Value.Kind == Null:
			at.Fault("has no value; give it one or remove it")
		case m.Value.Kind != Unusable:
			see(at)
		}
		given[m.Key] = true
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
		at := p.member(join(p.Path, key), join(p.shown, p.spelled(key)), p.Line, Value{})
		at.Fault("is missing; %s", remedy)
	}
}

// WrongKind reports a value of another type than the one wanted.
func (p Place) WrongKind(want string) {
	switch p.value.Kind {
	case Unusable:
	case Deferred:
		p.Fault("%s", p.value.Text)
	case Null:
		p.Fault("has no value; it must be %s", want)
	case Text:
		p.Bad("it must be %s, not a string", want)
	default:
		p.Bad("it must be %s", want)
	}
}

// Text returns the text that is there.
func (p Place) Text() (string, bool) {
	switch {
	case p.value.Kind == Text, p.value.Loose && p.IsScalar():
	case p.value.Kind == Number:
		p.Fault("is %s, a number; it must be a string: put it in quotes", p.show())
		return "", false
	case p.value.Kind == Boolean:
		p.Fault("is %s, a boolean; it must be a string: put it in quotes", p.show())
		return "", false
	default:
		p.WrongKind("a string")
		return "", false
	}
	if i := strings.IndexFunc(p.value.Text, unicode.IsControl); i >= 0 {
		c := []rune(p.value.Text[i:])[0]
		p.Bad("remove the control character %U", c)
		return "", false
	}
	return p.value.Text, true
}

// Items returns the places of a list's items; false, and what reports it, if
// there is no list. want says what is wanted.
func (p Place) Items(want string) ([]Place, bool) {
	if p.value.Kind != List {
		p.WrongKind(want)
		return nil, false
	}
	var all []Place
	for i, each := range p.value.Items {
		all = append(all, p.member(item(p.Path, i), item(p.shown, i), each.Line, each))
	}
	return all, true
}

// FromCommandLine reports whether the value was given beside the file, on the command line,
// or has a text that was.
func (p Place) FromCommandLine() bool {
	given := func(s string) bool { return strings.Contains(p.value.Text, s) }
	return strings.HasPrefix(p.shown, "--set ") || slices.ContainsFunc(p.commandLine, given)
}

// Is reports whether the value is this text.
func (p Place) Is(s string) bool { return p.value.Kind == Text && p.value.Text == s }

// IsScalar reports whether the value is a number or a truth value: what a text
// may be taken for that has no quotes.
func (p Place) IsScalar() bool { return p.value.Kind == Number || p.value.Kind == Boolean }

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

// isVariable reports whether what is there may be any scalar: if a variable is all
// there is, or where the form of the file has it so.
func (p Place) isVariable() bool {
	return p.value.Loose && (p.value.Kind == Text || p.IsScalar()) || variable.MatchString(p.value.Written)
}

// isNumber reports whether what is there may be a number, and what is wrong if not.
func (p Place) isNumber(span string) bool {
	switch {
	case p.value.Kind == Number, p.isVariable():
		return true
	case p.value.Written != "":
		p.Bad("it must be a number %s, or one variable that is one", span)
	case p.value.Kind == Text:
		p.Fault("is %s, a string; it must be a number %s, without quotes", p.show(), span)
	default:
		p.WrongKind("a number " + span)
	}
	return false
}

// Decimal returns the number that is there if it is in the range.
func (p Place) Decimal(lowest, highest float64) (float64, bool) {
	span := fmt.Sprintf("between %v and %v", lowest, highest)
	if !p.isNumber(span) {
		return 0, false
	}
	n, ok := ParseDecimal(p.value.Text)
	switch {
	case !ok:
		p.Bad("it must be a number %s, in decimal digits", span)
	case n < lowest || n > highest:
		p.Bad("it must be %s", span)
	default:
		return n, true
	}
	return 0, false
}

// decimal is a number without an exponent.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// ParseDecimal returns the number that s writes in decimal digits, without an exponent.
func ParseDecimal(s string) (float64, bool) {
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && decimal.MatchString(s)
}

// Integer returns the number that is there if it is in the range.
func (p Place) Integer(lowest, highest int) (int, bool) {
	span := fmt.Sprintf("between %d and %d", lowest, highest)
	if !p.isNumber(span) {
		return 0, false
	}
	digits := strings.TrimPrefix(p.value.Text, "-")
	if digits == "" || len(digits) > 1 && digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		p.Bad("it must be a whole number %s, in decimal digits", span)
		return 0, false
	}
	n, err := strconv.Atoi(p.value.Text)
	if err != nil || n < lowest || n > highest {
		p.Bad("it must be %s", span)
		return 0, false
	}
	return n, true
}

// Boolean returns the truth value that is there.
func (p Place) Boolean() (on, ok bool) {
	is := p.value.Text
	switch {
	case p.value.Kind == Boolean, p.isVariable() && (is == "true" || is == "false"):
		return is == "true", true
	case p.isVariable():
		p.Bad("it must be true or false")
	case p.value.Kind == Text:
		p.Fault("is %s, a string; it must be true or false, without quotes", p.show())
	default:
		p.WrongKind("true or false")
	}
	return false, false
}
