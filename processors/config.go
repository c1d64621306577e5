package processors

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/prefix"
)

// Config says what an archiver delivers and how. Its names are Firehose's.
type Config struct {
	// DeliveryStreamName begins the name of each object: 1-64 characters of
	// a-z A-Z 0-9 _ . -. Required.
	DeliveryStreamName string

	// Version follows the name: Firehose counts the changes of a delivery
	// stream's destination there. Default 1.
	Version int

	// Bucket is the name of the bucket, not its ARN. Required.
	Bucket string

	// FormerBuckets are names of other buckets in which an object may be
	// finished that was prepared before Bucket was changed. Nothing else goes
	// there. Default none: a prepared checkpoint that names any other bucket
	// than Bucket is refused with ErrUnfinishable.
	FormerBuckets []string

	// Prefix stands before the names of objects. Without expressions,
	// !{namespace:value}, the date path follows it with nothing between: "logs"
	// gives "logs2016/02/25/13/…". The package prefix has the expressions and the
	// rules; those with partition keys are refused. At most 512 bytes of UTF-8,
	// evaluated, without control characters and without ".." between slashes.
	// Default: the date path alone.
	Prefix string

	// ErrorOutputPrefix stands before the names of objects of records that
	// failed. Without expressions, "!{firehose:error-output-type}/" and the date
	// path follow it. Required if Prefix has expressions; else the default is
	// Prefix.
	ErrorOutputPrefix string

	// CustomTimeZone is the time zone of the prefixes and names: UTC or a name of
	// Firehose's list of older IANA names, see [prefix.LoadZone]. Default UTC.
	CustomTimeZone string

	// FileExtension ends the names of objects in place of the extension that goes
	// with Compression: a point and 1-127 characters of a-z 0-9 ! - _ . * ' ( ).
	// Default none, which leaves the latter.
	FileExtension string

	// Hints say when an object is complete.
	Hints BufferingHints

	// Compression of the object. Default UNCOMPRESSED.
	Compression Compression

	// AWSKMSKeyARN is the ARN of the key, or of the alias of one, that encrypts what is
	// delivered, error objects, bundles and markers: Firehose's KMSEncryptionConfig. It must be
	// of the region of these buckets. What an earlier holder prepared is finished with
	// this one, whatever was configured then. Default "", Firehose's NoEncryption: the
	// bucket's own default applies.
	AWSKMSKeyARN string

	// Backup, if not nil, is where each record goes too, as it came: Firehose's
	// S3BackupMode Enabled. Default nil.
	Backup *Backup

	// Staging is where a cut's objects are until all of them are under their keys, if a
	// cut has several, and where markers are (see Load): "s3://bucket/prefix/", the prefix of at most 100 bytes. Default
	// "_shardmill/" in Bucket. A bucket
	// of its own keeps what looks at Bucket from seeing them; and it is best not
	// changed: the bundle of an earlier holder is found wherever its bucket is one of
	// those that are named here. Markers are not: wait until none is left, see Load.
	Staging string

	// ParallelPuts is how many puts of cuts that have several objects run at once, of
	// all shards: 1-256. Default 32.
	ParallelPuts int

	// GZIPLevel is how much GZIP compresses: 1 (fast) to 9 (small), default 5.
	// Of other compressions it must be 0. An object that a successor finishes has
	// the default.
	GZIPLevel int

	// Decompression inflates each record, which must be gzip as that of CloudWatch
	// Logs' subscriptions is. One that is not, or that inflates to more than 100 times
	// its size or 64 MiB, becomes a line of an error object under ErrorOutputPrefix:
	// decompression-failed. Beyond 1 MiB one record of all shards is inflated at a time.
	Decompression bool

	// CloudWatchLogProcessing keeps the messages of log events alone: Firehose's
	// DataMessageExtraction. It needs Decompression. What is no payload of CloudWatch
	// Logs becomes a line of an error object: processing-failed. Control messages and
	// payloads without events are counted by Hooks.Processed and not delivered.
	CloudWatchLogProcessing bool

	// RecordDeAggregation makes records of each record, before it is transformed. Default
	// nil.
	RecordDeAggregation *RecordDeAggregation

	// Transform changes the records. Default nil: they stay as they are.
	Transform *Transform

	// DynamicPartitioning has the records of one prefix in objects of their own. Default
	// nil.
	DynamicPartitioning *DynamicPartitioning

	// Index, if not nil, takes the records as documents, each as one, in place of objects.
	// Bucket, Prefix, ErrorOutputPrefix and AWSKMSKeyARN are then those of
	// Firehose's S3Configuration, for documents that could not be indexed; a Backup with
	// the same is its S3BackupMode AllDocuments. Hints.SizeInMBs is 1-100. What makes
	// several records of one or is about objects does not go with it:
	// RecordDeAggregation, CloudWatchLogProcessing, DynamicPartitioning, Compression
	// and FileExtension. AppendDelimiterToRecord does nothing, as white space at the
	// ends of a record is no part of a document. Default nil.
	Index DocumentIndex

	// Load, if not nil, has what is delivered loaded by a loader: see Load. Compression is
	// then GZIP or UNCOMPRESSED, Prefix has no expressions, ErrorOutputPrefix must be
	// empty, CustomTimeZone is UTC, and neither DynamicPartitioning, Index nor FileExtension
	// goes with it. Records that failed go where they go without ErrorOutputPrefix. Default nil.
	Load *Load

	// OlderErrorLines gives the lines of error objects the members that Firehose wrote
	// until 2022, and its guide shows, in place of today's.
	OlderErrorLines bool

	// AppendDelimiterToRecord puts a newline after the data of each record, the
	// last one too, whether or not the data ends in one. It does not count in
	// Hints.SizeInMBs. Source: Firehose's processor of that name; what it does
	// after the last record, and after a newline, is inferred.
	AppendDelimiterToRecord bool

	// Delivery is how often a record may end up in an object. Default
	// ExactlyOnce.
	Delivery Delivery

	// RetryInterval is the delay before a put is repeated, give or take a
	// fifth. Default 5s, Firehose's.
	RetryInterval time.Duration

	// SpoolMemory is how many bytes of a shard's open object, compressed, are
	// kept in memory, to within 64 KiB; the rest goes to a file. Default 8 MiB.
	SpoolMemory int64

	// SpoolDir is where these files are made. Default: the system's directory
	// for temporary files.
	SpoolDir string

	// Logger. Default none.
	Logger *zap.Logger

	// Hooks for metrics.
	Hooks Hooks

	newUUID   func() exactlyonce.UUID
	sizeBytes int64 // instead of Hints.SizeInMBs
	batchSize int64 // instead of Transform.Hints.SizeInMBs
}

