package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// defaults is what base says.
func defaults() config.Config {
	return config.Config{
		Worker: kcl.Config{
			ApplicationName: "orders",
			StreamName:      "orders",
			StreamARN:       "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
			MaxBytes:        256 << 20,
		}.WithDefaults(),
		Delivery:      processors.Config{DeliveryStreamName: "orders", Bucket: "archive"}.WithDefaults(),
		Region:        "us-east-1",
		BucketARN:     "arn:aws:s3:::archive",
		HealthAddress: "127.0.0.1:9500",
	}
}

// differ shows how two configurations differ. Two loggers that log nothing do not.
func differ(a, b config.Config) string {
	return cmp.Diff(a, b,
		cmp.Comparer(func(a, b *zap.Logger) bool { return (a == nil) == (b == nil) }),
		sameSecrets(),
		cmp.Comparer(func(a, b kcl.InitialPosition) bool { return a.String() == b.String() }),
		cmpopts.IgnoreUnexported(processors.Config{}, processors.Backup{}))
}

// What a file may leave out is as documented, whatever the packages' defaults
// become.
func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := config.Load("a.yaml", []byte(base), nil)
	if err != nil {
		t.Fatal(err)
	}
	w, d := c.Worker, c.Delivery
	got := fmt.Sprintln(w.InitialPosition, w.FailoverTime, w.ScanInterval, w.ShardSyncInterval, w.MaxLeases, w.MaxBytes, d.Version, d.Hints, d.Compression, d.Delivery, d.SpoolDir)
	if want := "TRIM_HORIZON 10s 5s 1m0s 0 268435456 1 {5 300 false false} UNCOMPRESSED exactly-once \n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestExamples(t *testing.T) {
	t.Parallel()
	want := defaults()
	want.Delivery.Prefix = "logs/"
	want.Delivery.Compression, want.Delivery.GZIPLevel = "GZIP", 5
	want.Worker.ApplicationName = "orders-archiver"
	for _, name := range []string{"archiver.yaml", "archiver.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			check(t, string(data), want)
		})
	}
}

// The examples of README are accepted, without a warning, and are what is said of them.
func TestExamplesOfStages(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"partitioned.yaml": "KPL de-aggregation → partition keys country, event, by the time at .at (active of a shard: 500 divided by the number of open shards; beyond that the oldest is finished) → GZIP",
		"transformed.yaml": "KPL de-aggregation → transform (arn:aws:lambda:us-east-1:123456789012:function:orders:live, batches of 1 MiB or 60 s, 3 retries) → " +
			"partition keys customer of the transform (active of a shard: 500 divided by the number of open shards; beyond that records fail) → newline → UNCOMPRESSED",
		"redshift.yaml": "KPL de-aggregation → GZIP → load (COPY public.events, ledger public.shardmill_loaded)",
	} {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(name, data, nil)
		if got := strings.Join(c.Pipeline(), " → "); err != nil || got != want || len(c.Warnings) > 0 {
			t.Errorf("%s: %v %q\ngot  %s\nwant %s", name, err, c.Warnings, got, want)
		}
	}
}

