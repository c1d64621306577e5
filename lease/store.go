package lease

import (
	"context"

	"github.com/shardmill/shardmill/checkpoint"
)

// Store is what taking and holding leases needs of a lease table. Each method
// but List and Get writes one row, once, on a condition. "held" means that the
// row has the Counter, the Owner and no CheckpointOwner, or during a hand-off
// the CheckpointOwner, of the value passed.
//
//	method      writes if the row        and sets
//	Take        has the counter of seen  owner, instance, failover time; identity if the claim has one; counter+1; switches+1 if seen had another owner,
//	                                     up to the largest number there is; removes checkpointOwner and the reason of a release
//	Renew       is held                  counter+1
//	Checkpoint  is held                  checkpoint and its timestamp (absent if unknown), identity if held has one, switches 0, counter+1;
//	                                     removes the pending checkpoint
//	Prepare     is held                  the pending checkpoint, counter+1; checkpoint and switches stay
//	Release     is held                  why, unless Plain; removes owner, instance and failover time; counter+1; all else stays, the pending checkpoint too.
//	                                     In a hand-off it removes checkpointOwner instead of the owner, who is the next one, and says no reason
//
// A write that succeeds returns the new row. If the condition fails the row
// stays as it is and the error is ErrLost, unless the row shows that this very
// write happened before: counter+1, and owner, instance and each attribute the
// write sets as it would set them. Then it succeeds and returns that row. So
// every write may be repeated with the same arguments.
//
// Each call returns within a time of its own, whether the service answers or not:
// the caller's context need not end, so a call that waits for ever stops the loop
// that made it. The error of a request that was not answered is none of the named
// ones below, for its outcome is unknown. leasetest.RunUnanswered checks that.
//
// What an error says of the write:
//
//	ErrLost           it did not happen, and cannot happen any more: the lease is another's, or the row is gone
//	ErrThrottled,     nothing was written by this call, and it may pass
//	ErrAccessDenied,
//	ErrTableNotFound
//	ErrInvalidState   nothing was written, and trying again is no use until somebody changes something; also for arguments
//	                  that no row may have, and for a counter that is the largest number there is
//	UnreadableError   the row is malformed, so nobody can tell: it is the one that this write left, or would have changed.
//	                  It is an ErrInvalidState, too
//	any other         unknown: repeat the same write before any other one of that row. A request that was given up may
//	                  still take effect later
//
// A Store is safe for concurrent use. Unknown attributes of a row survive every
// write. leasetest.Run checks all of the above.
// Source: KCL DynamoDBLeaseRefresher, DynamoDBLeaseSerializer.
type Store interface {
	// List returns every lease, in no order, from all pages of the table, and
	// apart from them those whose rows are malformed. It is not a snapshot, and
	// it may miss the newest rows and writes. Rows that are not leases are skipped
	// and counted.
	List(ctx context.Context) (leases []Lease, unreadable []*UnreadableError, err error)

	// Get reads one row, consistently. ErrNotFound if there is none.
	Get(ctx context.Context, key string) (Lease, error)

	Take(ctx context.Context, seen Lease, by Claim) (Lease, error)
	Renew(ctx context.Context, held Lease) (Lease, error)
	Checkpoint(ctx context.Context, held Lease, at checkpoint.Position) (Lease, error)
	Prepare(ctx context.Context, held Lease, p checkpoint.Prepared) (Lease, error)
	Release(ctx context.Context, held Lease, why ReleaseReason) (Lease, error)
}

// Registry is what shard sync and clean-up need of a lease table. Its methods
// never change who holds a lease, and the counter of a row only by removing it.
//
//	method       writes if                                and does
//	Create       there is no row                          puts the row: counter 0, switches 0, no owner
//	CreateChild  parent is held or, if it has no owner,   puts the child's row, in one transaction with the check of the parent's
//	             unchanged; and child has no row
//	Annotate     there is a row                           sets the children, or the hash range, or both, as given
//	Delete       the row is finished, has seen's counter  removes it
//
// Errors: as Store's. Create returns ErrExists if there is a row. CreateChild
// returns ErrLost if parent is not as asked for, else nil if the child has a
// row, whoever made it. Annotate returns ErrNotFound and Delete ErrLost if the row is not
// as told; Delete succeeds if the row is gone. A Create that was given up may put
// the row much later: who deletes a finished row leaves it there for long enough.
type Registry interface {
	Create(ctx context.Context, l Lease) error
	CreateChild(ctx context.Context, parent, child Lease) error
	Annotate(ctx context.Context, key string, children []string, r HashRange) error
	Delete(ctx context.Context, seen Lease) error
}

// Table is a whole lease table.
type Table interface {
	Store
	Registry

	// Ensure makes the table usable: it creates the table if there is none and
	// waits until it is ready, checks its shape, and finds out which protocol
	// the fleet speaks. It may be called again at any time to find that out
	// anew; it then costs a few small reads. A table that it has found once is
	// never made again: with it all leases are gone, and a new one would have
	// every shard read from its beginning.
	//
	// Each of its requests ends after a time of its own, but it waits for a table
	// that is being created until ctx is done, and tells of that.
	//
	// Errors: ErrInvalidState if the table has another shape, or belongs to a
	// fleet whose protocol is not spoken here; the text says what was found.
	// ErrAccessDenied. ErrTableNotFound if there is no table and none is to be
	// made, as there was one, or by configuration. Any other error may pass.
	Ensure(ctx context.Context) error
}
