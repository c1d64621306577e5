package processors

import (
	"context"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
)

// processor delivers one shard: it moves what its buffer gathered, cut by cut,
// into its delivery. One goroutine owns it.
type processor struct {
	archiver  *Archiver
	shardID   string
	try       *tries
	sink      *objectSink
	buffer    buffer
	sealer    sealer
	delivery  delivery
	successor successor
}

var _ kcl.RecordProcessor = (*processor)(nil)

// Initialize finishes what an earlier holder prepared.
func (p *processor) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	p.drop()
	p.sink.trusted = in.CheckTrust
	p.archiver.checkBuckets(ctx, p.try)
	if err := p.successor.settle(ctx, in); err != nil {
		return err
	}
	p.delivery.staging.list(ctx)
	p.buffer.mark = in.Checkpointer.Last().ExtendedSequenceNumber
	return nil
}

// ProcessRecords buffers the records and delivers each cut that is complete.
// While the store is down it does not return.
func (p *processor) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	defer p.report(in.Hold)
	defer p.buffer.own()
	if err := p.delivery.finish(ctx, in.Checkpointer); err != nil {
		return err
	}
	now := time.Now()
	for i := range in.Records {
		if p.archiver.settings.Decompression {
			deadline.Beat(ctx) // a record can take a while
		}
		if err := p.buffer.append(&in.Records[i], now); err != nil {
			return err
		}
		reason := p.buffer.due(now, true, false)
		if reason == "" {
			continue
		}
		if err := p.flush(ctx, in.Checkpointer, reason); err != nil {
			return err
		}
		now = time.Now()
	}
	if reason := p.buffer.due(now, false, in.Pressure); reason != "" {
		return p.flush(ctx, in.Checkpointer, reason)
	}
	return nil
}

// flush closes the cut, if the buffer has records, and delivers it.
func (p *processor) flush(ctx context.Context, cp kcl.Checkpointer, reason string) error {
	if err := p.delivery.finish(ctx, cp); err != nil {
		return err
	}
	g, err := p.buffer.take()
	if err != nil || g.contents == nil {
		return err
	}
	c, err := p.sealer.seal(ctx, g, cp.Last().ExtendedSequenceNumber, reason)
	if err != nil {
		p.buffer.broken = kcl.GiveUp(err)
		return p.buffer.broken
	}
	p.delivery.cut = c
	return p.delivery.finish(ctx, cp)
}

// report tells the worker, and who listens, what is in memory.
func (p *processor) report(hold func(int64)) {
	var e BufferedEvent
	if c := p.delivery.cut; c != nil {
		e = c.held()
	} else {
		e.Freshness = ageOf(p.buffer.open.oldest, time.Now())
	}
	if open := &p.buffer.open; open.contents != nil {
		e.Records, e.Bytes, e.Held = e.Records+open.records, e.Bytes+open.bytes, e.Held+open.contents.heldBytes()
	}
	e.ShardID = p.shardID
	if hold != nil {
		hold(e.Held)
	}
	if buffered := p.archiver.settings.Hooks.Buffered; buffered != nil {
		buffered(e)
	}
}

// ShardEnded delivers what is left and ends the shard.
func (p *processor) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	if err := p.flush(ctx, in.Checkpointer, reasonShardEnded); err != nil {
		return err
	}
	err := p.try.write(ctx, "ending the shard", in.Checkpointer.Checkpoint)
	if err == nil {
		p.delivery.staging.sweep(ctx)
	}
	return err
}

// ShutdownRequested delivers what is left.
func (p *processor) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	return p.flush(ctx, in.Checkpointer, reasonShutdown)
}

// LeaseLost forgets what is not delivered: the next holder reads it again. A
// prepared cut stays in the lease row for it.
func (p *processor) LeaseLost(context.Context, kcl.LeaseLostInput) { p.drop() }

func (p *processor) drop() {
	p.delivery.drop()
	p.buffer.reset()
}
