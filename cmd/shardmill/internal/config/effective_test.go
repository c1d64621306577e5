package config_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
)

func TestEffective(t *testing.T) {
	t.Setenv("TMPDIR", "/tmp/of/mine")
	c, err := config.Load("a.yaml", []byte(base), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Effective().YAML()
	if err != nil {
		t.Fatal(err)
	}
	want := `DeliveryStreamName: orders
KinesisStreamSourceConfiguration:
  KinesisStreamARN: arn:aws:kinesis:us-east-1:123456789012:stream/orders
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::archive
  Prefix: ""
  ErrorOutputPrefix: ""
  CustomTimeZone: UTC
  FileExtension: ""
  BufferingHints:
    SizeInMBs: 5
    IntervalInSeconds: 300
  CompressionFormat: UNCOMPRESSED
  EncryptionConfiguration:
    NoEncryptionConfig: NoEncryption
  ProcessingConfiguration:
    Enabled: false
shardmill:
  applicationName: orders
  initialPosition: TRIM_HORIZON
  delivery: exactly-once
  formerBuckets: []
  deliveryStreamVersion: 1
  failoverTimeSeconds: 10
  scanIntervalSeconds: 5
  shardSyncIntervalSeconds: 60
  # maxLeases: no limit
  maxMemoryMBs: 256
  spoolDirectory: /tmp/of/mine
  healthAddress: 127.0.0.1:9500
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEffectiveIsAFile: what applies, written down and read again, is the same.
func TestEffectiveIsAFile(t *testing.T) {
	t.Parallel()
	same := func(t interface {
		Helper()
		Fatalf(format string, a ...any)
	}, text string,
	) {
		t.Helper()
		first, err := config.Load("a.yaml", []byte(text), nil)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		asYAML, err := first.Effective().YAML()
		if err != nil {
			t.Fatalf("%v", err)
		}
		asJSON, err := json.Marshal(first.Effective())
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, again := range []string{asYAML, strings.Replace(string(asJSON), `"maxLeases":null,`, "", 1)} {
			second, err := config.Load("b.yaml", []byte(again), nil)
			if err != nil {
				t.Fatalf("%s\n%v", again, err)
			}
			second.HealthGiven, second.Warnings = first.HealthGiven, first.Warnings
			first.Delivery.SpoolDir = second.Delivery.SpoolDir
			if diff := differ(first, second); diff != "" {
				t.Fatalf("it is another one: %s\n%s", diff, again)
			}
		}
	}
	for name, text := range map[string]string{
		"all of ours": inOurs("applicationName: '123'\ninitialPosition: 2016-02-25T14:00:00.5+01:00\ndelivery: at-least-once\ndeliveryStreamVersion: 7\nfailoverTimeSeconds: 30\n" +
			"scanIntervalSeconds: 3\nshardSyncIntervalSeconds: 600\nmaxLeases: 4\nmaxMemoryMBs: 64\nspoolDirectory: '/a b/#c'\nformerBuckets: ['2024', 'true', a.b]\nhealthAddress: '[::1]:0'"),
		"metrics for CloudWatch":              inOurs("emfNamespace: '12'\nemfFile: '/a $${b}'"),
		"a stream from the latest, no health": inOurs("initialPosition: LATEST\nhealthAddress: off"),
		"numbers that are texts":              inOurs("applicationName: '1e10'\nformerBuckets: ['1e999', '0x1F', '1_000', '.nan', '-.5', 'null', 'off', '...0', '---']"),
		"ZIP":                                 inDestination("CompressionFormat: ZIP"),
		"a format of ours":                    inOurs("compressionFormat: ZSTD"),
		"zero buffering":                      inDestination("BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 0}"),
		"hints of ours":                       inOurs("bufferingHints: {SizeInMBs: 1024, IntervalInSeconds: 43200}"),
		"hints of ours, and a backup": inDestination("S3BackupMode: Enabled\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::b'}") +
			"shardmill: {bufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}}\n",
		"a level":     "shardmill: {gzipLevel: 7}\n" + inDestination("CompressionFormat: GZIP"),
		"a processor": processing("{Type: AppendDelimiterToRecord}"),
		"all processors": processing("{Type: Decompression}", "{Type: CloudWatchLogProcessing, Parameters: [{ParameterName: DataMessageExtraction, ParameterValue: 'true'}]}",
			"{Type: AppendDelimiterToRecord}") + "shardmill: {errorLines: older}\n",
		"a backup": inDestination("S3BackupMode: Enabled\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::b', Prefix: 'raw/!{timestamp:yyyy}/', ErrorOutputPrefix: e/,\n" +
			"  CompressionFormat: GZIP, BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 60}}"),
		"keys": inDestination("EncryptionConfiguration: {KMSEncryptionConfig: {AWSKMSKeyARN: 'arn:aws:kms:eu-west-1:123456789012:alias/a'}}\n" +
			"S3BackupMode: Enabled\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::b', EncryptionConfiguration: {KMSEncryptionConfig: {AWSKMSKeyARN: 'arn:aws-cn:kms:cn-north-1:123456789012:key/1'}}}"),
		"a function": processing(parameters("Lambda", "LambdaArn", function+":$LATEST", "NumberOfRetries", "0", "BufferSizeInMBs", "0.2", "BufferIntervalInSeconds", "0")),
		"partitions": partitioned(byQuery+byLambda, inList("{Type: AppendDelimiterToRecord}", queryOf("{a:.a}"), parameters("Lambda", "LambdaArn", function),
			parameters("RecordDeAggregation", "SubRecordType", "DELIMITED", "Delimiter", "/+8="))),
		"partitions of documents": partitioned(byQuery, inList(queryOf(`{"a":"$${b}"}`), parameters("RecordDeAggregation", "SubRecordType", "JSON")), "BufferingHints: {SizeInMBs: 64, IntervalInSeconds: 60}"),
		"partitions that are ours": partitioned(byQuery+"!{timestamp:yyyy}/", inList(queryOf("{a:.a}"))) +
			"shardmill: {activePartitions: 7, partitionOverflow: finish, eventTime: {jq: '.t # $${x}', formats: ['yyyy', \"yyyy'1e10 $${x}'\"]}, bufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}}\n",
		"a command": inOurs("transform: {command: [jq, '1e10', '$${a}', ''], directory: '/a $${b}', environment: {A: '$${b}', B: '1'}, memoryMBs: 3, timeoutSeconds: 4, processes: 5,\n" +
			"  numberOfRetries: 6, bufferSizeInMBs: 2.125, bufferIntervalInSeconds: 7}"),
		"a command by default": inOurs("transform: {command: [jq]}"),
		"a backup, and what is staged elsewhere": inDestination("S3BackupConfiguration: {BucketARN: 'arn:aws:s3:::b'}\nS3BackupMode: Enabled") +
			"shardmill: {staging: 's3://staged/a $${b}/'}\n",
		"no variable":                  inDestination("Prefix: a$${HOME}$$$${/$b{"),
		"a directory with no variable": inOurs("spoolDirectory: /a/$${HOME}"),
		"what names are made of":       inDestination("Prefix: 'a$${HOME}!{timestamp:yyyy}/'\nErrorOutputPrefix: 'e$${HOME}/'\nCustomTimeZone: Asia/Tokyo\nFileExtension: .log"),
		"another partition":            strings.ReplaceAll(base, "arn:aws:", "arn:aws-cn:"),
		"an old shape":                 strings.Replace(base, "Extended", "", 1) + "  CompressionFormat: GZIP\n  BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 900}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, text)
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789_.-eExob")), 3, 12, -1).Draw(t, "name")
		same(t, inOurs("applicationName: '"+name+"'\nformerBuckets: ['"+name+"']"))
	})
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.StringOf(rapid.RuneFrom([]rune("!:$#\"'[]{}\\-&*<> 0~"), unicode.L, unicode.N, unicode.P, unicode.S, unicode.Zs)).Filter(func(s string) bool {
			return len(s) <= 512 && !strings.Contains(s, "!{") && !strings.Contains(s, "..")
		}).Draw(t, "prefix")
		quoted, err := json.Marshal(strings.ReplaceAll(prefix, "${", "$${"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, inDestination("Prefix: "+string(quoted)))
	})
}

// What a terminal obeys, or does not show, is escaped.
func TestEffectiveIsVisible(t *testing.T) {
	t.Parallel()
	c, err := config.Load("a.yaml", []byte(inDestination("Prefix: \"a\\u202eb\\u00a0\\U000e0001/\"")), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Effective().YAML()
	if want := `  Prefix: "a\u202eb\u00a0\U000e0001/"` + "\n"; err != nil || !strings.Contains(got, want) {
		t.Errorf("%v, and it lacks %s:\n%q", err, want, got)
	}
	if again, err := config.Load("a.yaml", []byte(got), nil); err != nil || again.Delivery.Prefix != c.Delivery.Prefix {
		t.Errorf("it is read as %q, %v", again.Delivery.Prefix, err)
	}
}

// An interval that no file can say is shown as it is.
func TestEffectiveOfHalfASecond(t *testing.T) {
	t.Parallel()
	c, err := config.Load("a.yaml", []byte(inOurs("failoverTimeSeconds: 5")), nil)
	if got := c.Effective().Shardmill.ScanIntervalSeconds; err != nil || got != (2500*time.Millisecond).Seconds() {
		t.Errorf("%v, %v", got, err)
	}
}
