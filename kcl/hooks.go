package kcl

import (
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/lease"
)

// Hooks are told what a worker does, for metrics. Each may be nil. One that
// panics, or ends its goroutine, is logged, and the worker goes on. The names in
// brackets are the Java KCL's metrics.
type Hooks struct {
	// These four come in the order in which things happened, one at a time, on a
	// goroutine that is theirs: leases are taken, held and released meanwhile, and
	// a processor may be called before LeaseTaken. One that does not return within
	// 5 s is logged, then each minute, and keeps the others waiting. Run waits for
	// them at its end, for 10 s.
	LeaseTaken    func(LeaseEvent) // [TakenLeases, NeedToReassign]
	LeaseLost     func(LeaseEvent) // [LostLeases]
	LeaseReleased func(LeaseEvent)
	LeasesScanned func(lease.Scan) // after each reading of the lease table; how far it is, too, whoever holds its leases [ExpiredLeases, NeededLeases, LeasesToTake, UntakenLeases, LeaseSpillover]

	// What the others are told of waits until they return, so they must be quick;
	// those of several shards may run at once.

	Processed    func(BatchEvent)      // after each call of ProcessRecords with records [RecordsProcessed, DataBytesProcessed, MillisBehindLatest, RecordProcessor.processRecords.Time]
	Checkpointed func(CheckpointEvent) // after each checkpoint that was written [UpdateLease.Success]
	DeadLettered func(BatchEvent)      // records that went to Config.DeadLetter

	// RecordsLost is told of gaps: records after a checkpoint expired before they
	// were processed, or may have, for nobody can tell whether there were any.
	// It is the one thing that should wake somebody. What expired before a
	// shard's first checkpoint is not told: nothing says that it was ever there.
	// A gap may be told more than once.
	RecordsLost func(LossEvent)

	// AggregatesMalformed counts aggregated records that could not be taken
	// apart; each was processed as one record unless Config.KPLFaults says
	// otherwise.
	AggregatesMalformed func(shardID string, n int)

	// AggregatesDropped counts those of AggregatesMalformed that were not
	// processed, by FaultDrop. One that is read again counts again.
	AggregatesDropped func(shardID string, n int)

	// UserRecordsDropped counts user records outside the shard's hash range
	// that were not processed here; see Config.HashRangeRule.
	UserRecordsDropped func(shardID string, n int)
}

// LeaseEvent is a change of a lease.
type LeaseEvent struct {
	Lease  lease.Lease
	Stolen bool   // of LeaseTaken: another worker held it
	Reason string // of LeaseLost
}

// BatchEvent is one call of ProcessRecords with records. One that failed with a
// record that FailedAt names makes two: of the records before it, if there are
// any, which have the Duration, and of the one that failed.
type BatchEvent struct {
	ShardID      string
	Records      int
	Bytes        int64
	BehindLatest time.Duration
	Duration     time.Duration
	Attempt      int
	Err          error               // what the processor returned
	Last         checkpoint.Position // of the last record
}

// CheckpointEvent is a checkpoint that was written.
type CheckpointEvent struct {
	ShardID    string
	Checkpoint checkpoint.Position
}

// LossEvent is a gap in a shard: what was put there, if anything, expired
// before it was read.
type LossEvent struct {
	ShardID string
	After   checkpoint.Position // everything up to here was done
	Before  checkpoint.Position // reading goes on here; zero if nothing is left
}

// guarded returns the hooks that are called where things happen: they do what h's
// do and never panic. One that does not return is logged after warnAfter, and then
// each minute. Those about leases are guarded where they are called, by package
// lease.
func (h Hooks) guarded(log *zap.Logger, warnAfter time.Duration) Hooks {
	g := hookGuard{log, warnAfter}
	return Hooks{
		LeaseTaken:          h.LeaseTaken,
		LeaseLost:           h.LeaseLost,
		LeaseReleased:       h.LeaseReleased,
		LeasesScanned:       h.LeasesScanned,
		Processed:           guardHook(g, "Processed", h.Processed),
		Checkpointed:        guardHook(g, "Checkpointed", h.Checkpointed),
		DeadLettered:        guardHook(g, "DeadLettered", h.DeadLettered),
		RecordsLost:         guardHook(g, "RecordsLost", h.RecordsLost),
		AggregatesMalformed: guardCount(g, "AggregatesMalformed", h.AggregatesMalformed),
		AggregatesDropped:   guardCount(g, "AggregatesDropped", h.AggregatesDropped),
		UserRecordsDropped:  guardCount(g, "UserRecordsDropped", h.UserRecordsDropped),
	}
}

// hookGuard tells of hooks.
type hookGuard struct {
	log       *zap.Logger
	warnAfter time.Duration
}

// watch tells of a hook until the function that it returns is called.
func (g hookGuard) watch(name string) (end func()) {
	return pause.Remind(g.warnAfter, warnAgain, func(passed time.Duration) {
		g.log.Warn("hook does not return; what happened waits for it", zap.String("hook", name), zap.Duration("duration", passed))
	})
}

// guardHook returns a hook that calls f on a goroutine of its own and logs its
// panic, or nil if f is.
func guardHook[E any](g hookGuard, name string, f func(E)) func(E) {
	if f == nil {
		return nil
	}
	return func(e E) {
		end := g.watch(name)
		defer end()
		if err := apart(name, func() { f(e) }); err != nil {
			g.log.Error("hook panicked", zap.String("hook", name), zap.Error(err), panicStack(err))
		}
	}
}

func guardCount(g hookGuard, name string, f func(shardID string, n int)) func(string, int) {
	if f == nil {
		return nil
	}
	type count struct {
		shardID string
		n       int
	}
	guarded := guardHook(g, name, func(c count) { f(c.shardID, c.n) })
	return func(shardID string, n int) { guarded(count{shardID, n}) }
}

func (h Hooks) processed(e BatchEvent) {
	if h.Processed != nil {
		h.Processed(e)
	}
}

func (h Hooks) checkpointed(e CheckpointEvent) {
	if h.Checkpointed != nil {
		h.Checkpointed(e)
	}
}

func (h Hooks) deadLettered(e BatchEvent) {
	if h.DeadLettered != nil {
		h.DeadLettered(e)
	}
}

func (h Hooks) recordsLost(e LossEvent) {
	if h.RecordsLost != nil {
		h.RecordsLost(e)
	}
}

func (h Hooks) malformed(shardID string, n int) {
	if h.AggregatesMalformed != nil && n > 0 {
		h.AggregatesMalformed(shardID, n)
	}
}

func (h Hooks) aggregatesDropped(shardID string, n int) {
	if h.AggregatesDropped != nil && n > 0 {
		h.AggregatesDropped(shardID, n)
	}
}

func (h Hooks) dropped(shardID string, n int) {
	if h.UserRecordsDropped != nil && n > 0 {
		h.UserRecordsDropped(shardID, n)
	}
}

func (h Hooks) changed(c lease.Change) {
	f := h.LeaseTaken
	switch c.Kind {
	case lease.Lost:
		f = h.LeaseLost
	case lease.Released:
		f = h.LeaseReleased
	case lease.Taken, lease.Stolen:
	}
	if f != nil {
		f(LeaseEvent{Lease: c.Lease, Stolen: c.Kind == lease.Stolen, Reason: c.Reason})
	}
}
