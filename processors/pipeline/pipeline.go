// Package pipeline is a record's way from its shard into a cut: the stages that
// Firehose puts it through, in Firehose's order. This version has none of them:
// what goes out is the record's data. Transforms, the extraction of partition
// keys, format conversion and the delimiter go here.
package pipeline

import "github.com/shardmill/shardmill/kcl"

// Output is what becomes of a record.
type Output struct {
	Data []byte // the record's own memory: whoever keeps it copies it
}

// Pipeline is the stages that are configured. The zero value is the identity. It
// is safe for concurrent use.
type Pipeline struct{}

// Redoable reports whether what goes out is a function of the records alone, so
// that a cut can be made again by reading them again. A pipeline that asks
// others is not.
func (*Pipeline) Redoable() bool { return true }

// Run passes what becomes of a record to emit, and returns emit's error.
func (*Pipeline) Run(r *kcl.Record, emit func(Output) error) error {
	return emit(Output{Data: r.Data})
}
