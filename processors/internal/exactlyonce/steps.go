package exactlyonce

import (
	"github.com/shardmill/shardmill/checkpoint"
)

// Progress says how far a closed cut is.
type Progress struct {
	Documents bool // it has documents, which an index takes
	Indexed   bool // each of them is in the index, or in what is put as one that failed
	Planned   bool // it has a plan for the lease row; without one it is delivered at least once
	Bundled   bool // its plan names a bundle
	Sealed    bool // the bundle is known to be in the store
	Prepared  bool // the plan is known to be in the row
	Published bool // each of its objects is known to be in the store
	Loading   bool // it has a marker, and its commit waits until that is gone
	Announced bool // the row is known to say that nothing of it is to be put any more
	Loaded    bool // the marker was seen to be gone
}

// Step is what a holder does with its cut.
type Step int

// The steps, in their order.
const (
	Bulk     Step = iota // send the documents; what the cut puts is known after it
	Seal                 // put the bundle
	Prepare              // store the plan in the lease row
	Publish              // put the objects, and then the marker
	Announce             // store in the lease row that they are there
	Await                // look for the marker until it is gone
	Commit               // write the checkpoint, which removes the plan
)

// Next returns the step that a cut needs now. It stays the same one until its
// outcome is known.
func Next(p Progress) Step {
	switch {
	case p.Documents && !p.Indexed:
		return Bulk
	case p.Bundled && !p.Sealed:
		return Seal
	case p.Planned && !p.Prepared:
		return Prepare
	case !p.Published:
		return Publish
	case p.Loading && p.Planned && !p.Announced:
		return Announce
	case p.Loading && !p.Loaded:
		return Await
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
func JudgeKey(found string, exists bool, id UUID) KeyState {
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

// Replay is what reading a plan's records again brought.
type Replay struct {
	First          checkpoint.ExtendedSequenceNumber // of the records; zero if there are none
	Records, Bytes int64
	Digest         Digest // by the plan's rule
}

// ReplayState is what a replay has to do with its plan.
type ReplayState int

// The states of a replay.
const (
	ReplayWhole ReplayState = iota // the plan's very records
	ReplayShort                    // the first ones have expired: a loss, and the rest is what there is
	ReplayWrong                    // other records than the plan's: nothing may be done with them
)

// JudgeReplay compares a replay that ended at the plan's last record, or found
// none at all, with the plan.
//
// Only a beginning can expire, and only in whole records of the stream. So fewer
// records are a loss if the first of them lies beyond the plan's first record;
// whatever else differs, no expiry explains. Whether a rest is the plan's end
// cannot be told: the digest is of all records.
func JudgeReplay(p Plan, r Replay) ReplayState {
	switch {
	case r.Records == p.Records && r.Bytes == p.Bytes && r.Digest == p.Digest:
		return ReplayWhole
	case r.Records == 0 || r.Records < p.Records && r.Bytes <= p.Bytes && isBeyond(r.First, p.First):
		return ReplayShort
	default:
		return ReplayWrong
	}
}

// isBeyond reports whether at is of a later record of the stream than first:
// not of the same aggregated one.
func isBeyond(at, first checkpoint.ExtendedSequenceNumber) bool {
	at.SubSequenceNumber, first.SubSequenceNumber = 0, 0
	return at.Compare(first) > 0
}
