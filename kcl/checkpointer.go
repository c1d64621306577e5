package kcl

import (
	"context"

	"github.com/shardmill/shardmill/checkpoint"
)

// Checkpointer records how far a shard has been processed. It is valid during
// the call that it was passed to, and after that, if it came with Initialize or
// ProcessRecords, during the later calls of the same processor; only the goroutine
// of these calls may use it. *checkpoint.Checkpointer implements it.
//
// A position that is named must lie between the last checkpoint and the last
// record that the processor was given, both included. It is the caller's mistake
// if it does not, and nothing was written: ErrInvalid, ErrBeforeCheckpoint,
// ErrNotProcessed and ErrSentinel of package checkpoint say which. Once the lease
// is gone every write returns an error that is ErrLeaseLost, and none can succeed
// later. After any other error it is not known whether the write happened; to make
// it again is safe.
type Checkpointer interface {
	// Checkpoint says that every record that the processor was given so far is
	// done. In ShardEnded it writes SHARD_END: the shard's children may begin. It
	// removes a prepared checkpoint, and writes nothing if there is none and the
	// last checkpoint was there already.
	Checkpoint(ctx context.Context) error

	// CheckpointAt says that the records up to and including the one at the
	// position at are done; that of record r is r.Position(). A zero sub-sequence
	// number is the first record of an aggregated one, not its end. In ShardEnded
	// the position of the last record means SHARD_END, as in Java.
	CheckpointAt(ctx context.Context, at checkpoint.Position) error

	// Prepare stores, beside the checkpoint, which stays, the position that
	// Checkpoint would write, with a state of the processor's own, and returns what
	// commits it. If this worker dies first, the next processor finds both in
	// InitializationInput.Pending. ErrStateTooLarge if state has more than
	// checkpoint.MaxStateBytes.
	Prepare(ctx context.Context, state []byte) (*checkpoint.PreparedCheckpoint, error)

	// PrepareAt is Prepare for a position that is named.
	PrepareAt(ctx context.Context, at checkpoint.Position, state []byte) (*checkpoint.PreparedCheckpoint, error)

	// Resume returns the prepared checkpoint that InitializationInput.Pending
	// is, so that it can be committed once its work is finished. Give it the
	// arrival of the last record, if it is known: SetArrival. It writes nothing.
	Resume(pending checkpoint.Prepared) (*checkpoint.PreparedCheckpoint, error)

	// Clear removes a prepared checkpoint, whoever prepared it; the checkpoint
	// stays. It writes nothing if there is none.
	Clear(ctx context.Context) error

	// Last returns the checkpoint as it was last read or written here.
	Last() checkpoint.Position
}

var _ Checkpointer = (*checkpoint.Checkpointer)(nil)
