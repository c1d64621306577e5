package kcl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/lease"
)

// Config configures a Worker. Fields without a default are required; New
// reports all faults at once.
type Config struct {
	// ApplicationName names the application: all workers that share the lease
	// table. By custom it is the table's name.
	ApplicationName string

	// StreamName and StreamARN are told to processors, and written into the lease
	// rows: a row that names another stream is not taken. The ARN may be left out,
	// and then is not compared.
	StreamName string
	StreamARN  string

	Source Source      // the stream: kinesissource.New, or one that keeps Source's promises
	Leases lease.Table // the lease table: leasedynamo.New, or one that keeps lease.Table's promises

	// WorkerID is what leaseOwner holds. It must be unique among the running
	// workers of the application, Java ones too. New adds nothing to it.
	WorkerID string

	// InitialPosition is where a shard is read from that has no history in the
	// lease table. Default: TrimHorizon. Later it has no effect.
	InitialPosition InitialPosition

	// FailoverTime is how long a lease lives unrenewed. Longer costs fewer
	// writes; shorter finds a dead worker sooner. All workers of an application
	// should have the same. Default 10s. Source: KCL failoverTimeMillis.
	FailoverTime time.Duration

	// ScanInterval is how often leases to take are looked for, at least: also when
	// one is seen to run out. It is how long a released lease may wait for its
	// next holder. Default: half of FailoverTime.
	ScanInterval time.Duration

	// ShardSyncInterval is how often the stream's shards are compared with the
	// leases. Reshards do not wait for it. Default 60s.
	ShardSyncInterval time.Duration

	// KeepFinishedLeases is how long the lease of a finished shard stays in the
	// table once this worker has seen it finished. A request to create a lease
	// that was under way all the time would bring a deleted one back, and the
	// shard's records would be processed again. AWS accepts no request that was
	// signed a quarter of an hour ago, which the default outlasts. Default 20m.
	// Source: KCL LeaseCleanupConfig.completedLeaseCleanupIntervalMillis (5m).
	KeepFinishedLeases time.Duration

	MaxLeases int // the most leases this worker holds; default: no limit. Source: KCL maxLeasesForWorker
	MaxSteal  int // the most leases stolen at once from a Java worker; default 1. Source: KCL maxLeasesToStealAtOneTime

	// TickInterval, if positive, has ProcessRecords called with no records
	// whenever so much time has passed since the last call, also while reading
	// fails. Default: never.
	TickInterval time.Duration

	// MaxAttempts is how often records are given to a processor that
	// fails. Default 10.
	MaxAttempts int

	// DeadLetter, if set, gets the records that a processor failed on for the
	// last time, less those that it has checkpointed, and those that KPLFaults
	// sends there. Their Data is valid until it returns. If it returns nil they
	// count as accepted; otherwise, or if it panics, the lease is given up, as
	// it is without a DeadLetter. Do not set it for processors
	// that keep records beyond a call: the records before would be checkpointed
	// with those given to it.
	DeadLetter func(ctx context.Context, in DeadLetterInput) error

	// MaxBytes bounds the memory for records that were read and not processed,
	// with the buffers that they are in and what is built of aggregated ones, and
	// for what processors say they hold. Half of it is divided evenly among the
	// shards, for one page each; the other half is for pages read ahead and larger
	// ones, in the order of asking, so a slow shard does not keep others from
	// reading. If nothing fits, at least one shard always progresses: one page at a
	// time may exceed MaxBytes, each shard's in turn. So the most is MaxBytes and one
	// page (Kinesis: of 10 MiB of data, about 16 MiB in memory); and for each shard
	// what is built of aggregated records for one call: an eighth of MaxBytes divided
	// by the shards, or 100 user records if that is more, and the keys of one of those
	// records; and what processors hold beyond. While they hold more than half, none of them
	// reads beyond it before it lets go. Default 256 MiB.
	//
	// What the process takes is more by what the garbage collector leaves, which
	// may be as much again: set GOMEMLIMIT, or debug.SetMemoryLimit, to about 96 MiB
	// more than MaxBytes and what the rest of the program needs.
	MaxBytes int64

	// HashRangeRule says what becomes of user records of an aggregated record
	// that do not belong to the shard. Default: HashRangeKPL.
	HashRangeRule HashRangeRule

	// KPLFaults says what becomes of aggregated records that cannot be taken
	// apart. Default: each is processed as one record.
	KPLFaults KPLFaults

	// AccessTimeout is how long a worker that has started goes on while the stream
	// or the lease table refuses its credentials for one kind of request, or is
	// gone, without one success of that kind. Then Run returns that error: only a
	// new process may get new credentials. Meanwhile Snapshot tells, and no shard
	// counts as failed. Default 15m.
	AccessTimeout time.Duration

	// ShutdownTimeout is how long processors have to stop after Run's context
	// is done; then theirs is cancelled. Default 30s.
	ShutdownTimeout time.Duration

	// CallTimeout, if positive, is how long a call of a processor or of
	// DeadLetter may show no sign of life until its context ends, with a cause
	// whose Timeout method returns true. Each request that is made with the
	// context through this module's own sources, tables and sinks is such a
	// sign, and so is each of their tries. The worker waits for the call to
	// return in any case; its error is one like any other. Default: no limit.
	CallTimeout time.Duration

	// WarnAfter is how long a call of a processor, of DeadLetter, of the factory
	// or of a hook runs until that is logged; from then on it is logged each minute.
	// Default 1m. Source: KCL logWarningForTaskAfterMillis.
	WarnAfter time.Duration

	Logger *zap.Logger // default: none; package slogzap makes one of a slog.Handler
	Hooks  Hooks
}

