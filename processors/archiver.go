package processors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/spool"
	"github.com/shardmill/shardmill/processors/pipeline"
)

// Archiver delivers the records of a stream's shards to a store of objects. It is
// safe for concurrent use.
type Archiver struct {
	settings settings
	store    ObjectStore
	shop     *workshop
	pipeline *pipeline.Pipeline
	slots    chan struct{} // one for each put of bundles' objects that may run at once
	checked  atomic.Bool   // whether index and buckets were
}

// New returns an archiver that delivers records to store as cfg says. It does no
// I/O. The error joins everything that is wrong with cfg.
//
// Give its Processor to kcl.New, and have it Configure the worker. See the
// package's documentation for what is guaranteed.
func New(cfg Config, store ObjectStore) (*Archiver, error) {
	s, err := cfg.settle()
	if store == nil {
		err = errors.Join(err, errors.New("store: must not be nil"))
	}
	if err != nil {
		return nil, fmt.Errorf("archiver's configuration: %w", err)
	}
	return &Archiver{
		settings: s, store: store, pipeline: pipeline.New(s.stages()),
		slots: make(chan struct{}, s.ParallelPuts),
		shop:  &workshop{spools: spool.NewPool(s.SpoolDir, s.SpoolMemory)},
	}, nil
}

const (
	// tick is how often a processor looks at its buffering interval.
	tick = time.Second

	// callLimit is how long a processor's call may go without a sign of life,
	// beside twice the failover time: each try of a delivery gives some until its
	// own limit, and a write of the lease row ends with the trust in the lease.
	callLimit = 2 * time.Minute
)

// ErrDeadLetter means that a worker is to give up batches that it cannot have
// processed. An archiver's worker must not: it would checkpoint past records that
// are buffered and not delivered.
var ErrDeadLetter = errors.New("DeadLetter is set; an archiver's records must not be given up: remove it")

