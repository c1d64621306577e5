package processors_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

func hints(size, interval int) func(*processors.Config) {
	return func(c *processors.Config) {
		c.Hints = processors.BufferingHints{SizeInMBs: size, IntervalInSeconds: interval}
	}
}

func zeroBuffering(c *processors.Config) {
	c.Hints = processors.BufferingHints{SizeInMBs: 5, ZeroBuffering: true}
}

func beyond(size, interval int) func(*processors.Config) {
	return func(c *processors.Config) {
		c.Hints = processors.BufferingHints{SizeInMBs: size, IntervalInSeconds: interval, BeyondFirehose: true}
	}
}

func compression(s processors.Compression) func(*processors.Config) {
	return func(c *processors.Config) { c.Compression = s }
}

func TestConfigIsRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*processors.Config)
		want   []string // parts of the error; none: accepted
	}{
		{"the shortest configuration", func(*processors.Config) {}, nil},
		{"no names", func(c *processors.Config) { c.DeliveryStreamName, c.Bucket = "", "" }, []string{"DeliveryStreamName", "Bucket"}},
		{"a name that is too long", func(c *processors.Config) { c.DeliveryStreamName = strings.Repeat("a", 65) }, []string{"DeliveryStreamName"}},
		{"a name with a slash", func(c *processors.Config) { c.DeliveryStreamName = "a/b" }, []string{`DeliveryStreamName "a/b"`}},
		{"a bucket's ARN", func(c *processors.Config) { c.Bucket = "arn:aws:s3:::b" }, []string{"Bucket", "not its ARN"}},
		{"a negative version", func(c *processors.Config) { c.Version = -1 }, []string{"Version -1"}},
		{"a prefix with an expression", func(c *processors.Config) { c.Prefix, c.ErrorOutputPrefix = "!{timestamp:yyyy}/", "e/" }, nil},
		{"a prefix with a wrong expression", func(c *processors.Config) { c.Prefix = "!{timestamp:b}/" }, []string{`Prefix "!{timestamp:b}/"`, "Invalid conversion character"}},
		{"a prefix with a partition key", func(c *processors.Config) { c.Prefix, c.ErrorOutputPrefix = "!{partitionKeyFromQuery:k}/", "e/" }, []string{"Prefix", "remove the partition keys"}},
		{
			"all that is wrong with names",
			func(c *processors.Config) {
				c.Prefix, c.ErrorOutputPrefix, c.CustomTimeZone, c.FileExtension = "!{x:y}", "!{y:x}", "EST", "gz"
			},
			[]string{"Prefix", "ErrorOutputPrefix", "CustomTimeZone", "FileExtension"},
		},
		{"a prefix that leads elsewhere", func(c *processors.Config) { c.Prefix = "a/../b" }, []string{`Prefix "a/../b"`, `".."`}},
		{"a prefix with a control character", func(c *processors.Config) { c.Prefix = "a\nb" }, []string{`Prefix "a\nb"`}},
		{"a prefix that is not UTF-8", func(c *processors.Config) { c.Prefix = "a\xff" }, []string{`Prefix "a\xff"`}},
		{"a prefix that ends in dots, before the date", func(c *processors.Config) { c.Prefix = "a/.." }, nil},
		{"former buckets", func(c *processors.Config) { c.FormerBuckets = []string{"a", "b", "a"} }, nil},
		{"a former bucket's ARN", func(c *processors.Config) { c.FormerBuckets = []string{"a", "arn:aws:s3:::b"} }, []string{"FormerBuckets[1]", "not its ARN"}},
		{"a former bucket without a name", func(c *processors.Config) { c.FormerBuckets = []string{""} }, []string{"FormerBuckets[0]"}},
		{"B6 only the size", hints(5, 0), []string{"give both or none"}},
		{"B6 only the interval", hints(0, 300), []string{"give both or none"}},
		{"B6 both", hints(1, 60), nil},
		{"the largest hints", hints(128, 900), nil},
		{"B7 size 129", hints(129, 300), []string{"SizeInMBs 129"}},
		{"B7 interval 901", hints(5, 901), []string{"IntervalInSeconds 901"}},
		{"B7 interval -1", hints(5, -1), []string{"IntervalInSeconds -1"}},
		{"both hints wrong", hints(-1, 901), []string{"SizeInMBs -1", "IntervalInSeconds 901"}},
		{"a short interval", hints(1, 1), nil},
		{"zero buffering", zeroBuffering, nil},
		{"zero buffering of no size", func(c *processors.Config) { c.Hints.ZeroBuffering = true }, []string{"give both or none"}},
		{"zero buffering for an interval", func(c *processors.Config) {
			c.Hints = processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 300, ZeroBuffering: true}
		}, []string{"IntervalInSeconds 300: must be 0 with ZeroBuffering"}},
		{"zero buffering of a backup", func(c *processors.Config) {
			c.Backup = &processors.Backup{Bucket: "b", Hints: processors.BufferingHints{SizeInMBs: 5, ZeroBuffering: true}}
		}, []string{"Backup.Hints.IntervalInSeconds 0: must be 60-900"}},
		{"a backup of hardly any interval", func(c *processors.Config) {
			c.Backup = &processors.Backup{Bucket: "b", Hints: processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 59}}
		}, []string{"Backup.Hints.IntervalInSeconds 59: must be 60-900"}},
		{"a backup of hardly any interval, ours", func(c *processors.Config) {
			c.Backup = &processors.Backup{Bucket: "b", Hints: processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 1, BeyondFirehose: true}}
		}, nil},
		{"the largest hints of ours", beyond(1024, 43_200), nil},
		{"the least hints of ours", beyond(1, 1), nil},
		{"ours, by default", func(c *processors.Config) { c.Hints.BeyondFirehose = true }, nil},
		{"ours, too large", beyond(1025, 43_201), []string{"SizeInMBs 1025: must be 1-1024", "IntervalInSeconds 43201: must be 1-43200"}},
		{"ours, not said", hints(129, 901), []string{"SizeInMBs 129: must be 1-128; set BeyondFirehose for more", "IntervalInSeconds 901: must be 1-900; set BeyondFirehose for more"}},
		{"GZIP", compression("GZIP"), nil},
		{"ZIP", compression("ZIP"), nil},
		{"Snappy", compression("Snappy"), nil},
		{"HADOOP_SNAPPY", compression("HADOOP_SNAPPY"), nil},
		{"ours", compression("ZSTD"), nil},
		{"SNAPPY in another case", compression("SNAPPY"), []string{`"SNAPPY"`, "choose GZIP, ZIP, Snappy, HADOOP_SNAPPY, UNCOMPRESSED or ZSTD"}},
		{"the smallest gzip", func(c *processors.Config) { c.Compression, c.GZIPLevel = "GZIP", 9 }, nil},
		{"a level that is none", func(c *processors.Config) { c.Compression, c.GZIPLevel = "GZIP", 10 }, []string{"GZIPLevel 10", "1-9"}},
		{"a level of nothing", func(c *processors.Config) { c.GZIPLevel = 5 }, []string{"GZIPLevel 5", "only GZIP has levels"}},
		{"a delivery that is none", func(c *processors.Config) { c.Delivery = "twice" }, []string{`Delivery "twice"`}},
		{"a negative retry interval", func(c *processors.Config) { c.RetryInterval = -1 }, []string{"RetryInterval"}},
		{"messages of what is not inflated", func(c *processors.Config) { c.CloudWatchLogProcessing = true }, []string{"CloudWatchLogProcessing true: set Decompression too"}},
		{"many puts at once", func(c *processors.Config) { c.ParallelPuts = 257 }, []string{"ParallelPuts 257: must be 1-256"}},
		{"bundles anywhere", func(c *processors.Config) { c.Staging = "bucket/x" }, []string{`Staging "bucket/x": must be "s3://"`}},
		{"bundles in no bucket", func(c *processors.Config) { c.Staging = "s3:///x" }, []string{`Staging "s3:///x": must be "s3://"`}},
		{"bundles under a key that leads elsewhere", func(c *processors.Config) { c.Staging = "s3://b/../" }, []string{`Staging "s3://b/../": must have another prefix`}},
		{"a backup without a bucket", func(c *processors.Config) { c.Backup = &processors.Backup{Prefix: "a!{b}"} }, []string{`Backup.Bucket ""`, `Backup.Prefix "a!{b}"`}},
		{"keys", func(c *processors.Config) {
			c.AWSKMSKeyARN, c.Backup = "arn:aws:kms:eu-west-1:123456789012:alias/a", &processors.Backup{Bucket: "b", AWSKMSKeyARN: "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1"}
		}, nil},
		{"a key that is none", func(c *processors.Config) { c.AWSKMSKeyARN = "alias/k" }, []string{`AWSKMSKeyARN "alias/k": must be the ARN of a key or of an alias`}},
		{"a key of another service", func(c *processors.Config) { c.AWSKMSKeyARN = "arn:aws:s3:eu-west-1:123456789012:key/k" }, []string{`AWSKMSKeyARN "arn:aws:s3:eu-west-1`}},
		{"the longest key", func(c *processors.Config) {
			c.AWSKMSKeyARN = "arn:aws:kms:eu-west-1:123456789012:key/" + strings.Repeat("k", 473)
		}, nil},
		{"a key that is too long", func(c *processors.Config) {
			c.AWSKMSKeyARN = "arn:aws:kms:eu-west-1:123456789012:key/" + strings.Repeat("k", 474)
		}, []string{"at most 512 characters"}},
		{"a backup's key that is none", func(c *processors.Config) { c.Backup = &processors.Backup{Bucket: "b", AWSKMSKeyARN: "k"} }, []string{`Backup.AWSKMSKeyARN "k"`}},
		{"hardly any memory", func(c *processors.Config) { c.SpoolMemory = 1 }, []string{"SpoolMemory 1"}},
		{
			"everything is reported at once",
			func(c *processors.Config) {
				c.Bucket, c.Version, c.Compression, c.Delivery = "", -1, "LZ4", "never"
			},
			[]string{"Bucket", "Version", "Compression", "Delivery"},
		},
		{
			"names that no plan can hold",
			func(c *processors.Config) {
				c.DeliveryStreamName, c.Prefix, c.Bucket = strings.Repeat("d", 64), strings.Repeat("p", 512), strings.Repeat("b", 255)
			},
			[]string{"shorten them"},
		},
		{
			"long names, at least once",
			func(c *processors.Config) {
				c.Prefix, c.Bucket, c.Delivery = strings.Repeat("p", 512), strings.Repeat("b", 255), processors.AtLeastOnce
			},
			nil,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			factory, err := processors.New(with(config(), row.change), store{})
			if (err == nil) != (row.want == nil) || (factory == nil) != (err != nil) {
				t.Fatalf("error %v, want one with %q", err, row.want)
			}
			for _, part := range row.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestWithoutAStore(t *testing.T) {
	t.Parallel()
	if _, err := processors.New(config(), nil); err == nil || !strings.Contains(err.Error(), "store") {
		t.Errorf("error %v", err)
	}
}

// TestLargestPlanFits: with every name as long as Firehose and S3 allow, and
// the longest literal prefix, a plan keeps its size.
func TestLargestPlanFits(t *testing.T) {
	t.Parallel()
	cfg := processors.Config{
		DeliveryStreamName: strings.Repeat("d", 64), Version: 999_999, Bucket: strings.Repeat("b", 63), Prefix: strings.Repeat("p", 512),
	}
	if n := len(cfg.LargestPlan().Encode()); n > exactlyonce.MaxBytes {
		t.Errorf("%d bytes, at most %d", n, exactlyonce.MaxBytes)
	}
	if _, err := processors.New(cfg, store{}); err != nil {
		t.Error(err)
	}
}

func TestCloseReason(t *testing.T) {
	t.Parallel()
	const size, interval = 100, time.Minute
	for _, row := range []struct {
		name string
		fill processors.Fill
		want string
	}{
		{"an empty buffer stays open, whatever happens", processors.Fill{Bytes: 100, Age: time.Hour, Pressure: true, NoSpool: true}, ""},
		{"one record", processors.Fill{Records: 1}, ""},
		{"just below both", processors.Fill{Records: 9, Bytes: 99, Age: time.Minute - 1}, ""},
		{"the size", processors.Fill{Records: 9, Bytes: 100}, "size"},
		{"the interval", processors.Fill{Records: 1, Age: time.Minute}, "interval"},
		{"both", processors.Fill{Records: 1, Bytes: 200, Age: time.Hour}, "size"},
		{"empty records are records", processors.Fill{Records: 1, Bytes: 0, Age: time.Minute}, "interval"},
		{"pressure", processors.Fill{Records: 1, Pressure: true}, "pressure"},
		{"no place for the spool", processors.Fill{Records: 1, NoSpool: true}, "spool"},
		{"the interval, within a call", processors.Fill{Records: 1, Age: time.Minute, Within: true}, "interval"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := processors.CloseReason(row.fill, size, interval); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
	for _, row := range []struct {
		name string
		fill processors.Fill
		want string
	}{
		{"nothing", processors.Fill{}, ""},
		{"within a call", processors.Fill{Records: 1, Bytes: 99, Within: true}, ""},
		{"the size, within a call", processors.Fill{Records: 1, Bytes: 100, Within: true}, "size"},
		{"after a call", processors.Fill{Records: 1}, "interval"},
		{"an old one within a call, that a call left behind", processors.Fill{Records: 1, Age: time.Hour, Within: true}, ""},
	} {
		t.Run("zero buffering, "+row.name, func(t *testing.T) {
			t.Parallel()
			if got := processors.CloseReason(row.fill, size, 0); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
