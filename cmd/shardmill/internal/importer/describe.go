package importer

import (
	"fmt"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

const describedKey = "DeliveryStreamDescription"

// described reads the output of describe-delivery-stream.
func (r *reader) described(root document.Value) (document.Value, bool) {
	d := document.Value{}
	var ours document.Value
	for _, m := range root.Members {
		switch m.Key {
		case describedKey:
			d = m.Value
			d.Path = describedKey
		case ourKey:
			ours = m.Value
		default:
			r.FaultAt(m.Line, "%s is not a member of what describe-delivery-stream tells; remove it", document.Join("", m.Key))
		}
	}
	if d.Kind != document.Object {
		r.FaultAt(max(d.Line, 1), "%s is no object; it must be what describe-delivery-stream tells", describedKey)
		return d, false
	}
	return r.description(d, ours)
}

// bare reads the value of DeliveryStreamDescription alone, as --query selects it.
func (r *reader) bare(root document.Value) (document.Value, bool) {
	ours, _ := root.Member(ourKey)
	return r.description(root, ours)
}

// description returns the input of CreateDeliveryStream that makes the stream d
// describes.
func (r *reader) description(d, ours document.Value) (document.Value, bool) {
	out := document.Value{Kind: document.Object, Line: d.Line, Path: d.Path}
	var version document.Value
	for _, m := range d.Members {
		m.Value.Path = document.Join(d.Path, m.Key)
		switch m.Key {
		case "DeliveryStreamARN", "CreateTimestamp", "LastUpdateTimestamp", "HasMoreDestinations", "FailureDescription", ourKey:
			// what happened, not what was asked for
		case "DeliveryStreamStatus":
			if m.Value.Text != "ACTIVE" {
				r.WarnAt(m.Line, "%s is %q; what is described may not be what applies", m.Value.Path, m.Value.Text)
			}
		case "DeliveryStreamEncryptionConfiguration":
			r.describedEncryption(m)
		case "VersionId":
			m.Value.Loose = true
			version = object(document.Member{Key: "deliveryStreamVersion", Line: m.Line, Value: m.Value})
		case "Source":
			out.Members = append(out.Members, r.describedSource(m.Value)...)
		case "Destinations":
			out.Members = append(out.Members, r.describedDestination(m)...)
		default:
			out.Members = append(out.Members, m)
		}
	}
	if ours.Kind != document.Unusable {
		out.Members = append(out.Members, document.Member{Key: ourKey, Line: ours.Line, Value: ours})
	}
	out = r.ours(out, version)
	r.begins(r.Report, out)
	return out, true
}

// describedEncryption warns of encryption at rest within Firehose.
func (r *reader) describedEncryption(m document.Member) {
	status, _ := m.Value.Member("Status")
	if strings.HasPrefix(status.Text, "ENABL") {
		r.WarnAt(m.Line, "%s has no effect here; it is about what Firehose itself stores: encrypt the Kinesis stream", m.Value.Path)
	}
}

// describedSource returns the configuration of a source: it is called
// …Description here.
func (r *reader) describedSource(v document.Value) (out []document.Member) {
	for _, m := range v.Members {
		m.Value.Path = document.Join(v.Path, m.Key)
		if at := index(m.Value.Members, "DeliveryStartTimestamp"); at >= 0 {
			start := m.Value.Members[at]
			r.WarnAt(start.Line, "%s.DeliveryStartTimestamp has no effect here; it is where Firehose began: shardmill.initialPosition says where to begin", m.Value.Path)
			m.Value.Members = without(m.Value.Members, "DeliveryStartTimestamp")
		}
		m.Key = configurationOf(m.Key)
		out = append(out, m)
	}
	return out
}

// describedDestination returns the configuration of the one destination.
func (r *reader) describedDestination(m document.Member) (out []document.Member) {
	if n := len(m.Value.Items); m.Value.Kind == document.List && n != 1 {
		r.FaultAt(m.Line, "%s has %d destinations; it must have one. Firehose says: Exactly one destination configuration is supported for a Firehose", m.Value.Path, n)
		return nil
	}
	for i, d := range m.Value.Items {
		_, extended := d.Member("ExtendedS3DestinationDescription")
		for _, each := range d.Members {
			each.Value.Path = document.Join(fmt.Sprintf("%s[%d]", m.Value.Path, i), each.Key)
			switch {
			case each.Key == "DestinationId":
			case each.Key == "S3DestinationDescription" && extended: // the same once more, with less
			default:
				each.Key = configurationOf(each.Key)
				each.Value.Members = configurations(each.Value)
				if hasBucketInside(each.Key) {
					each.Value.Members = bucketInside(each.Value)
				}
				out = append(out, each)
			}
		}
	}
	return out
}

// configurations returns the members of v, those that end in Description as they
// are called when they are given.
func configurations(v document.Value) (out []document.Member) {
	for _, m := range v.Members {
		if name := configurationOf(m.Key); name != m.Key {
			m.Value.Path = document.Join(v.Path, m.Key)
			m.Key = name
		}
		out = append(out, m)
	}
	return out
}

// bucketInside returns the members of a destination that has a bucket inside as they are
// called when they are given.
func bucketInside(v document.Value) []document.Member {
	for i := range v.Members {
		switch m := &v.Members[i]; m.Key {
		case "S3DestinationConfiguration":
			m.Key = "S3Configuration"
		case "VpcConfigurationDescription":
			m.Key, m.Value.Path = "VpcConfiguration", document.Join(v.Path, m.Key)
			m.Value.Members = without(m.Value.Members, "VpcId")
		}
	}
	return v.Members
}

// configurationOf returns what describe's …Description is called in the input of
// create.
func configurationOf(name string) string {
	switch name {
	case "KinesisStreamSourceDescription", "DirectPutSourceDescription", "MSKSourceDescription", "DatabaseSourceDescription", "S3BackupDescription":
		return strings.TrimSuffix(name, "Description") + "Configuration"
	}
	if kind, is := strings.CutSuffix(name, "DestinationDescription"); is {
		return kind + "DestinationConfiguration"
	}
	return name
}
