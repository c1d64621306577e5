package checkpoint

import "time"

// Position is a place in a shard with the server-side timestamp of the record
// there.
type Position struct {
	ExtendedSequenceNumber

	// Arrival is the ApproximateArrivalTimestamp of the record at this place;
	// at LATEST or AT_TIMESTAMP it is the instant at which reading begins.
	// Everything that arrived before it is done. The zero time means unknown:
	// a Java worker stores none. The table keeps whole milliseconds.
	//
	// Arrival times of a shard are not monotonic, so they measure lag and
	// bound a loss; they never choose where reading resumes after a record.
	Arrival time.Time
}

// Sentinel returns the position of a sentinel, with no timestamp.
func Sentinel(name string) Position {
	return Position{ExtendedSequenceNumber: ExtendedSequenceNumber{SequenceNumber: name}}
}

// At returns the position of a record.
func At(sequenceNumber string, subSequenceNumber int64, arrival time.Time) Position {
	return Position{
		ExtendedSequenceNumber: ExtendedSequenceNumber{SequenceNumber: sequenceNumber, SubSequenceNumber: subSequenceNumber},
		Arrival:                arrival,
	}
}

// Clone returns p with a string of its own, as ExtendedSequenceNumber.Clone does.
func (p Position) Clone() Position {
	p.ExtendedSequenceNumber = p.ExtendedSequenceNumber.Clone()
	return p
}

// Equal reports whether p and q are the same place with the same timestamp to
// the millisecond, which is what the table keeps.
func (p Position) Equal(q Position) bool {
	return p.ExtendedSequenceNumber == q.ExtendedSequenceNumber && p.Arrival.IsZero() == q.Arrival.IsZero() &&
		(p.Arrival.IsZero() || p.Arrival.UnixMilli() == q.Arrival.UnixMilli())
}

// Prepared is an open two-phase checkpoint: the place that a commit would
// checkpoint, and what its processor stored to be able to finish.
// Source: KCL pendingCheckpoint, pendingCheckpointState.
type Prepared struct {
	At    ExtendedSequenceNumber
	State []byte // never changed after it was stored; may be empty
}
