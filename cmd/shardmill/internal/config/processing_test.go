package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
)

// processing returns a file that has these processors.
func processing(list ...string) string {
	return inDestination("ProcessingConfiguration:\n  Enabled: true\n  Processors: [" + strings.Join(list, ", ") + "]")
}

func delimited(c *config.Config) { c.Delivery.AppendDelimiterToRecord = true }

func TestFaultsOfProcessing(t *testing.T) {
	t.Parallel()
	const (
		where = "a.yaml:7: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors"
		value = "1 validation error detected: Value at 'extendedS3DestinationConfiguration.processingConfiguration.processors."
		count = "Firehose says: A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled."
		types = "Member must satisfy enum value set: [Decompression, Lambda, RecordDeAggregation, MetadataExtraction, AppendDelimiterToRecord, CloudWatchLogProcessing]"
		names = "Member must satisfy enum value set: [DataMessageExtraction, NumberOfRetries, Delimiter, RoleArn, JsonParsingEngine, SubRecordType, " +
			"MetadataExtractionQuery, BufferIntervalInSeconds, LambdaArn, BufferSizeInMBs, CompressionFormat]"
		newline = "{Type: AppendDelimiterToRecord}"
		gunzip  = "{Type: Decompression, Parameters: [{ParameterName: CompressionFormat, ParameterValue: GZIP}]}"
	)
	logs := func(value string) string {
		return "{Type: CloudWatchLogProcessing, Parameters: [{ParameterName: DataMessageExtraction, ParameterValue: " + value + "}]}"
	}
	checkFaults(t, func(list string) string { return processing(list) }, []fault{
		{"none", "", where + " has 0 processors; give 1 to 5, or set Enabled to false. " + count},
		{
			"six", strings.Join([]string{newline, newline, newline, newline, newline, newline}, ", "),
			where + " has 6 processors; give 1 to 5, or set Enabled to false. " + count + strings.Join(twice(where, 5), ""),
		},
		{"a text for a list of them", "AppendDelimiterToRecord", where + `[0] is "AppendDelimiterToRecord"; it must be an object, not a string`},
		{"no type", "{Parameters: []}", where + "[0].Type is missing; give the processor's type"},
		{
			"a type of another case", newline + ", {Type: lambda}",
			where + `[1].Type is "lambda"; choose Decompression, Lambda, RecordDeAggregation, MetadataExtraction, AppendDelimiterToRecord or CloudWatchLogProcessing. Firehose says: ` + value + "2.member.type' failed to satisfy constraint: " + types,
		},
		{
			"two transforms", "{Type: Lambda, Parameters: [{ParameterName: LambdaArn, ParameterValue: 'arn:aws:lambda:eu-west-1:123456789012:function:f'}]}, {Type: Lambda}",
			where + `[1].Type is "Lambda"; there is one in line 7 already; remove one. Firehose says: Cannot have more than 1 Lambda processor.`,
		},
		{
			"logs that are not decompressed", logs("'False'"),
			where + `[0].Type is "CloudWatchLogProcessing"; add a processor of the type Decompression. Firehose says: ` +
				"CloudWatchLogProcessingProcessor can only be enabled with DecompressionProcessor",
		},
		{
			"an extraction of neither", gunzip + ", " + logs("'yes'"),
			where + `[1].Parameters[0].ParameterValue is "yes"; it must be true or false. Firehose says: ` +
				"Invalid parameter value for DataMessageExtraction. Allowed values are True and False.",
		},
		{
			"an extraction without quotes", gunzip + ", " + logs("true"),
			where + "[1].Parameters[0].ParameterValue is true, a boolean; it must be a string: put it in quotes",
		},
		{
			"logs without a parameter", gunzip + ", {Type: CloudWatchLogProcessing}",
			where + `[1].Type is "CloudWatchLogProcessing"; it has no parameter DataMessageExtraction; give it, true or false`,
		},
		{
			"another compression of logs", "{Type: Decompression, Parameters: [{ParameterName: CompressionFormat, ParameterValue: ZIP}]}",
			where + `[0].Parameters[0].ParameterValue is "ZIP"; it must be GZIP, or remove the parameter`,
		},
		{
			"another delimiter", "{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: Delimiter, ParameterValue: '|'}]}",
			where + `[0].Parameters[0].ParameterValue is "|"; it must be \n: Firehose documents no other delimiter; remove the parameter`,
		},
		{
			"an empty delimiter", "{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: Delimiter, ParameterValue: ''}]}",
			where + `[0].Parameters[0].ParameterValue is ""; give a value. Firehose says: ` + value +
				"1.member.parameters.1.member.parameterValue' failed to satisfy constraint: Member must have length greater than or equal to 1",
		},
		{
			"a delimiter that is too long", "{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: Delimiter, ParameterValue: '" + strings.Repeat("n", 5121) + "'}]}",
			where + `[0].Parameters[0].ParameterValue has 5121 characters; at most 5120 are allowed. Firehose says: ` + value +
				"1.member.parameters.1.member.parameterValue' failed to satisfy constraint: Member must have length less than or equal to 5120",
		},
		{
			"a parameter of another type", "{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: LambdaArn, ParameterValue: a}]}",
			where + `[0].Parameters[0].ParameterName is "LambdaArn"; it is no parameter of AppendDelimiterToRecord; that has Delimiter`,
		},
		{
			"a parameter of none", "{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: delimiter, ParameterValue: a}]}",
			where + `[0].Parameters[0].ParameterName is "delimiter"; remove it. Firehose says: ` + value +
				"1.member.parameters.1.member.parameterName' failed to satisfy constraint: " + names,
		},
		{
			"a parameter twice", `{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: Delimiter, ParameterValue: '\n'}, {ParameterName: Delimiter, ParameterValue: '\n'}]}`,
			where + `[0].Parameters[1].ParameterName is "Delimiter"; it is there twice; remove one`,
		},
		{
			"half a parameter", "{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: Delimiter}, {ParameterValue: a}]}",
			where + "[0].Parameters[0].ParameterValue is missing; give the parameter's value\n" + where + "[0].Parameters[1].ParameterName is missing; give the parameter's name",
		},
	})
	checkFaults(t, inDestination, []fault{
		{
			"processing without processors", "ProcessingConfiguration: {Enabled: true}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration has no Processors; give 1 to 5 of them, or set Enabled to false. " + count,
		},
	})
}

