package processors

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/partition"
	"github.com/shardmill/shardmill/processors/pipeline"
	"github.com/shardmill/shardmill/processors/prefix"
	"github.com/shardmill/shardmill/processors/transform"
)

// SubRecordType is what the records are that de-aggregation finds in one.
type SubRecordType string

// The types, as Firehose spells them.
const (
	JSON      SubRecordType = "JSON"      // values of JSON, one after another, but no arrays
	Delimited SubRecordType = "DELIMITED" // what is between delimiters
)

// RecordDeAggregation is Firehose's processor of that name. A record with more than
// 500 others in it stays one.
type RecordDeAggregation struct {
	SubRecordType SubRecordType
	Delimiter     string // of Delimited, as it is, not in base64; at least 1 byte
}

// Transform is Firehose's data transformation, by a Lambda function or another.
type Transform struct {
	// Function makes of the records what is delivered. Required.
	Function transform.Function

	// NumberOfRetries is how often a batch is tried again that failed as a whole:
	// 0-300. Default 3.
	NumberOfRetries *int

	// Hints say when a batch is complete. Default 1 MiB and 60 s.
	Hints TransformHints

	// Timeout is how long one call of Function may take: up to 5 minutes, the default.
	Timeout time.Duration
}

// TransformHints say when a batch of records is complete: at the first of the two.
// Both must be given, or none.
type TransformHints struct {
	SizeInMBs         float64 // MiB, 0.2-3
	IntervalInSeconds int     // since the first record of the batch came in, 0-900
}

// Overflow is what becomes of a record that would need one active partition too many.
type Overflow string

// The overflows.
const (
	// OverflowFail makes a line of an error object of it, of the type
	// activePartitionExceeded, as Firehose does.
	OverflowFail Overflow = "fail"

	// OverflowFinish completes the object of the partition that is oldest, which goes on
	// with another one. Records of more partitions in turn than may be active become an
	// object each.
	OverflowFinish Overflow = "finish"
)

// DynamicPartitioning is Firehose's. Prefix must name each key of
// MetadataExtractionQuery, and no other of that namespace; ErrorOutputPrefix must be
// given, as always with expressions. Without BufferingHints.BeyondFirehose the hints are at least
// 64 MiB and 60 s; they default to 128 MiB and 300 s, as the CDK has them.
type DynamicPartitioning struct {
	// MetadataExtractionQuery is a query of jq 1.6 for an object of at most 50 partition
	// keys: the values of !{partitionKeyFromQuery:KEY} in Prefix. Default "": none.
	MetadataExtractionQuery string

	// EventTime, if not nil, is where a record says when what it is of happened. That is
	// then the instant of the timestamps in Prefix, in place of its arrival.
	EventTime *EventTime

	// ActivePartitions is how many objects of a shard may be open at once. Default 500,
	// Firehose's quota, divided by the number of open shards; at least 1.
	ActivePartitions int

	// Overflow is what becomes of a record that would need one more. Default
	// OverflowFail.
	Overflow Overflow
}

// EventTime says where in a record its time is.
type EventTime struct {
	Query   string   // of jq 1.6
	Formats []string // the first one that fits counts; see package partition
}

// canFail reports whether there is a stage at which a record can fail.
func (c Config) canFail() bool {
	return c.Decompression || c.RecordDeAggregation != nil || c.Transform != nil || c.DynamicPartitioning != nil || c.Index != nil
}

// stages returns those that are functions of one record.
func (c Config) stages() pipeline.Stages {
	s := pipeline.Stages{Decompression: c.Decompression, CloudWatchLogProcessing: c.CloudWatchLogProcessing}
	if d := c.RecordDeAggregation; d != nil {
		s.RecordDeAggregation, s.Delimiter = true, d.Delimiter
	}
	return s
}

func (d *RecordDeAggregation) check() error {
	switch {
	case d == nil:
	case d.SubRecordType != JSON && d.SubRecordType != Delimited:
		return wrong("RecordDeAggregation.SubRecordType", d.SubRecordType, "must be JSON or DELIMITED (Firehose: SubRecordType has to be one of JSON, DELIMITED)")
	case d.SubRecordType == Delimited && d.Delimiter == "":
		return wrong("RecordDeAggregation.Delimiter", d.Delimiter, "must be given for DELIMITED (Firehose: Delimiter should be present for DELIMITED)")
	case d.SubRecordType == JSON && d.Delimiter != "":
		return wrong("RecordDeAggregation.Delimiter", d.Delimiter, "is for DELIMITED: remove it")
	}
	return nil
}

const (
	maxRetries       = 300
	defaultRetries   = 3
	maxTransformTime = 5 * time.Minute
	maxHintSeconds   = 900
	minHintMBs       = 0.2
	maxHintMBs       = 3
)

func (t *Transform) withDefaults() *Transform {
	if t == nil {
		return nil
	}
	all := *t
	if all.NumberOfRetries == nil {
		all.NumberOfRetries = new(defaultRetries)
	}
	if all.Hints == (TransformHints{}) {
		all.Hints = TransformHints{1, 60}
	}
	all.Timeout = cmp.Or(all.Timeout, maxTransformTime)
	return &all
}

