package importer

import "github.com/shardmill/shardmill/cmd/shardmill/internal/document"

// choice evaluates Fn::If.
func (t *resolver) choice(v document.Value) document.Value {
	args, ok := arguments(v, 3, 3)
	if !ok {
		return wrong(v, "Fn::If", "a list of a condition and two values")
	}
	is, open := t.condition(args[0].Text)
	switch {
	case open != nil:
		return *open
	case is:
		return t.value(args[1])
	default:
		return t.value(args[2])
	}
}

// condition returns whether a condition holds that has a name, or why that is
// open.
func (t *resolver) condition(name string) (bool, *document.Value) {
	if d, ok := t.decided[name]; ok {
		return d.is, d.open
	}
	v, ok := t.conditions.Member(name)
	if !ok {
		missing := document.Open(v.Line, "cannot be evaluated, as there is no "+document.Join("Conditions", name)+"; correct the name, or write the value itself")
		return false, &missing
	}
	circle := document.Open(v.Line, "cannot be evaluated, as "+document.Join("Conditions", name)+" is about itself; write the value itself")
	t.decided[name] = decision{open: &circle}
	is, open := t.holds(v)
	t.decided[name] = decision{is, open}
	return is, open
}

// holds evaluates the functions that conditions are made of.
func (t *resolver) holds(v document.Value) (bool, *document.Value) {
	if t.steps++; t.steps > maxSteps || len(v.Members) != 1 {
		none := document.Open(v.Line, "cannot be evaluated, as a condition is none; write the value itself")
		return false, &none
	}
	arg := v.Members[0].Value
	switch v.Members[0].Key {
	case "Condition":
		return t.condition(arg.Text)
	case "Fn::Equals":
		return t.equals(arg)
	case "Fn::Not":
		if args, ok := arguments(arg, 1, 1); ok {
			is, open := t.holds(args[0])
			return !is, open
		}
	case "Fn::And", "Fn::Or":
		return t.allOrAny(arg, v.Members[0].Key == "Fn::Or")
	}
	none := wrong(v, document.Name(v.Members[0].Key), "what a condition may be")
	return false, &none
}

// allOrAny returns the first verdict that is any, or else the other one. One that
// is open does not matter if another one decides.
func (t *resolver) allOrAny(v document.Value, anyOf bool) (bool, *document.Value) {
	var left *document.Value
	for _, each := range v.Items {
		is, open := t.holds(each)
		if open == nil && is == anyOf {
			return anyOf, nil
		}
		if open != nil && left == nil {
			left = open
		}
	}
	return !anyOf, left
}

func (t *resolver) equals(v document.Value) (bool, *document.Value) {
	args, ok := arguments(v, 2, 2)
	if !ok {
		none := wrong(v, "Fn::Equals", "a list of two values")
		return false, &none
	}
	a, open := t.text(args[0], "a value")
	if open != nil {
		return false, open
	}
	b, open := t.text(args[1], "a value")
	return a == b, open
}
