package checkpoint

import (
	"errors"
	"slices"
)

// The ways to misuse a Checkpointer. Each is the caller's mistake: nothing was
// written, and trying again with the same arguments cannot help.
var (
	// ErrInvalid means that a position is malformed: neither digits nor a
	// sentinel, a negative sub-sequence number, or a sentinel with one.
	ErrInvalid = errors.New("invalid checkpoint position")

	// ErrBeforeCheckpoint means that the position lies before the last
	// checkpoint: checkpoints never go back.
	ErrBeforeCheckpoint = errors.New("position is before the last checkpoint")

	// ErrNotProcessed means that the position lies after the last record that
	// was handed to the processor.
	ErrNotProcessed = errors.New("position was not processed yet")

	// ErrSentinel means that the position is a sentinel that only the library
	// may write: TRIM_HORIZON, LATEST or AT_TIMESTAMP, or SHARD_END before
	// ShardEnded was called.
	ErrSentinel = errors.New("sentinel cannot be checkpointed here")

	// ErrStateTooLarge means that the state of a prepared checkpoint is larger
	// than MaxStateBytes.
	ErrStateTooLarge = errors.New("state of the prepared checkpoint is too large")

	// ErrPreparedStale means that a prepared checkpoint cannot be committed:
	// another checkpoint was prepared or committed after it.
	ErrPreparedStale = errors.New("prepared checkpoint was replaced")
)

// IsMisuse reports whether err is, or wraps, one of the errors above.
func IsMisuse(err error) bool {
	return slices.ContainsFunc([]error{
		ErrInvalid, ErrBeforeCheckpoint, ErrNotProcessed, ErrSentinel, ErrStateTooLarge, ErrPreparedStale,
	}, func(e error) bool { return errors.Is(err, e) })
}

// MaxStateBytes is the largest state that Prepare accepts. A lease row must
// stay far below DynamoDB's 400 KB, and each KB costs a write unit.
const MaxStateBytes = 16 << 10
