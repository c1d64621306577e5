// Package pipeline is a record's way from its shard into a cut: the stages that
// Firehose puts it through, in Firehose's order, whatever the order in which they
// are configured. Aggregated records of the KPL are taken apart before:
//
//	Decompression            a subscription's payload of CloudWatch Logs is inflated
//	CloudWatchLogProcessing  its log events are reduced to their messages
//	RecordDeAggregation      it becomes the records that are in it
//
// These are functions of one record. What needs more follows them: transforms, which
// get batches, partition keys and format conversion. The delimiter is a body's.
//
// # What becomes of a record
//
// One part, or as many as de-aggregation finds in it. Each is exactly one of data, a
// failure, or nothing, so that a record cannot vanish
// unseen. What is documented (D) or inferred (I):
//
//	a record that is not gzip, or damaged     fails as decompression-failed; its error line has it as it came (D)
//	one that inflates to more than the bounds the same (ours: a bound of Firehose's is not known)
//	messages                                  are joined by newlines (I), with none at the end (I)
//	a DATA_MESSAGE without log events         is nothing (I)
//	a CONTROL_MESSAGE                         is nothing if messages are extracted, else its JSON (I)
//	JSON that is neither                      fails as processing-failed (I)
//	objects one after another, and blanks     are a record each; what is between them is gone (D)
//	an array, another value, or no JSON       fails the whole record (D) as metadata-extraction-failed (I)
//	what is between delimiters                is a record each (D), unless it is empty (ours)
//	more than 500 records in one              stay one record (D)
//
// Codes and messages of failures are ours, as none was captured, but those of what is no
// JSON: these are Firehose's for partition keys.
//
// # Memory
//
// A record of Kinesis has 10 MiB at most, and may inflate to 64 MiB. Of the records that
// inflate to more than 1 MiB one at a time is in memory, of all shards, with its stages:
// 64 MiB, and half of that while it grows, if it says less of itself than is true.
// Messages are taken out in place. Beside it each shard has 1 MiB.
package pipeline

import (
	"context"
	"sync"
	"time"

	"github.com/shardmill/shardmill/kcl"
)

// Failure says why a record could not be processed.
type Failure struct {
	Type    string // what Firehose's error-output-type is then; "" if nothing failed
	Code    string // errorCode of the error line
	Message string // errorMessage of the error line

	// Of a transform; zero if it was none.
	Attempts int       // calls that had the record
	Ended    time.Time // the last of them
	ARN      string    // the transform's
}

// ExtractionCode is Firehose's errorCode of MetadataExtractionFailed.
const ExtractionCode = "DynamicPartitioning.MetadataExtractionFailed"

// The types of failures, as Firehose spells them.
const (
	DecompressionFailed = "decompression-failed"
	ProcessingFailed    = "processing-failed"

	MetadataExtractionFailed = "metadata-extraction-failed"
)

// Output is a part of what becomes of a record.
type Output struct {
	Part    int     // its number, from 0
	Data    []byte  // if neither of the others is set; who keeps it copies it
	Failure Failure // of the part, if it has a Type
	Nothing bool    // the record has nothing to deliver, as it should

	// What a transform said of the part.
	Transformed   bool              // that it was transformed, and is data, or dropped
	Dropped       bool              // it is not to be delivered
	PartitionKeys map[string]string // values of !{partitionKeyFromLambda:KEY}

	// Source is what a line of an error object has of the part, if it fails here or
	// later: the record as it was received, or, of several records in one, this one.
	Source []byte

	Inflated int64 // bytes that Decompression made of the record; 0 if it failed, or is not configured
}

// Stages says which stages a record goes through. Without any it stays as it is.
type Stages struct {
	// Decompression inflates records, which must be of gzip: one member or
	// more, and nothing behind them. It bounds the result to 64 MiB, and to 100
	// times what the record has.
	Decompression bool

	// CloudWatchLogProcessing keeps the messages of log events alone: Firehose's
	// DataMessageExtraction. It needs Decompression.
	CloudWatchLogProcessing bool

	// RecordDeAggregation makes parts of each record: objects of JSON, or with a
	// Delimiter what is between those.
	RecordDeAggregation bool
	Delimiter           string
}

// Pipeline is the stages that are configured. The zero value is the identity. It
// is safe for concurrent use.
type Pipeline struct {
	stages  Stages
	scratch sync.Pool // of *scratch
	large   large
}

// New returns a pipeline of these stages.
func New(s Stages) *Pipeline { return &Pipeline{stages: s, large: large{turn: make(chan struct{}, 1)}} }

// IsInPlace reports whether the data of all that Run passes is the record's memory.
func (p *Pipeline) IsInPlace() bool { return !p.stages.Decompression }

// Run passes what becomes of a record to emit, part by part, at least one, and returns
// emit's error. What is passed is good until emit returns. A record that inflates to more
// than 1 MiB waits for the one before it; if ctx is done meanwhile, that is the error, and
// nothing is passed.
func (p *Pipeline) Run(ctx context.Context, r *kcl.Record, emit func(Output) error) error {
	if !p.stages.Decompression && !p.stages.RecordDeAggregation {
		return emit(Output{Data: r.Data, Source: r.Data})
	}
	s, ok := p.scratch.Get().(*scratch)
	if !ok {
		s = new(scratch)
	}
	defer p.scratch.Put(s)
	whole := Output{Data: r.Data, Source: r.Data}
	if !p.stages.Decompression {
		return p.emitParts(s, whole, emit)
	}
	return p.inflate(ctx, s, r.Data, func(text []byte, f Failure) error {
		whole.Data, whole.Failure, whole.Inflated = text, f, int64(len(text))
		if f.Type == "" && p.stages.CloudWatchLogProcessing {
			whole.Data, whole.Failure = messages(text)
			whole.Nothing = whole.Failure.Type == "" && whole.Data == nil
		}
		return p.emitParts(s, whole, emit)
	})
}

// emitParts passes the parts of a record that is whole.
func (p *Pipeline) emitParts(s *scratch, whole Output, emit func(Output) error) error {
	if !p.stages.RecordDeAggregation || whole.Nothing || whole.Failure.Type != "" {
		return emit(whole)
	}
	parts, f := p.takeApart(s.parts[:0], whole.Data)
	if f.Type != "" {
		whole.Data, whole.Failure = nil, f
		return emit(whole)
	}
	s.parts = parts
	defer clear(parts[:cap(parts)]) // the record's memory is another's
	for i, data := range parts {
		part := Output{Part: i, Data: data, Source: data, Inflated: whole.Inflated}
		if len(parts) == 1 {
			part.Source = whole.Source
		}
		if err := emit(part); err != nil {
			return err
		}
	}
	return nil
}
