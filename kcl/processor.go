package kcl

import (
	"context"
	"iter"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// RecordProcessor handles the records of one shard for as long as this worker
// holds the shard's lease. The worker gets a new one from its ProcessorFactory
// for each holding, and calls it from one goroutine, in this order:
//
//	Initialize, ProcessRecords…, and then one of
//	  ShardEnded                      every record of the shard was processed
//	  LeaseLost                       another worker has the shard now
//	  ShutdownRequested, LeaseLost    this worker gives the shard up: it stops, or another worker is to have it
//
// The names and their meaning are those of the Java KCL 2 and 3. Unlike there,
// a record is never skipped: see ProcessRecords.
//
// The context of every call but LeaseLost is cancelled as soon as the lease is
// no longer trusted, with a cause that is ErrLeaseLost. From then on another
// worker may be processing the same records, so side effects must stop. The
// context of Initialize stays good until then.
//
// A processor that panics is thrown away after the panic, without another
// call; a new one starts from the checkpoint. So is one whose call ends its
// goroutine by runtime.Goexit.
//
// Embed Defaults to implement only ProcessRecords.
type RecordProcessor interface {
	// Initialize is called once, first, and says where the records will begin.
	// It may checkpoint: reading begins after the checkpoint that stands when
	// it returns. If it returns an error the worker calls it again, after a
	// delay that grows; so it does if it returns after Config.CallTimeout.
	Initialize(ctx context.Context, in InitializationInput) error

	// ProcessRecords is called with the next records of the shard, in order.
	// in.Records is empty only if Config.TickInterval is set, in.Pressure is, or
	// in.Wake was called.
	//
	// One call gets what one read of the shard brought. What comes of aggregated
	// records may be too much for one: then several calls get up to 10,000 of
	// their user records each. So do those before and after one that
	// Config.KPLFaults sends to DeadLetter.
	//
	// If it returns an error, or panics, the same records are processed again
	// after a delay that grows with each try, less those checkpointed since.
	// After Config.MaxAttempts tries, or at once if the error is GiveUp's or says
	// that a checkpointer was misused (checkpoint.IsMisuse), the records go to
	// Config.DeadLetter, or without one the worker gives the lease up. An error of
	// FailedAt is about one record of them, and those before it count as accepted.
	// Returning nil does not checkpoint.
	//
	// in.Records and the Data in it are used again once the call has returned, or
	// those after it if it failed: keep Record.Clone. In tests that Data is
	// overwritten with 0xDB then.
	ProcessRecords(ctx context.Context, in ProcessRecordsInput) error

	// LeaseLost is the last call after the lease has gone. Nothing can be
	// checkpointed any more; release resources and return. ctx ends after
	// Config.ShutdownTimeout.
	LeaseLost(ctx context.Context, in LeaseLostInput)

	// ShardEnded is the last call of a shard that a reshard closed. It must
	// checkpoint with in.Checkpointer and return nil, or it is called again,
	// after a delay that grows: the shard's children are not processed before.
	ShardEnded(ctx context.Context, in ShardEndedInput) error

	// ShutdownRequested is called when the shard is given up and the lease is
	// still held: the last chance to checkpoint. in.Deadline tells when ctx
	// ends. LeaseLost follows.
	ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) error
}

// ProcessorFactory makes the processor for a shard. It is called on the
// goroutine that will call the processor. If it panics or returns nil the shard
// is given up.
type ProcessorFactory func(ShardInfo) RecordProcessor

// ShardInfo names the shard that a processor is for.
type ShardInfo struct {
	StreamName string
	StreamARN  string // "" if Config.StreamARN is
	Table      string // Config.ApplicationName: the name of the lease table
	ShardID    string
	WorkerID   string
	Range      HashRange // hash keys of the shard; zero if unknown

	// HashRangeRule is what the worker does with Range: Config.HashRangeRule.
	HashRangeRule HashRangeRule

	// KPLFaults is Config.KPLFaults.
	KPLFaults KPLFaults
}

