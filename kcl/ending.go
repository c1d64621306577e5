package kcl

import (
	"errors"

	"github.com/shardmill/shardmill/lease"
)

// ending is why the holding of a shard ends. It is an error, so that it passes
// through what reads and processes, and may be the cause of a context.
type ending int

const (
	endFailed   ending = iota // its processor failed for the last time, or anything else that is the shard's fault
	endFinished               // every record of the shard is done, and its end is checkpointed
	endShutdown               // the worker stops
	endSurplus                // another worker is to have the shard
	endBlocked                // a parent has not ended, or the service refuses what is no fault of the shard
	endRefuted                // its checkpoint is of another stream than the one that is read
	endLost                   // the lease is not held any more
	endTimeout                // the worker stops, and the processor has not within ShutdownTimeout
)

func (e ending) Error() string {
	switch e {
	case endFinished:
		return "shard ended"
	case endShutdown:
		return ErrShutdown.Error()
	case endSurplus:
		return "another worker is to have the shard"
	case endBlocked:
		return "a parent shard has not ended"
	case endRefuted:
		return "checkpoint is not of this stream"
	case endLost:
		return lease.ErrLost.Error()
	case endTimeout:
		return ErrShutdownTimeout.Error()
	case endFailed:
	}
	return "shard failed"
}

// endingOf returns what the error stands for that ended the processing of a
// shard. holding is the cause of the end of the lease's context, nil if it has
// not ended; trust is the answer of its CheckTrust.
func endingOf(err, holding, trust error) ending {
	if errors.Is(holding, ErrShutdownTimeout) {
		return endTimeout
	}
	if trust != nil {
		return endLost
	}
	if e, ok := errors.AsType[ending](err); ok {
		return e
	}
	switch {
	case errors.Is(err, ErrShutdown):
		return endShutdown
	case isOutside(err):
		return endBlocked
	}
	return endFailed
}

// consequence is what follows from an ending.
type consequence struct {
	asked    bool                // the processor is asked to stop, while it may checkpoint: ShutdownRequested
	released bool                // the lease is given back to the table,
	why      lease.ReleaseReason // with this reason
	rest     rest                // how long this worker leaves the shard to others
}

// rest is a time for which a worker does not take the lease of a shard.
type rest int

const (
	restNone    rest = iota
	restScan         // until the next scan
	restGrowing      // for a failover time, and twice as long with each failure in a row
)

// follows returns what follows from an ending. But for one that panicked, the
// processor's last call is LeaseLost, or ShardEnded.
func (e ending) follows() consequence {
	switch e {
	case endFinished:
		return consequence{released: true, why: lease.Plain}
	case endShutdown:
		return consequence{asked: true, released: true, why: lease.Plain}
	case endSurplus:
		return consequence{asked: true, released: true, why: lease.Surplus}
	case endBlocked:
		return consequence{released: true, why: lease.Blocked, rest: restScan}
	case endRefuted:
		return consequence{released: true, why: lease.GivenUp}
	case endLost, endTimeout:
		return consequence{}
	case endFailed:
	}
	return consequence{released: true, why: lease.GivenUp, rest: restGrowing}
}
