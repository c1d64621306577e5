package importer_test

import "testing"

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