// Backup is Firehose's S3BackupConfiguration. What is not said here is as for what is
// delivered: a cut has the objects of both.
type Backup struct {
	// Bucket is the name of the bucket. Required.
	Bucket string

	// Prefix and ErrorOutputPrefix are as those of Config, but always of UTC. Nothing
	// is put under the latter.
	Prefix, ErrorOutputPrefix string

	// Hints say when an object is complete, as those of Config, but the interval is at
	// least 60 s without BeyondFirehose. A cut has objects of both, so it ends at the
	// shorter of both intervals: with Config.Hints.ZeroBuffering the backup's objects
	// are as small.
	Hints BufferingHints

	// Compression of the object. Default UNCOMPRESSED.
	Compression Compression

	// AWSKMSKeyARN is as that of Config, for what is put into Bucket here. Default "":
	// that of Config is not used in its place.
	AWSKMSKeyARN string

	sizeBytes int64 // instead of Hints.SizeInMBs
}

// Compression is Firehose's CompressionFormat, or ours. Package container says
// what each one is.
type Compression string

// The compressions, as Firehose spells its own. Snappy is the stream of
// snappy-java, not Snappy's own framing.
const (
	Uncompressed Compression = container.Uncompressed
	GZIP         Compression = container.GZIP
	ZIP          Compression = container.ZIP
	Snappy       Compression = container.Snappy
	HadoopSnappy Compression = container.HadoopSnappy

	ZSTD Compression = container.ZSTD // not Firehose's
)

// Delivery is a delivery guarantee.
type Delivery string