func check(t *testing.T, text string, want config.Config) {
	t.Helper()
	got, err := config.Load("a.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := differ(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

const (
	noTags = "a.yaml:6: Tags has no effect here; there is no resource of AWS to have them"
	noRole = "a.yaml:5: ExtendedS3DestinationConfiguration.RoleARN has no effect here; credentials are those of the AWS SDK's environment"
)

func TestAccepted(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		text   string
		differ func(*config.Config) // from the defaults
	}{
		{"nothing optional", base, nil},
		{"the plain shape", strings.Replace(base, "Extended", "", 1), nil},
		{"a byte order mark and Windows' line ends", "\ufeff" + strings.ReplaceAll(base, "\n", "\r\n"), nil},
		{"JSON with tabs wherever it allows them", "\t{\t\"DeliveryStreamName\"\t:\t\"orders\"\t,\n\t\t\"KinesisStreamSourceConfiguration\":\t{\"KinesisStreamARN\": \"arn:aws:kinesis:us-east-1:123456789012:stream/orders\"},\n\t\"ExtendedS3DestinationConfiguration\": {\"BucketARN\": \"arn:aws:s3:::archive\"}\n\t}\n\t", nil},
		{"a document with its marks", "%YAML 1.2\n---\n" + base + "...\n", nil},
		{"what does nothing", beside(`DeliveryStreamType: KinesisStreamAsSource
Tags: [{Key: team, Value: data}, {Key: empty}]`), func(c *config.Config) { c.Warnings = []string{noTags} }},
		{"a destination's members that do nothing", inDestination(`RoleARN: arn:aws:iam::123456789012:role/service/firehose
Prefix: ""
ErrorOutputPrefix: ""
FileExtension: ""
CustomTimeZone: UTC
S3BackupMode: Disabled
S3BackupConfiguration: {BucketARN: "arn:aws:s3:::backup"}
EncryptionConfiguration: {NoEncryptionConfig: NoEncryption}
CloudWatchLoggingOptions: {Enabled: false, LogGroupName: g, LogStreamName: s}
ProcessingConfiguration: {Enabled: False, Processors: [{Type: Lambda, Parameters: [{ParameterName: LambdaArn, ParameterValue: f}, {ParameterName: Delimiter, ParameterValue: "\n"}]}]}
DynamicPartitioningConfiguration: {Enabled: false, RetryOptions: {DurationInSeconds: 300}}
DataFormatConversionConfiguration: {Enabled: false, SchemaConfiguration: {RoleARN: r}, InputFormatConfiguration: {Deserializer: {OpenXJsonSerDe: {CaseInsensitive: false, ColumnToJsonKeyMappings: {a: b c}},
  HiveJsonSerDe: {TimestampFormats: [millis]}}}, OutputFormatConfiguration: {Serializer: {ParquetSerDe: {BlockSizeBytes: 67108864, WriterVersion: V1}, OrcSerDe: {PaddingTolerance: 0.05, BloomFilterColumns: [a], DictionaryKeyThreshold: 1}}}}`), func(c *config.Config) { c.Warnings = []string{noRole} }},
		{"a backup", inDestination(`S3BackupConfiguration: {BucketARN: "arn:aws:s3:::backup", Prefix: raw/, CompressionFormat: GZIP, BufferingHints: {SizeInMBs: 3, IntervalInSeconds: 70}}
S3BackupMode: Enabled`) + "shardmill: {staging: 's3://staged/x/'}\n", func(c *config.Config) {
			c.BackupBucketARN, c.Delivery.Staging = "arn:aws:s3:::backup", "s3://staged/x/"
			c.Delivery.Backup = &processors.Backup{
				Bucket: "backup", Prefix: "raw/", Hints: processors.BufferingHints{SizeInMBs: 3, IntervalInSeconds: 70}, Compression: processors.GZIP,
			}
		}},
		{"what does nothing, of which it is said once", strings.Replace(base, "/orders\"}", "/orders\", RoleARN: \"arn:aws:iam::123456789012:role/firehose\"}", 1) + indent(`RoleARN: arn:aws:iam::123456789012:role/firehose
CloudWatchLoggingOptions: {Enabled: true, LogGroupName: g, LogStreamName: s}`), func(c *config.Config) {
			c.Warnings = []string{
				"a.yaml:2: KinesisStreamSourceConfiguration.RoleARN has no effect here; credentials are those of the AWS SDK's environment",
				"a.yaml:6: ExtendedS3DestinationConfiguration.CloudWatchLoggingOptions has no effect here; errors are in the log of this program",
			}
		}},
		{"what is off unless it is on", inDestination("CloudWatchLoggingOptions: {}\nProcessingConfiguration: {}\nCustomTimeZone: ''"), nil},
		{"a newline after each record", processing("{Type: AppendDelimiterToRecord}"), delimited},
		{"a newline that is written out", processing(`{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: Delimiter, ParameterValue: '\n'}]}`), delimited},
		{"a newline that is escaped twice", processing(`{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: Delimiter, ParameterValue: '\\n'}]}`), delimited},
		{"a newline as it is", processing(`{Parameters: [{ParameterValue: "\n", ParameterName: Delimiter}], Type: AppendDelimiterToRecord}`), delimited},
		{"a processor, and Enabled after it", inDestination("ProcessingConfiguration: {Processors: [{Type: AppendDelimiterToRecord}], Enabled: true}"), delimited},
		{"a processor while Enabled is not given", inDestination("ProcessingConfiguration: {Processors: [{Type: AppendDelimiterToRecord}]}"), nil},
		{"GZIP", inDestination("CompressionFormat: GZIP"), func(c *config.Config) { c.Delivery.Compression, c.Delivery.GZIPLevel = "GZIP", 5 }},
		{"ZIP", inDestination("CompressionFormat: ZIP"), func(c *config.Config) { c.Delivery.Compression = "ZIP" }},
		{"Snappy", inDestination("CompressionFormat: Snappy"), func(c *config.Config) { c.Delivery.Compression = "Snappy" }},
		{"Hadoop's Snappy", inDestination("CompressionFormat: HADOOP_SNAPPY"), func(c *config.Config) { c.Delivery.Compression = "HADOOP_SNAPPY" }},
		{"Zstandard", inOurs("compressionFormat: ZSTD"), func(c *config.Config) { c.Delivery.Compression = "ZSTD" }},
		{"Zstandard before a format of Firehose's that it replaces", "shardmill: {compressionFormat: ZSTD}\n" + inDestination("CompressionFormat: GZIP"), func(c *config.Config) { c.Delivery.Compression = "ZSTD" }},
		{"a level before the format that has it", "shardmill: {gzipLevel: 9}\n" + inDestination("CompressionFormat: GZIP"), func(c *config.Config) {
			c.Delivery.Compression, c.Delivery.GZIPLevel = "GZIP", 9
		}},
		{"the least hints", inDestination("BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 60}"), func(c *config.Config) {
			c.Delivery.Hints.SizeInMBs, c.Delivery.Hints.IntervalInSeconds = 1, 60
		}},
		{"the greatest hints", inDestination("BufferingHints: {SizeInMBs: 128, IntervalInSeconds: 900}"), func(c *config.Config) {
			c.Delivery.Hints.SizeInMBs, c.Delivery.Hints.IntervalInSeconds = 128, 900
		}},
		{"the longest prefix", inDestination("Prefix: " + strings.Repeat("x", 512)), func(c *config.Config) {
			c.Delivery.Prefix = strings.Repeat("x", 512)
		}},
		{"a prefix with spaces and marks", inDestination("Prefix: 'a b/!x{y}#/'"), func(c *config.Config) { c.Delivery.Prefix = "a b/!x{y}#/" }},
		{"a prefix whose marks are not seen", inDestination("Prefix: \"a\u202e\u200b/\""), func(c *config.Config) {
			c.Delivery.Prefix = "a\u202e\u200b/"
			c.Warnings = []string{`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "a\u202e\u200b/"; it has the character U+202E, which cannot be seen or looks like a space; remove it unless keys are to have it`}
		}},
		{"a prefix with a space that is none", inDestination("Prefix: \"a\u00a0b/\""), func(c *config.Config) {
			c.Delivery.Prefix = "a\u00a0b/"
			c.Warnings = []string{`a.yaml:5: ExtendedS3DestinationConfiguration.Prefix is "a\u00a0b/"; it has the character U+00A0, which cannot be seen or looks like a space; remove it unless keys are to have it`}
		}},
		{"a prefix of letters that are not ours", inDestination("Prefix: \"日本/é/\""), func(c *config.Config) { c.Delivery.Prefix = "日本/é/" }},
		{"text that looks like lists, and lists below their keys", inDestination("Prefix: '"+strings.Repeat("[", 100)+"'") + "Tags:\n" + strings.Repeat("- {Key: a}\n- Key: b\n  Value: c\n", 100), func(c *config.Config) {
			c.Delivery.Prefix, c.Warnings = strings.Repeat("[", 100), []string{noTags}
		}},
		{"an interval of no time", inDestination("BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 0}"), func(c *config.Config) {
			c.Delivery.Hints.IntervalInSeconds, c.Delivery.Hints.ZeroBuffering = 0, true
		}},
		{"what names are made of", inDestination("CustomTimeZone: Asia/Calcutta\nFileExtension: .json.gz"), func(c *config.Config) {
			c.Delivery.CustomTimeZone, c.Delivery.FileExtension = "Asia/Calcutta", ".json.gz"
		}},
		{"two warnings", inDestination("S3BackupConfiguration: {BucketARN: 'arn:aws:s3:::backup', BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 60}}\n" +
			"S3BackupMode: Enabled\nBufferingHints: {SizeInMBs: 5, IntervalInSeconds: 59}\nErrorOutputPrefix: errors/"), func(c *config.Config) {
			c.BackupBucketARN, c.Delivery.Staging = "arn:aws:s3:::backup", "s3://archive/_shardmill/"
			c.Delivery.Backup = &processors.Backup{Bucket: "backup", Hints: processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 60}, Compression: processors.Uncompressed}
			c.Delivery.Hints.IntervalInSeconds = 59
			c.Delivery.ErrorOutputPrefix = "errors/"
			c.Warnings = []string{
				"a.yaml:7: ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is 59; S3BackupConfiguration's objects get as small: a cut has objects of both, and ends at the shorter interval",
				`a.yaml:8: ExtendedS3DestinationConfiguration.ErrorOutputPrefix is "errors/"; it has no effect: no record can fail without dynamic partitioning, or a processor such as Decompression or Lambda`,
			}
		}},
		{"an interval of a second", inDestination("BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 1}"), func(c *config.Config) {
			c.Delivery.Hints.IntervalInSeconds = 1
		}},
		{"hints of ours", inDestination("BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 60}") + "shardmill: {bufferingHints: {SizeInMBs: 1024, IntervalInSeconds: 43200}}\n", func(c *config.Config) {
			c.Delivery.Hints = processors.BufferingHints{SizeInMBs: 1024, IntervalInSeconds: 43_200, BeyondFirehose: true}
		}},
		{"hints of ours come first, and hold for a backup", "shardmill: {bufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}}\n" +
			inDestination("S3BackupMode: Enabled\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::backup'}"), func(c *config.Config) {
			c.BackupBucketARN, c.Delivery.Staging = "arn:aws:s3:::backup", "s3://archive/_shardmill/"
			c.Delivery.Hints = processors.BufferingHints{SizeInMBs: 1, IntervalInSeconds: 1, BeyondFirehose: true}
			c.Delivery.Backup = &processors.Backup{Bucket: "backup", Hints: c.Delivery.Hints, Compression: processors.Uncompressed}
		}},
		{"all of ours", inOurs(`applicationName: app
initialPosition: 2016-02-25T14:00:00.5+01:00
delivery: at-least-once
deliveryStreamVersion: 7
failoverTimeSeconds: 30
scanIntervalSeconds: 3
shardSyncIntervalSeconds: 600
maxLeases: 4
maxMemoryMBs: 64
spoolDirectory: /var/spool/shardmill
formerBuckets: [archive-2024, "my.old_bucket"]
healthAddress: "[::1]:0"`), func(c *config.Config) {
			c.Worker.ApplicationName = "app"
			c.Worker.InitialPosition = kcl.AtTimestamp(time.Date(2016, 2, 25, 13, 0, 0, 5e8, time.UTC))
			c.Delivery.Delivery = "at-least-once"
			c.Delivery.Version = 7
			c.Worker.FailoverTime, c.Worker.ScanInterval, c.Worker.ShardSyncInterval = 30*time.Second, 3*time.Second, 10*time.Minute
			c.Worker.MaxLeases, c.Worker.MaxBytes = 4, 64<<20
			c.Delivery.SpoolDir = "/var/spool/shardmill"
			c.Delivery.FormerBuckets = []string{"archive-2024", "my.old_bucket"}
			c.HealthAddress, c.HealthGiven = "[::1]:0", true
		}},
		{"metrics for CloudWatch", inOurs("emfNamespace: Archive/Orders"), func(c *config.Config) { c.EMF.Namespace = "Archive/Orders" }},
		{"metrics in a file", inOurs("emfNamespace: 'a b.c-d_e#f:g'\nemfFile: /var/log/emf"), func(c *config.Config) {
			c.EMF = config.EMF{Namespace: "a b.c-d_e#f:g", File: "/var/log/emf"}
		}},
		{"no former bucket, and the present one", inOurs("formerBuckets: [archive]"), func(c *config.Config) { c.Delivery.FormerBuckets = []string{"archive"} }},
		{"an empty list", inOurs("formerBuckets: []"), nil},
		{"dots in a prefix that name no other place", inDestination("Prefix: 'a..b/.../..'"), func(c *config.Config) { c.Delivery.Prefix = "a..b/.../.." }},
		{"no health", inOurs("healthAddress: off"), func(c *config.Config) { c.HealthAddress, c.HealthGiven = "", true }},
		{"the default health address, given", inOurs("healthAddress: 127.0.0.1:9500"), func(c *config.Config) { c.HealthGiven = true }},
		{"health for everybody", inOurs("healthAddress: 0.0.0.0:9500"), func(c *config.Config) {
			c.HealthAddress, c.HealthGiven = "0.0.0.0:9500", true
			c.Warnings = []string{`a.yaml:6: shardmill.healthAddress is "0.0.0.0:9500"; whoever reaches this address can read how the archiver does; there is no password`}
		}},
		{"health at all addresses", inOurs("healthAddress: ':9500'"), func(c *config.Config) {
			c.HealthAddress, c.HealthGiven = ":9500", true
			c.Warnings = []string{`a.yaml:6: shardmill.healthAddress is ":9500"; whoever reaches this address can read how the archiver does; there is no password`}
		}},
		{"health at localhost", inOurs("healthAddress: localhost:9501"), func(c *config.Config) { c.HealthAddress, c.HealthGiven = "127.0.0.1:9501", true }},
		{"a scan interval that follows the failover time", inOurs("failoverTimeSeconds: 5\ninitialPosition: LATEST"), func(c *config.Config) {
			c.Worker.FailoverTime, c.Worker.ScanInterval = 5*time.Second, 2500*time.Millisecond
			c.Worker.InitialPosition = kcl.Latest()
		}},
		{"another partition and stream", strings.Replace(base, "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
			"arn:aws-cn:kinesis:cn-north-1:123456789012:stream/Or.ders_1", 1), func(c *config.Config) {
			c.Worker.StreamARN = "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/Or.ders_1"
			c.Region, c.Worker.StreamName = "cn-north-1", "Or.ders_1"
		}},
		{"a short name and a table", strings.Replace(base, "Name: orders", "Name: o", 1) + "shardmill: {applicationName: app}\n", func(c *config.Config) {
			c.Delivery.DeliveryStreamName, c.Worker.ApplicationName = "o", "app"
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			if row.differ != nil {
				row.differ(&want)
			}
			check(t, row.text, want)
		})
	}
}

