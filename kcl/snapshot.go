package kcl

import (
	"cmp"
	"slices"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// Snapshot is what a worker does at one moment.
type Snapshot struct {
	WorkerID string
	Shards   []ShardStatus // those whose leases are held, by shard ID

	BytesInUse, MaxBytes int64 // of Config.MaxBytes

	// Now is the local time that TrustedUntil is to be compared with. It was
	// told before anything else here, and unlike time.Now it counts the time
	// for which the machine was suspended.
	Now time.Time

	// StopBy is when processors must have stopped; zero before the shutdown.
	StopBy time.Time

	// LastSync is when the shards were last compared with the leases; the
	// zero time means never yet.
	LastSync time.Time

	// Loops are the tries that are under way: of the start, of reading the lease
	// table and taking leases, of the shard sync, of renewals, of the shards' own
	// steps, and of hooks that are told of leases.
	Loops []LoopStatus

	// Troubles are what is wrong now and a restart cannot mend.
	Troubles []Trouble
}

// LoopStatus is the present try of one of the worker's loops.
type LoopStatus struct {
	Loop    string        // start, scan, sync, renewal, shard, hook
	ShardID string        // "" unless it is about one lease, or a shard's
	Doing   string        // such as "reading"
	Silent  time.Duration // how long ago its last sign of life was
	Limit   time.Duration // after so much silence it is given up; one that is silent for twice as long hangs. 0: there is no limit
}

// Trouble is something that keeps the worker, or a shard, from its work until
// somebody does something about it.
type Trouble struct {
	Reason  TroubleReason
	Since   time.Time
	ShardID string // "" if it concerns the whole worker
	Text    string // what is wrong, and what to do
}

// TroubleReason tells troubles apart, in metrics too.
type TroubleReason string

// The reasons.
const (
	TroubleAccess         TroubleReason = "access"           // the service refuses the credentials, or they do not permit an operation
	TroubleStreamNotFound TroubleReason = "stream-not-found" // there is no such stream any more
	TroubleTableNotFound  TroubleReason = "table-not-found"  // there is no lease table any more
	TroubleForeignTable   TroubleReason = "foreign-table"    // no row is left that can be this stream's; the worker ends
	TroubleContradiction  TroubleReason = "contradiction"    // a row contradicts the stream; its shard is left alone
	TroubleUnreadable     TroubleReason = "unreadable"       // a row is malformed; its shard is left alone
)

// ShardStatus is the state of one shard that is held.
type ShardStatus struct {
	ShardID      string
	State        ShardState
	Checkpoint   checkpoint.Position
	BehindLatest time.Duration
	LastRead     time.Time // when the last page came; zero if none did
	TrustedUntil time.Time // local time at which the lease is given up unless it is renewed; see Snapshot.Now
	Lost         bool      // the lease is not held any more, and the processor has yet to return from a call
	Records      int64     // accepted by the processor
	Bytes        int64
	LastError    string // of the read or call that failed last; "" once a call succeeds
}

// ShardState is what is being done with a shard that is held.
type ShardState string

// The states, in the order of a shard's life.
const (
	ShardWaiting      ShardState = "waiting"      // nothing yet: for its former holder to notice, or its parents' rows to be read
	ShardInitializing ShardState = "initializing" // its processor is being made, and Initialize called
	ShardProcessing   ShardState = "processing"   // its records are read and given to the processor
	ShardEnding       ShardState = "ending"       // all were: its children's leases are made, and ShardEnded is called
	ShardStopping     ShardState = "stopping"     // it is given up: ShutdownRequested is called
)

// loops tells of the tries that are under way.
func (w *Worker) loops() []LoopStatus {
	var out []LoopStatus
	for _, l := range w.steps.UnderWay() {
		out = append(out, loopStatus(lease.LoopStatus(l)))
	}
	for _, l := range w.leases.Loops() {
		out = append(out, loopStatus(l))
	}
	slices.SortFunc(out, func(a, b LoopStatus) int {
		return cmp.Or(cmp.Compare(a.Loop, b.Loop), cmp.Compare(a.ShardID, b.ShardID), cmp.Compare(a.Doing, b.Doing))
	})
	return out
}

func loopStatus(l lease.LoopStatus) LoopStatus {
	return LoopStatus{Loop: l.Loop, ShardID: l.Key, Doing: l.Doing, Silent: l.Silent, Limit: l.Limit}
}

// Snapshot returns what the worker does now. It may be called at any time.
func (w *Worker) Snapshot() Snapshot {
	s := Snapshot{WorkerID: w.cfg.WorkerID, Now: w.leases.Now()}
	s.BytesInUse, s.MaxBytes = w.memory.Used()
	s.LastSync, s.Loops, s.Troubles = w.stream.syncedAt(), w.loops(), w.troubles.present()
	w.mu.Lock()
	s.StopBy = w.stopBy
	consumers := make([]*consumer, 0, len(w.consumers))
	for c := range w.consumers {
		consumers = append(consumers, c)
	}
	w.mu.Unlock()
	for _, c := range consumers {
		s.Shards = append(s.Shards, c.snapshot())
	}
	slices.SortFunc(s.Shards, func(a, b ShardStatus) int { return cmp.Compare(a.ShardID, b.ShardID) })
	return s
}
