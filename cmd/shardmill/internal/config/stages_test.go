package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
)

func lambdaOf(retries int, size float64, interval int) *config.Transform {
	return &config.Transform{
		Lambda:          &config.LambdaTransform{ARN: function, Region: "eu-west-1"},
		NumberOfRetries: retries, Hints: processors.TransformHints{SizeInMBs: size, IntervalInSeconds: interval},
	}
}

func commandOf(change func(*config.CommandTransform)) *config.Transform {
	t := &config.Transform{
		Command:         &config.CommandTransform{Argv: []string{"jq", "-c"}, TimeoutSeconds: 300},
		NumberOfRetries: 3, Hints: processors.TransformHints{SizeInMBs: 1, IntervalInSeconds: 60},
	}
	change(t.Command)
	return t
}

func TestTransforms(t *testing.T) {
	t.Parallel()
	qualified := lambdaOf(3, 1, 60)
	qualified.Lambda.ARN += ":$LATEST"
	patient := commandOf(func(*config.CommandTransform) {})
	patient.NumberOfRetries, patient.Hints = 0, processors.TransformHints{SizeInMBs: 0.2, IntervalInSeconds: 0}
	const at = "a.yaml:7: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors[0].Parameters[1].ParameterValue "
	for name, row := range map[string]struct {
		text     string
		want     *config.Transform
		warnings []string
	}{
		"a function":    {processing(parameters("Lambda", "LambdaArn", function)), lambdaOf(3, 1, 60), nil},
		"its qualifier": {processing(parameters("Lambda", "LambdaArn", function+":$LATEST")), qualified, nil},
		"the least":     {processing(parameters("Lambda", "LambdaArn", function, "NumberOfRetries", "0", "BufferSizeInMBs", "0.2", "BufferIntervalInSeconds", "0")), lambdaOf(0, 0.2, 0), nil},
		"the most":      {processing(parameters("Lambda", "BufferIntervalInSeconds", "900", "BufferSizeInMBs", "3.0", "NumberOfRetries", "300", "LambdaArn", function)), lambdaOf(300, 3, 900), nil},
		"a role": {
			processing(parameters("Lambda", "LambdaArn", function, "RoleArn", "arn:aws:iam::123456789012:role/r")), lambdaOf(3, 1, 60),
			[]string{at + "has no effect here; credentials are those of the AWS SDK's environment"},
		},
		"a command": {inOurs("transform: {command: [jq, -c]}"), commandOf(func(*config.CommandTransform) {}), nil},
		"all of a command": {
			inOurs("transform: {command: [jq, '-c', ''], directory: /d, environment: {A: 'b c', _1: ''}, memoryMBs: 64, timeoutSeconds: 1, processes: 256}"),
			commandOf(func(c *config.CommandTransform) {
				c.Argv, c.Directory, c.Environment = []string{"jq", "-c", ""}, "/d", map[string]string{"A": "b c", "_1": ""}
				c.MemoryMBs, c.TimeoutSeconds, c.Processes = 64, 1, 256
			}), nil,
		},
		"what is no secret": {
			inOurs("transform: {command: [jq, '.token=1', 'del(.secret) | .a=1', '--token-file=/run/t', 'TOKEN_PATH=/run/t', '--secret', '--password=', '--key=1']}"),
			commandOf(func(c *config.CommandTransform) {
				c.Argv = []string{"jq", ".token=1", "del(.secret) | .a=1", "--token-file=/run/t", "TOKEN_PATH=/run/t", "--secret", "--password=", "--key=1"}
			}), nil,
		},
		"a command's batches": {inOurs("transform: {command: [jq, -c], numberOfRetries: 0, bufferSizeInMBs: 0.2, bufferIntervalInSeconds: 0}"), patient, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			want.Transform, want.Warnings = row.want, row.warnings
			check(t, row.text, want)
		})
	}
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	byDefault := processors.BufferingHints{SizeInMBs: 128, IntervalInSeconds: 300}
	for name, row := range map[string]struct {
		text   string
		differ func(*config.Config, *processors.DynamicPartitioning)
	}{
		"a query": {partitioned(byQuery, inList(queryOf("{a:.a}"))), func(c *config.Config, p *processors.DynamicPartitioning) {
			p.MetadataExtractionQuery, c.Delivery.Prefix = "{a:.a}", byQuery
		}},
		"a transform": {partitioned(byLambda, inList(parameters("Lambda", "LambdaArn", function))), func(c *config.Config, _ *processors.DynamicPartitioning) {
			c.Transform, c.Delivery.Prefix = lambdaOf(3, 1, 60), byLambda
		}},
		"a command": {partitioned(byLambda) + "shardmill: {transform: {command: [jq, -c]}}\n", func(c *config.Config, _ *processors.DynamicPartitioning) {
			c.Transform, c.Delivery.Prefix = commandOf(func(*config.CommandTransform) {}), byLambda
		}},
		"both": {
			partitioned(byLambda+byQuery, inList(queryOf("{a:.a}"), parameters("Lambda", "LambdaArn", function))),
			func(c *config.Config, p *processors.DynamicPartitioning) {
				c.Transform, p.MetadataExtractionQuery, c.Delivery.Prefix = lambdaOf(3, 1, 60), "{a:.a}", byLambda+byQuery
			},
		},
		"documents of JSON": {
			partitioned(byQuery, inList(parameters("RecordDeAggregation", "SubRecordType", "JSON"), queryOf("{a:.a}"))),
			func(c *config.Config, p *processors.DynamicPartitioning) {
				p.MetadataExtractionQuery, c.Delivery.Prefix = "{a:.a}", byQuery
				c.Delivery.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.JSON}
			},
		},
		"what is between delimiters": {
			partitioned(byQuery, inList(parameters("RecordDeAggregation", "SubRecordType", "DELIMITED", "Delimiter", "IyMjIw=="), queryOf("{a:.a}"))),
			func(c *config.Config, p *processors.DynamicPartitioning) {
				p.MetadataExtractionQuery, c.Delivery.Prefix = "{a:.a}", byQuery
				c.Delivery.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.Delimited, Delimiter: "####"}
			},
		},
		"hints": {
			partitioned(byQuery, inList(queryOf("{a:.a}")), "BufferingHints: {SizeInMBs: 64, IntervalInSeconds: 60}"),
			func(c *config.Config, p *processors.DynamicPartitioning) {
				p.MetadataExtractionQuery, c.Delivery.Prefix = "{a:.a}", byQuery
				c.Delivery.Hints = processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 60}
			},
		},
		"hints that are ours, in place of smaller ones": {
			"shardmill: {bufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}}\n" + partitioned(byQuery, inList(queryOf("{a:.a}")), "BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}"),
			func(c *config.Config, p *processors.DynamicPartitioning) {
				p.MetadataExtractionQuery, c.Delivery.Prefix = "{a:.a}", byQuery
				c.Delivery.Hints = processors.BufferingHints{SizeInMBs: 1, IntervalInSeconds: 1, BeyondFirehose: true}
			},
		},
		"what is ours": {
			"shardmill: {activePartitions: 7, partitionOverflow: finish, eventTime: {jq: .t, formats: [rfc3339, yyyy]}}\n" + partitioned(byQuery+"!{timestamp:yyyy}/", inList(queryOf("{a:.a}"))),
			func(c *config.Config, p *processors.DynamicPartitioning) {
				p.MetadataExtractionQuery, c.Delivery.Prefix = "{a:.a}", byQuery+"!{timestamp:yyyy}/"
				p.ActivePartitions, p.Overflow = 7, processors.OverflowFinish
				p.EventTime = &processors.EventTime{Query: ".t", Formats: []string{"rfc3339", "yyyy"}}
			},
		},
		"the time of the event alone": {
			partitioned("!{timestamp:yyyy}/") + "shardmill: {eventTime: {jq: .t}}\n",
			func(c *config.Config, p *processors.DynamicPartitioning) {
				p.EventTime, c.Delivery.Prefix = &processors.EventTime{Query: ".t"}, "!{timestamp:yyyy}/"
			},
		},
		"the time of the event, in the date that follows any prefix": {
			partitioned("logs/") + "shardmill: {eventTime: {jq: .t}}\n",
			func(c *config.Config, p *processors.DynamicPartitioning) {
				p.EventTime, c.Delivery.Prefix = &processors.EventTime{Query: ".t"}, "logs/"
			},
		},
		"a retry": {
			strings.Replace(partitioned(byQuery, inList(queryOf("{a:.a}"))), "Enabled: true}", "RetryOptions: {DurationInSeconds: 7200}, Enabled: true}", 1),
			func(c *config.Config, p *processors.DynamicPartitioning) {
				p.MetadataExtractionQuery, c.Delivery.Prefix = "{a:.a}", byQuery
				c.Warnings = []string{"a.yaml:5: ExtendedS3DestinationConfiguration.DynamicPartitioningConfiguration.RetryOptions has no effect here; what cannot be put is put again until it succeeds, for as long as the stream has the records"}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			p := &processors.DynamicPartitioning{Overflow: processors.OverflowFail}
			want.Delivery.DynamicPartitioning, want.Delivery.Hints, want.Delivery.ErrorOutputPrefix = p, byDefault, "e/"
			row.differ(&want, p)
			want.Delivery = want.Delivery.WithDefaults()
			check(t, row.text, want)
		})
	}
}

