package importer

import (
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// named returns what Ref of a name, or GetAtt of NAME.ATTRIBUTE, comes to.
// expression is how it is used, in a line.
func (t *resolver) named(name, expression string, line int) document.Value {
	if name == "AWS::NoValue" {
		return noValue()
	}
	if v, ok := t.lookUp(name); ok {
		return v
	}
	if v, ok := t.names[name]; ok {
		return v
	}
	v := open(line, expression, name)
	if t.busy[name] {
		return v // it is made of itself
	}
	t.busy[name] = true
	if known, ok := t.known(name); ok {
		v = known
	}
	delete(t.busy, name)
	t.names[name] = v
	return v
}

// known returns what the template says of a name.
func (t *resolver) known(name string) (document.Value, bool) {
	if pseudo, is := strings.CutPrefix(name, "AWS::"); is {
		if pseudo == "Partition" {
			return t.partition()
		}
		return document.Value{}, false
	}
	if p, ok := t.parameters.Member(name); ok {
		return parameter(p)
	}
	resource, attribute, _ := strings.Cut(name, ".")
	if v, ok := t.resources.Member(resource); ok {
		return t.attribute(v, attribute)
	}
	return document.Value{}, false
}

// partition returns the partition of the region that was given.
func (t *resolver) partition() (document.Value, bool) {
	region, ok := t.lookUp("AWS::Region")
	switch {
	case !ok:
		return document.Value{}, false
	case strings.HasPrefix(region.Text, "cn-"):
		return made("aws-cn"), true
	case strings.HasPrefix(region.Text, "us-gov-"):
		return made("aws-us-gov"), true
	case strings.Contains(region.Text, "iso"):
		return document.Value{}, false
	}
	return made("aws"), true
}

// parameter returns the default of a parameter. That of a parameter of the
// Systems Manager is the name of what to look up, and no value.
func parameter(p document.Value) (document.Value, bool) {
	kind, _ := p.Member("Type")
	v, ok := p.Member("Default")
	if !ok || strings.HasPrefix(kind.Text, "AWS::SSM::Parameter::") {
		return document.Value{}, false
	}
	v.Loose = true
	if kind.Text == "CommaDelimitedList" || strings.HasPrefix(kind.Text, "List<") {
		parts := strings.Split(v.Text, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return texts(parts), true
	}
	return v, true
}

// attribute returns an attribute of a resource, or with "" what Ref of it is: the
// names of streams, buckets and functions, and what AWS makes of these.
func (t *resolver) attribute(resource document.Value, attribute string) (document.Value, bool) {
	kind, _ := resource.Member("Type")
	properties, _ := resource.Member("Properties")
	var property, before string
	switch kind.Text {
	case "AWS::Kinesis::Stream":
		property, before = "Name", "arn:${AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:stream/"
	case "AWS::S3::Bucket":
		property, before = "BucketName", "arn:aws:s3:::" // the name is all that is used of it
	case "AWS::OpenSearchService::Domain", "AWS::Elasticsearch::Domain":
		property, before = "DomainName", "arn:${AWS::Partition}:es:${AWS::Region}:${AWS::AccountId}:domain/"
		if attribute == "DomainArn" {
			attribute = "Arn"
		}
	case "AWS::Lambda::Function", "AWS::Serverless::Function":
		property, before = "FunctionName", "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
	default:
		return document.Value{}, false
	}
	name, ok := properties.Member(property)
	if !ok || attribute != "" && attribute != "Arn" {
		return document.Value{}, false
	}
	s, unknown := t.text(name, property)
	if unknown != nil {
		return *unknown, true
	}
	if attribute == "" {
		return made(s), true
	}
	arn := t.sub(at(name.Line, made(before)))
	if arn.Kind == document.Text {
		arn.Text += s
	}
	return arn, true
}
