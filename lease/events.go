package lease

import "time"

// Scan is what one reading of the lease table led to.
type Scan struct {
	Free      int // leases that nobody held
	Needed    int // leases that this worker lacked to its share
	ToTake    int // leases that it tried to take or steal
	Taken     int // those of them that it got
	Spillover int // leases of its share that it leaves to others because of MaxLeases
	LeftAlone int // leases that it may not take, by Judge or because their counter can grow no more; finished ones too

	// OldestCheckpoint and Undated are of the table as it was read, whoever holds
	// its leases; see func OldestCheckpoint.
	OldestCheckpoint time.Time
	Undated          int
}

// OldestCheckpoint returns the earliest server-side timestamp among the
// checkpoints of the leases that are not finished; what arrived in their shards
// before it is done. undated are those of them whose checkpoint has none: at
// no record yet, or written by a Java worker. They say nothing of how far they
// are, and are not in at. at is zero if no lease has one.
//
// now - at is the most that a shard can be behind, and as a rule more than it is:
// it grows on a shard without new records too, where a worker that is at the tip
// moves the timestamp once an hour.
func OldestCheckpoint(list []Lease) (at time.Time, undated int) {
	for _, l := range list {
		switch arrival := l.Checkpoint.Arrival; {
		case l.Finished():
		case !l.Checkpoint.IsRecord() || arrival.IsZero():
			undated++
		case at.IsZero() || arrival.Before(at):
			at = arrival
		}
	}
	return at, undated
}

// Change is what happened to a lease that this worker holds or held.
type Change struct {
	Kind   ChangeKind
	Lease  Lease
	Reason string // of a loss
}

// ChangeKind tells the changes apart.
type ChangeKind int

// The changes of a lease.
const (
	Taken    ChangeKind = iota + 1 // it was free
	Stolen                         // another worker held it
	Lost                           // another worker took it, or trust ran out
	Released                       // given back to the table
)
