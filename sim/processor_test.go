package sim_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
)

var errBoom = errors.New("boom")

// taker is a processor that accepts records, or not, and checkpoints when it
// likes.
type taker struct {
	w     *world
	p     *model
	m     *machine
	shard string
	next  int // index of the record that must come next
	blind blind
}

func (p *taker) Initialize(_ context.Context, in kcl.InitializationInput) error {
	p.w.trusts(p.m, p.shard, in.CheckTrust)
	p.w.begin(p.m, p.shard, "initializes")
	p.m.wait("call for " + p.shard)
	if !p.m.isDead() {
		p.w.parentsDone(p.shard)
	}
	p.blind = blind{p.m, p.shard, in.Checkpoint.IsSentinel()}
	for _, r := range p.p.stream.Records(number(p.shard)) {
		if in.Checkpoint.IsRecord() && r.Position().Compare(in.Checkpoint.ExtendedSequenceNumber) <= 0 {
			p.next++
		}
	}
	return nil
}

func (p *taker) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	p.w.begin(p.m, p.shard, "processes")
	p.blind.sees(in.Records)
	p.inOrder(in)
	if p.m.meets(sick, "processor of "+p.shard) {
		if err := p.fail(ctx); err != nil {
			return err
		}
	}
	p.m.wait("call for " + p.shard)
	if p.m.isDead() || ctx.Err() != nil {
		return errDead
	}
	p.p.accept(p.shard, in.Records...)
	if p.m.throw("checkpoint "+p.shard) < 0.3 {
		return nil
	}
	return in.Checkpointer.Checkpoint(ctx)
}

// inOrder checks that a batch begins where the one before ended, or is one that
// was refused, and has no gap.
func (p *taker) inOrder(in kcl.ProcessRecordsInput) {
	all := p.p.stream.Records(number(p.shard))
	first := slices.IndexFunc(all, func(r kcl.Record) bool { return r.SequenceNumber == in.Records[0].SequenceNumber })
	switch {
	case first > p.next && !p.mayLack(all[p.next:first]), in.Attempt == 1 && first < p.next:
		p.w.violate("%s is delivered record %d of %s, attempt %d, and %d should come next", p.m.name, first, short(p.shard), in.Attempt, p.next)
	}
	for i, r := range in.Records {
		if all[first+i].SequenceNumber != r.SequenceNumber {
			p.w.violate("%s is delivered a batch of %s with a gap before %s", p.m.name, short(p.shard), r.SequenceNumber)
			break
		}
	}
	p.next = first + len(in.Records)
}

// mayLack reports whether records may all be lost.
func (p *taker) mayLack(records []kcl.Record) bool {
	return !slices.ContainsFunc(records, func(r kcl.Record) bool { return !p.w.mayBeLost(p.shard, string(r.Data)) })
}

// fail is one of the ways in which a processor may be sick. One that is sick
// most of the time just fails, so that its attempts come to their end.
func (p *taker) fail(ctx context.Context) error {
	if p.w.chance(sick, p.m.slot) > 0.6 {
		p.w.count("processors that failed")
		return errBoom
	}
	switch p.m.dice.below(5, "sickness of "+p.shard, int64(time.Since(p.w.begun))) {
	case 0:
		p.w.count("processors that panicked")
		panic(errBoom)
	case 1:
		p.w.count("processors that were slow")
		return pause.For(ctx, p.m.upTo(2*p.m.failover(), "slow "+p.shard))
	case 2:
		p.w.count("processors that blocked whatever their context said")
		time.Sleep(p.m.upTo(2*p.m.failover(), "blocked "+p.shard))
		return nil
	default:
		p.w.count("processors that failed")
		return errBoom
	}
}

func (p *taker) LeaseLost(context.Context, kcl.LeaseLostInput) {}

func (p *taker) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	p.w.begin(p.m, p.shard, "ends")
	p.blind.sees(nil)
	if all := p.p.stream.Records(number(p.shard)); p.next < len(all) && !p.mayLack(all[p.next:]) && !p.m.isDead() {
		p.w.violate("%s is told that %s has ended and got %d of %d records", p.m.name, short(p.shard), p.next, len(all))
	}
	return in.Checkpointer.Checkpoint(ctx)
}

func (p *taker) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	p.w.begin(p.m, p.shard, "stops")
	if p.m.throw("last checkpoint "+p.shard) < 0.5 {
		return nil
	}
	return in.Checkpointer.Checkpoint(ctx)
}