// Configure sets what the archiver needs of its worker in c where c says
// nothing: a TickInterval of a second, and a CallTimeout of two minutes and twice
// the failover time. The error joins what is wrong with c, which is unchanged then:
// it is ErrDeadLetter, or names a CallTimeout below the failover time.
func (*Archiver) Configure(c *kcl.Config) error {
	failover := cmp.Or(c.FailoverTime, kcl.DefaultFailoverTime)
	var errs []error
	if c.DeadLetter != nil {
		errs = append(errs, ErrDeadLetter)
	}
	if 0 < c.CallTimeout && c.CallTimeout < failover {
		errs = append(errs, wrong("CallTimeout", c.CallTimeout.String(), fmt.Sprintf(
			"must be at least the failover time, %v, within which a write of the lease row ends; leave it 0 for %v", failover, callLimit+2*failover)))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	c.TickInterval = cmp.Or(c.TickInterval, tick)
	c.CallTimeout = cmp.Or(c.CallTimeout, callLimit+2*failover)
	return nil
}

// Processor returns the processor of a shard. It is a kcl.ProcessorFactory.
func (a *Archiver) Processor(shard kcl.ShardInfo) kcl.RecordProcessor {
	s, log := &a.settings, a.settings.Logger.With(zap.String("shard_id", shard.ShardID))
	identity := exactlyonce.NewIdentity(shard.Table, shard.StreamName, shard.StreamARN, shard.ShardID)
	try := &tries{shardID: shard.ShardID, log: log}
	sink := &objectSink{store: a.store, keyOf: s.keyOf, slots: a.slots, try: try, every: s.RetryInterval, hooks: s.Hooks, shardID: shard.ShardID, log: log}
	sink.multipart = s.Hints.IsMultipart() && s.Index == nil // its hints are those of requests
	p := &pace{interval: s.interval, log: log}
	planned, buckets := s.Delivery == ExactlyOnce, s.buckets()
	var stage *staging
	if planned && s.isSealed() {
		bucket, prefix := s.staging()
		stage = &staging{bucket: bucket, prefix: stagingPrefix(prefix, shard.Table, shard.ShardID, identity), store: a.store, try: try, log: log, unnamed: shard.StreamARN == ""}
	}
	sorter := s.sorting.open()
	indexing, failedType := a.indexing(shard, sink)
	return &processor{
		archiver: a,
		shardID:  shard.ShardID,
		incoming: a.incoming(shard, log),
		sorter:   sorter,
		try:      try,
		sink:     sink,
		buffer:   buffer{newUUID: s.newUUID, begin: func(id exactlyonce.UUID) (contents, error) { return a.begin(id, p, sorter) }, size: s.size, pace: p, log: log, seen: sieve{log: log}},
		sealer: sealer{
			lanes:    s.lanes,
			identity: identity,
			hashRange: exactlyonce.HashRange{
				Start: shard.Range.Start, End: shard.Range.End, Rule: shard.HashRangeRule.Wire(), Faults: shard.KPLFaults.Wire(),
			},
			buckets: buckets,
			planned: planned,
			newUUID: s.newUUID,
			sink:    sink,
			staging: stage,
			marking: s.marking(shard),

			indexing: indexing, failedType: failedType,
		},
		delivery: delivery{try: try, staging: stage},
		successor: successor{
			shop: a.shop, sink: sink, try: try, identity: identity, buckets: buckets,
			hooks: s.Hooks, shardID: shard.ShardID, log: log, marking: s.marking(shard),
		},
	}
}

// indexing returns what begins to index the documents of a cut of a shard, nil without
// an index, and the error-output-type of those that fail.
func (a *Archiver) indexing(shard kcl.ShardInfo, sink *objectSink) (open func(*documents) Indexing, failedType string) {
	index, tried := a.settings.Index, a.settings.Hooks.Bulked
	if index == nil {
		return nil, ""
	}
	if tried == nil {
		tried = func(BulkEvent) {}
	}
	return func(d *documents) Indexing {
		return index.Open(IndexInput{
			ShardID: shard.ShardID, Stream: cmp.Or(shard.StreamARN, shard.StreamName), Documents: d,
			MayGoOn: sink.trusted, Tried: tried, Logger: sink.log,
		})
	}, index.FailedType()
}

// incoming returns what brings the records of a shard into its cuts.
func (a *Archiver) incoming(shard kcl.ShardInfo, log *zap.Logger) incoming {
	s := &a.settings
	if s.Transform == nil {
		return straight{a.pipeline.Run}
	}
	return &transforms{
		pipeline: a.pipeline, runner: s.runner(shard, log), shardID: shard.ShardID,
		size: cmp.Or(s.batchSize, int64(s.Transform.Hints.SizeInMBs*mib)), interval: time.Duration(s.Transform.Hints.IntervalInSeconds) * time.Second,
		seen: sieve{log: log},
	}
}

// begin returns what the records of the cut id become.
func (a *Archiver) begin(id exactlyonce.UUID, p *pace, sorter *sorter) (contents, error) {
	s := &a.settings
	switch {
	case s.isSealed():
		return a.shop.collect(s, p, sorter), nil
	case s.Delivery == ExactlyOnce:
		return a.shop.open(s.lanes[0].format, id, s.lanes[0].delimiter, planDigest)
	default:
		return a.shop.open(s.lanes[0].format, id, s.lanes[0].delimiter, exactlyonce.NoDigest)
	}
}

// look warns early, once for all shards, if nothing can be delivered.
func (a *Archiver) look(ctx context.Context, try *tries) {
	if a.checked.Swap(true) {
		return
	}
	if index := a.settings.Index; index != nil {
		err := try.once(ctx, "checking the index", putTimeout(0), index.Check)
		deadline.Beat(ctx)
		if err != nil {
			try.log.Warn("index cannot be used; documents are tried for as long as they may be, and then go to the error output", zap.Error(err))
		}
	}
	for _, bucket := range a.settings.inUse() {
		err := try.once(ctx, "checking "+bucket, putTimeout(0), func(ctx context.Context) error { return a.store.Check(ctx, bucket) })
		deadline.Beat(ctx)
		if err != nil {
			try.log.Warn("bucket cannot be used; delivery will be tried until it can", zap.String("bucket", bucket), zap.Error(err))
		}
	}
}