// InitializationInput is the argument of RecordProcessor.Initialize.
type InitializationInput struct {
	Shard      ShardInfo
	Checkpoint checkpoint.Position

	// Pending is the prepared checkpoint that an earlier holder left, or nil.
	Pending *checkpoint.Prepared

	Checkpointer Checkpointer

	// Replay reads the records from first to last, both included, once more,
	// with the given options instead of the worker's; it is how the holder of
	// a prepared checkpoint finishes an earlier holder's work. A record's data
	// is valid until the next one. It yields fewer records if the first ones
	// have expired, and ends after yielding an error. Replay one range after
	// another: one within another's loop may wait for that one's memory.
	Replay func(ctx context.Context, first, last checkpoint.ExtendedSequenceNumber, o ReplayOptions) iter.Seq2[Record, error]

	// CheckTrust returns nil while the lease is trusted, else an error that is
	// ErrLeaseLost. Ask it right before a side effect that another worker's
	// must not follow. It is good for the whole holding.
	CheckTrust func() error

	Stopping <-chan struct{} // as of ProcessRecordsInput
}

// ReplayOptions say how aggregated records are split in a replay. With those of
// the worker that processed the records, as its ShardInfo has them, the same come
// again; a worker with another configuration may have taken over, so store them
// with what is to be replayed.
type ReplayOptions struct {
	HashRange     HashRange // zero: no record lies outside
	HashRangeRule HashRangeRule
	KPLFaults     KPLFaults // what is not FaultRaw does not come
}

// ProcessRecordsInput is the argument of RecordProcessor.ProcessRecords.
type ProcessRecordsInput struct {
	Records      []Record // in their order, which is not to be changed; empty in a tick
	Checkpointer Checkpointer
	BehindLatest time.Duration // how far the last read was behind the tip of the shard; MillisBehindLatest

	// OpenShards is how many shards of the stream took records when this worker listed
	// them last, which it does every Config.ShardSyncInterval: at least 1.
	OpenShards int

	// Attempt counts the calls with these records to this processor, from 1.
	Attempt int

	// Pressure says that the worker's memory budget is used up and that no
	// more can be read until processors let go of what they hold. It is set
	// for the processor that was asked to: the one that holds most.
	Pressure bool

	// Hold tells the worker how many bytes of earlier records the processor
	// keeps in memory after this call, so that the worker's budget counts
	// them. Default 0. Less than 0 is a fault, which is logged, and counts as 0.
	// It is forgotten, and calling it has no effect, once the lease has ended or
	// another processor has taken over. It is safe for concurrent use.
	Hold func(bytes int64)

	// TryHold is Hold for a processor that would keep more if there is room, and can
	// wait: it reports whether the worker's budget has it and nobody waits for it. If
	// it has not, nothing is changed. It is safe for concurrent use.
	TryHold func(bytes int64) bool

	// Stopping is closed when the worker is to stop, or gives the shard up: until the call
	// returns it does not. One that waits for what may take longer than
	// Config.ShutdownTimeout should then return, nil if it has accepted its records, else
	// ErrStopping. Nil if nobody stops it.
	Stopping <-chan struct{}

	// Wake asks for another call soon, without records if none have come: for a
	// processor that has something done on a goroutine of its own, and learns that it
	// has ended. It does not wait, may be called during the call and after it, and is
	// safe for concurrent use. It has no effect once this processor got its last call.
	Wake func()
}

// LeaseLostInput is the argument of RecordProcessor.LeaseLost.
type LeaseLostInput struct {
	// Cause is why: an error that is ErrLeaseLost, or the reason of a shutdown.
	Cause error
}

// ShardEndedInput is the argument of RecordProcessor.ShardEnded.
type ShardEndedInput struct {
	Checkpointer Checkpointer
	Attempt      int             // counts the calls, from 1
	Stopping     <-chan struct{} // as of ProcessRecordsInput
}

// ShutdownRequestedInput is the argument of RecordProcessor.ShutdownRequested.
type ShutdownRequestedInput struct {
	Checkpointer Checkpointer
	Deadline     time.Time // when ctx ends; zero if it has no deadline

	// Surplus says that this worker goes on and only this shard is given up, so
	// that another worker may have it.
	Surplus bool
}
