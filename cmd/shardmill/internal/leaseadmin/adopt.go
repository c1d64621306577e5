package leaseadmin

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
)

// AdoptInput is what PlanAdopt decides from.
type AdoptInput struct {
	Leases     []lease.Lease // all of the table; nobody holds one
	Unreadable []*lease.UnreadableError
	Stream     Stream
	Keep       bool // keep each checkpoint that may lie in its shard
	Abandon    bool // pending checkpoints may be removed
}

// PlanAdopt decides what each row becomes so that the table is the stream's, in
// the order of their keys.
//
// A checkpoint is kept if it lies in the shard and nothing says that the row is
// of another one; otherwise reading begins at TRIM_HORIZON, since a record that
// comes twice is better than one that never comes. The rows of shards that the
// stream does not have are deleted, and those that are no shards of one stream
// left alone.
//
// Errors: why it must not be, all reasons.
func PlanAdopt(in AdoptInput) ([]Change, error) {
	errs := []error{in.Stream.whole()}
	var out []Change
	leased := make(map[string]bool)
	for _, row := range in.Leases {
		leased[row.Key] = true
		c := in.change(row)
		if c.Writes() {
			errs = append(errs, changeable(row, in.Abandon))
		}
		out = append(out, c)
	}
	for _, row := range in.Unreadable {
		leased[row.Key] = true
		out = append(out, Change{Kind: Leaves, Before: lease.Lease{Key: row.Key}, After: lease.Lease{Key: row.Key}, Why: row.Error()})
	}
	for _, sh := range in.Stream.Shards {
		if !leased[sh.ID] {
			out = append(out, Change{Kind: Misses, Before: lease.Lease{Key: sh.ID}, Why: "a worker makes the lease if it is needed"})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Change) int { return cmp.Compare(a.Before.Key, b.Before.Key) })
	return out, nil
}

// change decides about one row.
func (in AdoptInput) change(row lease.Lease) Change {
	sh, listed := in.Stream.Shard(row.Key)
	switch {
	case listed:
		return in.adopted(row, sh)
	case lease.IsMultiStreamKey(row.Key):
		return Change{Kind: Leaves, Before: row, After: row, Why: "it is of a fleet that reads several streams"}
	case !lease.IsShardID(row.Key):
		return Change{Kind: Leaves, Before: row, After: row, Why: "its key is no shard ID"}
	}
	return Change{
		Kind: Deletes, Before: row, After: freed(row, checkpoint.Sentinel(checkpoint.ShardEnd)),
		Why: "the stream has no such shard", Warnings: abandoned(row),
	}
}

// adopted decides about the row of a shard that the stream has.
func (in AdoptInput) adopted(row lease.Lease, sh kcl.Shard) Change {
	id := in.Stream.identity(sh, row.Identity)
	why := in.Stream.Contradictions(row)
	after := freed(row, row.Checkpoint)
	if !in.keeps(row, sh) {
		after.Checkpoint, after.Children = checkpoint.Sentinel(checkpoint.TrimHorizon), nil
		if len(why) == 0 && row.Checkpoint.SequenceNumber != checkpoint.TrimHorizon {
			why = append(why, "its checkpoint may be another shard's")
		}
	}
	after.Identity, after.Range, after.Parents = id, sh.Range, sorted(sh.ParentIDs)
	if row.Checkpoint.Equal(after.Checkpoint) && row.Identity == id && sameRelations(row, after) {
		return Change{Kind: Keeps, Before: row, After: row}
	}
	if len(why) == 0 {
		why = append(why, "it does not say all that the stream does")
	}
	return Change{Kind: Rewrites, Before: row, After: after, Why: strings.Join(why, "; "), Warnings: abandoned(row)}
}

// keeps reports whether the row's checkpoint may stand.
func (in AdoptInput) keeps(row lease.Lease, sh kcl.Shard) bool {
	id := in.Stream.identity(sh, row.Identity)
	if !in.Keep && row.Identity.Contradicts(id) != "" {
		return false
	}
	at := row.Checkpoint
	proven := row.Identity.Start != "" && row.Identity.Start == id.Start
	switch {
	case row.Finished():
		return !sh.IsOpen() && (proven || in.Keep)
	case at.IsRecord():
		return within(at.ExtendedSequenceNumber, sh)
	default: // a LATEST without its instant is a later one for each who reads it
		return proven || in.Keep || !at.Arrival.IsZero()
	}
}

func abandoned(row lease.Lease) []string {
	if row.Pending == nil {
		return nil
	}
	return []string{fmt.Sprintf("lease %s: the prepared checkpoint at %v is abandoned: the records after %v up to there may be in two objects", row.Key, row.Pending.At, row.Checkpoint)}
}

func sameRelations(a, b lease.Lease) bool {
	return a.Range.Equal(b.Range) && slices.Equal(sorted(a.Parents), sorted(b.Parents)) && slices.Equal(a.Children, b.Children)
}

func sorted(ids []string) []string { return slices.Sorted(slices.Values(ids)) }
