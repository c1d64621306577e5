package importer_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/importer"
	"github.com/shardmill/shardmill/processors"
)

// What each form has of processors and of dynamic partitioning arrives: a pipeline with
// everything, as describe, Terraform and templates write it.
func TestStagesOfAllForms(t *testing.T) {
	t.Parallel()
	const (
		name     = "fn-orders"
		function = "arn:aws:lambda:eu-west-1:123456789012:function:" + name
		where    = "data/customer_id=!{partitionKeyFromQuery:customer_id}/device=!{partitionKeyFromLambda:device}/year=!{timestamp:yyyy}/"
		errors   = "errors/!{firehose:error-output-type}/"
		query    = `{customer_id:.customer_id}`
	)
	parameters := func(pairs ...string) (out []any) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, map[string]any{"ParameterName": pairs[i], "ParameterValue": pairs[i+1]})
		}
		return out
	}
	stages := map[string]any{"Enabled": true, "Processors": []any{
		map[string]any{"Type": "AppendDelimiterToRecord", "Parameters": []any{}},
		map[string]any{"Type": "MetadataExtraction", "Parameters": parameters("MetadataExtractionQuery", query, "JsonParsingEngine", "JQ-1.6")},
		map[string]any{"Type": "Lambda", "Parameters": parameters("LambdaArn", function, "NumberOfRetries", "1", "RoleArn", "arn:aws:iam::123456789012:role/r", "BufferSizeInMBs", "2.0", "BufferIntervalInSeconds", "90")},
		map[string]any{"Type": "RecordDeAggregation", "Parameters": parameters("SubRecordType", "DELIMITED", "Delimiter", "IyMjIw==")},
	}}
	destination := map[string]any{
		"BucketARN": "arn:aws:s3:::archive", "Prefix": where, "ErrorOutputPrefix": errors, "ProcessingConfiguration": stages,
		"BufferingHints":                   map[string]any{"SizeInMBs": 64, "IntervalInSeconds": 120},
		"DynamicPartitioningConfiguration": map[string]any{"Enabled": true},
	}
	source := map[string]any{"KinesisStreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"}
	asJSON := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	template := func(arn any) string {
		properties := map[string]any{"DeliveryStreamName": "orders", "KinesisStreamSourceConfiguration": source, "ExtendedS3DestinationConfiguration": destination}
		text := asJSON(map[string]any{"Resources": map[string]any{
			"F": map[string]any{"Type": "AWS::Lambda::Function", "Properties": map[string]any{"FunctionName": name}},
			"S": map[string]any{"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": properties},
		}})
		return strings.ReplaceAll(text, `"`+function+`"`, asJSON(arn))
	}
	getAtt := map[string]any{"Fn::GetAtt": []string{"F", "Arn"}}
	for form, row := range map[string]struct {
		text string
		o    importer.Options
		arn  string // "": that of the function
	}{
		"the input itself": {asJSON(map[string]any{"DeliveryStreamName": "orders", "KinesisStreamSourceConfiguration": source, "ExtendedS3DestinationConfiguration": destination}), set(latest), ""},
		"describe": {asJSON(map[string]any{"DeliveryStreamDescription": map[string]any{
			"DeliveryStreamName": "orders", "Source": map[string]any{"KinesisStreamSourceDescription": source},
			"Destinations": []any{map[string]any{"DestinationId": "d", "ExtendedS3DestinationDescription": destination}},
		}}), set(latest), ""},
		"a template":               {template(function), set(latest), ""},
		"a template's function":    {template(getAtt), set(latest, inRegion, inAccount), ""},
		"what the CDK synthesizes": {template(map[string]any{"Fn::Join": []any{"", []any{getAtt, ":$LATEST"}}}), set(latest, inRegion, inAccount), function + ":$LATEST"},
		"Terraform's state": {asJSON(map[string]any{"terraform_version": "1", "values": map[string]any{"root_module": map[string]any{"resources": []any{map[string]any{
			"address": "aws_kinesis_firehose_delivery_stream.a", "type": "aws_kinesis_firehose_delivery_stream", "values": map[string]any{
				"name": "orders", "kinesis_source_configuration": []any{map[string]any{"kinesis_stream_arn": source["KinesisStreamARN"]}},
				"extended_s3_configuration": []any{map[string]any{
					"bucket_arn": "arn:aws:s3:::archive", "prefix": where, "error_output_prefix": errors, "buffering_size": 64, "buffering_interval": 120,
					"dynamic_partitioning_configuration": []any{map[string]any{"enabled": true, "retry_duration": 300}},
					"processing_configuration":           []any{inTerraform(stages)},
				}},
			},
		}}}}}), set(latest), ""},
		"Terraform's language": {`resource "aws_kinesis_firehose_delivery_stream" "a" {
  name = "orders"
  kinesis_source_configuration {
    kinesis_stream_arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
  }
  extended_s3_configuration {
    bucket_arn          = "arn:aws:s3:::archive"
    prefix              = "` + where + `"
    error_output_prefix = "` + errors + `"
    buffering_size      = 64
    buffering_interval  = 120
    dynamic_partitioning_configuration {
      enabled = "true"
    }
` + inHCL(stages) + `
  }
}`, set(latest), ""},
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			c, err := load(row.text, row.o)
			if err != nil {
				t.Fatal(err)
			}
			arn := function
			if row.arn != "" {
				arn = row.arn
			}
			d := c.Delivery
			got := strings.Join(c.Pipeline(), "\n") + fmt.Sprintf("\n%s\n%s\n%q %v %+v", d.Prefix, d.ErrorOutputPrefix, d.RecordDeAggregation.Delimiter, d.Hints.SizeInMBs, *d.DynamicPartitioning)
			want := `KPL de-aggregation
de-aggregation at "####"
transform (` + arn + `, batches of 2 MiB or 90 s, 1 retry)
partition keys customer_id, device of the transform (active of a shard: 500 divided by the number of open shards; beyond that records fail)
newline
UNCOMPRESSED
` + where + "\n" + errors + "\n" + `"####" 64 ` + fmt.Sprintf("%+v", processors.DynamicPartitioning{MetadataExtractionQuery: query, Overflow: processors.OverflowFail})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			said := strings.Join(c.Warnings, "\n")
			told := strings.Contains(said, "dynamic_partitioning_configuration[0].retry_duration has no effect here; ")
			if strings.HasPrefix(form, "Terraform") != told || !told && strings.Contains(said, "etry") {
				t.Errorf("warnings: %s", said)
			}
		})
	}
}

