package processors

import (
	"context"
	"errors"

	"github.com/shardmill/shardmill/kcl"
)

// Fate is what becomes of a record, or of one of those that de-aggregation makes of it.
type Fate struct {
	Record int // which of the records that Try got, from 0
	Part   int // which of its fates it is, from 0

	// Data is what is delivered under Prefix, before delimiter and compression; of a
	// record that failed the line of the error object, with its newline.
	Data   []byte
	Prefix string // stands before the name of the object

	// Of a record that failed; "" of others.
	ErrorOutputType, ErrorCode, ErrorMessage string

	Dropped bool // by the transform: nothing is delivered
	Nothing bool // there was nothing to deliver, such as of a control message of CloudWatch Logs
}

// Try tells what would become of records that arrived one after another on a shard. It
// calls the transform, and puts nothing anywhere. tell is called once for each fate, in
// the order of the records, on the caller's goroutine. The error is not about records:
// ctx is done.
func (a *Archiver) Try(ctx context.Context, records []kcl.Record, tell func(Fate)) error {
	_, _, _ = ctx, records, tell
	return errors.New("to try records is not built yet")
}
