// Package partition finds the partition keys of records, as Firehose's dynamic
// partitioning does: by a query of jq 1.6.
package partition

import (
	"context"
	"time"
)

// Rules say what is found in a record.
type Rules struct {
	// Query is Firehose's MetadataExtractionQuery: an object whose members are the
	// partition keys. "" finds none.
	Query string

	// EventTime is a query for the time of the event that the record is of, and
	// Formats how it may be written. "" finds none.
	EventTime string
	Formats   []string
}

// Extraction finds what some rules say. It is safe for concurrent use.
type Extraction struct{}

// New returns what finds what r says.
func New(r Rules) (*Extraction, error) { _ = r; return &Extraction{}, nil }

// Keys returns the names of the partition keys, in order.
func (*Extraction) Keys() []string { return nil }

// Open returns an Extractor.
func (x *Extraction) Open() *Extractor { return &Extractor{x} }

// Extractor finds what is in one record after another. One goroutine uses it.
type Extractor struct{ x *Extraction }

// Extract returns the values of Keys, good until the next call, and the time of the
// event, if the rules ask for it. The error is a *Failure if it is the record's; else
// ctx is done.
func (*Extractor) Extract(ctx context.Context, data []byte) (values [][]byte, at time.Time, err error) {
	return nil, time.Time{}, ctx.Err()
}

// Failure says why the keys of a record cannot be had.
type Failure struct {
	Message string // errorMessage of the error line
}

func (f *Failure) Error() string { return f.Message }