// An ErrorOutputPrefix has an effect once a record can fail.
func TestErrorOutputPrefixOfStages(t *testing.T) {
	t.Parallel()
	const warning = `a.yaml:6: ExtendedS3DestinationConfiguration.ErrorOutputPrefix is "e/"; it has no effect: no record can fail without dynamic partitioning, or a processor such as Decompression or Lambda`
	errors := inDestination("Prefix: ''\nErrorOutputPrefix: e/")
	for name, row := range map[string]struct {
		text string
		warn bool
	}{
		"nothing":                     {errors, true},
		"a newline":                   {errors + indent(inList("{Type: AppendDelimiterToRecord}")), true},
		"a transform that is off":     {errors + indent(strings.Replace(inList(parameters("Lambda", "LambdaArn", function)), "true", "false", 1)), true},
		"partitions that are off":     {errors + indent("DynamicPartitioningConfiguration: {Enabled: false}"), true},
		"Decompression":               {errors + indent(inList("{Type: Decompression}")), false},
		"a function":                  {errors + indent(inList(parameters("Lambda", "LambdaArn", function))), false},
		"a command":                   {errors + "shardmill: {transform: {command: [a]}}\n", false},
		"a command, before all":       {"shardmill: {transform: {command: [a]}}\n" + errors, false},
		"partitions":                  {partitioned(byQuery, inList(queryOf("{a:.a}"))), false},
		"a backup's, and a transform": {base + indent("S3BackupMode: Enabled\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::b', ErrorOutputPrefix: e/}\n"+inList(parameters("Lambda", "LambdaArn", function))), true},
	} {
		c, err := config.Load("a.yaml", []byte(row.text), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := []string{warning}
		if strings.HasPrefix(name, "a backup's") {
			want[0] = strings.Replace(warning, "Configuration.Error", "Configuration.S3BackupConfiguration.Error", 1)
		}
		if !row.warn {
			want = nil
		}
		if !slices.Equal(c.Warnings, want) {
			t.Errorf("%s: %q, want %q", name, c.Warnings, want)
		}
	}
}

// The order is Firehose's, and all of it is told.
func TestPipeline(t *testing.T) {
	t.Parallel()
	logs := "{Type: CloudWatchLogProcessing, Parameters: [{ParameterName: DataMessageExtraction, ParameterValue: 'true'}]}"
	for name, row := range map[string]struct{ text, want string }{
		"nothing": {base, "KPL de-aggregation → UNCOMPRESSED"},
		"logs":    {processing("{Type: AppendDelimiterToRecord}", logs, "{Type: Decompression}"), "KPL de-aggregation → Decompression → messages of log events → newline → UNCOMPRESSED"},
		"everything else, backwards": {
			partitioned(byQuery+byLambda, "CompressionFormat: GZIP", inList("{Type: AppendDelimiterToRecord}", queryOf("{a:.a}"),
				parameters("Lambda", "LambdaArn", function, "BufferSizeInMBs", "0.25", "BufferIntervalInSeconds", "5"), parameters("RecordDeAggregation", "SubRecordType", "JSON"))),
			"KPL de-aggregation → JSON de-aggregation → transform (" + function + ", batches of 0.25 MiB or 5 s, 3 retries) → " +
				"partition keys a, c of the transform (active of a shard: 500 divided by the number of open shards; beyond that records fail) → newline → GZIP",
		},
		"what is ours": {
			partitioned("!{timestamp:yyyy}/", inList(parameters("RecordDeAggregation", "SubRecordType", "DELIMITED", "Delimiter", "Cg=="))) +
				"shardmill: {transform: {command: [jq, -c]}, activePartitions: 7, partitionOverflow: finish, eventTime: {jq: .t}, compressionFormat: ZSTD}\n",
			`KPL de-aggregation → de-aggregation at "\n" → transform (jq -c, batches of 1 MiB or 60 s, 3 retries) → partitions, by the time at .t (active of a shard: 7; beyond that the oldest is finished) → ZSTD`,
		},
	} {
		c, err := config.Load("a.yaml", []byte(row.text), nil)
		if diff := cmp.Diff(row.want, strings.Join(c.Pipeline(), " → ")); err != nil || diff != "" {
			t.Errorf("%s: %v\n-want +got:\n%s", name, err, diff)
		}
	}
}
