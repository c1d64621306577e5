package importer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// terraform returns the input of CreateDeliveryStream that a resource comes to.
func (r *reader) terraform(address string, values document.Value) (document.Value, bool) {
	values.Path = document.Name(address)
	out := r.arguments(values, streamBlock())
	var version document.Value
	for _, m := range values.Members {
		path := document.Join(values.Path, m.Key)
		switch {
		case m.Key == "version_id" && m.Value.Text != "" && m.Value.Kind == document.Text:
			m.Value.Loose, m.Value.Path = true, path
			version = object(document.Member{Key: "deliveryStreamVersion", Line: m.Line, Value: m.Value})
		case m.Key == "tags" && len(m.Value.Members) > 0:
			out.Members = append(out.Members, document.Member{Key: "Tags", Line: m.Line, Value: document.Value{Kind: document.List, Line: m.Line, Path: path}})
		case m.Key == "server_side_encryption" && isOn(m.Value):
			r.WarnAt(m.Line, "%s has no effect here; it is about what Firehose itself stores: encrypt the Kinesis stream", path)
		}
	}
	out = r.ours(bucketOf(out), version)
	r.begins(r.Report, out)
	return out, true
}

// bucketOf puts the bucket of a destination that has it inside into it: the provider before
// version 5 has it beside.
func bucketOf(out document.Value) document.Value {
	const beside, inside = "S3DestinationConfiguration", "S3Configuration"
	bucket, ok := out.Member(beside)
	if !ok {
		return out
	}
	for i, m := range out.Members {
		if !hasBucketInside(m.Key) || index(m.Value.Members, inside) >= 0 {
			continue
		}
		out.Members[i].Value.Members = append(m.Value.Members, document.Member{Key: inside, Line: bucket.Line, Value: bucket})
		out.Members = without(out.Members, beside)
		return out
	}
	return out
}

// hasBucketInside reports whether a member is a destination that has a bucket beside other
// things.
func hasBucketInside(name string) bool {
	return slices.Contains([]string{
		"ElasticsearchDestinationConfiguration", "AmazonopensearchserviceDestinationConfiguration", "AmazonOpenSearchServerlessDestinationConfiguration",
		"RedshiftDestinationConfiguration",
	}, name)
}

// isOn reports whether a block has something enabled.
func isOn(blocks document.Value) bool {
	for _, each := range blocks.Items {
		if on, _ := each.Member("enabled"); on.Text == "true" {
			return true
		}
	}
	return false
}

// arguments returns the members that a block's arguments become, and those that
// the provider adds.
func (r *reader) arguments(given document.Value, b block) document.Value {
	out := document.Value{Kind: document.Object, Line: given.Line, Path: given.Path}
	there := map[string]bool{}
	for _, m := range given.Members {
		a, known := b[m.Key]
		name := cmp.Or(a.now, m.Key)
		a = b[name]
		m.Value.Path = document.Join(given.Path, m.Key)
		switch {
		case !known:
			r.FaultAt(m.Line, "%s is no argument of %s that is known here; remove it", m.Value.Path, terraformType)
		case a.to == "" || isUnset(m.Value):
		default:
			there[name] = true
			put(&out, strings.Split(a.to, "."), m.Line, r.argument(m.Line, m.Value, a))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		a := b[name]
		if a.preset.Kind != document.Unusable && !there[name] {
			v := a.preset
			v.Line, v.Path = given.Line, document.Join(given.Path, name)
			put(&out, strings.Split(a.to, "."), given.Line, v)
		}
	}
	return out
}

// isUnset reports whether a value means that the argument was not given.
func isUnset(v document.Value) bool {
	switch v.Kind {
	case document.Null:
		return true
	case document.Text:
		return v.Text == ""
	case document.List:
		return len(v.Items) == 0
	default:
		return false
	}
}

// argument returns what the value of an argument becomes. Terraform converts
// scalars.
func (r *reader) argument(line int, v document.Value, a argument) document.Value {
	switch {
	case v.Kind == document.Deferred && v.Text == "":
		return r.unknown(line, v.Path)
	case v.Kind == document.Deferred:
		return v
	case a.block == nil:
		v.Loose = true
		return v
	case v.Kind == document.Object:
		v = document.Value{Kind: document.List, Line: v.Line, Path: v.Path, Items: []document.Value{v}}
	case v.Kind != document.List:
		return v
	}
	path := v.Path
	list := document.Value{Kind: document.List, Line: v.Line, Path: path}
	for i, each := range v.Items {
		each.Path = fmt.Sprintf("%s[%d]", path, i)
		list.Items = append(list.Items, r.arguments(each, a.block))
	}
	if !a.many && len(list.Items) == 1 {
		return list.Items[0]
	}
	return list
}

// unknown returns what was given for a value that Terraform does not know yet, or
// says how to give it.
func (r *reader) unknown(line int, path string) document.Value {
	if v, given := r.lookUp(path); given {
		return v
	}
	return document.Open(line, "is known only when the plan is applied; give it with --set '"+path+"=VALUE', or give what terraform show -json tells of the state after that")
}

// put adds a member at the end of a path of objects, which it makes.
func put(out *document.Value, path []string, line int, v document.Value) {
	if len(path) == 1 {
		out.Members = append(out.Members, document.Member{Key: path[0], Line: line, Value: v})
		return
	}
	at := index(out.Members, path[0])
	if at < 0 {
		at = len(out.Members)
		out.Members = append(out.Members, document.Member{Key: path[0], Line: line, Value: document.Value{Kind: document.Object, Line: line, Path: v.Path}})
	}
	put(&out.Members[at].Value, path[1:], line, v)
}
