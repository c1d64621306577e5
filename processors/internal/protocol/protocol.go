// Package protocol has the decisions of the exactly-once protocol that are
// functions of values. Package processors acts on them; the model in this
// package's tests calls the same ones, so that it checks what runs.
package protocol

import (
	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/plan"
)

// Progress says how far a closed cut is.
type Progress struct {
	Planned   bool // it has a plan for the lease row; without one it is delivered at least once
	Prepared  bool // the plan is known to be in the row
	Published bool // its object is known to be in the store
}

// Step is what a holder does with its cut.
type Step int

// The steps, in their order.
const (
	Prepare Step = iota // store the plan in the lease row
	Publish             // put the object
	Commit              // write the checkpoint, which removes the plan
)

// Next returns the step that a cut needs now. It stays the same one until its
// outcome is known.
func Next(p Progress) Step {
	switch {
	case p.Planned && !p.Prepared:
		return Prepare
	case !p.Published:
		return Publish
	default:
		return Commit
	}
}

// KeyState is what the key of a planned object holds.
type KeyState int

// The states of a key.
const (
	KeyFree  KeyState = iota // no object
	KeyOurs                  // the plan's object
	KeyTaken                 // someone else's
)

// JudgeKey decides whose object a key holds: exists says whether there is one,
// and found which plan's UUID is in its metadata, "" for none.
func JudgeKey(found string, exists bool, id plan.UUID) KeyState {
	switch {
	case !exists:
		return KeyFree
	case found == id.String():
		return KeyOurs
	default:
		return KeyTaken
	}
}

// IsNew reports whether a record at at is to be appended, if the last one that
// was appended or checkpointed is mark.
func IsNew(at, mark checkpoint.ExtendedSequenceNumber) bool { return at.Compare(mark) > 0 }

// IsWhole reports whether what was read again is the very records of a plan:
// so many, with this digest of their data.
func IsWhole(p plan.Plan, records int64, digest [32]byte) bool {
	return records == p.Records && digest == p.Digest
}
