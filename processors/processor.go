package processors

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
)

// processor delivers one shard: what comes in goes into its buffer, and what that
// gathered, cut by cut, into its delivery. One goroutine owns it.
type processor struct {
	archiver  *Archiver
	shardID   string
	try       *tries
	sink      *objectSink
	incoming  incoming
	open      gate
	buffer    buffer
	sorter    *sorter // the buffer's; nil without partitions
	sealer    sealer
	delivery  delivery
	successor successor
	stopping  bool // in ShutdownRequested
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

// Initialize finishes what an earlier holder prepared, but for a load, which goes on
// behind later calls. What goes on there ends with ctx.
func (p *processor) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	p.drop()
	p.delivery.holding = ctx //nolint:fatcontext // it is good for the holding
	p.sink.trusted = in.CheckTrust
	p.archiver.look(ctx, p.try)
	left, err := p.settle(ctx, in)
	if err != nil {
		return err
	}
	p.delivery.staging.list(ctx)
	p.buffer.seen.mark = in.Checkpointer.Last().ExtendedSequenceNumber
	if p.delivery.cut = left; left != nil {
		p.buffer.seen.mark = left.last.ExtendedSequenceNumber // what it has comes again
	}
	p.incoming.begin(ctx, p.buffer.seen.mark)
	return nil
}

// settle finishes what an earlier holder prepared, or leaves it to the next one if the shard is
// to stop before.
func (p *processor) settle(ctx context.Context, in kcl.InitializationInput) (*cut, error) {
	ctx, end := stoppable(ctx, in.Stopping)
	defer end()
	return p.successor.settle(ctx, in)
}

// ProcessRecords buffers the records. Each cut that is complete is delivered behind,
// while the next one fills; when that is complete too, it does not return before the
// one that is under way is in the store. While that is loaded, the next one goes on with
// more objects. Under pressure, all are in the store when it returns.
func (p *processor) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	return p.whole(func() error {
		err := p.process(ctx, in)
		p.buffer.own()
		p.report(in.Hold)
		return err
	})
}

func (p *processor) process(ctx context.Context, in kcl.ProcessRecordsInput) error {
	p.delivery.wake, p.delivery.stop = in.Wake, in.Stopping
	p.incoming.call(in.Wake, p.room(in.TryHold))
	p.buffer.pace.note(in.BehindLatest)
	if p.sorter != nil {
		p.sorter.share(in.OpenShards)
	}
	if err := p.delivery.advance(ctx, in.Checkpointer); err != nil {
		return err
	}
	to := p.gate(ctx, in.Checkpointer)
	if err := p.takeIn(ctx, in.Records, to); err != nil {
		return err
	}
	err := p.goOn(ctx, in, to)
	if errors.Is(err, kcl.ErrStopping) {
		return nil // the records are in, and the call that follows delivers them
	}
	return err
}

// takeIn takes the records of a call in.
func (p *processor) takeIn(ctx context.Context, records []kcl.Record, to entrance) error {
	for i := range records {
		if p.archiver.settings.canFail() {
			deadline.Beat(ctx) // a record can take a while
		}
		if err := p.incoming.take(ctx, &records[i], to); err != nil {
			return err
		}
	}
	return nil
}

// goOn does what is due when a call's records are in.
func (p *processor) goOn(ctx context.Context, in kcl.ProcessRecordsInput, to entrance) error {
	if err := p.bring(ctx, to, in.Pressure); err != nil {
		return err
	}
	if reason := p.due(time.Now(), false, in.Pressure); reason != "" {
		if err := p.flush(ctx, in.Checkpointer, reason); err != nil {
			return err
		}
	}
	if in.Pressure {
		return p.delivery.stage(ctx, in.Checkpointer) // what is loaded holds nothing
	}
	return p.delivery.advance(ctx, in.Checkpointer)
}

// bring brings records that are on their way into the cut: all of them, or those that
// need not be waited for.
func (p *processor) bring(ctx context.Context, to entrance, all bool) error {
	if all {
		return p.incoming.finish(ctx, to)
	}
	return p.incoming.advance(ctx, to)
}

// gate is how records enter the cut, in one call.
type gate struct {
	*processor

	ctx context.Context //nolint:containedctx // of the call
	cp  kcl.Checkpointer
}

func (p *processor) gate(ctx context.Context, cp kcl.Checkpointer) *gate {
	p.open = gate{p, ctx, cp} // the processor's own memory: a call allocates none
	return &p.open
}

// enter implements entrance.
func (g *gate) enter(r *kcl.Record, what become) error {
	now := time.Now()
	if err := g.buffer.append(g.ctx, r, now, what); err != nil {
		return err
	}
	reason := g.due(now, true, false)
	if reason == "" {
		return nil
	}
	if g.buffer.isOver() {
		g.delivery.stop = nil // what follows has no place yet, however long that takes
	}
	err := g.flush(g.ctx, g.cp, reason)
	if errors.Is(err, kcl.ErrStopping) {
		g.buffer.open.late = cmp.Or(g.buffer.open.late, reason) // it goes on, so that all of the call's are in
		return nil
	}
	return err
}

// stopping implements entrance.
func (g *gate) stopping() <-chan struct{} { return g.delivery.stop }

