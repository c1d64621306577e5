package importer_test

import (
	"strings"
	"testing"
)

func TestHCL(t *testing.T) {
	t.Parallel()
	text := file(t, "stream.tf")
	const source = "aws_kinesis_stream.orders.arn=arn:aws:kinesis:us-east-1:123456789012:stream/orders"
	const configured = `orders-prod
arn:aws:kinesis:us-east-1:123456789012:stream/orders
arn:aws:s3:::archive-prod
logs/
GZIP
64 300 1
orders-prod LATEST
f:17: aws_kinesis_firehose_delivery_stream.orders.kinesis_source_configuration[0].role_arn has no effect here; credentials are those of the AWS SDK's environment
f:45: aws_kinesis_firehose_delivery_stream.orders.tags has no effect here; there is no resource of AWS to have them
`
	checkRows(t, []row{
		{"as it is", text, set(latest, source), configured},
		{"another stage", text, set(latest, source, "var.stage=test"), strings.NewReplacer("-prod", "-test", "GZIP", "UNCOMPRESSED").Replace(configured)},
		{"what it does not say", edit(text, `"logs/"`, "join(\"/\", [var.stage,\n \"\"])", `default = "prod"`, "default = [for a in [1] : a]", "local.size", "var.sizes[0]"), set(latest), `error
f:12: aws_kinesis_firehose_delivery_stream.orders.name is "orders-${var.stage}", which is not in the file; give it with --set 'var.stage=VALUE'
f:16: aws_kinesis_firehose_delivery_stream.orders.kinesis_source_configuration[0].kinesis_stream_arn is aws_kinesis_stream.orders.arn, which is not in the file; give it with --set 'aws_kinesis_stream.orders.arn=VALUE'
f:21: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].bucket_arn is "arn:aws:s3:::archive-${var.stage}", which is not in the file; give it with --set 'var.stage=VALUE'
f:23: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].prefix is join("/", [var.stage, ""]), which is not in the file; give it with --set 'var.stage=VALUE'
f:25: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].buffering_size is var.sizes[0], which is not in the file; give it with --set 'var.sizes=VALUE'
f:26: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].compression_format is var.stage == "prod" ? "GZIP" : "UNCOMPRESSED", which is not in the file; give it with --set 'var.stage=VALUE'`},
		{"a bucket that it makes", edit(text, `"arn:aws:s3:::archive-${var.stage}"`, "aws_s3_bucket.archive.arn") + "\nresource \"aws_s3_bucket\" \"archive\" { bucket = \"archive-${var.stage}\" }", set(latest, source), configured},
		{"a bucket that it makes, by its name", edit(text, `"arn:aws:s3:::archive-${var.stage}"`, `"arn:aws:s3:::${aws_s3_bucket.archive.id}"`) + "\nresource \"aws_s3_bucket\" \"archive\" { bucket = \"archive-${var.stage}\" }", set(latest, source), configured},
		{"a bucket whose name it does not say", edit(text, `"arn:aws:s3:::archive-${var.stage}"`, "aws_s3_bucket.archive.arn") + "\nresource \"aws_s3_bucket\" \"archive\" { bucket = \"archive-${var.role}\" }\nresource \"aws_s3_bucket\" \"b\" {}", set(latest, source), `error
f:21: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].bucket_arn is aws_s3_bucket.archive.arn, which is not in the file; give it with --set 'aws_s3_bucket.archive.arn=VALUE'`},
		{"names of the provider's version 4", edit(text, "buffering_size     = local.size", "buffer_size = local.size\n    buffer_interval = 70"), set(latest, source), strings.NewReplacer("64 300", "64 70", "f:45", "f:46").Replace(configured)},
		{"wrong values by names of the provider's version 4", edit(text, "buffering_size     = local.size", "buffer_size = 129"), set(latest, source), `error
f:24: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].buffer_size is 129; it must be between 1 and 128`},
		{"what Terraform does with it", edit(text, `{ team = "data" }`, "{ team = \"data\" }\n  lifecycle {\n    prevent_destroy = true\n  }\n  provisioner \"local-exec\" {\n    command = \"x\"\n  }\n  connection {}"), set(latest, source), configured},
		{"encryption within Firehose", edit(text, `{ team = "data" }`, "{}\n  server_side_encryption {\n    enabled = true\n  }"), set(latest, source), edit(configured, "f:45: aws_kinesis_firehose_delivery_stream.orders.tags has no effect here; there is no resource of AWS to have them",
			"f:46: aws_kinesis_firehose_delivery_stream.orders.server_side_encryption has no effect here; it is about what Firehose itself stores: encrypt the Kinesis stream")},
		{"no encryption within Firehose", edit(text, `{ team = "data" }`, "{}\n  server_side_encryption {\n    enabled = false\n  }"), set(latest, source), edit(configured, "f:45: aws_kinesis_firehose_delivery_stream.orders.tags has no effect here; there is no resource of AWS to have them\n", "")},
		{"nothing", edit(text, `"logs/"`, "null"), set(latest, source), edit(configured, "logs/", "")},
		{"values of other kinds", edit(text, `"orders-${var.stage}"`, "[var.stage]", `"logs/"`, "{ a = 1 }", "local.size", "100000"), set(source), `error
f:12: aws_kinesis_firehose_delivery_stream.orders.name is a list; it must be a string
f:23: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].prefix is an object; it must be a string
f:24: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].buffering_size is 100000; it must be between 1 and 128`},
		{"a loop without for", edit(text, "local.size", "[64][*]"), set(source), `error
f:24: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].buffering_size is [64][*], which is not in the file; give it with --set '[64][*]=VALUE'`},
		{"a value that is too long to put into others", edit(text, `default = "prod"`, `default = "`+strings.Repeat("x", 4097)+`"`, `"arn:aws:s3:::archive-${var.stage}"`, `"arn:aws:s3:::archive"`, `var.stage == "prod" ? "GZIP" : "UNCOMPRESSED"`, `"GZIP"`), set(source), `error
f:12: aws_kinesis_firehose_delivery_stream.orders.name is "orders-${var.stage}", which is not in the file; give it with --set 'var.stage=VALUE'`},
		{"a dynamic block", edit(text, "  extended_s3_configuration {", "  dynamic \"extended_s3_configuration\" {"), set(source), `error
f:20: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration is made by a dynamic block, which is not evaluated here; write the block itself, or give what terraform show -json tells of the plan`},
		{"values that cannot be", edit(text, "local.size", "129", "prefix  ", "prefixx "), set(source), `error
f:23: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].prefixx is no argument of aws_kinesis_firehose_delivery_stream that is known here; remove it
f:24: aws_kinesis_firehose_delivery_stream.orders.extended_s3_configuration[0].buffering_size is 129; it must be between 1 and 128`},
		{"another resource", `resource "aws_s3_bucket" "a" {}`, set(), "error\nf:1: there is no resource of type aws_kinesis_firehose_delivery_stream; give the file that has it, or what terraform show -json tells of the plan"},
		{"no syntax", text + "}", set(), "error\nf:47: syntax error: Argument or block definition required: An argument or block definition is required here."},
		{"too deep", text + "a = " + strings.Repeat("[", 300) + strings.Repeat("]", 300), set(), "error\nf:47: the file nests more than 200 deep; make it flatter"},
		{"deep without brackets", text + "a = " + strings.Repeat("-", 5000) + "1", set(latest, source), configured},
	})
}
