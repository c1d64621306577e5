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

	// Prefix is put before the date path, as it is: "logs" gives
	// "logs2016/02/25/13/…". At most 512 bytes of UTF-8, without control
	// characters and without ".." between slashes. Expressions, !{…}, are
	// refused.
	Prefix string

	// Hints say when an object is complete.
	Hints BufferingHints

	// Compression of the object. Default UNCOMPRESSED.
	Compression Compression

	// GZIPLevel is how much GZIP compresses: 1 (fast) to 9 (small), default 5.
	// Of other compressions it must be 0. An object that a successor finishes has
	// the default.
	GZIPLevel int

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

// delimiter returns what follows each record.
func (s *settings) delimiter() string {
	if s.AppendDelimiterToRecord {
		return "\n"
	}
	return ""
}

// WithDefaults returns c with the default of each field that is not set. New does
// so itself.
func (c Config) WithDefaults() Config {
	if c.Hints == (BufferingHints{}) {
		c.Hints = BufferingHints{SizeInMBs: 5, IntervalInSeconds: 300}
	}
	c.Version = cmp.Or(c.Version, 1)
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

// settle fills in defaults and reports everything that is wrong.
func (c Config) settle() (settings, error) {
	c = c.WithDefaults()
	s := settings{
		Config:   c,
		names:    names{stream: c.DeliveryStreamName, version: c.Version},
		size:     cmp.Or(c.sizeBytes, int64(c.Hints.SizeInMBs)*mib),
		interval: time.Duration(c.Hints.IntervalInSeconds) * time.Second,
	}
	var errPrefix, errFormat error
	s.names.prefix, errPrefix = c.parsePrefix()
	s.format, errFormat = c.chooseFormat()
	return s, errors.Join(
		c.checkNames(),
		errPrefix,
		c.Hints.check(),
		errFormat,
		c.checkDelivery(),
		c.checkLimits(),
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

func (c Config) parsePrefix() (prefix.Prefix, error) {
	p, err := prefix.Parse(c.Prefix, prefix.Objects)
	e, bad := errors.AsType[*prefix.Error](err)
	switch {
	case !bad:
		return p, nil
	case e.Rule != "":
		err = fmt.Errorf("%w (Firehose: %s)", err, e.Rule)
	}
	if e.Remedy != "" {
		return p, wrong("Prefix", c.Prefix, err.Error())
	}
	return p, errors.New("Prefix " + err.Error())
}

func (c Config) chooseFormat() (container.Format, error) {
	f, err := container.Named(string(c.Compression))
	if err != nil {
		return f, wrong("Compression", c.Compression, err.Error())
	}
	if c.GZIPLevel == 0 {
		return f, nil
	}
	f, err = f.WithLevel(c.GZIPLevel)
	if err != nil {
		return f, wrong("GZIPLevel", c.GZIPLevel, err.Error())
	}
	return f, nil
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
	return wrong("len(Prefix)+len(Bucket)", len(s.Prefix)+len(s.Bucket), fmt.Sprintf(
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
