package lease

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// Lease is one row of the lease table, the right to process one shard, as it
// was read: an immutable value. Its slices and what Pending points to are
// shared and never written. To pass a Lease to a Store is to claim that the
// row still has its counter; the Store checks.
type Lease struct {
	Key        string // the shard ID; attribute leaseKey
	Owner      string // a worker ID; "" when no one holds it: then leaseOwner is absent
	Counter    int64  // the fence: every write that asserts or moves ownership adds one; leaseCounter
	Checkpoint checkpoint.Position

	// Pending is the prepared checkpoint, nil if there is none; attributes
	// pendingCheckpoint, pendingCheckpointSubSequenceNumber and
	// pendingCheckpointState.
	Pending *checkpoint.Prepared

	// OwnerSwitches counts the owners since the last checkpoint, so that a
	// record that stops every worker can be seen; attribute
	// ownerSwitchesSinceCheckpoint.
	OwnerSwitches int64

	Parents  []string  // shard IDs, at most two; parentShardId
	Children []string  // shard IDs, known after the shard ended; childShardIds
	Range    HashRange // startingHashKey, endingHashKey

	// CheckpointOwner is who still processes the shard during a hand-off of
	// KCL 3.x; "" in a 2.x table; attribute checkpointOwner.
	CheckpointOwner string

	// ThroughputKBps is KCL 3.x's estimate; 0 if absent; throughputKBps.
	ThroughputKBps float64

	// Instance tells apart two processes with one worker ID, and a worker of
	// this package from a Java one. It is "" unless the present owner wrote it.
	Instance string

	// FailoverTime is what the present owner says it lives by; 0 if the owner
	// did not say (a Java worker).
	FailoverTime time.Duration

	// Identity is which shard of which stream the row is of; zero if no worker of
	// this package has written it. shardIdentity.
	Identity Identity

	// Released is why the last holder left the lease, while nobody has taken it
	// since; leaseReleaseReason.
	Released ReleaseReason
}

// Identity says which shard of which stream a lease is of. Shard IDs do not: the
// first shard of every stream has the same one. Any field may be "": unknown.
type Identity struct {
	Stream string // the stream's name
	Start  string // the shard's StartingSequenceNumber; it tells a stream from one created anew under its name
	ARN    string // the stream's, where it is configured
}

// IsZero reports whether nothing is known.
func (i Identity) IsZero() bool { return i == Identity{} }

// Contradicts says what proves that the two are not of one shard, or "". What
// only one of them knows proves nothing.
func (i Identity) Contradicts(other Identity) string {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	switch {
	case differ(i.Stream, other.Stream):
		return fmt.Sprintf("stream %s, not %s", i.Stream, other.Stream)
	case differ(i.ARN, other.ARN):
		return fmt.Sprintf("stream %s, not %s", i.ARN, other.ARN)
	case differ(i.Start, other.Start):
		return fmt.Sprintf("a shard that begins at %s, not %s", i.Start, other.Start)
	}
	return ""
}

// ReleaseReason is why a holder gave its lease back.
type ReleaseReason string

// The reasons. But for the first, others should not hurry to take the lease
// beyond their share: it is meant for somebody, or would come to nothing.
const (
	Plain   ReleaseReason = ""         // the worker stops, or the shard has ended
	Surplus ReleaseReason = "surplus"  // another worker holds too few
	Blocked ReleaseReason = "blocked"  // a parent has not ended
	GivenUp ReleaseReason = "given-up" // its processor failed for the last time; nobody takes it for a failover time
)

// Next returns the counter that a write which moves it leaves.
//
// Errors: ErrInvalidState at the largest number there is.
func (l Lease) Next() (int64, error) {
	if l.Counter == math.MaxInt64 {
		return 0, fmt.Errorf("%w: lease %s: leaseCounter is %d and cannot grow: set it to 0 by hand while no worker runs", ErrInvalidState, l.Key, l.Counter)
	}
	return l.Counter + 1, nil
}

// NextSwitches returns the owner switches that a take from another owner leaves.
// They stay at the largest number there is.
func (l Lease) NextSwitches() int64 {
	return l.OwnerSwitches + min(1, math.MaxInt64-l.OwnerSwitches)
}

// Finished reports whether every record of the shard is done.
func (l Lease) Finished() bool { return l.Checkpoint.IsShardEnd() }

// Holder returns who may act on l, "" if nobody may: the owner, but during a
// hand-off the old one.
func (l Lease) Holder() string { return cmp.Or(l.CheckpointOwner, l.Owner) }

// Fresh returns l as a new row: nobody has owned it.
func (l Lease) Fresh() Lease {
	l.Owner, l.Instance, l.FailoverTime, l.CheckpointOwner, l.Counter, l.OwnerSwitches, l.Released = "", "", 0, "", 0, 0, Plain
	return l
}

// Claim is who takes a lease.
type Claim struct {
	Owner        string        // the worker ID
	Instance     string        // unique to the process's worker, never reused
	FailoverTime time.Duration // how long the lease lives unrenewed
	Identity     Identity      // of the shard, as the stream lists it; zero leaves what the row has
}

// Validate returns an error that is ErrInvalidState if nobody may take a lease
// with c.
func (c Claim) Validate() error {
	if c.Owner == "" || c.Instance == "" || strings.Contains(c.Instance, "/") {
		return fmt.Errorf("%w: a claim needs an owner, and an instance without a slash: got %q and %q", ErrInvalidState, c.Owner, c.Instance)
	}
	return nil
}
