package importer_test

import (
	"strings"
	"testing"
)

const planned = `orders
arn:aws:kinesis:us-east-1:123456789012:stream/orders
arn:aws:s3:::archive
logs/
GZIP
64 120 1
orders LATEST
`

const plannedWarnings = `f:15: module.orders.aws_kinesis_firehose_delivery_stream.this["a"].extended_s3_configuration[0].cloudwatch_logging_options[0] has no effect here; errors are in the log of this program
f:25: module.orders.aws_kinesis_firehose_delivery_stream.this["a"].extended_s3_configuration[0].role_arn has no effect here; credentials are those of the AWS SDK's environment
f:34: module.orders.aws_kinesis_firehose_delivery_stream.this["a"].tags has no effect here; there is no resource of AWS to have them
`

const latest = "shardmill.initialPosition=LATEST"

func TestTerraform(t *testing.T) {
	t.Parallel()
	text := file(t, "terraform-plan.json")
	const stream = `module.orders.aws_kinesis_firehose_delivery_stream.this["a"]`
	checkRows(t, []row{
		{"a plan", text, set(latest), planned + plannedWarnings},
		{"a state", edit(text, `"planned_values"`, `"values"`, `"version_id": true, `, "", `"timeouts": null`, `"version_id": "7", "arn": "a", "destination_id": "d", "id": "i", "tags_all": {}, "timeouts": null`), set(latest), edit(planned, "120 1", "120 7") + plannedWarnings},
		{"what is known after apply", edit(text, `"role_arn": true`, `"kinesis_stream_arn": true`, `"cloudwatch_logging_options": [{}]`, `"bucket_arn": true`), set(latest), `error
f:12: ` + stream + `.extended_s3_configuration[0].bucket_arn is known only when the plan is applied; give it with --set '` + stream + `.extended_s3_configuration[0].bucket_arn=VALUE', or give what terraform show -json tells of the state after that
f:30: ` + stream + `.kinesis_source_configuration[0].kinesis_stream_arn is known only when the plan is applied; give it with --set '` + stream + `.kinesis_source_configuration[0].kinesis_stream_arn=VALUE', or give what terraform show -json tells of the state after that`},
		{"what is known after apply, given", edit(text, `"cloudwatch_logging_options": [{}]`, `"bucket_arn": true`), set(latest, stream+".extended_s3_configuration[0].bucket_arn=arn:aws:s3:::other"), edit(planned, ":archive", ":other") + plannedWarnings},
		{"what the provider takes", `{"terraform_version": "1", "values": {"root_module": {"resources": [
{"address": "` + "aws_kinesis_firehose_delivery_stream.a" + `", "type": "aws_kinesis_firehose_delivery_stream", "values": {"name": "orders",
"kinesis_source_configuration": [{"kinesis_stream_arn": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}],
"extended_s3_configuration": [{"bucket_arn": "arn:aws:s3:::archive", "dynamic_partitioning_configuration": [{}], "cloudwatch_logging_options": [{}]}]}}]}}}`, set(latest), edit(planned, "logs/", "", "GZIP", "UNCOMPRESSED", "64 120", "5 300")},
		{"an old provider", `{"terraform_version": "1", "values": {"root_module": {"resources": [
{"address": "` + "aws_kinesis_firehose_delivery_stream.a" + `", "type": "aws_kinesis_firehose_delivery_stream", "values": {"name": "orders", "destination": "s3",
"kinesis_source_configuration": [{"kinesis_stream_arn": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}],
"s3_configuration": [{"bucket_arn": "arn:aws:s3:::archive", "buffering_size": 1}]}}]}}}`, set(latest), edit(planned, "logs/", "", "GZIP", "UNCOMPRESSED", "64 120", "1 300")},
	})
}

func TestFaultsOfTerraform(t *testing.T) {
	t.Parallel()
	text := file(t, "terraform-plan.json")
	const here = `module.orders.aws_kinesis_firehose_delivery_stream.this["a"].`
	const at = here + "extended_s3_configuration[0]."
	checkRows(t, []row{
		{"values that cannot be", edit(text, `"buffering_size": 64`, `"buffering_size": 129`, `"logs/"`, "5", `"GZIP"`, `"gzip"`), set(), `error
f:14: ` + at + `buffering_size is 129; it must be between 1 and 128
f:16: ` + at + `compression_format is "gzip"; choose GZIP, ZIP, Snappy, HADOOP_SNAPPY or UNCOMPRESSED. Firehose says: 1 validation error detected: Value at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]`},
		{"what is not built", edit(text, `"kms_key_arn": null`, `"kms_key_arn": "key/1"`, `"s3_backup_mode": "Disabled"`, `"s3_backup_mode": "Enabled"`,
			`"data_format_conversion_configuration": []`, `"data_format_conversion_configuration": [{"schema_configuration": [{}]}]`), set(), `error
f:18: ` + at + `data_format_conversion_configuration[0].enabled is true; format conversion is not built yet; set it to false
f:22: ` + at + `kms_key_arn is "key/1"; it must be the ARN of a key or of an alias, arn:aws:kms:REGION:ACCOUNT:key/ID, of at most 512 characters
f:27: ` + at + `s3_backup_mode is "Enabled"; give S3BackupConfiguration too, or set it to Disabled. Firehose says: S3 backup destination configuration is required when enabling S3 backup.`},
		{"what is missing", edit(text, `"bucket_arn": "arn:aws:s3:::archive",`, "", `"name": "orders",`, "", `"kinesis_source_configuration": [{
      "kinesis_stream_arn": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
     }],`, ""), set(), `error
f:8: ` + here + `name is missing; give the name that objects begin with
f:8: ` + here + `kinesis_source_configuration is missing; give the stream's KinesisStreamARN in it. Firehose says: KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type.
f:11: ` + here + `extended_s3_configuration[0].bucket_arn is missing; give the bucket's ARN, arn:aws:s3:::NAME`},
		{"another destination", edit(text, `"elasticsearch_configuration": []`, `"snowflake_configuration": [{"account_url": "a"}]`), set(), `error
f:10: ` + here + `snowflake_configuration is not built yet; remove it, and use ExtendedS3DestinationConfiguration`},
		{"an argument that is new", edit(text, `"kms_key_arn": null`, `"kms_key": "a"`), set(), `error
f:22: ` + at + `kms_key is no argument of aws_kinesis_firehose_delivery_stream that is known here; remove it`},
		{"too many values", `{"terraform_version": [` + strings.Repeat("0,", 1<<19) + "0]}", set(), `error
f:1: the file has more than 524288 values; give less of it, but the whole delivery stream`},
		{"no stream", `{"terraform_version": "1", "format_version": "1.0"}`, set(), `error
f:1: there is no resource of type aws_kinesis_firehose_delivery_stream; give what terraform show -json tells of the plan or the state that has it`},
		{"the state itself", `{"version": 4, "terraform_version": "1", "lineage": "x", "resources": []}`, set(), `error
f:1: the file is Terraform's own state; give what terraform show -json tells of it`},
		{"two streams", edit(text, `"resources": [{"address": "aws_s3_bucket.archive"`, `"resources": [{"address": "aws_kinesis_firehose_delivery_stream.b", "type": "aws_kinesis_firehose_delivery_stream", "values": {}}, {"address": "aws_s3_bucket.archive"`), set(), `error
f:1: there are 2 delivery streams, aws_kinesis_firehose_delivery_stream.b in line 3, module.orders.aws_kinesis_firehose_delivery_stream.this["a"] in line 5; choose one with --stream NAME`},
	})
}
