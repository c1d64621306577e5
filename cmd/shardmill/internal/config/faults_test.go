package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
)

// base is a complete configuration of four lines; the last is in the
// destination.
const base = `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::archive
`

// fault is a text that is added to a configuration, and the whole error.
type fault struct {
	name string
	text string
	want string
}

// checkFaults loads what document makes of each text.
func checkFaults(t *testing.T, document func(text string) string, rows []fault) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Load("a.yaml", []byte(document(row.text)), nil)
			if err == nil {
				t.Fatalf("no error, but %+v", got)
			}
			if diff := cmp.Diff(row.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := differ(config.Config{}, got); diff != "" {
				t.Errorf("with an error a Config (-want +got):\n%s", diff)
			}
		})
	}
}

// indent moves a text to the right, into an object.
func indent(text string) string {
	return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}

func inDestination(text string) string { return base + indent(text) }
func inOurs(text string) string        { return base + "shardmill:\n" + indent(text) }
func beside(text string) string        { return base + text + "\n" }
func alone(text string) string         { return text + "\n" }

func TestFaultsOfBufferingHints(t *testing.T) {
	t.Parallel()
	checkFaults(t, inDestination, []fault{
		{
			"a size above Firehose's",
			"BufferingHints: {SizeInMBs: 129, IntervalInSeconds: 300}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is 129; it must be between 1 and 128",
		},
		{
			"a size below Firehose's",
			"BufferingHints: {SizeInMBs: 0, IntervalInSeconds: 300}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is 0; it must be between 1 and 128",
		},
		{
			"an interval above Firehose's",
			"BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 901}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is 901; it must be between 0 and 900",
		},
		{
			"a negative interval",
			"BufferingHints: {SizeInMBs: 5, IntervalInSeconds: -1}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is -1; it must be between 0 and 900",
		},
		{
			"a number that no integer holds",
			"BufferingHints: {SizeInMBs: 99999999999999999999999, IntervalInSeconds: 300}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is 99999999999999999999999; it must be between 1 and 128",
		},
		{
			"a size without an interval",
			"BufferingHints: {SizeInMBs: 5}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints has SizeInMBs but no IntervalInSeconds; give both or remove both",
		},
		{
			"an interval without a size",
			"BufferingHints: {IntervalInSeconds: 60}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints has IntervalInSeconds but no SizeInMBs; give both or remove both",
		},
		{
			"hints on lines of their own",
			`BufferingHints:
  SizeInMBs: 5
  IntervalInSeconds: 1000`,
			"a.yaml:7: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is 1000; it must be between 0 and 900",
		},
		{
			"hints that are a list",
			"BufferingHints: [5, 300]",
			"a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints is a list; it must be an object",
		},
		{
			"a quoted number",
			`BufferingHints: {SizeInMBs: "5", IntervalInSeconds: '300'}`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is "5", a string; it must be a number between 1 and 128, without quotes
a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is "300", a string; it must be a number between 0 and 900, without quotes`,
		},
		{
			"a word for a number",
			"BufferingHints: {SizeInMBs: five, IntervalInSeconds: true}",
			`a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is "five", a string; it must be a number between 1 and 128, without quotes
a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is true; it must be a number between 0 and 900`,
		},
		{
			"a fraction, an exponent and other bases",
			`BufferingHints:
  SizeInMBs: 5.0
  IntervalInSeconds: 3e2`,
			`a.yaml:6: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is 5.0; it must be a whole number between 1 and 128, in decimal digits
a.yaml:7: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is 3e2; it must be a whole number between 0 and 900, in decimal digits`,
		},
		{
			"numbers that YAML writes otherwise",
			`BufferingHints:
  SizeInMBs: 0x10
  IntervalInSeconds: 0300`,
			`a.yaml:6: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is 0x10; it must be a whole number between 1 and 128, in decimal digits
a.yaml:7: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is 0300; it must be a whole number between 0 and 900, in decimal digits`,
		},
		{
			"numbers with signs and separators",
			`BufferingHints:
  SizeInMBs: +5
  IntervalInSeconds: 3_00`,
			`a.yaml:6: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is +5; it must be a whole number between 1 and 128, in decimal digits
a.yaml:7: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is 3_00; it must be a whole number between 0 and 900, in decimal digits`,
		},
		{
			"an unknown hint",
			"BufferingHints: {SizeInMB: 5, IntervalInSeconds: 300}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMB is not a member of Firehose's BufferingHints; did you mean SizeInMBs?",
		},
	})
}

func TestFaultsOfStrings(t *testing.T) {
	t.Parallel()
	checkFaults(t, inDestination, []fault{
		{
			"a compression in small letters",
			"CompressionFormat: gzip",
			`a.yaml:5: ExtendedS3DestinationConfiguration.CompressionFormat is "gzip"; choose GZIP, ZIP, Snappy, HADOOP_SNAPPY or UNCOMPRESSED. Firehose says: 1 validation error detected: Value at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]`,
		},
		{
			"Snappy in capital letters",
			"CompressionFormat: SNAPPY",
			`a.yaml:5: ExtendedS3DestinationConfiguration.CompressionFormat is "SNAPPY"; choose GZIP, ZIP, Snappy, HADOOP_SNAPPY or UNCOMPRESSED. Firehose says: 1 validation error detected: Value at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]`,
		},
		{
			"a compression of ours",
			"CompressionFormat: ZSTD",
			`a.yaml:5: ExtendedS3DestinationConfiguration.CompressionFormat is "ZSTD"; Firehose has no such format; remove it, and set shardmill.compressionFormat to ZSTD`,
		},
		{
			"an empty compression",
			`CompressionFormat: ""`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.CompressionFormat is ""; choose GZIP, ZIP, Snappy, HADOOP_SNAPPY or UNCOMPRESSED. Firehose says: 1 validation error detected: Value at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]`,
		},
		{
			"a number for a string",
			"Prefix: 2016",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is 2016, a number; it must be a string: put it in quotes",
		},
		{
			"a large number for a string",
			"Prefix: 1e400",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is 1e400, a number; it must be a string: put it in quotes",
		},
		{
			"a boolean for a string",
			"Prefix: true",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is true, a boolean; it must be a string: put it in quotes",
		},
		{
			"a list for a string",
			"Prefix: [logs/]",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is a list; it must be a string",
		},
		{
			"an object for a string",
			"Prefix: {a: b}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is an object; it must be a string",
		},
		{
			"no value",
			"Prefix:",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix has no value; give it one or remove it",
		},
		{
			"JSON's null",
			"Prefix: null",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix has no value; give it one or remove it",
		},
		{
			"a prefix that ends in a line break",
			`Prefix: |
  logs/`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "logs/\n"; remove the control character U+000A`,
		},
		{
			"a prefix with an escaped control character",
			`Prefix: "logs\0/"`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "logs\x00/"; remove the control character U+0000`,
		},
	})
}

