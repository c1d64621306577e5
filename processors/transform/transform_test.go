package transform_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors/transform"
)

// The texts of Firehose's error lines, as they were captured.
const (
	functionError       = "Lambda.FunctionError: The Lambda function was successfully invoked but it returned an error result."
	functionTimedOut    = "Lambda.FunctionTimedOut: The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function."
	missingRecordID     = "Lambda.MissingRecordId: One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids."
	duplicatedRecordID  = "Lambda.DuplicatedRecordId: Multiple records were returned with the same record Id. Ensure that the Lambda function returns a unique record Id for each record."
	processingFailed    = "Lambda.ProcessingFailedStatus: ProcessingFailed status set for record"
	invalidReturnFormat = "Lambda.InvalidReturnFormat: The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and processing result is Ok. " +
		"The value field cannot be null when the SourceType is MSKAsSource and processing result is Ok."
)

// records returns records with these data.
func records(data ...string) []transform.Record {
	list := make([]transform.Record, len(data))
	for i, d := range data {
		list[i] = transform.Record{
			Data: []byte(d), Arrival: time.UnixMilli(1456405200000), ShardID: "shardId-000000000000", PartitionKey: "pk",
			SequenceNumber: fmt.Sprintf("%056d", i/2), SubSequenceNumber: int64(i % 2),
		}
	}
	return list
}

// told says of an outcome what matters, in a line.
func told(o *transform.Outcome) string {
	switch {
	case o.Failure != nil:
		return fmt.Sprintf("%s: %s (%d)", o.Failure.Code, o.Failure.Message, o.Attempts)
	case o.Dropped:
		return fmt.Sprintf("dropped (%d)", o.Attempts)
	default:
		return fmt.Sprintf("%q %v (%d)", o.Data, o.PartitionKeys, o.Attempts)
	}
}

func lines(outcomes []transform.Outcome) []string {
	var list []string
	for i := range outcomes {
		list = append(list, told(&outcomes[i]))
	}
	return list
}

// calls is a Function that notes its calls, and does what do does.
type calls struct {
	do func(ctx context.Context, b *transform.Batch) ([]transform.Result, error)

	mu      sync.Mutex
	batches []transform.Batch
}

func (c *calls) Transform(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
	c.mu.Lock()
	c.batches = append(c.batches, *b)
	c.mu.Unlock()
	return c.do(ctx, b)
}

func (c *calls) ARN() string { return "arn:aws:lambda:us-east-1:123456789012:function:f" }

// all returns the calls so far.
func (c *calls) all() []transform.Batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]transform.Batch(nil), c.batches...)
}

// ok returns the record as it is.
func ok(r *transform.Record) transform.Result {
	return transform.Result{ID: r.ID, Status: transform.Ok, Data: r.Data}
}

// echo returns all records as they are.
func echo(_ context.Context, b *transform.Batch) ([]transform.Result, error) {
	var results []transform.Result
	for i := range b.Records {
		results = append(results, ok(&b.Records[i]))
	}
	return results, nil
}

// logged returns a logger and what it logs.
func logged() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	return zap.New(core), logs
}

// count returns how many entries with a message there are.
func count(logs *observer.ObservedLogs, message string) int { return logs.FilterMessage(message).Len() }

// run is Run of a Runner without more options than retries.
func run(t *testing.T, f transform.Function, retries int, list []transform.Record) []transform.Outcome {
	t.Helper()
	outcomes, err := transform.NewRunner(f, transform.Options{Retries: retries}).Run(t.Context(), list)
	if err != nil || len(outcomes) != len(list) {
		t.Fatalf("%d outcomes of %d records: %v", len(outcomes), len(list), err)
	}
	return outcomes
}