func (t *Transform) check() error {
	if t == nil {
		return nil
	}
	var errs []error
	if t.Function == nil {
		errs = append(errs, errors.New("Transform.Function: must not be nil"))
	}
	if n := *t.NumberOfRetries; n < 0 || n > maxRetries {
		errs = append(errs, wrong("Transform.NumberOfRetries", n, "must be 0-300 (Firehose: Number of retries for lambda must be between 0 and 300.)"))
	}
	if n := t.Hints.SizeInMBs; !(n >= minHintMBs && n <= maxHintMBs) {
		errs = append(errs, wrong("Transform.Hints.SizeInMBs", n, "must be 0.2-3 (Firehose: BufferSizeInMBs for lambda processor must be between 0.2 and 3.)"))
	}
	if n := t.Hints.IntervalInSeconds; n < 0 || n > maxHintSeconds {
		errs = append(errs, wrong("Transform.Hints.IntervalInSeconds", n, "must be 0-900 (Firehose: BufferIntervalInSeconds for lambda processor must be between 0 and 900.)"))
	}
	if t.Timeout < 0 || t.Timeout > maxTransformTime {
		errs = append(errs, wrong("Transform.Timeout", t.Timeout.String(), "must be at most 5m"))
	}
	return errors.Join(errs...)
}

// runner returns what has the records of a shard transformed.
func (s *settings) runner(shard kcl.ShardInfo, log *zap.Logger) *transform.Runner {
	t := s.Transform
	o := transform.Options{Retries: *t.NumberOfRetries, Timeout: t.Timeout, Logger: log}
	o.Origin.SourceStreamARN = shard.StreamARN
	if parts := strings.SplitN(shard.StreamARN, ":", 6); len(parts) == 6 { // arn:aws:kinesis:REGION:ACCOUNT:stream/NAME
		o.Origin.Region = parts[3]
		o.Origin.DeliveryStreamARN = transform.DeliveryStreamARN(parts[3], parts[4], s.DeliveryStreamName)
	}
	if told := s.Hooks.Transformed; told != nil {
		o.Invoked = func(v transform.Invocation) {
			e := TransformedEvent{ShardID: shard.ShardID, Records: int64(v.Records), Bytes: v.Bytes, Duration: v.Duration, Attempt: v.Attempt, Succeeded: int64(v.Succeeded)}
			if v.Err != nil {
				e.Err = v.Err.Code
			}
			told(e)
		}
	}
	return transform.NewRunner(t.Function, o)
}

func (d *DynamicPartitioning) withDefaults() *DynamicPartitioning {
	if d == nil {
		return nil
	}
	all := *d
	all.Overflow = cmp.Or(all.Overflow, OverflowFail)
	return &all
}

// checkPrefix compares a Prefix with what partitions are made by. The error is a
// *prefix.Error.
func (d *DynamicPartitioning) checkPrefix(p prefix.Prefix) error {
	if d != nil && d.EventTime != nil && d.MetadataExtractionQuery == "" && len(p.PartitionKeys()) == 0 {
		return nil // by the time alone
	}
	return p.CheckPartitioning(d != nil)
}

const (
	minPartitionedMBs     = 64
	minPartitionedSeconds = 60
)

// sorting settles how records are divided into partitions, whose objects l has.
func (c Config) sorting(l *lane) (*sorting, error) {
	d := c.DynamicPartitioning
	rules := partition.Rules{Query: d.MetadataExtractionQuery}
	if d.EventTime != nil {
		rules.EventTime, rules.Formats = d.EventTime.Query, d.EventTime.Formats
	}
	var errs []error
	extraction, err := partition.New(rules)
	if err != nil {
		errs = append(errs, fmt.Errorf("DynamicPartitioning: %w", err)) // which names the member
	} else {
		errs = append(errs, c.checkKeys(l.prefix, extraction.Keys()))
	}
	if d.Overflow != OverflowFail && d.Overflow != OverflowFinish {
		errs = append(errs, wrong("DynamicPartitioning.Overflow", d.Overflow, fmt.Sprintf("must be %q or %q", OverflowFail, OverflowFinish)))
	}
	if d.ActivePartitions < 0 {
		errs = append(errs, wrong("DynamicPartitioning.ActivePartitions", d.ActivePartitions, "must be at least 1, or 0 for the default"))
	}
	if h := c.Hints; !h.BeyondFirehose {
		if h.SizeInMBs < minPartitionedMBs {
			errs = append(errs, wrong("Hints.SizeInMBs", h.SizeInMBs,
				"must be at least 64, or set BeyondFirehose (Firehose: BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.)"))
		}
		if h.IntervalInSeconds < minPartitionedSeconds {
			errs = append(errs, wrong("Hints.IntervalInSeconds", h.IntervalInSeconds,
				"must be at least 60, or set BeyondFirehose (Firehose: BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled.)"))
		}
	}
	s := &sorting{extraction: extraction, prefix: l.prefix, zone: l.zone, isOfEvent: d.EventTime != nil, overflow: d.Overflow, limit: d.ActivePartitions}
	s.isFine, s.given = l.prefix.IsFine(), l.prefix.KeysOf(prefix.PartitionKeyFromLambda)
	if bucket, before, err := ParseStaging(c.Staging); err == nil && bucket == l.bucket {
		s.reserved = before
	}
	return s, errors.Join(errs...)
}

// quota is how many partitions of a stream Firehose has active at most, unless it is told
// otherwise.
const quota = 500

// open returns a sorter for a shard.
func (s *sorting) open() *sorter {
	if s == nil {
		return nil
	}
	opened := &sorter{sorting: s, extractor: s.extraction.Open(), names: s.extraction.Keys()}
	opened.share(1)
	return opened
}

// share settles how many partitions may be active in a shard of so many open ones.
func (s *sorter) share(shards int) {
	s.most = cmp.Or(s.limit, max(1, quota/max(1, shards)))
}
