package leasedynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/lease"
)

// Rewrite makes the row of a lease what an operator decided, in one write. The
// checkpoint, the identity, parents and children become those of now, and so
// does the hash range if now has one. The owner, what owners said of themselves,
// and the pending checkpoint are removed; switches are 0; the counter moves, so
// that whoever held the lease has lost it. All else stays.
//
// It writes if the row has the counter and the owner of seen. That nobody lives
// by the lease any more is for the caller to know.
//
// It may be repeated with the same arguments. Errors: as lease.Store's.
func (t *Table) Rewrite(ctx context.Context, seen, now lease.Lease) (lease.Lease, error) {
	next, err := seen.Next()
	if err != nil {
		return lease.Lease{}, err
	}
	if now.Key != seen.Key {
		return lease.Lease{}, fmt.Errorf("%w: lease %s cannot become lease %s", lease.ErrInvalidState, seen.Key, now.Key)
	}
	if err := creatable(now); err != nil {
		return lease.Lease{}, err
	}
	c := setCounter(next).and(setCheckpoint(now.Checkpoint)).and(setIdentity(now.Identity)).and(setSwitches(0)).and(setRange(now.Range)).
		and(setOrRemove(parentShardID, now.Parents)).and(setOrRemove(childShardIDs, now.Children)).and(removePending())
	c.remove = append(c.remove, leaseOwner, ownerInstance, ownerFailover, checkpointOwner, releaseReason)
	return t.update(ctx, write{
		key:     seen.Key,
		allowed: func(e *expression) string { return e.unchanged(seen) },
		change:  c,
		stays:   func(lease.Lease) bool { return true },
	})
}

// setOrRemove sets a set of strings, which is never empty.
func setOrRemove(attr string, values []string) change {
	if len(values) == 0 {
		return change{set: item{}, remove: []string{attr}}
	}
	return change{set: item{attr: &types.AttributeValueMemberSS{Value: slices.Clone(values)}}}
}
