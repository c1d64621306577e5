// Package transform changes records on their way into objects, by the contract of
// Firehose's data transformation: whatever does it gets a batch of records, and says
// of each by its ID what becomes of it.
package transform

import (
	"context"
	"time"
)

// Record is one that a transform gets.
type Record struct {
	ID      string // of no other record of the batch; Lambda's recordId
	Data    []byte // good until the call returns, and not to be changed
	Arrival time.Time

	// Where the record comes from. Records that de-aggregation made of one have the
	// same.
	ShardID, PartitionKey, SequenceNumber string
	SubSequenceNumber                     int64
}

// Batch is what a transform is called with.
type Batch struct {
	InvocationID string // a UUID, the same for each try with these records
	Records      []Record
}

// Status is what a transform says of a record. Another one than these is a fault of
// the transform's.
type Status string

// The statuses, Firehose's.
const (
	Ok               Status = "Ok"               // Result.Data is delivered
	Dropped          Status = "Dropped"          // the record is not to be delivered
	ProcessingFailed Status = "ProcessingFailed" // the record becomes a line of an error object
)

// Result is what a transform says of the record ID.
type Result struct {
	ID     string
	Status Status
	Data   []byte // of Ok; nil is none, and a fault

	// PartitionKeys are metadata.partitionKeys: the values of
	// !{partitionKeyFromLambda:KEY} in a Prefix.
	PartitionKeys map[string]string

	// Fault is set in place of the rest, but ID, if the result cannot be read.
	Fault *Error
}

// Function is a transform.
type Function interface {
	// Transform says what becomes of the records of a batch: one result for each, in
	// any order. An error is about the whole batch; it is an *Error, or counts as
	// Lambda.FunctionError, which is tried again. It ends soon after ctx is done. It
	// may be called side by side.
	Transform(ctx context.Context, b *Batch) ([]Result, error)

	// ARN names the transform in the lines of error objects, as lambdaARN.
	ARN() string
}

// Error says why a batch, or a record of one, could not be transformed.
type Error struct {
	Code    string // errorCode of the error line, such as Lambda.FunctionError
	Message string // errorMessage of the error line
	Retry   bool   // whether the same batch may have a better end

	// TooLarge says that the answer was more than an answer may be: two halves of the
	// batch may have a better end.
	TooLarge bool

	Err error // for the log; nil if there is no more to say
}

// Error returns code, message and what is behind them.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Message + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Outcome is what becomes of a record.
type Outcome struct {
	Data          []byte            // if neither of the others is set
	PartitionKeys map[string]string // of Data
	Dropped       bool
	Failure       *Error // of the record

	Attempts int       // calls that had the record
	Ended    time.Time // the last of them
}
