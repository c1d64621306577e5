package processors

import (
	"time"

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
	// with another one.
	OverflowFinish Overflow = "finish"
)

// DynamicPartitioning is Firehose's. Prefix must name each key of Query, and no other
// of that namespace.
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
