package partition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

// Rules say what is found in a record.
type Rules struct {
	// Query is Firehose's MetadataExtractionQuery: a program of jq 1.6 for an object whose
	// members are the partition keys. "" finds none.
	Query string

	// EventTime is a query for the time of the event that the record is of, and
	// Formats how it may be written: see the package. "" finds none. Default of Formats:
	// rfc3339, epoch-seconds, epoch-milliseconds.
	EventTime string
	Formats   []string
}

// Error says what is wrong with a member of Rules.
type Error struct {
	Field  string // "Query", "EventTime" or "Formats"
	Reason string // what is wrong: follows the name of the member
	Remedy string // what to do
	Rule   string // Firehose's text, if it is known by which it refuses the value
}

// Error returns the member, the reason and the remedy.
func (e *Error) Error() string { return e.Field + " " + e.Reason + ": " + e.Remedy }

// Extraction finds what some rules say. It is safe for concurrent use.
type Extraction struct {
	keys    []string
	plain   *node // the leaves are the keys, and then the time of the event; nil if nothing is plain
	query   *jq.Program
	time    *jq.Program
	formats []format // none: the time is not asked for
	limits  jq.Limits
	turn    chan struct{} // has room for who has the right to run jq on a large record
}

// The bounds of one query on one record.
const (
	maxTime   = time.Second
	maxMemory = 64 << 20
)

// largeRecord is from how many bytes on records are decoded one at a time: what is in memory of them
// is many times as much.
const largeRecord = 1 << 20

// New returns what finds what r says. The error joins an [*Error] for each thing that is
// wrong with it.
func New(r Rules) (*Extraction, error) { return compile(r, true) }

// compile makes an Extraction, with or without a way around jq for plain paths.
func compile(r Rules, around bool) (*Extraction, error) {
	x := &Extraction{limits: jq.Limits{Time: maxTime, Memory: maxMemory}, turn: make(chan struct{}, 1)}
	tree := new(node)
	err := errors.Join(x.compileQuery(r.Query, tree, around), x.compileTime(r, tree, around))
	if err != nil {
		return nil, err
	}
	if len(tree.all) > 0 {
		x.plain = tree
	}
	return x, nil
}

// Keys returns the names of the partition keys, in order. They are not to be changed.
func (x *Extraction) Keys() []string { return x.keys }

// Open returns an Extractor.
func (x *Extraction) Open() *Extractor {
	e := &Extractor{x: x, leaves: make([]leaf, len(x.keys)+1), values: make([][]byte, len(x.keys))}
	var err error
	if x.query != nil {
		e.query, err = x.query.Open(x.limits)
		e.broken = errors.Join(e.broken, err)
	}
	if x.time != nil {
		e.time, err = x.time.Open(x.limits)
		e.broken = errors.Join(e.broken, err)
	}
	return e
}

// Extractor finds what is in one record after another. One goroutine uses it.
type Extractor struct {
	x           *Extraction
	query, time *jq.Runner
	leaves      []leaf
	values      [][]byte
	buf         []byte
	broken      error // a program that was compiled before cannot be
}

// Failure says why the keys of a record cannot be had.
type Failure struct {
	Message string // errorMessage of the error line; it has nothing of the record
}

func (f *Failure) Error() string { return f.Message }

// Extract returns the values of Keys, good until the next call and while data is not changed, and
// the time of the event in UTC, if the rules ask for it. Of the records of more than 1 MiB that jq is
// needed for, those of all Extractors of an Extraction, there is one at a time; the others wait, alive for a
// call of package deadline. The error is a *Failure if it is the
// record's; else ctx is done. What is wrong with the keys comes before what is wrong
// with the time.
func (e *Extractor) Extract(ctx context.Context, data []byte) (values [][]byte, at time.Time, err error) {
	if e.broken != nil || ctx.Err() != nil {
		return nil, time.Time{}, errors.Join(e.broken, ctx.Err())
	}
	e.buf = e.buf[:0]
	if e.x.plain != nil && !e.walk(data) {
		return nil, time.Time{}, failure(notJSON)
	}
	if (e.query != nil || e.time != nil) && len(data) > largeRecord {
		if err := deadline.Enter(ctx, e.x.turn); err != nil {
			return nil, time.Time{}, fmt.Errorf("waiting to decode a large record: %w", err)
		}
		defer func() { <-e.x.turn }()
	}
	switch {
	case e.query != nil:
		err = e.run(ctx, data)
	case len(e.x.keys) > 0:
		err = e.collect(data)
	}
	if err == nil && len(e.x.formats) > 0 {
		at, err = e.eventTime(ctx, data)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	return e.values, at, nil
}

// The messages of failures. The first two are Firehose's.
const (
	notJSON     = "Non JSON record provided"
	nullOrEmpty = "partitionKeys values must not be null or empty"
	notScalar   = "partitionKeys values must not be arrays or objects"
	failed      = "jq: the query fails on this record"
	noResult    = "jq: the query has no result for this record"
	moreResults = "jq: the query has more than one result for this record"
	tooSlow     = "jq: the query takes too long on this record"
	tooLarge    = "jq: the query makes too much of this record"
	broken      = "jq: the query cannot be run on this record, by a fault of its interpreter"
)

func failure(message string) error { return &Failure{message} }

// why is the failure that an error of a program is.
func why(err error) error {
	switch {
	case errors.Is(err, jq.ErrInput):
		return failure(notJSON)
	case errors.Is(err, jq.ErrFailed):
		return failure(failed)
	case errors.Is(err, jq.ErrTime):
		return failure(tooSlow)
	case errors.Is(err, jq.ErrMemory):
		return failure(tooLarge)
	case errors.Is(err, jq.ErrBroken):
		return failure(broken)
	}
	return err
}

// only runs a program, and returns its only result. One that takes too long is tried once more:
// it may have been the process that stood still, and the record is a good one.
func only(ctx context.Context, r *jq.Runner, data []byte) (result any, err error) {
	var n int
	for range 2 {
		n = 0
		err = r.Run(ctx, data, func(v any) bool {
			result = v
			n++
			return n < 2
		})
		if !errors.Is(err, jq.ErrTime) {
			break
		}
	}
	switch {
	case err != nil:
		return nil, why(err)
	case n == 0:
		return nil, failure(noResult)
	case n > 1:
		return nil, failure(moreResults)
	}
	return result, nil
}
