package processors

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/spool"
	"github.com/shardmill/shardmill/processors/plan"
)

// New returns a factory of processors that deliver records to store as cfg
// says. It does no I/O. The error joins everything that is wrong with cfg.
//
// The worker must be without a dead-letter function, and tick about once a
// second. See the package's documentation for what is guaranteed.
func New(cfg Config, store ObjectStore) (kcl.ProcessorFactory, error) {
	s, err := cfg.settle()
	if store == nil {
		err = errors.Join(err, errors.New("store: must not be nil"))
	}
	if err != nil {
		return nil, fmt.Errorf("archiver's configuration: %w", err)
	}
	if s.interval < firehoseMinimum {
		s.Logger.Warn("buffering interval is shorter than Firehose's minimum: expect many small objects",
			zap.Duration("interval", s.interval))
	}
	a := &archiver{settings: s, store: store, shop: &workshop{spools: spool.NewPool(s.SpoolDir, s.SpoolMemory)}}
	return a.processor, nil
}

// archiver is what the processors of all shards share. It is safe for
// concurrent use.
type archiver struct {
	settings

	store   ObjectStore
	shop    *workshop
	checked atomic.Bool
}

func (a *archiver) processor(shard kcl.ShardInfo) kcl.RecordProcessor {
	return &processor{
		archiver: a,
		shard:    shard,
		identity: plan.NewIdentity(shard.Table, shard.StreamName, shard.StreamARN, shard.ShardID),
		log:      a.Logger.With(zap.String("shard_id", shard.ShardID)),
	}
}

// processor delivers one shard. One goroutine owns it.
type processor struct {
	*archiver

	shard    kcl.ShardInfo
	identity plan.Identity
	log      *zap.Logger
	trusted  func() error

	buf    buffer
	cut    *cut  // the unfinished one; nil if there is none
	broken error // the buffer's content cannot be trusted
}

var _ kcl.RecordProcessor = (*processor)(nil)

// Initialize finishes what an earlier holder prepared.
func (p *processor) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	p.drop()
	p.trusted = in.CheckTrust
	p.checkBucket(ctx)
	if err := p.settlePending(ctx, in); err != nil {
		return err
	}
	p.buf.mark = in.Checkpointer.Last().ExtendedSequenceNumber
	return nil
}

// checkBucket warns early, once for all shards, if nothing can be delivered.
func (p *processor) checkBucket(ctx context.Context) {
	if p.checked.Swap(true) {
		return
	}
	err := p.bounded(ctx, "checking "+p.Bucket, putTimeout(0), func(ctx context.Context) error { return p.store.Check(ctx, p.Bucket) })
	deadline.Beat(ctx)
	if err != nil {
		p.log.Warn("bucket cannot be used; delivery will be tried until it can", zap.String("bucket", p.Bucket), zap.Error(err))
	}
}

// ProcessRecords buffers the records and delivers each cut that is complete.
// While the store is down it does not return.
func (p *processor) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	defer p.report(in.Hold)
	if err := p.finish(ctx, in.Checkpointer); err != nil {
		return err
	}
	now := time.Now()
	for i := range in.Records {
		if err := p.append(&in.Records[i], now); err != nil {
			return err
		}
		reason := closeReason(p.fill(now, false), p.size, p.interval)
		if reason == "" {
			continue
		}
		if err := p.flush(ctx, in.Checkpointer, reason); err != nil {
			return err
		}
		now = time.Now()
	}
	if reason := closeReason(p.fill(now, in.Pressure), p.size, p.interval); reason != "" {
		return p.flush(ctx, in.Checkpointer, reason)
	}
	return nil
}

// append puts a record into the buffer, unless it was there before.
func (p *processor) append(r *kcl.Record, now time.Time) error {
	if p.broken != nil {
		return p.broken
	}
	if !p.buf.isNew(r) {
		return nil
	}
	if p.buf.body == nil {
		b, err := p.shop.open(p.codec, "", p.Delivery == ExactlyOnce)
		if err != nil {
			return err
		}
		p.buf.body = b
	}
	if err := p.buf.body.write(r.Data); err != nil {
		p.broken = stop(err)
		return p.broken
	}
	p.buf.note(r, now)
	return nil
}

func (p *processor) fill(now time.Time, pressure bool) fill {
	b := p.buf.body
	if b == nil {
		return fill{}
	}
	return fill{
		records: b.records, bytes: b.bytes, age: now.Sub(p.buf.opened),
		pressure: pressure, noSpool: b.spool.Err() != nil,
	}
}

// flush closes the cut, if the buffer has records, and delivers it.
func (p *processor) flush(ctx context.Context, cp kcl.Checkpointer, reason string) error {
	if err := p.finish(ctx, cp); err != nil {
		return err
	}
	if p.broken != nil {
		return p.broken
	}
	if p.buf.body == nil {
		return nil
	}
	if err := p.buf.body.spool.Err(); err != nil {
		p.log.Warn("spool file cannot be used: delivering early", zap.Error(err))
	}
	if err := p.close(cp, reason); err != nil {
		p.broken = stop(err)
		return p.broken
	}
	return p.finish(ctx, cp)
}

// report tells the worker, and who listens, what is in memory.
func (p *processor) report(hold func(int64)) {
	e := BufferedEvent{ShardID: p.shard.ShardID}
	var oldest time.Time
	if b := p.buf.body; b != nil {
		e.Records, e.Bytes, e.Held, oldest = b.records, b.bytes, b.spool.Held(), p.buf.oldest
	}
	if c := p.cut; c != nil {
		e.Records += c.body.records
		e.Bytes += c.body.bytes
		e.Held += c.body.spool.Held()
		oldest = c.oldest
	}
	if hold != nil {
		hold(e.Held)
	}
	if p.Hooks.Buffered != nil {
		e.Freshness = ageOf(oldest, time.Now())
		p.Hooks.Buffered(e)
	}
}

// ShardEnded delivers what is left and ends the shard.
func (p *processor) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	if err := p.flush(ctx, in.Checkpointer, reasonShardEnded); err != nil {
		return err
	}
	return p.repeatWrite(ctx, "ending the shard", in.Checkpointer.Checkpoint)
}

// ShutdownRequested delivers what is left.
func (p *processor) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	return p.flush(ctx, in.Checkpointer, reasonShutdown)
}

// LeaseLost forgets what is not delivered: the next holder reads it again. A
// prepared cut stays in the lease row for it.
func (p *processor) LeaseLost(context.Context, kcl.LeaseLostInput) { p.drop() }

func (p *processor) drop() {
	if p.buf.body != nil {
		p.release(p.buf.body, true)
	}
	if p.cut != nil {
		p.release(p.cut.body, p.cut.reusable())
	}
	p.buf, p.cut, p.broken = buffer{}, nil, nil
}
