package processors_test

import (
	"testing"

	"github.com/shardmill/shardmill/processors"
)

// TestMarkersNameTheirSource: what is loaded is of one application and one stream, be that
// known by its ARN or by its name, and what is not given is any.
func TestMarkersNameTheirSource(t *testing.T) {
	t.Parallel()
	const ours, theirs = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks", "arn:aws:kinesis:us-east-1:999999999999:stream/clicks"
	for _, row := range []struct {
		of                  processors.Marker
		application, stream string
		isOurs              bool
	}{
		{processors.Marker{Application: "app", Stream: ours}, "app", ours, true},
		{processors.Marker{Application: "app", Stream: ours}, "app", theirs, false},
		{processors.Marker{Application: "app", Stream: ours}, "app", "clicks", true},
		{processors.Marker{Application: "app", Stream: "clicks"}, "app", ours, true},
		{processors.Marker{Application: "app", Stream: "clacks"}, "app", ours, false},
		{processors.Marker{Application: "app", Stream: ours}, "app", "clacks", false},
		{processors.Marker{Application: "app", Stream: ours}, "App", ours, false},
		{processors.Marker{Application: "app", Stream: ours}, "", ours, true},
		{processors.Marker{Application: "app", Stream: ours}, "app", "", true},
		{processors.Marker{}, "", "", true},
		{processors.Marker{}, "app", "", false},
		{processors.Marker{}, "", "clicks", false},
	} {
		row.of.DeliveryStreamName, row.of.Objects = "orders", []processors.MarkedObject{{Bucket: "b", Key: "k"}}
		m, err := processors.ParseMarker(row.of.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.CheckSource(row.application, row.stream); (err == nil) != row.isOurs {
			t.Errorf("%+v is looked at by %q of %q: %v", row.of, row.application, row.stream, err)
		}
	}
}