// TestAllAtOnce has a fault of each kind in one file.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	checkFaults(t, alone, []fault{{
		"a file with faults everywhere",
		`shardmill:
  delivery: twice
  maxLeases: many
  workerId: host-1
ExtendedS3DestinationConfiguration:
  Prefix: !!str logs/
  Prefix: &p logs/!{timestamp:yyyy}/
  BufferingHints:
    SizeInMBs: 129
  CompressionFormat: [GZIP]
  S3BackupMode: Enabled
SplunkDestinationConfiguration: {HECEndpoint: "https://splunk"}
DeliveryStreamNmae: orders
Tags: [{Key: k, Key: k}]
DeliveryStreamType: DirectPut`,
		`a.yaml:1: KinesisStreamSourceConfiguration is missing; give the stream's KinesisStreamARN in it. Firehose says: KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type.
a.yaml:2: shardmill.delivery is "twice"; it must be exactly-once or at-least-once
a.yaml:3: shardmill.maxLeases is "many", a string; it must be a number between 1 and 1000000, without quotes
a.yaml:4: shardmill.workerId is not a member of the shardmill key; remove it; its members are activePartitions, apiKey, apiKeyFile, applicationName, auth, bufferingHints, caFile, clusterEndpoint, clusterIdentifier, commitOn, compressionFormat, copyCredentials, copyTimeoutSeconds, dbUser, delivery, deliveryStreamVersion, emfFile, emfNamespace, endpoints, engine, errorLines, eventTime, failoverTimeSeconds, fastFail, formerBuckets, gzipLevel, healthAddress, idField, idPrefix, initialPosition, insecureHTTP, ledger, loaderBilling, loaderTable, login, maxLeases, maxMemoryMBs, maxRequestMBs, operation, partitionOverflow, password, passwordFile, pauseWhenDown, pipeline, requestCompression, routingField, scanIntervalSeconds, shardSyncIntervalSeconds, spoolDirectory, staging, transform, username, versionField, weeks, workgroup
a.yaml:5: ExtendedS3DestinationConfiguration.BucketARN is missing; give the bucket's ARN, arn:aws:s3:::NAME
a.yaml:6: ExtendedS3DestinationConfiguration.Prefix has the tag "!!str"; remove the tag
a.yaml:7: ExtendedS3DestinationConfiguration.Prefix has an anchor (&); remove it, and write the value wherever it is needed
a.yaml:7: ExtendedS3DestinationConfiguration.Prefix is given twice, first in line 6; remove one
a.yaml:8: ExtendedS3DestinationConfiguration.BufferingHints has SizeInMBs but no IntervalInSeconds; give both or remove both
a.yaml:9: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is 129; it must be between 1 and 128
a.yaml:10: ExtendedS3DestinationConfiguration.CompressionFormat is a list; it must be a string
a.yaml:11: ExtendedS3DestinationConfiguration.S3BackupMode is "Enabled"; give S3BackupConfiguration too, or set it to Disabled. Firehose says: S3 backup destination configuration is required when enabling S3 backup.
a.yaml:12: SplunkDestinationConfiguration is not built yet; remove it, and use ExtendedS3DestinationConfiguration
a.yaml:13: DeliveryStreamNmae is not a member of Firehose's CreateDeliveryStream; did you mean DeliveryStreamName?
a.yaml:14: Tags[0].Key is given twice, first in line 14; remove one
a.yaml:15: DeliveryStreamType is "DirectPut"; there is no Kinesis stream to read: make one, have the producers put there, and name it in KinesisStreamSourceConfiguration`,
	}})
}

