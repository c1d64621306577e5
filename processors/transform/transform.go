package transform

import (
	"context"
	"strings"
	"time"
)

// Record is one that a transform gets.
type Record struct {
	ID      string // of no other record of the batch; Lambda's recordId
	Data    []byte // not to be changed; good until the call returns
	Arrival time.Time

	// Where the record comes from. Records that de-aggregation made of one have the
	// same.
	ShardID, PartitionKey, SequenceNumber string
	SubSequenceNumber                     int64
}

// Batch is what a transform is called with.
type Batch struct {
	InvocationID string // a UUID, the same for each try with these records
	Origin       Origin
	Records      []Record
}

// Origin says what the records of all batches have in common.
type Origin struct {
	DeliveryStreamARN string // of what has a name and nothing else, in Firehose's form; see DeliveryStreamARN
	SourceStreamARN   string // of the Kinesis stream; "" leaves sourceKinesisStreamArn out of a request
	Region            string
}

// DeliveryStreamARN is the ARN that a delivery stream of Firehose's would have. An
// archiver is none, so its ARN is made up, in the form that functions may take apart.
func DeliveryStreamARN(region, account, name string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return "arn:" + partition + ":firehose:" + region + ":" + account + ":deliverystream/" + name
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

	// Data is what is delivered, of Ok; nil is none, and a fault. It must stay as it is
	// even after Transform returned, until nothing refers to it: it is kept, not copied,
	// and so a buffer that is used again would corrupt what is delivered. It may be the
	// record's data, or a part of these.
	Data []byte

	// PartitionKeys are metadata.partitionKeys: the values of
	// !{partitionKeyFromLambda:KEY} in a Prefix.
	PartitionKeys map[string]string

	// Fault is set in place of the rest, but ID, if the result cannot be read.
	Fault *Error
}

// Function is a transform. What it holds on to, such as processes, is ended by who made
// it, after the worker that calls it: a RecordProcessor knows no end of all shards.
type Function interface {
	// Transform says what becomes of the records of a batch: one result for each, in
	// any order. An error is about the whole batch; it is an *Error, or counts as
	// Lambda.FunctionError, which is tried again. It ends soon after ctx is done. It
	// may be called side by side.
	Transform(ctx context.Context, b *Batch) ([]Result, error)

	// ARN names the transform in the lines of error objects, as lambdaARN.
	ARN() string
}

// Queue is a Function whose calls may have to wait for one another. The time that
// Options.Timeout gives a call begins after that.
type Queue interface {
	Function

	// Enter waits until a call may begin, and shows that it is alive meanwhile. The
	// call is made with the context that it returns; leave must be called when the call
	// has returned. The error is the cause of ctx's end, if that came first, or an *Error.
	Enter(ctx context.Context) (call context.Context, leave func(), err error)
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

	Attempts int       // calls that had the record; 0 if it is too large for one
	Ended    time.Time // the last of them; else when that was found
}
