package lease

// Scan is what one reading of the lease table led to.
type Scan struct {
	Free      int // leases that nobody held
	Needed    int // leases that this worker lacked to its share
	ToTake    int // leases that it tried to take or steal
	Taken     int // those of them that it got
	Spillover int // leases of its share that it leaves to others because of MaxLeases
	LeftAlone int // leases that it may not take, by Judge or because their counter can grow no more; finished ones too
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