// TestOtherDestinations names each that Firehose has.
func TestOtherDestinations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"HttpEndpoint",
		"Iceberg", "Snowflake", "Splunk",
	} {
		name += "DestinationConfiguration"
		checkFaults(t, func(text string) string {
			return strings.Replace(base, "ExtendedS3DestinationConfiguration", text, 1)
		}, []fault{{name, name, "a.yaml:3: " + name + " is not built yet; remove it, and use ExtendedS3DestinationConfiguration"}})
	}
}

// TestErrorsAreSeparate takes the error apart: one for each fault.
func TestErrorsAreSeparate(t *testing.T) {
	t.Parallel()
	_, err := config.Load("a.yaml", []byte("{}"), nil)
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 3 {
		t.Errorf("Load returned %#v, want three joined errors", err)
	}
}

// TestEveryPrefix puts any text into JSON and gets it back: neither the parser
// nor the checks change one.
func TestEveryPrefix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.StringOf(rapid.RuneFrom(nil, unicode.L, unicode.N, unicode.P, unicode.S, unicode.Zs)).Filter(func(s string) bool {
			return len(s) <= 512 && !strings.Contains(s, "!{") && !strings.Contains(s, "${") && !slices.Contains(strings.Split(s+"x", "/"), "..")
		}).Draw(t, "prefix")
		quoted, err := json.Marshal(prefix)
		if err != nil {
			t.Fatal(err)
		}
		got, err := config.Load("a.json", []byte(inDestination("Prefix: "+string(quoted))), nil)
		if err != nil || got.Delivery.Prefix != prefix {
			t.Fatalf("%s was read as %q, %v", quoted, got.Delivery.Prefix, err)
		}
	})
}
