package kcl

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"

	"github.com/shardmill/shardmill/checkpoint"
)

// HandleEach returns a factory of processors that call f with each record, and
// checkpoint a batch when f has taken all of it: at least once, as Handle does.
//
// If f fails with a record, or panics, only that record is tried again, after a
// delay that grows. After Config.MaxAttempts tries, or at once if the error is
// GiveUp's, only that record goes to Config.DeadLetter; without one the worker
// gives the lease up, and whoever takes it begins at that record.
//
// What that does to order: the records of one partition key come in order. f gets
// those of other keys that came in the same read while the failed record waits
// for its next try; those of its own key, and all later reads, wait until it was
// taken or dead-lettered. One record at a time may be behind: if f fails with
// another one, nothing more is tried before the first is settled. No checkpoint
// passes a record that is not settled, so after a crash f gets again, with the
// failed record, those that it took after it.
//
// Config.CallTimeout is for all records of a read together, if it is set: once it
// has passed f is not called any more, and the next record counts as the one that
// failed, though it was not tried.
//
// The record's Data may be used only until f returns: Clone what you keep. f is
// called from one goroutine for each shard, with the context that ProcessRecords
// gets. A call that ends its goroutine by runtime.Goexit counts as a panic of the
// processor, which fails with all records of the batch.
func HandleEach(f func(ctx context.Context, shard ShardInfo, record Record) error) ProcessorFactory {
	return func(s ShardInfo) RecordProcessor {
		return &eachHandler{shard: s, f: f, waiting: make(map[checkpoint.ExtendedSequenceNumber]struct{})}
	}
}

// eachHandler knows what f has taken of a batch: all up to through but those that
// are waiting. What comes again, since one failed or a checkpoint did, is passed
// over.
type eachHandler struct {
	Defaults

	shard   ShardInfo
	f       func(context.Context, ShardInfo, Record) error
	through checkpoint.ExtendedSequenceNumber
	waiting map[checkpoint.ExtendedSequenceNumber]struct{}

	// reached is the record that the last call failed with, or its last one. All
	// up to settled were taken or dead-lettered.
	reached, settled checkpoint.Position
}

func (h *eachHandler) ProcessRecords(ctx context.Context, in ProcessRecordsInput) error {
	if len(in.Records) == 0 {
		return nil
	}
	h.pass(in.Records[0].Position())
	failed, err := h.each(ctx, in.Records)
	if err == nil {
		h.reached = lastOf(in.Records)
		return in.Checkpointer.Checkpoint(ctx)
	}
	h.reached = lastOf(in.Records[:failed+1])
	if failed > 0 {
		h.settled = lastOf(in.Records[:failed])
	}
	if h.settled.Compare(in.Checkpointer.Last().ExtendedSequenceNumber) > 0 {
		if cpErr := in.Checkpointer.CheckpointAt(ctx, h.settled); cpErr != nil {
			err = fmt.Errorf("%w (and the records before it were not checkpointed: %v)", err, cpErr) //nolint:errorlint // err says what becomes of the record
		}
	}
	return FailedAt(in.Records[failed], err)
}

// pass notes that all before first, the first record of a call, is settled: one
// that f did not take was dead-lettered.
func (h *eachHandler) pass(first checkpoint.Position) {
	if h.reached.Compare(first.ExtendedSequenceNumber) < 0 {
		h.settled = h.reached
	}
	maps.DeleteFunc(h.waiting, func(at checkpoint.ExtendedSequenceNumber, _ struct{}) bool {
		return first.Compare(at) > 0
	})
}

// ShutdownRequested checkpoints, since what was dead-lettered last is not yet.
func (h *eachHandler) ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

// each calls f with the records that it has not taken. It returns the index of
// the first that it did not take, and why, if there is one.
func (h *eachHandler) each(ctx context.Context, recs []Record) (failed int, err error) {
	defer func() { h.through = h.through.Clone() }()
	for i := range recs {
		at := recs[i].Position().ExtendedSequenceNumber
		switch {
		case h.taken(at):
			continue
		case err == nil:
			if err = h.call(ctx, recs[i]); err != nil {
				failed = i
				h.waiting[at.Clone()] = struct{}{}
			} else {
				delete(h.waiting, at)
			}
		case recs[i].PartitionKey == recs[failed].PartitionKey:
			h.waiting[at.Clone()] = struct{}{}
		default:
			if next := h.call(ctx, recs[i]); next != nil {
				return failed, fmt.Errorf("%w (and then record %v: %v)", err, at, next) //nolint:errorlint // it will be told when it is its turn
			}
			delete(h.waiting, at)
		}
		if at.Compare(h.through) > 0 {
			h.through = at
		}
	}
	return failed, err
}

// taken reports whether f has taken the record at at.
func (h *eachHandler) taken(at checkpoint.ExtendedSequenceNumber) bool {
	_, waits := h.waiting[at]
	return at.Compare(h.through) <= 0 && !waits
}

// call calls f, whose panics are errors: the other records are none the worse.
func (h *eachHandler) call(ctx context.Context, r Record) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Call: "HandleEach's function", Value: v, Stack: debug.Stack()}
		}
	}()
	return h.f(ctx, h.shard, r)
}
