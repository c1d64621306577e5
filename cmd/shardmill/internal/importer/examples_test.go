package importer_test

import (
	"strings"
	"testing"
)

// What others wrote to be copied.
func TestExamplesOfOthers(t *testing.T) {
	t.Parallel()
	checkRows(t, []row{
		{"CloudFormation's, as it is", file(t, "cloudformation-kinesis-source.yaml"), set(latest), `error
f:19: Resources.Deliverystream.Properties.DeliveryStreamName is !Ref deliveryStreamName, which is not in the file; give it with --set 'deliveryStreamName=VALUE'
f:22: Resources.Deliverystream.Properties.KinesisStreamSourceConfiguration.KinesisStreamARN is !Ref kinesisStreamARN, which is not in the file; give it with --set 'kinesisStreamARN=VALUE'
f:25: Resources.Deliverystream.Properties.ExtendedS3DestinationConfiguration.BucketARN is !Ref s3bucketArn, which is not in the file; give it with --set 's3bucketArn=VALUE'`},
		{
			"CloudFormation's, with its parameters", file(t, "cloudformation-kinesis-source.yaml"),
			set(latest, "deliveryStreamName=orders", "kinesisStreamARN=arn:aws:kinesis:us-east-1:123456789012:stream/orders", "s3bucketArn=arn:aws:s3:::archive", "deliveryRoleArn=arn:aws:iam::123456789012:role/firehose"),
			`orders
arn:aws:kinesis:us-east-1:123456789012:stream/orders
arn:aws:s3:::archive
firehose/
UNCOMPRESSED
50 60 1
orders LATEST
f:23: Resources.Deliverystream.Properties.KinesisStreamSourceConfiguration.RoleARN has no effect here; credentials are those of the AWS SDK's environment`,
		},
	})
}

// What --generate-cli-skeleton prints has every member, with placeholders. What
// is left of it that can be no value is refused by its name, also beside values
// that were filled in.
func TestSkeleton(t *testing.T) {
	t.Parallel()
	const skeleton = `{
    "DeliveryStreamName": "",
    "DeliveryStreamType": "DirectPut",
    "DirectPutSourceConfiguration": {"ThroughputHintInMBs": 0},
    "KinesisStreamSourceConfiguration": {"KinesisStreamARN": "", "RoleARN": ""},
    "DeliveryStreamEncryptionConfigurationInput": {"KeyARN": "", "KeyType": "AWS_OWNED_CMK"},
    "S3DestinationConfiguration": {"RoleARN": "", "BucketARN": "", "Prefix": "", "BufferingHints": {"SizeInMBs": 0, "IntervalInSeconds": 0}, "CompressionFormat": "UNCOMPRESSED"},
    "ExtendedS3DestinationConfiguration": {"RoleARN": "", "BucketARN": ""},
    "RedshiftDestinationConfiguration": {"RoleARN": ""},
    "Tags": [{"Key": "", "Value": ""}]
}`
	_, err := load(skeleton, set())
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, want := range []string{
		`f:2: DeliveryStreamName is ""; `, `f:3: DeliveryStreamType is "DirectPut"; `, `f:4: DirectPutSourceConfiguration is not built yet; `,
		`f:5: KinesisStreamSourceConfiguration.KinesisStreamARN is ""; `, `f:5: KinesisStreamSourceConfiguration.RoleARN is ""; `,
		`f:6: DeliveryStreamEncryptionConfigurationInput does not go with a Kinesis stream; `, `f:7: S3DestinationConfiguration.BucketARN is ""; `,
		`f:7: S3DestinationConfiguration.BufferingHints.SizeInMBs is 0; `, `f:8: ExtendedS3DestinationConfiguration is a second destination, `,
		`f:9: RedshiftDestinationConfiguration is not built yet; `, `f:10: Tags[0].Key is ""; `,
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+want) {
			t.Errorf("it does not say %s\n%v", want, err)
		}
	}
}

// What is no configuration at all is told so.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	stream := set()
	stream.Stream = "S"
	const input = `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
S3DestinationConfiguration: {BucketARN: "arn:aws:s3:::archive"}`
	checkRows(t, []row{
		{"nothing", "", set(), "error\nf:1: the file is empty; it must hold the input of Firehose's CreateDeliveryStream"},
		{"a binary", "\x7fELF\x02\x01", set(), "error\nf:1: the line has the control character U+007F; remove it"},
		{"one stream, chosen", input, stream, "error\nf: --stream S goes with a template or the output of terraform show; the file describes one stream"},
		{"the input, with what is ours beside it", input, set(latest, "shardmill.maxLeases=5", "shardmill.formerBuckets=old"), "orders\narn:aws:kinesis:us-east-1:123456789012:stream/orders\narn:aws:s3:::archive\n\nUNCOMPRESSED\n5 300 1\norders LATEST"},
		{"the input, with a list in place of what is ours", input + "\nshardmill: []", set(latest), "error\nf: --set shardmill.initialPosition gives what the file does not leave open; correct the name, or remove it\nf:4: shardmill is a list; it must be an object"},
	})
}