// The delivery guarantees.
const (
	// ExactlyOnce puts each record in exactly one object. It costs one more
	// write of the lease row for each object, and conditional puts.
	ExactlyOnce Delivery = "exactly-once"

	// AtLeastOnce may put the records of one object in a second one after a
	// crash or a lost lease.
	AtLeastOnce Delivery = "at-least-once"
)

const (
	mib            = 1 << 20
	minSpoolMemory = 64 << 10
)

// WithDefaults returns c with the default of each field that is not set. New does
// so itself.
func (c Config) WithDefaults() Config {
	if c.DynamicPartitioning != nil && c.Index == nil && c.Hints == (BufferingHints{}) {
		c.Hints = BufferingHints{SizeInMBs: 128, IntervalInSeconds: 300}
	}
	c.Hints = c.Hints.withDefaults()
	c.Transform, c.DynamicPartitioning = c.Transform.withDefaults(), c.DynamicPartitioning.withDefaults()
	if c.Backup != nil {
		b := *c.Backup
		b.Hints, b.Compression = b.Hints.withDefaults(), cmp.Or(b.Compression, Uncompressed)
		c.Backup = &b
	}
	c.Load = c.Load.withDefaults()
	if c.Backup != nil || c.Load != nil || c.canFail() {
		c.Staging = cmp.Or(c.Staging, "s3://"+c.Bucket+"/"+defaultStaging)
	}
	c.ParallelPuts = cmp.Or(c.ParallelPuts, 32)
	c.Version = cmp.Or(c.Version, 1)
	c.CustomTimeZone = cmp.Or(c.CustomTimeZone, "UTC")
	c.Compression = cmp.Or(c.Compression, Uncompressed)
	if c.Compression == GZIP {
		c.GZIPLevel = cmp.Or(c.GZIPLevel, container.DefaultLevel)
	}
	c.Delivery = cmp.Or(c.Delivery, ExactlyOnce)
	c.RetryInterval = cmp.Or(c.RetryInterval, 5*time.Second)
	c.SpoolMemory = cmp.Or(c.SpoolMemory, 8*mib)
	c.Logger = cmp.Or(c.Logger, zap.NewNop())
	if c.newUUID == nil {
		c.newUUID = randomUUID
	}
	return c
}

// wrong says which field has a value that cannot be used, and what can.
func wrong(field string, value any, remedy string) error {
	return fmt.Errorf("%s %#v: %s", field, value, remedy)
}

const bucketRemedy = "must be the name of a bucket, 1-255 characters of a-z A-Z 0-9 _ . -, not its ARN"

func (c Config) checkNames() error {
	var errs []error
	if !isName(c.DeliveryStreamName, 64) {
		errs = append(errs, wrong("DeliveryStreamName", c.DeliveryStreamName, "must be 1-64 characters of a-z A-Z 0-9 _ . -"))
	}
	if c.Version < 1 {
		errs = append(errs, wrong("Version", c.Version, "must be at least 1"))
	}
	for i, name := range c.FormerBuckets {
		if !isName(name, 255) {
			errs = append(errs, wrong(fmt.Sprintf("FormerBuckets[%d]", i), name, bucketRemedy))
		}
	}
	return errors.Join(errs...)
}

// refused is wrong for an error of the package prefix, with Firehose's words.
func refused(field, value string, err error) error {
	e, ok := errors.AsType[*prefix.Error](err)
	if !ok {
		return wrong(field, value, err.Error())
	}
	if says := cmp.Or(e.Rule, e.Member, e.Answer); says != "" {
		err = fmt.Errorf("%w (Firehose: %s)", err, says)
	}
	if e.Remedy != "" {
		return wrong(field, value, err.Error())
	}
	return fmt.Errorf("%s %w", field, err)
}

// maxStaging is how many bytes the prefix of bundles may have: with it a plan fits
// into its row, however long the names of bucket, table and shard are.
const maxStaging = 100

// ParseStaging returns what Config.Staging says, or an error that tells what it must
// be.
func ParseStaging(text string) (bucket, before string, err error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	bucket, before, _ = strings.Cut(rest, "/")
	switch {
	case !ok || !isName(bucket, 255):
		return "", "", errors.New(`must be "s3://" and the name of a bucket, and may go on with "/" and a prefix`)
	case len(before) > maxStaging:
		return "", "", fmt.Errorf("must be shorter: the prefix may have %d bytes", maxStaging)
	}
	if err := prefix.CheckKey(before + "x"); err != nil {
		return "", "", fmt.Errorf("must have another prefix: %w", err)
	}
	return bucket, before, nil
}