// TestProcessors: what a list of processors comes to, in whatever order.
func TestProcessors(t *testing.T) {
	t.Parallel()
	const gunzip = "{Type: Decompression, Parameters: [{ParameterName: CompressionFormat, ParameterValue: GZIP}]}"
	logs := func(value string) string {
		return "{Type: CloudWatchLogProcessing, Parameters: [{ParameterName: DataMessageExtraction, ParameterValue: " + value + "}]}"
	}
	for _, row := range []struct {
		name                            string
		list                            []string
		inflates, extracts, isDelimited bool
	}{
		{"inflated", []string{gunzip}, true, false, false},
		{"inflated by default", []string{"{Type: Decompression}"}, true, false, false},
		{"messages", []string{logs("'True'"), gunzip}, true, true, false},
		{"payloads as they are", []string{gunzip, logs("'false'")}, true, false, false},
		{"all", []string{"{Type: AppendDelimiterToRecord}", gunzip, logs("'true'")}, true, true, true},
	} {
		c, err := config.Load("a.yaml", []byte(processing(row.list...)+"shardmill: {errorLines: older}\n"), nil)
		if d := c.Delivery; err != nil || d.Decompression != row.inflates || d.CloudWatchLogProcessing != row.extracts || d.AppendDelimiterToRecord != row.isDelimited || !d.OlderErrorLines {
			t.Errorf("%s: %+v, %v", row.name, d, err)
		}
		if _, err := processors.New(c.Delivery, nil); err == nil || strings.Contains(err.Error(), "CloudWatch") {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// twice has the faults of processors that are there again.
func twice(where string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("\n%s[%d].Type is \"AppendDelimiterToRecord\"; there is one in line 7 already; remove one", where, i+1))
	}
	return all
}
