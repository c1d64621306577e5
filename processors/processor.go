package processors

import (
	"context"
	"errors"
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

// whole makes a call. One that does not return, since what it called panicked or ended
// the goroutine, is the processor's last, and leaves nothing behind.
func (p *processor) whole(call func() error) error {
	hasReturned := false
	defer func() {
		if !hasReturned {
			p.drop()
		}
	}()
	err := call()
	hasReturned = true
	return err
}

// Initialize finishes what an earlier holder prepared. What goes on behind later
// calls ends with ctx.
func (p *processor) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	p.drop()
	p.delivery.holding = ctx //nolint:fatcontext // it is good for the holding
	p.sink.trusted = in.CheckTrust
	p.archiver.checkBuckets(ctx, p.try)
	if err := p.successor.settle(ctx, in); err != nil {
		return err
	}
	p.delivery.staging.list(ctx)
	p.buffer.mark = in.Checkpointer.Last().ExtendedSequenceNumber
	return nil
}

// ProcessRecords buffers the records. Each cut that is complete is delivered behind,
// while the next one fills; when that is complete too, it does not return before the
// one that is under way is in the store. Under pressure, all are in the store when it
// returns.
func (p *processor) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	return p.whole(func() error {
		err := p.process(ctx, in)
		p.buffer.own()
		p.report(in.Hold)
		return err
	})
}

func (p *processor) process(ctx context.Context, in kcl.ProcessRecordsInput) error {
	p.delivery.wake = in.Wake
	p.buffer.pace.note(in.BehindLatest)
	if err := p.delivery.advance(ctx, in.Checkpointer); err != nil {
		return err
	}
	now := time.Now()
	for i := range in.Records {
		if p.archiver.settings.Decompression {
			deadline.Beat(ctx) // a record can take a while
		}
		if err := p.buffer.append(ctx, &in.Records[i], now); err != nil {
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
		if err := p.flush(ctx, in.Checkpointer, reason); err != nil {
			return err
		}
	}
	if in.Pressure {
		return p.delivery.finish(ctx, in.Checkpointer)
	}
	return p.delivery.advance(ctx, in.Checkpointer)
}

// flush closes the cut, if the buffer has records, and begins to deliver it. The one
// before must be finished: its end is where the next one's plan begins.
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
	return p.delivery.advance(ctx, cp)
}

// deliver closes the cut and delivers all that there is.
func (p *processor) deliver(ctx context.Context, cp kcl.Checkpointer, reason string) error {
	if err := p.flush(ctx, cp, reason); err != nil {
		return err
	}
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
	e.ShardID, e.SizeHint = p.shardID, p.buffer.pace.size(p.buffer.size)
	if hold != nil {
		hold(e.Held)
	}
	if buffered := p.archiver.settings.Hooks.Buffered; buffered != nil {
		buffered(e)
	}
}

// ShardEnded delivers what is left and ends the shard.
func (p *processor) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	return p.whole(func() error {
		if err := p.deliver(ctx, in.Checkpointer, reasonShardEnded); err != nil {
			return err
		}
		err := p.try.write(ctx, "ending the shard", in.Checkpointer.Checkpoint)
		if err == nil {
			p.delivery.staging.sweep(ctx)
		}
		return err
	})
}

// shutdownRest is how long before its deadline a shutdown stops to deliver, so that
// the lease is given back in time.
const shutdownRest = 5 * time.Second

// ShutdownRequested delivers what is left, if that is done in time. A cut that is not
// stays prepared for the next holder, who also reads again what is not prepared.
func (p *processor) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	if !in.Deadline.IsZero() {
		rest := min(shutdownRest, time.Until(in.Deadline)/2)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, in.Deadline.Add(-rest), errLeft)
		defer cancel()
	}
	return p.whole(func() error { return p.deliver(ctx, in.Checkpointer, reasonShutdown) })
}

// errLeft means that a shutdown did not wait longer for a delivery.
var errLeft = errors.New("not delivered in time before the worker stops: the next holder of the lease does it")

// LeaseLost forgets what is not delivered: the next holder reads it again. A
// prepared cut stays in the lease row for it.
func (p *processor) LeaseLost(context.Context, kcl.LeaseLostInput) { p.drop() }

func (p *processor) drop() {
	p.delivery.drop()
	p.buffer.reset()
}
