package processors

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// settings is a Config that is complete and valid, in the units of the code.
type settings struct {
	Config

	lanes    []lane // the first one is that of what is delivered
	size     int64
	interval time.Duration
	sorting  *sorting // nil without partitions
}

const defaultStaging = "_shardmill/"

// staging returns the bucket and the prefix for bundles.
func (s *settings) staging() (bucket, prefix string) {
	bucket, prefix, _ = ParseStaging(s.Staging)
	return bucket, prefix
}

const newline = "\n"

// inUse returns the buckets in which something is put.
func (s *settings) inUse() []string {
	used := make([]string, 0, len(s.lanes)+1)
	for i := range s.lanes {
		used = append(used, s.lanes[i].bucket)
	}
	if s.isSealed() && s.Delivery == ExactlyOnce || s.Load != nil {
		bucket, _ := s.staging()
		used = append(used, bucket)
	}
	slices.Sort(used)
	return slices.Compact(used)
}

// isSealed reports whether a cut may have several objects.
func (s *settings) isSealed() bool { return len(s.lanes) > 1 || s.Load != nil }

// buckets returns those that a plan may name: also where bundles were before a cut
// had one object.
func (s *settings) buckets() []string {
	all := append(s.inUse(), s.FormerBuckets...)
	if bucket, _ := s.staging(); bucket != "" && !slices.Contains(all, bucket) {
		all = append(all, bucket)
	}
	return all
}

// settle fills in defaults and reports everything that is wrong.
func (c Config) settle() (settings, error) {
	c = c.WithDefaults()
	s := settings{Config: c}
	s.interval = c.Hints.interval()
	delivery, errs := c.lane(exactlyonce.Delivery, "")
	if c.AppendDelimiterToRecord {
		delivery.delimiter = newline
	}
	if c.GZIPLevel != 0 {
		errs = append(errs, c.setLevel(&delivery))
	}
	s.lanes, s.size = []lane{delivery}, delivery.size
	if c.Backup != nil {
		backup, more := c.ofBackup().lane(exactlyonce.Backup, "Backup.")
		errs = append(errs, more...)
		if c.Backup.Hints.IsMultipart() {
			errs = append(errs, wrong("Backup.Hints.IntervalInSeconds", c.Backup.Hints.IntervalInSeconds, "must be 60-900: Firehose's guide has no zero buffering for backups"))
		}
		s.lanes = append(s.lanes, backup)
		s.interval = min(s.interval, c.Backup.Hints.interval())
	}
	if c.canFail() {
		failed := lane{names: delivery.names, role: exactlyonce.Failed, bucket: delivery.bucket, size: delivery.size}
		failed.format, _ = container.Named(container.Uncompressed)
		s.lanes = append(s.lanes, failed) // the last one: see outputs.fail
	}
	if c.DynamicPartitioning != nil {
		var err error
		s.sorting, err = c.sorting(&delivery)
		errs = append(errs, err)
	}
	return s, errors.Join(append(errs,
		c.checkNames(),
		c.checkStaging(),
		c.checkStages(),
		c.checkIndex(),
		c.checkLoad(),
		c.checkDelivery(),
		c.checkLimits(),
		s.checkPlan(),
	)...)
}

// lane settles one kind of objects. field begins the names of its fields.
func (c Config) lane(role exactlyonce.Role, field string) (lane, []error) {
	l := lane{role: role, bucket: c.Bucket, size: cmp.Or(c.sizeBytes, int64(c.Hints.SizeInMBs)*mib)}
	var errs []error
	if !isName(c.Bucket, 255) {
		errs = append(errs, wrong(field+"Bucket", c.Bucket, bucketRemedy))
	}
	var errNames []error
	l.names, errNames = c.parseNames(field)
	errs = append(append(errs, errNames...), c.Hints.check(field+"Hints"))
	var err error
	if l.format, err = container.Named(string(c.Compression)); err != nil {
		errs = append(errs, wrong(field+"Compression", c.Compression, err.Error()))
	}
	return l, append(errs, c.checkKey(field), l.check(l.format))
}

// keyOf returns the key that encrypts an object. A plan does not name it: that of an
// earlier holder may be gone.
func (s *settings) keyOf(role Role) string {
	switch {
	case role != RoleBackup:
		return s.AWSKMSKeyARN
	case s.Backup == nil:
		return "" // of an earlier holder
	default:
		return s.Backup.AWSKMSKeyARN
	}
}

func (c Config) setLevel(l *lane) error {
	f, err := l.format.WithLevel(c.GZIPLevel)
	if err != nil {
		return wrong("GZIPLevel", c.GZIPLevel, err.Error())
	}
	l.format = f
	return nil
}

// ofBackup returns c with what the backup says. Firehose's shape of it has no time zone
// and no extension.
func (c Config) ofBackup() Config {
	b := c.Backup
	c.DynamicPartitioning, c.Load = nil, nil
	c.Bucket, c.Prefix, c.ErrorOutputPrefix, c.CustomTimeZone, c.FileExtension = b.Bucket, b.Prefix, b.ErrorOutputPrefix, "UTC", ""
	c.Hints, c.Compression, c.sizeBytes, c.AWSKMSKeyARN = b.Hints, b.Compression, b.sizeBytes, b.AWSKMSKeyARN
	return c
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
// 56 digits, hash keys of 39, and sub-sequence numbers of a record of 10 MiB; and the
// longest name that DynamoDB gives a table.
func (s *settings) largestPlan() exactlyonce.Plan {
	at := checkpoint.ExtendedSequenceNumber{SequenceNumber: strings.Repeat("9", 56), SubSequenceNumber: 10 * mib}
	instant := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	pl := exactlyonce.Plan{
		After: at, First: at, Last: at,
		FirstArrival: instant, LastArrival: instant,
		Records: 1 << 40, Bytes: 1 << 40,
	}
	if s.isSealed() {
		bucket, before := s.staging()
		key := stagingPrefix(before, strings.Repeat("t", 255), strings.Repeat("s", 128), exactlyonce.Identity{}) + exactlyonce.UUID{}.String()
		pl.Bundle = &exactlyonce.Bundle{Bucket: bucket, Key: key, Size: 1 << 40, IndexSize: 1 << 40, Count: 1 << 40}
		return pl
	}
	hash := strings.Repeat("9", 39)
	l := &s.lanes[0]
	pl.Digest, pl.HashRange = exactlyonce.Digest{Rule: planDigest}, exactlyonce.HashRange{Start: hash, End: hash}
	pl.Bucket, pl.Key, pl.Codec, pl.Delimiter = s.Bucket, l.longest(l.format), l.format.Codec, newline
	return pl
}
