package importer

import (
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

const (
	// maxSteps bounds what evaluating a template may take, maxText what texts may
	// come to: functions may make much of little.
	maxSteps = 1 << 20
	maxText  = 1 << 20
)

// resolver evaluates the functions of a template as far as it has their values.
// What it does not have is open.
type resolver struct {
	*document.Report
	*settings

	parameters, mappings, conditions, resources document.Value

	decided map[string]decision       // conditions
	names   map[string]document.Value // what Ref and GetAtt came to
	busy    map[string]bool           // being evaluated
	steps   int
	room    int // bytes that texts may yet have
}

// decision is whether a condition holds, or why that is open.
type decision struct {
	is   bool
	open *document.Value
}

func newResolver(r *document.Report, s *settings, root document.Value) *resolver {
	section := func(name string) document.Value {
		v, _ := root.Member(name)
		return v
	}
	return &resolver{
		Report: r, settings: s,
		parameters: section("Parameters"), mappings: section("Mappings"),
		conditions: section("Conditions"), resources: section("Resources"),
		decided: map[string]decision{}, names: map[string]document.Value{}, busy: map[string]bool{},
		room: maxText,
	}
}

// noValue is what AWS::NoValue comes to: the member that has it is not there.
func noValue() document.Value { return document.Value{Kind: document.Unusable, Text: "AWS::NoValue"} }

func isNoValue(v document.Value) bool { return v.Kind == document.Unusable && v.Text == "AWS::NoValue" }

// value returns what a value comes to. CloudFormation takes scalars for each
// other.
func (t *resolver) value(v document.Value) document.Value {
	if t.steps++; t.steps > maxSteps {
		return document.Open(v.Line, "takes too long to evaluate; write the value itself")
	}
	switch v.Kind { //nolint:exhaustive // the others stay as they are
	case document.Text:
		v.Loose = true
		return t.dynamic(v)
	case document.Number, document.Boolean:
		v.Loose = true
	case document.List:
		v.Items = t.list(v.Items)
	case document.Object:
		if len(v.Members) == 1 {
			if f := function(v.Members[0].Key); f != nil {
				return at(v.Line, f(t, v.Members[0].Value))
			}
		}
		v.Members = t.members(v.Members)
	}
	return v
}

// at returns a value as it is in a line.
func at(line int, v document.Value) document.Value {
	v.Line = line
	return v
}

func (t *resolver) list(items []document.Value) (out []document.Value) {
	for _, each := range items {
		if v := t.value(each); !isNoValue(v) {
			out = append(out, v)
		}
	}
	return out
}

func (t *resolver) members(members []document.Member) (out []document.Member) {
	for _, m := range members {
		if m.Value = t.value(m.Value); !isNoValue(m.Value) {
			out = append(out, m)
		}
	}
	return out
}

// dynamic returns a text without its {{resolve:…}}, which AWS looks up when it
// makes the stack.
func (t *resolver) dynamic(v document.Value) document.Value {
	const begin, end = "{{resolve:", "}}"
	var b strings.Builder
	rest := v.Text
	for {
		before, after, found := strings.Cut(rest, begin)
		b.WriteString(before)
		name, next, closed := strings.Cut(after, end)
		if !found || !closed {
			if b.Len() > 0 && !found {
				v.Text = b.String()
			}
			return v
		}
		name = begin + name + end
		given, ok := t.lookUp(name)
		if !ok {
			return open(v.Line, name, name)
		}
		b.WriteString(given.Text)
		rest = next
	}
}

// open is what a name of the template comes to that has no value in it; expression
// is how it is used.
func open(line int, expression, name string) document.Value {
	return document.Open(line, "is "+document.Name(expression)+", which is not in the file; give it with --set '"+document.Name(name)+"=VALUE'")
}

// text returns the text that a value comes to. If there is none the value says
// why.
func (t *resolver) text(v document.Value, want string) (string, *document.Value) {
	v = t.value(v)
	switch v.Kind {
	case document.Text, document.Number, document.Boolean:
		if t.room -= len(v.Text); t.room < 0 {
			v = document.Open(v.Line, "comes to too long a text; write the value itself")
			return "", &v
		}
		return v.Text, nil
	case document.Deferred:
	default:
		v = document.Open(v.Line, "cannot be evaluated, as "+document.Name(want)+" is no text; correct it, or write the value itself")
	}
	return "", &v
}

// made returns the text that an expression came to.
func made(text string) document.Value {
	return document.Value{Kind: document.Text, Text: text, Loose: true}
}
