package importer

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

const deliveryStreamType = "AWS::KinesisFirehose::DeliveryStream"

// template reads a CloudFormation template: the properties of a delivery stream
// are the members of CreateDeliveryStream, in their spelling.
func (r *reader) template(root document.Value) (document.Value, bool) {
	t := newResolver(r.Report, r.settings, root)
	m, ok := r.choose(t)
	if !ok {
		return document.Value{}, false
	}
	r.checkCondition(t, m)
	given, _ := m.Value.Member("Properties")
	properties := t.value(given)
	if properties.Kind != document.Object {
		properties = object()
	}
	properties.Line = cmp.Or(given.Line, m.Line)
	path := document.Join("Resources", m.Key)
	properties.Path = path + ".Properties"
	properties = r.named(properties)
	if meta, has := m.Value.Member("Metadata"); has {
		if ours, has := meta.Member(ourKey); has {
			ours = t.value(ours)
			ours.Path = path + ".Metadata." + ourKey
			properties.Members = append(properties.Members, document.Member{Key: ourKey, Line: ours.Line, Value: ours})
		}
	}
	for _, p := range t.parameters.Members { // those of other resources are no slips
		r.lookUp(p.Key)
	}
	out := r.ours(properties, document.Value{})
	r.begins(r.Report, out)
	return out, true
}

// choose returns the delivery stream that is meant.
func (r *reader) choose(t *resolver) (document.Member, bool) {
	var streams []document.Member
	var names, nested []string
	for _, m := range t.resources.Members {
		kind, _ := m.Value.Member("Type")
		switch kind.Text {
		case deliveryStreamType:
			streams = append(streams, m)
			names = append(names, fmt.Sprintf("%s in line %d", document.Name(m.Key), m.Line))
		case "AWS::CloudFormation::Stack":
			nested = append(nested, document.Name(m.Key))
		}
	}
	return pick(r, streams, func(m document.Member) string { return m.Key }, names, noStream(nested))
}

func noStream(nested []string) string {
	const none = "there is no resource of type " + deliveryStreamType
	if len(nested) > 0 {
		return none + "; there are nested stacks, " + some(nested) + ": give the template of the one that has it"
	}
	return none + "; give the template that has it"
}

// some names things, but not too many of them.
func some(names []string) string {
	const most = 10
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}

// pick returns the one of several delivery streams that --stream names, or the
// only one. names say what there is, and none what to do if there is nothing.
func pick[T any](r *reader, all []T, name func(T) string, names []string, none string) (T, bool) {
	var zero T
	switch {
	case len(all) == 0:
		r.FaultAt(1, "%s", none)
		return zero, false
	case r.stream == "" && len(all) == 1:
		return all[0], true
	case r.stream == "":
		r.FaultAt(1, "there are %d delivery streams, %s; choose one with --stream NAME", len(all), some(names))
		return zero, false
	}
	for _, each := range all {
		if name(each) == r.stream {
			return each, true
		}
	}
	r.FaultAt(1, "there is no delivery stream %s, which --stream names; there is %s", document.Name(r.stream), some(names))
	return zero, false
}

// checkCondition reports a resource that is not made.
func (r *reader) checkCondition(t *resolver, m document.Member) {
	c, has := m.Value.Member("Condition")
	if !has {
		return
	}
	if is, open := t.condition(c.Text); open == nil && !is {
		r.FaultAt(c.Line, "%s.Condition is %q, which is false, so that there is no such stream; correct the parameters with --set", document.Join("Resources", m.Key), c.Text)
	}
}

// named gives the properties a name if they have none: CloudFormation makes one
// up, which no file tells.
func (r *reader) named(properties document.Value) document.Value {
	const name = "DeliveryStreamName"
	if index(properties.Members, name) >= 0 {
		return properties
	}
	v, given := r.lookUp(name)
	if !given {
		v = document.Open(properties.Line, "is not in the template, and CloudFormation makes one up; give the name of the stream with --set "+name+"=NAME")
	}
	properties.Members = append(properties.Members, document.Member{Key: name, Line: v.Line, Value: v})
	return properties
}
