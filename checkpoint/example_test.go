package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// Places are ordered by the value of their number, which does not fit an integer,
// and not by its text.
func ExampleExtendedSequenceNumber_Compare() {
	at := func(sequence string, sub int64) checkpoint.ExtendedSequenceNumber {
		return checkpoint.ExtendedSequenceNumber{SequenceNumber: sequence, SubSequenceNumber: sub}
	}
	places := []checkpoint.ExtendedSequenceNumber{
		at(checkpoint.ShardEnd, 0), at("1000", 0), at("999", 1), at("999", 0), at(checkpoint.TrimHorizon, 0),
	}
	slices.SortFunc(places, checkpoint.ExtendedSequenceNumber.Compare)
	fmt.Println(places)
	// Output: [TRIM_HORIZON 999 999/1 1000 SHARD_END]
}

// A processor is tested without a worker: New's Checkpointer keeps the worker's
// rules, and the test calls Processed in its stead.
func ExampleCheckpointer_CheckpointAt() {
	ctx := context.Background()
	cp := checkpoint.New(printedRow{}, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
	cp.Processed(checkpoint.At("1002", 0, time.Time{})) // the last record that the processor got

	fmt.Println(cp.CheckpointAt(ctx, checkpoint.At("1001", 0, time.Time{})))
	err := cp.CheckpointAt(ctx, checkpoint.At("1003", 0, time.Time{}))
	fmt.Println(errors.Is(err, checkpoint.ErrNotProcessed))
	fmt.Println(cp.Checkpoint(ctx))
	// Output:
	// written: 1001
	// <nil>
	// true
	// written: 1002
	// <nil>
}

// printedRow stands for the lease row.
type printedRow struct{}

func (printedRow) Checkpoint(_ context.Context, at checkpoint.Position) error {
	fmt.Println("written:", at)
	return nil
}

func (printedRow) Prepare(context.Context, checkpoint.Prepared) error { return nil }
