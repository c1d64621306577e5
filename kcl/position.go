package kcl

import (
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// InitialPosition is where a shard without history is read from. The zero
// value is TrimHorizon.
type InitialPosition struct{ at checkpoint.Position }

// TrimHorizon reads from the oldest record that the stream still has.
func TrimHorizon() InitialPosition {
	return InitialPosition{checkpoint.Sentinel(checkpoint.TrimHorizon)}
}

// Latest reads what is put after the lease was created. The instant is stored,
// so that a worker that fails over begins there too.
func Latest() InitialPosition { return InitialPosition{checkpoint.Sentinel(checkpoint.Latest)} }

// AtTimestamp reads what arrived at or after t. The instant is stored.
func AtTimestamp(t time.Time) InitialPosition {
	p := checkpoint.Sentinel(checkpoint.AtTimestamp)
	p.Arrival = t
	return InitialPosition{p}
}

// String returns the place as the KCL names it, with its instant if it has one.
func (i InitialPosition) String() string {
	switch p := i.at; {
	case p.IsZero():
		return checkpoint.TrimHorizon
	case p.Arrival.IsZero():
		return p.SequenceNumber
	default:
		return p.SequenceNumber + " " + p.Arrival.UTC().Format(time.RFC3339Nano)
	}
}

// position returns where to begin for leases created when the service's clock
// showed now.
func (i InitialPosition) position(now time.Time) checkpoint.Position {
	p := i.at
	if p.IsZero() {
		return checkpoint.Sentinel(checkpoint.TrimHorizon)
	}
	if p.SequenceNumber == checkpoint.Latest {
		p.Arrival = now
	}
	return p
}