func TestFaultsOfPrefixes(t *testing.T) {
	t.Parallel()
	checkFaults(t, inDestination, []fault{
		{
			"an expression without an error prefix",
			"Prefix: year=!{timestamp:yyyy}/",
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix has expressions, and then ErrorOutputPrefix must be given; a literal one will do, such as errors/. Firehose says: The supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions`,
		},
		{
			"an expression, and an empty error prefix",
			"ErrorOutputPrefix: ''\nPrefix: year=!{timestamp:yyyy}/",
			`a.yaml:6: ExtendedS3DestinationConfiguration.Prefix has expressions, and then ErrorOutputPrefix must be given; a literal one will do, such as errors/. Firehose says: The supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions`,
		},
		{
			"a pattern that none is",
			"Prefix: year=!{timestamp:bad}/\nErrorOutputPrefix: e/",
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "year=!{timestamp:bad}/"; change the timestamp pattern "bad": b is no letter of patterns; put texts in single quotes. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Invalid conversion character used in the value of the expression in Prefix`,
		},
		{
			"a time zone of today",
			"CustomTimeZone: Asia/Kolkata",
			`a.yaml:5: ExtendedS3DestinationConfiguration.CustomTimeZone is "Asia/Kolkata"; use UTC, or a name of Firehose's list, which has older ones: Asia/Calcutta, not Asia/Kolkata. Firehose says: Provided custom time zone is not supported. Custom time zones are limited to UTC and non-3-letter IANA time zones.`,
		},
		{
			"a prefix that leads elsewhere",
			"Prefix: logs/../other/",
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "logs/../other/"; remove the ".." between slashes: to who reads keys as paths it names another place`,
		},
		{
			"a prefix that begins elsewhere",
			"Prefix: ../logs",
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "../logs"; remove the ".." between slashes: to who reads keys as paths it names another place`,
		},
		{
			"a stray expression",
			"Prefix: my!{prefix/",
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "my!{prefix/"; begin a !{ only where an expression is, of the form !{namespace:value}. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Invalid expression usage: my!{prefix/.Must be of the form !{<namespace>:<value>}`,
		},
		{
			"an expression in an expression",
			"Prefix: a!{b!{timestamp:yyyy}",
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "a!{b!{timestamp:yyyy}"; begin a !{ only where an expression is, of the form !{namespace:value}. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Invalid expression usage: a!{b!{timestamp:yyyy}.Must be of the form !{<namespace>:<value>}`,
		},
		{
			"an unknown namespace",
			`Prefix: "!{x:y}/"`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "!{x:y}/"; write timestamp, firehose, partitionKeyFromQuery or partitionKeyFromLambda before the colon of an expression. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Namespace to the left of colon (x) is an invalid keyword!`,
		},
		{
			"the error type in a prefix",
			`Prefix: "!{firehose:error-output-type}/"`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "!{firehose:error-output-type}/"; remove !{firehose:error-output-type}: it is for ErrorOutputPrefix. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Prefix must not contain any occurrence of !{firehose:error-output-type}`,
		},
		{
			"a partition key from a query",
			`Prefix: "!{partitionKeyFromQuery:k}/"`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "!{partitionKeyFromQuery:k}/"; remove the partition keys, or turn dynamic partitioning on. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled`,
		},
		{
			"a partition key from Lambda",
			`Prefix: "!{partitionKeyFromLambda:k}/"`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "!{partitionKeyFromLambda:k}/"; remove the partition keys, or turn dynamic partitioning on. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled`,
		},
		{
			"an error prefix without the type",
			"ErrorOutputPrefix: err/!{timestamp:yyyy}/",
			`a.yaml:5: ExtendedS3DestinationConfiguration.ErrorOutputPrefix is "err/!{timestamp:yyyy}/"; add !{firehose:error-output-type} to it, or remove the expressions. Firehose says: The supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}`,
		},
		{
			"an error prefix with a partition key",
			`ErrorOutputPrefix: "!{firehose:error-output-type}/!{partitionKeyFromQuery:k}/"`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.ErrorOutputPrefix is "!{firehose:error-output-type}/!{partitionKeyFromQuery:k}/"; remove the partition keys: an ErrorOutputPrefix has none. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Dynamic Partitioning Namespaces can't be part of an error prefix expression`,
		},
		{
			"a prefix longer than Firehose evaluates",
			"Prefix: " + strings.Repeat("x", 513),
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix has 513 characters; it may have at most 512. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Length of evaluated prefix cannot be greater than 512",
		},
		{
			"a prefix longer than Firehose takes",
			"Prefix: " + strings.Repeat("x", 1025),
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix has 1025 characters; it may have at most 512. Firehose says: 1 validation error detected: Value at 'extendedS3DestinationConfiguration.prefix' failed to satisfy constraint: Member must have length less than or equal to 1024",
		},
		{
			"an error prefix longer than Firehose evaluates",
			"ErrorOutputPrefix: " + strings.Repeat("x", 513),
			"a.yaml:5: ExtendedS3DestinationConfiguration.ErrorOutputPrefix has 513 characters; it may have at most 512. Firehose says: The supplied prefix(es) do not satisfy the following constraint: Length of evaluated ErrorOutputPrefix cannot be greater than 512",
		},
		{
			"a prefix with more bytes than characters",
			"Prefix: " + strings.Repeat("Ä", 257),
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefix has 514 bytes of UTF-8; it may have at most 512",
		},
		{
			"a long value, shown in part",
			"Prefix: " + strings.Repeat("Ä", 200) + "!{timestamp:}",
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "` + strings.Repeat("Ä", 80) + `"… (213 characters); write a pattern behind timestamp:, such as yyyy`,
		},
		{
			"a file extension longer than Firehose takes",
			"FileExtension: ." + strings.Repeat("x", 128),
			`a.yaml:5: ExtendedS3DestinationConfiguration.FileExtension is ".` + strings.Repeat("x", 79) + `"… (129 characters); it must be a point and 1-127 characters of a-z 0-9 ! - _ . * ' ( ). Firehose says: 1 validation error detected: Value at 'extendedS3DestinationConfiguration.fileExtension' failed to satisfy constraint: Member must have length less than or equal to 128`,
		},
	})
}

func TestFaultsOfSwitches(t *testing.T) {
	t.Parallel()
	checkFaults(t, inDestination, []fault{
		{
			"a file extension without its dot",
			"FileExtension: log",
			`a.yaml:5: ExtendedS3DestinationConfiguration.FileExtension is "log"; it must be a point and 1-127 characters of a-z 0-9 ! - _ . * ' ( ). Firehose says: 1 validation error detected: Value at 'extendedS3DestinationConfiguration.fileExtension' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(|\.[0-9a-z!\-_.*'()]+)$`,
		},
		{
			"a file extension in capitals",
			"FileExtension: .LOG",
			`a.yaml:5: ExtendedS3DestinationConfiguration.FileExtension is ".LOG"; it must be a point and 1-127 characters of a-z 0-9 ! - _ . * ' ( ). Firehose says: 1 validation error detected: Value at 'extendedS3DestinationConfiguration.fileExtension' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(|\.[0-9a-z!\-_.*'()]+)$`,
		},
		{
			"logging that is on and has no stream",
			"CloudWatchLoggingOptions: {Enabled: true, LogGroupName: g}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.CloudWatchLoggingOptions.LogStreamName is missing; Firehose wants both names when Enabled is true; give it, or set Enabled to false",
		},
		{
			"partitioning that does not say",
			"DynamicPartitioningConfiguration: {RetryOptions: {DurationInSeconds: 300}}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.DynamicPartitioningConfiguration has no Enabled; what Firehose then does is not documented: set it to true or false",
		},
		{
			"conversion that is on",
			"DataFormatConversionConfiguration: {Enabled: true}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.Enabled is true; format conversion is not built yet; set it to false",
		},
		{
			"conversion that does not say",
			"DataFormatConversionConfiguration: {SchemaConfiguration: {}}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration has no Enabled; Firehose then takes true, and format conversion is not built yet; set Enabled to false",
		},
		{
			"a quoted boolean",
			`ProcessingConfiguration: {Enabled: "false"}`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Enabled is "false", a string; it must be true or false, without quotes`,
		},
		{
			"YAML 1.1's boolean",
			"ProcessingConfiguration: {Enabled: no}",
			`a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Enabled is "no", a string; it must be true or false, without quotes`,
		},
		{
			"a number for a boolean",
			"ProcessingConfiguration: {Enabled: 0}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Enabled is 0; it must be true or false",
		},
		{
			"a member of Firehose's that its shape does not have",
			"ProcessingConfiguration: {Enabled: false, Processor: []}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processor is not a member of Firehose's ProcessingConfiguration; did you mean Processors?",
		},
		{
			"backup that is on",
			"S3BackupMode: Enabled",
			`a.yaml:5: ExtendedS3DestinationConfiguration.S3BackupMode is "Enabled"; give S3BackupConfiguration too, or set it to Disabled. Firehose says: S3 backup destination configuration is required when enabling S3 backup.`,
		},
		{
			"a backup with faults of its own",
			"S3BackupMode: Enabled\nS3BackupConfiguration: {BufferingHints: {SizeInMBs: 129, IntervalInSeconds: 60}}",
			"a.yaml:6: ExtendedS3DestinationConfiguration.S3BackupConfiguration.BufferingHints.SizeInMBs is 129; it must be between 1 and 128\n" +
				"a.yaml:6: ExtendedS3DestinationConfiguration.S3BackupConfiguration.BucketARN is missing; give the bucket's ARN, arn:aws:s3:::NAME",
		},
		{
			"a backup of hardly any interval",
			"S3BackupMode: Enabled\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::b', BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 59}}",
			"a.yaml:6: ExtendedS3DestinationConfiguration.S3BackupConfiguration.BufferingHints.IntervalInSeconds is 59; it must be between 60 and 900: Firehose's guide has no zero buffering for backups",
		},
		{
			"processors that are off, with faults",
			"ProcessingConfiguration: {Enabled: false, Processors: [{Type: lambda}, {Parameters: [{ParameterName: X}, {ParameterName: RoleArn, ParameterValue: ' '}, {ParameterName: Delimiter, ParameterValue: \"\\n\"}]}]}",
			`a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors[0].Type is "lambda"; it must be Decompression or Lambda or RecordDeAggregation or MetadataExtraction or AppendDelimiterToRecord or CloudWatchLogProcessing
a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors[1].Parameters[0].ParameterName is "X"; it must be DataMessageExtraction or NumberOfRetries or Delimiter or RoleArn or JsonParsingEngine or SubRecordType or MetadataExtractionQuery or BufferIntervalInSeconds or LambdaArn or BufferSizeInMBs or CompressionFormat
a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors[1].Parameters[0].ParameterValue is missing; give it, or remove the whole: it has no effect here
a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors[1].Parameters[1].ParameterValue is " "; it must be 1-5120 characters that are not all blanks; it has no effect here
a.yaml:5: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors[1].Type is missing; give it, or remove the whole: it has no effect here`,
		},
		{
			"partitions and conversion that are off, with faults",
			`DynamicPartitioningConfiguration: {Enabled: false, RetryOptions: {DurationInSeconds: 7201}}
DataFormatConversionConfiguration:
  Enabled: false
  SchemaConfiguration: {RoleARN: a b}
  InputFormatConfiguration: {Deserializer: {OpenXJsonSerDe: {CaseInsensitive: 1, ColumnToJsonKeyMappings: {a b: c}}, HiveJsonSerDe: {TimestampFormats: ['']}}}
  OutputFormatConfiguration: {Serializer: {ParquetSerDe: {BlockSizeBytes: 1, WriterVersion: V3}, OrcSerDe: {PaddingTolerance: 1.1, DictionaryKeyThreshold: half}}, Codec: x}`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.DynamicPartitioningConfiguration.RetryOptions.DurationInSeconds is 7201; it must be between 0 and 7200
a.yaml:8: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.SchemaConfiguration.RoleARN is "a b"; it must be 1-1024 characters without blanks; it has no effect here
a.yaml:9: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.OpenXJsonSerDe.CaseInsensitive is 1; it must be true or false
a.yaml:9: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.OpenXJsonSerDe.ColumnToJsonKeyMappings."a b" has a name that Firehose does not take; it must be 1-1024 characters without blanks; it has no effect here
a.yaml:9: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.HiveJsonSerDe.TimestampFormats[0] is ""; it must be 1-1024 characters that are not all blanks; it has no effect here
a.yaml:10: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.OutputFormatConfiguration.Serializer.ParquetSerDe.BlockSizeBytes is 1; it must be between 67108864 and 2147483647
a.yaml:10: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.OutputFormatConfiguration.Serializer.ParquetSerDe.WriterVersion is "V3"; it must be V1 or V2
a.yaml:10: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.OutputFormatConfiguration.Serializer.OrcSerDe.PaddingTolerance is 1.1; it must be between 0 and 1
a.yaml:10: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.OutputFormatConfiguration.Serializer.OrcSerDe.DictionaryKeyThreshold is "half"; it must be a number between 0 and 1, not a string
a.yaml:10: ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.OutputFormatConfiguration.Codec is not a member of Firehose's OutputFormatConfiguration; remove it; its members are Serializer`,
		},
		{
			"a backup that is off, with faults",
			"S3BackupMode: Disabled\nS3BackupConfiguration: {BucketARN: b}",
			`a.yaml:6: ExtendedS3DestinationConfiguration.S3BackupConfiguration.BucketARN is "b"; it must be arn:aws:s3:::NAME, with a name of 1-255 characters of a-z A-Z 0-9 _ . -`,
		},
		{
			"a backup mode of another destination",
			"S3BackupMode: AllDocuments",
			`a.yaml:5: ExtendedS3DestinationConfiguration.S3BackupMode is "AllDocuments"; it must be Disabled or Enabled`,
		},
		{
			"encryption with what is no ARN of a key",
			"EncryptionConfiguration: {KMSEncryptionConfig: {AWSKMSKeyARN: alias/k}}",
			`a.yaml:5: ExtendedS3DestinationConfiguration.EncryptionConfiguration.KMSEncryptionConfig.AWSKMSKeyARN is "alias/k"; it must be the ARN of a key or of an alias, arn:aws:kms:REGION:ACCOUNT:key/ID, of at most 512 characters`,
		},
		{
			"encryption with and without a key",
			"EncryptionConfiguration: {NoEncryptionConfig: NoEncryption, KMSEncryptionConfig: {}}",
			`a.yaml:5: ExtendedS3DestinationConfiguration.EncryptionConfiguration.KMSEncryptionConfig.AWSKMSKeyARN is missing; give the ARN of a key or of an alias, arn:aws:kms:REGION:ACCOUNT:key/ID
a.yaml:5: ExtendedS3DestinationConfiguration.EncryptionConfiguration has two members; remove one of them. Firehose says: Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified`,
		},
		{
			"encryption that does not say",
			"EncryptionConfiguration: {}",
			"a.yaml:5: ExtendedS3DestinationConfiguration.EncryptionConfiguration is empty; set NoEncryptionConfig to NoEncryption, or remove it. Firehose says: Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified",
		},
		{
			"encryption in other words",
			"EncryptionConfiguration: {NoEncryptionConfig: None}",
			`a.yaml:5: ExtendedS3DestinationConfiguration.EncryptionConfiguration.NoEncryptionConfig is "None"; it must be NoEncryption`,
		},
		{
			"a role that is none",
			"RoleARN: firehose",
			`a.yaml:5: ExtendedS3DestinationConfiguration.RoleARN is "firehose"; it must be arn:aws:iam::ACCOUNT:role/NAME, with an account of 12 digits; or remove it, it has no effect here`,
		},
	})
}

func TestFaultsOfShape(t *testing.T) {
	t.Parallel()
	checkFaults(t, inDestination, []fault{
		{
			"a misspelt member",
			"Prefx: logs/",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Prefx is not a member of Firehose's ExtendedS3DestinationConfiguration; did you mean Prefix?",
		},
		{
			"a member in other letters",
			"compressionFormat: GZIP",
			"a.yaml:5: ExtendedS3DestinationConfiguration.compressionFormat is not a member of Firehose's ExtendedS3DestinationConfiguration; did you mean CompressionFormat?",
		},
		{
			"half a name",
			"Compression: GZIP",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Compression is not a member of Firehose's ExtendedS3DestinationConfiguration; did you mean CompressionFormat?",
		},
		{
			"a name that is like none",
			"Colour: red",
			"a.yaml:5: ExtendedS3DestinationConfiguration.Colour is not a member of Firehose's ExtendedS3DestinationConfiguration; remove it; its members are BucketARN, BufferingHints, CloudWatchLoggingOptions, CompressionFormat, CustomTimeZone, DataFormatConversionConfiguration, DynamicPartitioningConfiguration, EncryptionConfiguration, ErrorOutputPrefix, FileExtension, Prefix, ProcessingConfiguration, RoleARN, S3BackupConfiguration, S3BackupMode",
		},
		{
			"a member given twice",
			`Prefix: a
Prefix: b`,
			"a.yaml:6: ExtendedS3DestinationConfiguration.Prefix is given twice, first in line 5; remove one",
		},
		{
			"an anchor, an alias and a tag",
			`Prefix: &a logs/
ErrorOutputPrefix: *a
FileExtension: !!str ""`,
			`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix has an anchor (&); remove it, and write the value wherever it is needed
a.yaml:6: ExtendedS3DestinationConfiguration.ErrorOutputPrefix is an alias (*); write the value itself
a.yaml:7: ExtendedS3DestinationConfiguration.FileExtension has the tag "!!str"; remove the tag`,
		},
		{
			"a merge key",
			"<<: {Prefix: a}",
			"a.yaml:5: ExtendedS3DestinationConfiguration has a merge key (<<); write the members themselves",
		},
		{
			"a key that is no name",
			`? [a]
: b`,
			"a.yaml:6: syntax error at column 3: found an invalid key for this map",
		},
		{
			"a key that is a number",
			"1: b",
			"a.yaml:5: ExtendedS3DestinationConfiguration.1 is not a member of Firehose's ExtendedS3DestinationConfiguration; remove it; its members are BucketARN, BufferingHints, CloudWatchLoggingOptions, CompressionFormat, CustomTimeZone, DataFormatConversionConfiguration, DynamicPartitioningConfiguration, EncryptionConfiguration, ErrorOutputPrefix, FileExtension, Prefix, ProcessingConfiguration, RoleARN, S3BackupConfiguration, S3BackupMode",
		},
		{
			"a complex key",
			`? Prefix
: b`,
			"a.yaml:5: ExtendedS3DestinationConfiguration has a key that is no plain name; write it as JSON would have it",
		},
		{
			"a key with odd characters",
			`"a.b\n": 1`,
			"a.yaml:5: ExtendedS3DestinationConfiguration.\"a.b\\n\" is not a member of Firehose's ExtendedS3DestinationConfiguration; remove it; its members are BucketARN, BufferingHints, CloudWatchLoggingOptions, CompressionFormat, CustomTimeZone, DataFormatConversionConfiguration, DynamicPartitioningConfiguration, EncryptionConfiguration, ErrorOutputPrefix, FileExtension, Prefix, ProcessingConfiguration, RoleARN, S3BackupConfiguration, S3BackupMode",
		},
	})
}