// snake returns a member's name as Terraform has it.
func snake(name string) string {
	return map[string]string{
		"Enabled": "enabled", "Processors": "processors", "Type": "type", "Parameters": "parameters", "ParameterName": "parameter_name", "ParameterValue": "parameter_value",
	}[name]
}

// inTerraform returns a value as the output of terraform show has it.
func inTerraform(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, each := range v {
			out[snake(name)] = inTerraform(each)
		}
		return out
	case []any:
		out := []any{}
		for _, each := range v {
			out = append(out, inTerraform(each))
		}
		return out
	default:
		return v
	}
}

// inHCL returns processors as blocks.
func inHCL(stages map[string]any) string {
	var b strings.Builder
	b.WriteString("processing_configuration {\nenabled = \"true\"\n")
	list, _ := stages["Processors"].([]any)
	for _, each := range list {
		p, _ := each.(map[string]any)
		fmt.Fprintf(&b, "processors {\ntype = %q\n", p["Type"])
		parameters, _ := p["Parameters"].([]any)
		for _, one := range parameters {
			pair, _ := one.(map[string]any)
			fmt.Fprintf(&b, "parameters {\nparameter_name = %q\nparameter_value = %q\n}\n", pair["ParameterName"], pair["ParameterValue"])
		}
		b.WriteString("}\n")
	}
	return b.String() + "}"
}