// DeadLetterInput is the argument of Config.DeadLetter.
type DeadLetterInput struct {
	Shard    ShardInfo
	Records  []Record
	Err      error // the last one; of KPLFaults one of package kpl's, such as ErrDigest
	Attempts int   // 0 if no processor was called, by KPLFaults
}

// DefaultFailoverTime is lease.DefaultFailoverTime.
const DefaultFailoverTime = lease.DefaultFailoverTime

// WithDefaults returns c with the default of each field that is not set. New does
// so itself.
func (c Config) WithDefaults() Config {
	c.FailoverTime = cmp.Or(c.FailoverTime, DefaultFailoverTime)
	c.ScanInterval = cmp.Or(c.ScanInterval, lease.DefaultScanInterval(c.FailoverTime))
	c.ShardSyncInterval = cmp.Or(c.ShardSyncInterval, time.Minute)
	c.KeepFinishedLeases = cmp.Or(c.KeepFinishedLeases, 20*time.Minute)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 10)
	c.MaxBytes = cmp.Or(c.MaxBytes, 256<<20)
	c.AccessTimeout = cmp.Or(c.AccessTimeout, 15*time.Minute)
	c.ShutdownTimeout = cmp.Or(c.ShutdownTimeout, 30*time.Second)
	c.WarnAfter = cmp.Or(c.WarnAfter, time.Minute)
	c.Logger = cmp.Or(c.Logger, zap.NewNop())
	return c
}

func (c Config) validate(f ProcessorFactory) error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("kcl: Config."+format, args...))
		}
	}
	need(c.ApplicationName != "", "ApplicationName is required: the name that all workers of the application share")
	need(c.StreamName != "", "StreamName is required")
	need(c.Source != nil, "Source is required: see kinesissource.New")
	need(c.Leases != nil, "Leases is required: see leasedynamo.New")
	need(c.WorkerID != "", "WorkerID is required: unique among the workers of the application")
	need(c.FailoverTime >= lease.MinFailoverTime, "FailoverTime is %v; it must be at least %v", c.FailoverTime, lease.MinFailoverTime)
	need(c.ScanInterval > 0, "ScanInterval is %v; it must be positive", c.ScanInterval)
	need(c.ShardSyncInterval > 0, "ShardSyncInterval is %v; it must be positive", c.ShardSyncInterval)
	need(c.KeepFinishedLeases > 0, "KeepFinishedLeases is %v; it must be positive", c.KeepFinishedLeases)
	need(c.TickInterval >= 0, "TickInterval is %v; it must be positive, or 0 for none", c.TickInterval)
	need(c.MaxLeases >= 0, "MaxLeases is %d; it must be positive, or 0 for no limit", c.MaxLeases)
	need(c.MaxSteal >= 0, "MaxSteal is %d; it must be positive, or 0 for the default", c.MaxSteal)
	need(c.MaxAttempts > 0, "MaxAttempts is %d; it must be positive", c.MaxAttempts)
	need(c.MaxBytes > 0, "MaxBytes is %d; it must be positive", c.MaxBytes)
	need(c.AccessTimeout > 0, "AccessTimeout is %v; it must be positive", c.AccessTimeout)
	need(c.ShutdownTimeout > 0, "ShutdownTimeout is %v; it must be positive", c.ShutdownTimeout)
	need(c.CallTimeout >= 0, "CallTimeout is %v; it must be positive, or 0 for none", c.CallTimeout)
	need(c.WarnAfter > 0, "WarnAfter is %v; it must be positive", c.WarnAfter)
	need(c.HashRangeRule >= HashRangeKPL && c.HashRangeRule <= HashRangeOff, "HashRangeRule is %d; it must be one of the constants", c.HashRangeRule)
	errs = append(errs, c.KPLFaults.check(c.DeadLetter != nil)...)
	if f == nil {
		errs = append(errs, errors.New("kcl: the ProcessorFactory is required"))
	}
	return errors.Join(errs...)
}