// room returns what asks for memory beside what is held.
func (p *processor) room(try func(int64) bool) func(int64) bool {
	if try == nil {
		return nil
	}
	return func(more int64) bool { return try(p.held().Held + more) }
}

// due says why the cut is to be closed now, "" if it need not. One that had reached its
// end while another was loaded is late.
func (p *processor) due(now time.Time, within, pressure bool) string {
	if late := p.buffer.open.late; late != "" && !p.delivery.awaits() {
		return late
	}
	return p.buffer.due(now, within, pressure)
}

// flush closes the cut, if the buffer has records, and begins to deliver it. The one
// before must be finished: its end is where the next one's plan begins. While that one only
// waits to be loaded, the cut goes on with another object instead, if that does.
func (p *processor) flush(ctx context.Context, cp kcl.Checkpointer, reason string) error {
	if reason == reasonSize || reason == reasonInterval || p.stopping {
		if err := p.delivery.stage(ctx, cp); err != nil {
			return err
		}
		if p.delivery.awaits() && p.stopping {
			return errAwaits
		}
		if p.delivery.awaits() && p.buffer.goOn(reason) {
			return nil
		}
	}
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

// deliver brings in all that is on its way, closes the cut and delivers all that there is.
func (p *processor) deliver(ctx context.Context, cp kcl.Checkpointer, reason string) error {
	if err := p.incoming.finish(ctx, p.gate(ctx, cp)); err != nil {
		return err
	}
	if err := p.flush(ctx, cp, reason); err != nil {
		return err
	}
	return p.delivery.finish(ctx, cp)
}

// held returns what the shard has in memory.
func (p *processor) held() BufferedEvent {
	open := &p.buffer.open
	parts := []BufferedEvent{{}, {Freshness: ageOf(open.oldest, time.Now())}, p.incoming.held()} // from the oldest on
	if c := p.delivery.cut; c != nil {
		parts[0] = c.held()
	}
	if open.contents != nil {
		parts[1].Records, parts[1].Bytes = open.records, open.bytes
		parts[1].Held, parts[1].ActivePartitions = open.contents.held()
	}
	e := BufferedEvent{ShardID: p.shardID, SizeHint: p.buffer.pace.size(p.buffer.size), ActivePartitions: parts[1].ActivePartitions}
	for _, part := range parts {
		e.Records, e.Bytes, e.Held = e.Records+part.Records, e.Bytes+part.Bytes, e.Held+part.Held
		e.Freshness = cmp.Or(e.Freshness, part.Freshness)
	}
	return e
}

// report tells the worker, and who listens, what is in memory.
func (p *processor) report(hold func(int64)) {
	e := p.held()
	if p.sorter != nil {
		e.ActivePartitionsLimit = p.sorter.most
	}
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
		p.delivery.stop = in.Stopping
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
// stays prepared for the next holder, who also reads again what is not prepared. What
// the transform has not done after half of the time is left to him. It waits for no load,
// which may take longer than any shutdown: he awaits a cut that does, and reads again what
// follows it.
func (p *processor) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	soon := ctx
	if !in.Deadline.IsZero() {
		rest := min(shutdownRest, time.Until(in.Deadline)/2)
		last := in.Deadline.Add(-rest)
		var cancel, cancelSoon context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, last, errLeft)
		defer cancel()
		soon, cancelSoon = context.WithDeadlineCause(ctx, last.Add(-time.Until(last)/2), errLeft)
		defer cancelSoon()
	}
	return p.whole(func() error {
		p.stopping, p.delivery.stop = true, nil
		defer func() { p.stopping = false }()
		err := p.deliverLast(ctx, soon, in.Checkpointer)
		if p.delivery.awaits() && (err == nil || errors.Is(err, errAwaits)) {
			p.delivery.cut.loading().leave(p.held())
			return nil
		}
		return err
	})
}

// deliverLast delivers what is left, but for a load: its error is errAwaits if it cannot go on before
// that.
func (p *processor) deliverLast(ctx, soon context.Context, cp kcl.Checkpointer) error {
	if err := p.delivery.stage(ctx, cp); err != nil {
		return err
	}
	if p.delivery.awaits() {
		return errAwaits // what is behind can be part of no cut yet
	}
	late := p.incoming.finish(soon, p.gate(ctx, cp))
	if late != nil && !errors.Is(late, errLeft) {
		return late
	}
	if err := p.flush(ctx, cp, reasonShutdown); err != nil {
		return errors.Join(late, err)
	}
	return errors.Join(late, p.delivery.stage(ctx, cp))
}

// errAwaits means that no cut can follow before another one is loaded.
var errAwaits = errors.New("the cut before waits to be loaded")

// errLeft means that a shutdown did not wait longer for a delivery.
var errLeft = errors.New("not delivered in time before the worker stops: the next holder of the lease does it")

// LeaseLost forgets what is not delivered: the next holder reads it again. A
// prepared cut stays in the lease row for it.
func (p *processor) LeaseLost(context.Context, kcl.LeaseLostInput) {
	p.drop()
	if buffered := p.archiver.settings.Hooks.Buffered; buffered != nil {
		buffered(BufferedEvent{ShardID: p.shardID, SizeHint: p.buffer.size})
	}
}

func (p *processor) drop() {
	p.incoming.drop()
	p.delivery.drop()
	p.buffer.reset()
}