func (c Config) checkStaging() error {
	if c.Staging == "" {
		return nil
	}
	if _, _, err := ParseStaging(c.Staging); err != nil {
		return wrong("Staging", c.Staging, err.Error())
	}
	return nil
}

// keyARN is the pattern of Firehose's API for AWSKMSKeyARN.
var keyARN = regexp.MustCompile(`^arn:.*:kms:[a-zA-Z0-9\-]+:\d{12}:(key|alias)/[a-zA-Z_0-9+=,.@\-_/]+$`)

const maxKeyARN = 512 // characters, as Firehose's API has it

// CheckAWSKMSKeyARN returns nil if arn can be Config.AWSKMSKeyARN, or an error that
// tells what it must be.
func CheckAWSKMSKeyARN(arn string) error {
	if utf8.RuneCountInString(arn) > maxKeyARN || !keyARN.MatchString(arn) {
		return errors.New("must be the ARN of a key or of an alias, arn:aws:kms:REGION:ACCOUNT:key/ID, of at most 512 characters")
	}
	return nil
}

func (c Config) checkKey(field string) error {
	if c.AWSKMSKeyARN == "" {
		return nil
	}
	if err := CheckAWSKMSKeyARN(c.AWSKMSKeyARN); err != nil {
		return wrong(field+"AWSKMSKeyARN", c.AWSKMSKeyARN, err.Error())
	}
	return nil
}

func (c Config) checkStages() error {
	if c.CloudWatchLogProcessing && !c.Decompression {
		return wrong("CloudWatchLogProcessing", c.CloudWatchLogProcessing, "set Decompression too")
	}
	return errors.Join(c.RecordDeAggregation.check(), c.Transform.check())
}

// maxIndexMBs is Firehose's.
const maxIndexMBs = 100

// checkIndex refuses what does not go with documents.
func (c Config) checkIndex() error {
	if c.Index == nil {
		return nil
	}
	var errs []error
	no := func(given bool, field string, value any, remedy string) {
		if given {
			errs = append(errs, wrong(field, value, remedy))
		}
	}
	const one = "a record is one document of Index: remove it"
	no(c.RecordDeAggregation != nil, "RecordDeAggregation", c.RecordDeAggregation, one)
	no(c.CloudWatchLogProcessing, "CloudWatchLogProcessing", c.CloudWatchLogProcessing, one)
	const ofObjects = "is for objects, and Index takes documents: remove it"
	no(c.DynamicPartitioning != nil, "DynamicPartitioning", "given", ofObjects)
	no(c.Compression != Uncompressed, "Compression", c.Compression, ofObjects+"; Backup has its own")
	no(c.FileExtension != "", "FileExtension", c.FileExtension, ofObjects)
	no(c.Hints.SizeInMBs > maxIndexMBs, "Hints.SizeInMBs", c.Hints.SizeInMBs, fmt.Sprintf("must be 1-%d with Index", maxIndexMBs))
	return errors.Join(errs...)
}

func (c Config) checkDelivery() error {
	if c.Delivery != ExactlyOnce && c.Delivery != AtLeastOnce {
		return wrong("Delivery", c.Delivery, fmt.Sprintf("must be %q or %q", ExactlyOnce, AtLeastOnce))
	}
	return nil
}

func (c Config) checkLimits() error {
	var errs []error
	if c.RetryInterval < 0 {
		errs = append(errs, wrong("RetryInterval", c.RetryInterval.String(), "must be positive"))
	}
	if c.SpoolMemory < minSpoolMemory {
		errs = append(errs, wrong("SpoolMemory", c.SpoolMemory, fmt.Sprintf("must be at least %d bytes", minSpoolMemory)))
	}
	if c.ParallelPuts < 1 || c.ParallelPuts > 256 {
		errs = append(errs, wrong("ParallelPuts", c.ParallelPuts, "must be 1-256"))
	}
	return errors.Join(errs...)
}

func isName(s string, longest int) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= longest
}
