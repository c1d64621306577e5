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

// What the examples of Terraform's page of the resource have, hashicorp/aws 6: they put
// into the delivery stream itself, and what else is in them is told.
func TestExamplesOfTerraform(t *testing.T) {
	t.Parallel()
	const at = "aws_kinesis_firehose_delivery_stream.extended_s3_stream."
	const noStream = "f:1: " + at + "kinesis_source_configuration is missing; give the stream's KinesisStreamARN in it. Firehose says: KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type.\n"
	example := func(destination string) string {
		return `resource "aws_kinesis_firehose_delivery_stream" "extended_s3_stream" {
  name        = "terraform-kinesis-firehose-extended-s3-test-stream"
  destination = "extended_s3"
  extended_s3_configuration {
    role_arn   = aws_iam_role.firehose.arn
    bucket_arn = aws_s3_bucket.bucket.arn
` + destination + `
  }
}

resource "aws_s3_bucket" "bucket" {
  bucket = "tf-test-bucket"
}`
	}
	processor := func(kind, name, value string) string {
		return "processors {\n type = \"" + kind + "\"\n parameters {\n parameter_name = \"" + name + "\"\n parameter_value = \"" + value + "\"\n }\n }\n"
	}
	const on = at + "extended_s3_configuration[0]."
	const partitioned = "dynamic_partitioning_configuration {\n enabled = \"true\"\n }\n"
	checkRows(t, []row{
		{
			"extended S3, with a function", example("processing_configuration {\n enabled = \"true\"\n" + processor("Lambda", "LambdaArn", "${aws_lambda_function.f.arn}:$LATEST") + "}"),
			set(latest), "error\n" + noStream +
				"f:13: " + on + `processing_configuration[0].processors[0].parameters[0].parameter_value is "${aws_lambda_function.f.arn}:$LATEST", which is not in the file; give it with --set '"${aws_lambda_function.f.arn}:$LATEST"=VALUE'`,
		},
		{
			"extended S3 with partitions by query, and no engine", example("buffering_size = 64\n" + partitioned +
				"prefix = \"data/customer_id=!{partitionKeyFromQuery:customer_id}/year=!{timestamp:yyyy}/\"\nerror_output_prefix = \"errors/year=!{timestamp:yyyy}/!{firehose:error-output-type}/\"\n" +
				"processing_configuration {\n enabled = \"true\"\n" + processor("MetadataExtraction", "MetadataExtractionQuery", "{customer_id:.customer_id}") + "}"),
			set(latest), "error\n" + noStream + "f:16: " + on + `processing_configuration[0].processors[0].type is "MetadataExtraction"; give its parameter JsonParsingEngine, JQ-1.6. ` +
				"Firehose says: MetaDataExtraction JSON Parsing Engine has to be one of JQ-1.6",
		},
		{
			"S3 alone, with a stream", edit(example(""), `destination = "extended_s3"`, `kinesis_source_configuration {
    kinesis_stream_arn = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
  }`), set(latest), `terraform-kinesis-firehose-extended-s3-test-stream
arn:aws:kinesis:us-east-1:123456789012:stream/orders
arn:aws:s3:::tf-test-bucket

UNCOMPRESSED
5 300 1
terraform-kinesis-firehose-extended-s3-test-stream LATEST
f:7: aws_kinesis_firehose_delivery_stream.extended_s3_stream.extended_s3_configuration[0].role_arn has no effect here; credentials are those of the AWS SDK's environment`,
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
		`f:9: RedshiftDestinationConfiguration is a second destination, `, `f:9: RedshiftDestinationConfiguration.RoleARN is ""; `, `f:10: Tags[0].Key is ""; `,
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
