package lease

import "time"

// Observer tells which leases are free without believing anyone's clock: a
// lease has expired when its counter has not moved for a failover time that
// this worker measured itself.
//
// An Observer is not safe for concurrent use; one goroutine owns it.
// Source: KCL DynamoDBLeaseTaker.updateAllLeases.
type Observer struct {
	failover time.Duration
	seen     map[string]observation
}

type observation struct {
	owner   string
	counter int64
	since   time.Time
}

// Seen is a lease as the last list showed it, and what is known about it.
type Seen struct {
	Lease

	// Free says that the lease may be taken: nobody owns it, or it expired.
	Free bool

	// Expired says that it has an owner that did not renew it in time.
	Expired bool

	// FreeFor is how long it has been seen free.
	FreeFor time.Duration

	// FreeIn is how long it is until the lease is free if its counter does not
	// move; 0 if it is free, or was just seen to move.
	FreeIn time.Duration

	// Silent says that its owner was not seen to renew it for half of the time
	// that it lives. Renewals come each third of that or sooner, so an owner
	// whose leases are all silent has probably died. It proves nothing: nobody's
	// lease may be taken for it.
	Silent bool
}

// NewObserver returns an Observer for a worker whose leases live for failover
// unrenewed. For a row that says a longer time, the longer one counts.
func NewObserver(failover time.Duration) *Observer {
	return &Observer{failover: failover, seen: make(map[string]observation)}
}

// Observe notes what a list returned that ended at the local time now.
func (o *Observer) Observe(now time.Time, list []Lease) []Seen {
	seen := make(map[string]observation, len(list))
	out := make([]Seen, 0, len(list))
	for _, l := range list {
		was, ok := o.seen[l.Key]
		if !ok || was.owner != l.Owner || was.counter != l.Counter {
			was = observation{owner: l.Owner, counter: l.Counter, since: now}
		}
		seen[l.Key] = was
		out = append(out, o.judge(l, now.Sub(was.since)))
	}
	o.seen = seen
	return out
}

// judge tells what follows from l's counter not having moved for age.
//
// A lease whose processor failed for the last time is free to nobody for a
// failover time, so that records that stop every worker stop one of them per
// failover time.
func (o *Observer) judge(l Lease, age time.Duration) Seen {
	switch life := max(o.failover, l.FailoverTime); {
	case l.Owner == "" && l.Released != GivenUp:
		return Seen{Lease: l, Free: true, FreeFor: age}
	case l.Owner == "" && age > o.failover:
		return Seen{Lease: l, Free: true, FreeFor: age - o.failover}
	case l.Owner == "" && age > 0:
		return Seen{Lease: l, FreeIn: o.failover - age + 1}
	case age > life:
		return Seen{Lease: l, Free: true, Expired: true, FreeFor: age - life, Silent: true}
	case age == 0:
		return Seen{Lease: l}
	default:
		return Seen{Lease: l, FreeIn: life - age + 1, Silent: age >= life/2}
	}
}
