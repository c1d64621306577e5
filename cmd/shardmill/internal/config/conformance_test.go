package config_test

import (
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
)

// TestConformance has the statements about what Firehose refuses, by their numbers.
func TestConformance(t *testing.T) {
	t.Parallel()
	named := func(name string) string {
		return strings.Replace(base, "DeliveryStreamName: orders", "DeliveryStreamName: '"+name+"'", 1)
	}
	hints := func(size, interval string) string {
		return inDestination("BufferingHints: {SizeInMBs: " + size + ", IntervalInSeconds: " + interval + "}")
	}
	const (
		at      = "a.yaml:5: ExtendedS3DestinationConfiguration."
		anyName = "it must be 1-64 characters of a-z A-Z 0-9 _ . -"
	)
	for _, row := range []struct{ name, text, fault string }{ // fault: "" for none
		{"B6/size only", inDestination("BufferingHints: {SizeInMBs: 5}"), at + "BufferingHints has SizeInMBs but no IntervalInSeconds; give both or remove both"},
		{"B6/interval only", inDestination("BufferingHints: {IntervalInSeconds: 300}"), at + "BufferingHints has IntervalInSeconds but no SizeInMBs; give both or remove both"},
		{"B6/both", hints("5", "300"), ""},
		{"B6/none", inDestination("BufferingHints: {}"), ""},
		{"B7/size 0", hints("0", "300"), at + "BufferingHints.SizeInMBs is 0; it must be between 1 and 128"},
		{"B7/size 129", hints("129", "300"), at + "BufferingHints.SizeInMBs is 129; it must be between 1 and 128"},
		{"B7/interval -1", hints("5", "-1"), at + "BufferingHints.IntervalInSeconds is -1; it must be between 0 and 900"},
		{"B7/interval 901", hints("5", "901"), at + "BufferingHints.IntervalInSeconds is 901; it must be between 0 and 900"},
		{"B7/the least", hints("1", "0"), ""},
		{"B7/the most", hints("128", "900"), ""},
		{
			"B12/hints that are too small", inDestination("BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 30}\nDynamicPartitioningConfiguration: {Enabled: true}"),
			at + "BufferingHints.SizeInMBs is 5; make it 64. Firehose says: BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.\n" +
				at + "BufferingHints.IntervalInSeconds is 30; make it 60. Firehose says: BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled.\n" +
				"a.yaml:6: ExtendedS3DestinationConfiguration.DynamicPartitioningConfiguration.Enabled is true; dynamic partitioning is not built yet; set it to false",
		},
		{
			"B12/the least", inDestination("DynamicPartitioningConfiguration: {Enabled: true}\nBufferingHints: {SizeInMBs: 64, IntervalInSeconds: 60}"),
			at + "DynamicPartitioningConfiguration.Enabled is true; dynamic partitioning is not built yet; set it to false",
		},
		{
			"B12/no buffering at all", inDestination("DynamicPartitioningConfiguration: {Enabled: true}\nBufferingHints: {SizeInMBs: 64, IntervalInSeconds: 0}"),
			at + "DynamicPartitioningConfiguration.Enabled is true; dynamic partitioning is not built yet; set it to false\n" +
				"a.yaml:6: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is 0; make it 60. Firehose says: BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled.",
		},
		{"B12/off", inDestination("BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 30}\nDynamicPartitioningConfiguration: {Enabled: false}"), ""},
		{"A5/a space", named("my orders"), `a.yaml:1: DeliveryStreamName is "my orders"; ` + anyName},
		{"A5/65 characters", named(strings.Repeat("a", 65)), `a.yaml:1: DeliveryStreamName is "` + strings.Repeat("a", 65) + `"; ` + anyName},
		{"A5/64 characters", named(strings.Repeat("a", 64)), ""},
		{
			"A7/both of S3's shapes", base + "S3DestinationConfiguration: {BucketARN: \"arn:aws:s3:::b\"}\n",
			"a.yaml:5: S3DestinationConfiguration is a second destination, beside ExtendedS3DestinationConfiguration in line 3; remove one. Firehose says: Exactly one destination configuration is supported for a Firehose",
		},
		{
			"A7/another destination", base + "SplunkDestinationConfiguration: {}\n",
			"a.yaml:5: SplunkDestinationConfiguration is not built yet; remove it, and use ExtendedS3DestinationConfiguration",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load("a.yaml", []byte(row.text), nil)
			switch {
			case row.fault == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.fault != "" && (err == nil || err.Error() != row.fault):
				t.Errorf("got  %v\nwant %s", err, row.fault)
			}
		})
	}
}
