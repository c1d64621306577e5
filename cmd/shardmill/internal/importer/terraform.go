package importer

import (
	"cmp"
	"fmt"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

const terraformType = "aws_kinesis_firehose_delivery_stream"

// planned is a delivery stream in the output of terraform show.
type planned struct {
	address string
	line    int
	values  document.Value
}

// shown reads what terraform show -json tells of a plan or a state.
func (r *reader) shown(root document.Value) (document.Value, bool) {
	values, ok := root.Member("planned_values")
	if !ok {
		values, _ = root.Member("values")
	}
	if _, raw := root.Member("lineage"); raw {
		r.FaultAt(1, "the file is Terraform's own state; give what terraform show -json tells of it")
		return document.Value{}, false
	}
	module, _ := values.Member("root_module")
	streams := plannedIn(module, nil)
	var names []string
	for _, each := range streams {
		names = append(names, fmt.Sprintf("%s in line %d", document.Name(each.address), each.line))
	}
	p, ok := pick(r, streams, func(p planned) string { return p.address }, names,
		"there is no resource of type "+terraformType+"; give what terraform show -json tells of the plan or the state that has it")
	if !ok {
		return document.Value{}, false
	}
	return r.terraform(p.address, withUnknown(p.values, unknownOf(root, p.address)))
}

// plannedIn returns the delivery streams of a module and of those in it.
func plannedIn(module document.Value, found []planned) []planned {
	resources, _ := module.Member("resources")
	for _, each := range resources.Items {
		kind, _ := each.Member("type")
		mode, _ := each.Member("mode")
		if kind.Text != terraformType || mode.Text == "data" {
			continue
		}
		address, _ := each.Member("address")
		values, _ := each.Member("values")
		found = append(found, planned{address.Text, each.Line, values})
	}
	modules, _ := module.Member("child_modules")
	for _, each := range modules.Items {
		found = plannedIn(each, found)
	}
	return found
}

// unknownOf returns what of a resource is known only after apply: an object like
// its values, with true for them.
func unknownOf(root document.Value, address string) document.Value {
	changes, _ := root.Member("resource_changes")
	for _, each := range changes.Items {
		if at, _ := each.Member("address"); at.Text == address {
			change, _ := each.Member("change")
			unknown, _ := change.Member("after_unknown")
			return unknown
		}
	}
	return document.Value{}
}

// withUnknown returns values, among them those that are unknown as open ones.
func withUnknown(v, unknown document.Value) document.Value {
	switch {
	case unknown.Kind == document.Boolean && unknown.Text == "true":
		return document.Open(unknown.Line, "") // the converter knows what to say
	case unknown.Kind == document.Object && v.Kind == document.Object:
		for _, m := range unknown.Members {
			inner, has := v.Member(m.Key)
			if open := withUnknown(inner, m.Value); has || open.Kind == document.Deferred {
				v.Members = append(without(v.Members, m.Key), document.Member{Key: m.Key, Line: cmp.Or(inner.Line, m.Line), Value: open})
			}
		}
	case unknown.Kind == document.List && v.Kind == document.List:
		items := append([]document.Value{}, v.Items...)
		for i := range min(len(items), len(unknown.Items)) {
			items[i] = withUnknown(items[i], unknown.Items[i])
		}
		v.Items = items
	}
	return v
}
