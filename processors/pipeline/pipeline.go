// Package pipeline is a record's way from its shard into a cut: the stages that
// Firehose puts it through, in Firehose's order, whatever the order in which they
// are configured. Aggregated records of the KPL are taken apart before:
//
//	Decompression            a subscription's payload of CloudWatch Logs is inflated
//	CloudWatchLogProcessing  its log events are reduced to their messages
//
// Transforms, the extraction of partition keys and format conversion go here. The
// delimiter is a body's.
//
// # What becomes of a record
//
// Exactly one of data, a failure, or nothing, so that a record cannot vanish
// unseen. What is documented (D) or inferred (I):
//
//	a record that is not gzip, or damaged     fails as decompression-failed; its error line has it as it came (D)
//	one that inflates to more than the bounds the same (ours: a bound of Firehose's is not known)
//	messages                                  are joined by newlines (I), with none at the end (I)
//	a DATA_MESSAGE without log events         is nothing (I)
//	a CONTROL_MESSAGE                         is nothing if messages are extracted, else its JSON (I)
//	JSON that is neither                      fails as processing-failed (I)
//
// Codes and messages of failures are ours: none was captured.
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

	"github.com/shardmill/shardmill/kcl"
)

// Failure says why a record could not be processed.
type Failure struct {
	Type    string // what Firehose's error-output-type is then; "" if nothing failed
	Code    string // errorCode of the error line
	Message string // errorMessage of the error line
}

// The types of failures, as Firehose spells them.
const (
	DecompressionFailed = "decompression-failed"
	ProcessingFailed    = "processing-failed"
)

// Output is what becomes of a record.
type Output struct {
	Data    []byte  // if neither of the others is set; who keeps it copies it
	Failure Failure // of the record, as it was received, if it has a Type
	Nothing bool    // the record has nothing to deliver, as it should

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

// Run passes what becomes of a record to emit, once, and returns emit's error. The
// output is good until emit returns. A record that inflates to more than 1 MiB waits for
// the one before it; if ctx is done meanwhile, that is the error, and nothing is passed.
func (p *Pipeline) Run(ctx context.Context, r *kcl.Record, emit func(Output) error) error {
	if !p.stages.Decompression {
		return emit(Output{Data: r.Data})
	}
	s, ok := p.scratch.Get().(*scratch)
	if !ok {
		s = new(scratch)
	}
	defer p.scratch.Put(s)
	return p.inflate(ctx, s, r.Data, func(text []byte, f Failure) error {
		out := Output{Data: text, Failure: f, Inflated: int64(len(text))}
		if f.Type == "" && p.stages.CloudWatchLogProcessing {
			out.Data, out.Failure = messages(text)
			out.Nothing = out.Failure.Type == "" && out.Data == nil
		}
		return emit(out)
	})
}
