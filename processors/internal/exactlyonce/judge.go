package exactlyonce

import (
	"errors"
	"fmt"
	"slices"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/prefix"
)

// Verdict is what a new holder of a lease must do about the pending checkpoint
// that it found.
type Verdict int

// The verdicts.
const (
	None      Verdict = iota // there is no pending checkpoint
	Foreign                  // it is not an archiver's: begin at the checkpoint and leave it
	Newer                    // only a newer version can finish it: do not go on
	Broken                   // it is damaged: do not go on
	Void                     // it does not belong to this row as it is now: clear it
	Redo                     // finish it before reading
	Forbidden                // its object would go where none of this archiver's goes: do not go on
)

// String returns the verdict as one word of a log line.
func (v Verdict) String() string {
	switch v {
	case None:
		return "none"
	case Foreign:
		return "foreign"
	case Newer:
		return "newer"
	case Broken:
		return "broken"
	case Void:
		return "void"
	case Redo:
		return "redo"
	case Forbidden:
		return "forbidden"
	default:
		return "unknown"
	}
}

var (
	// ErrBucket means that a plan names a bucket which is none of the
	// archiver's.
	ErrBucket = errors.New("the plan's object would go to a bucket that is not this archiver's")

	// ErrKey means that a key is none that an archiver gives an object.
	ErrKey = errors.New("the plan's object would have a key that no archiver makes")
)

// Judge decides about the pending checkpoint of a lease row whose checkpoint
// is at and which has the given identity. The plan is set for Redo and
// Forbidden, the error says why for Newer, Broken, Void and Forbidden.
//
// What is in the row is from whoever can write to the table, so where the
// object goes is not believed: each of the plan's targets must be good by
// Target.Judge. The error of Forbidden is ErrBucket or ErrKey.
func Judge(pending *checkpoint.Prepared, at checkpoint.ExtendedSequenceNumber, id Identity, buckets []string) (Verdict, Plan, error) {
	if pending == nil {
		return None, Plan{}, nil
	}
	p, err := Decode(pending.State)
	switch {
	case errors.Is(err, ErrForeign):
		return Foreign, Plan{}, nil
	case errors.Is(err, ErrNewer):
		return Newer, Plan{}, err
	case err != nil:
		return Broken, Plan{}, err
	case !p.Identity.Matches(id):
		return Void, Plan{}, errors.New("the plan is of another table, stream or shard")
	case p.After != at:
		return Void, Plan{}, fmt.Errorf("the plan begins after %v, the checkpoint is %v", p.After, at)
	case pending.At != p.Last && !pending.At.IsShardEnd():
		return Void, Plan{}, fmt.Errorf("the plan ends at %v, the pending checkpoint is %v", p.Last, pending.At)
	}
	for _, t := range p.Targets() {
		if err := t.Judge(buckets); err != nil {
			return Forbidden, p, err
		}
	}
	return Redo, p, nil
}

// Judge returns nil if the bucket is one of buckets and the key is one that an
// archiver makes, else an error that is ErrBucket or ErrKey.
func (t Target) Judge(buckets []string) error {
	if !slices.Contains(buckets, t.Bucket) {
		return &BucketError{t.Bucket, buckets}
	}
	if err := prefix.CheckKey(t.Key); err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	return nil
}

// BucketError is an ErrBucket.
type BucketError struct {
	Bucket string
	Ours   []string
}

func (e *BucketError) Error() string {
	return fmt.Sprintf("%v: %.255q, and not one of %q", ErrBucket, e.Bucket, e.Ours)
}

// Unwrap returns ErrBucket.
func (*BucketError) Unwrap() error { return ErrBucket }

// Targets returns where what a plan names is, or goes: its object, or its bundle and
// what objects of that it knows, or the marker that it awaits the end of.
func (p Plan) Targets() []Target {
	switch {
	case p.Awaits != nil:
		return []Target{*p.Awaits}
	case p.Bundle == nil:
		return []Target{{p.Bucket, p.Key}}
	default:
		return append([]Target{{p.Bundle.Bucket, p.Bundle.Key}}, p.Bundle.Objects...)
	}
}
