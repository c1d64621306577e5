// Package leaseadmin is what an operator may do to a lease table that no worker
// may: set a lease elsewhere, free one whose holder hangs, and make a table that
// of another stream.
//
// What becomes of a row is decided by pure functions ([PlanSet], [PlanRelease],
// [PlanAdopt]) from what was read, and shown before anything is written. Each
// row is then written at once, on the condition that it still is as it was read
// ([Apply]), so a command that is killed leaves no row half changed and may be
// run again.
//
// A worker that lives renews its leases several times in a failover time.
// [Quiet] therefore watches the rows for one: as other workers do, it believes
// no clock but its own.
package leaseadmin

import (
	"context"

	"github.com/shardmill/shardmill/lease"
)

// Table is what is needed of a lease table; *leasedynamo.Table has it.
type Table interface {
	List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error)
	Get(ctx context.Context, key string) (lease.Lease, error)
	Release(ctx context.Context, held lease.Lease, why lease.ReleaseReason) (lease.Lease, error)
	Delete(ctx context.Context, seen lease.Lease) error

	// Rewrite frees the lease that seen is, and gives it the checkpoint, the
	// identity, the relations and the range of now.
	Rewrite(ctx context.Context, seen, now lease.Lease) (lease.Lease, error)
}

// Change is what becomes of one row.
type Change struct {
	Kind   Kind
	Before lease.Lease // as it was read; of a shard without a row only the key
	After  lease.Lease // as it will be, unless it is deleted
	Why    string      // of an adoption; may be ""

	// Warnings are what follows from it that one may not expect.
	Warnings []string
}

// Kind is what is done to a row.
type Kind string

// The kinds of changes.
const (
	Keeps    Kind = "keep"    // it is as it must be
	Rewrites Kind = "rewrite" // Before becomes After
	Releases Kind = "release" // it loses its owner, and nothing else
	Deletes  Kind = "delete"
	Leaves   Kind = "leave" // it is not this command's to change
	Misses   Kind = "none"  // there is no row
)

// Writes reports whether the change writes anything.
func (c Change) Writes() bool { return c.Kind == Rewrites || c.Kind == Releases || c.Kind == Deletes }
