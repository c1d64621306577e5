//go:build conformance

package config_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
)

// skeleton is what the CLI's --generate-cli-skeleton makes of a shape: an empty text, 0,
// true, a list of one, and of an enumeration any value: here the nth.
func (m model) skeleton(shape string, nth int) any {
	s := m.Shapes[shape]
	switch {
	case len(s.Enum) > 0:
		return s.Enum[nth%len(s.Enum)]
	case s.Type == "structure":
		out := map[string]any{}
		for name, ref := range s.Members {
			out[name] = m.skeleton(ref.Shape, nth)
		}
		return out
	case s.Type == "list":
		return []any{m.skeleton(s.Member.Shape, nth)}
	case s.Type == "map":
		return map[string]any{"KeyName": m.skeleton(s.Value.Shape, nth)}
	case s.Type == "boolean":
		return true
	case s.Type == "integer", s.Type == "double":
		return 0
	default:
		return ""
	}
}

// placeholders returns the paths of a skeleton's values that the model does not allow.
func (m model) placeholders(path, shape string) (wrong []string) {
	s := m.Shapes[shape]
	switch {
	case len(s.Enum) > 0:
		return nil
	case s.Type == "structure":
		for _, name := range slices.Sorted(maps.Keys(s.Members)) {
			wrong = append(wrong, m.placeholders(path+"."+name, s.Members[name].Shape)...)
		}
		return wrong
	case s.Type == "list":
		return m.placeholders(path+"[0]", s.Member.Shape)
	case s.Type == "map":
		return m.placeholders(path+".KeyName", s.Value.Shape)
	case s.Min != nil && *s.Min > 0:
		return []string{path}
	}
	return nil
}

// TestSkeletonOfModel: each placeholder that is left in the CLI's skeleton, and can be no
// value, is told of by its name, as is each part that is not built.
func TestSkeletonOfModel(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	top := m.Shapes["CreateDeliveryStreamInput"]
	var want []string
	for _, name := range slices.Sorted(maps.Keys(top.Members)) {
		switch name {
		case "ElasticsearchDestinationConfiguration", "AmazonopensearchserviceDestinationConfiguration", "AmazonOpenSearchServerlessDestinationConfiguration":
			want = append(want, m.placeholders(name, top.Members[name].Shape)...)
			want = append(want, name+".ProcessingConfiguration.Processors[0].Parameters[0]")
			if name != "AmazonOpenSearchServerlessDestinationConfiguration" {
				want = append(want, name+" has DomainARN and ClusterEndpoint")
			}
		case redshift:
			want = append(want, m.placeholders(name, top.Members[name].Shape)...)
			want = append(want, name+".ProcessingConfiguration.Processors[0].Parameters[0]")
		case "DeliveryStreamName", "KinesisStreamSourceConfiguration", "S3DestinationConfiguration", "Tags":
			want = append(want, m.placeholders(name, top.Members[name].Shape)...)
		case "ExtendedS3DestinationConfiguration":
			want = append(want, m.placeholders(name, top.Members[name].Shape)...)
			for _, off := range []string{"DataFormatConversionConfiguration.Enabled", "DynamicPartitioningConfiguration.Enabled", "ProcessingConfiguration.Processors[0].Parameters[0]"} {
				want = append(want, name+"."+off)
			}
		case "DeliveryStreamType":
		default:
			want = append(want, name)
		}
	}
	for nth := range 12 {
		data, err := json.MarshalIndent(m.skeleton("CreateDeliveryStreamInput", nth), "", "    ")
		if err != nil {
			t.Fatal(err)
		}
		_, err = config.Load("f", data, nil)
		if err == nil {
			t.Fatal("it is accepted")
		}
		if strings.Contains(err.Error(), "is not a member of") {
			t.Errorf("it is not known: %v", err)
		}
		for _, path := range want {
			if !strings.Contains(err.Error(), ": "+path) {
				t.Errorf("%d: nothing is said of %s", nth, path)
			}
		}
	}
}
