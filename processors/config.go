package processors

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
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
}

// BufferingHints say when an object is complete: at the first of the two. Both
// must be given, or none.
type BufferingHints struct {
	// SizeInMBs is the size in MiB, before compression: 1-128, default 5. The
	// record that reaches it is the last of the object.
	SizeInMBs int

	// IntervalInSeconds is the time since the object's first record came in:
	// 60-900, default 300. Less than 60 is accepted with a warning: it makes
	// many small objects.
	IntervalInSeconds int
}

// Compression is Firehose's CompressionFormat.
type Compression string

// The compressions, as Firehose spells them. ZIP, Snappy and HADOOP_SNAPPY are
// refused.
const (
	Uncompressed Compression = container.Uncompressed
	GZIP         Compression = container.GZIP
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
	mib             = 1 << 20
	minSpoolMemory  = 64 << 10
	firehoseMinimum = time.Minute // the shortest interval that is no test's
)

// settings is a Config that is complete and valid, in the units of the code.
type settings struct {
	Config

	names    names
	size     int64
	interval time.Duration
	format   container.Format
}

// buckets returns those that a plan may name, the one for new objects first.
func (s *settings) buckets() []string { return append([]string{s.Bucket}, s.FormerBuckets...) }

// WithDefaults returns c with the default of each field that is not set. New does
// so itself.
func (c Config) WithDefaults() Config {
	if c.Hints == (BufferingHints{}) {
		c.Hints = BufferingHints{SizeInMBs: 5, IntervalInSeconds: 300}
	}
	c.Version = cmp.Or(c.Version, 1)
	c.CustomTimeZone = cmp.Or(c.CustomTimeZone, "UTC")
	c.Compression = cmp.Or(c.Compression, Uncompressed)
	c.Delivery = cmp.Or(c.Delivery, ExactlyOnce)
	c.RetryInterval = cmp.Or(c.RetryInterval, 5*time.Second)
	c.SpoolMemory = cmp.Or(c.SpoolMemory, 8*mib)
	c.Logger = cmp.Or(c.Logger, zap.NewNop())
	if c.newUUID == nil {
		c.newUUID = randomUUID
	}
	return c
}

// settle fills in defaults and reports everything that is wrong.
func (c Config) settle() (settings, error) {
	c = c.WithDefaults()
	s := settings{
		Config:   c,
		size:     cmp.Or(c.sizeBytes, int64(c.Hints.SizeInMBs)*mib),
		interval: time.Duration(c.Hints.IntervalInSeconds) * time.Second,
	}
	var errNames []error
	var errFormat error
	s.names, errNames = c.parseNames()
	if s.format, errFormat = container.Named(string(c.Compression)); errFormat != nil {
		errFormat = wrong("Compression", c.Compression, errFormat.Error())
	}
	return s, errors.Join(
		c.checkNames(),
		errors.Join(errNames...),
		c.Hints.check(),
		errFormat,
		c.checkDelivery(),
		c.checkLimits(),
		s.names.check(s.format),
		s.checkPlan(),
	)
}

// wrong says which field has a value that cannot be used, and what can.
func wrong(field string, value any, remedy string) error {
	return fmt.Errorf("%s %#v: %s", field, value, remedy)
}

func (c Config) checkNames() error {
	var errs []error
	if !isName(c.DeliveryStreamName, 64) {
		errs = append(errs, wrong("DeliveryStreamName", c.DeliveryStreamName, "must be 1-64 characters of a-z A-Z 0-9 _ . -"))
	}
	if c.Version < 1 {
		errs = append(errs, wrong("Version", c.Version, "must be at least 1"))
	}
	if !isName(c.Bucket, 255) {
		errs = append(errs, wrong("Bucket", c.Bucket, "must be the name of a bucket, 1-255 characters of a-z A-Z 0-9 _ . -, not its ARN"))
	}
	for i, name := range c.FormerBuckets {
		if !isName(name, 255) {
			errs = append(errs, wrong(fmt.Sprintf("FormerBuckets[%d]", i), name, "must be the name of a bucket, 1-255 characters of a-z A-Z 0-9 _ . -, not its ARN"))
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

func (h BufferingHints) check() error {
	if (h.SizeInMBs == 0) != (h.IntervalInSeconds == 0) {
		return wrong("Hints", h, "give both or none")
	}
	var errs []error
	if h.SizeInMBs < 1 || h.SizeInMBs > 128 {
		errs = append(errs, wrong("Hints.SizeInMBs", h.SizeInMBs, "must be 1-128"))
	}
	if h.IntervalInSeconds < 1 || h.IntervalInSeconds > 900 {
		errs = append(errs, wrong("Hints.IntervalInSeconds", h.IntervalInSeconds, "must be 60-900, or 1-59 for a trial"))
	}
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
	return errors.Join(errs...)
}

// checkPlan refuses names with which a plan could outgrow its place.
func (s *settings) checkPlan() error {
	over := len(s.largestPlan().Encode()) - exactlyonce.MaxBytes
	if s.Delivery != ExactlyOnce || over <= 0 {
		return nil
	}
	return wrong("len(Prefix)+len(FileExtension)+len(Bucket)", len(s.Prefix)+len(s.FileExtension)+len(s.Bucket), fmt.Sprintf(
		"the plan of an object could be %d bytes too long; shorten them by that, or set Delivery to %q", over, AtLeastOnce))
}

// largestPlan has the largest values that Kinesis gives: sequence numbers of
// 56 digits, hash keys of 39, and sub-sequence numbers of a record of 10 MiB.
func (s *settings) largestPlan() exactlyonce.Plan {
	at := checkpoint.ExtendedSequenceNumber{SequenceNumber: strings.Repeat("9", 56), SubSequenceNumber: 10 * mib}
	instant := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	hash := strings.Repeat("9", 39)
	return exactlyonce.Plan{
		After: at, First: at, Last: at,
		FirstArrival: instant, LastArrival: instant,
		Records: 1 << 40, Bytes: 1 << 40, Digest: exactlyonce.Digest{Rule: planDigest},
		HashRange: exactlyonce.HashRange{Start: hash, End: hash},
		Bucket:    s.Bucket,
		Key:       s.names.longest(s.format),
		Codec:     s.format.Codec,
		Delimiter: "\n",
	}
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
