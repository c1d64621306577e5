package processors

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// cut is a closed cut on its way through prepare, publish and commit. Its
// fields say how far it is, so that finish can be called again after an error.
type cut struct {
	object

	state     []byte // the plan; every try of the prepare stores these bytes
	last      checkpoint.Position
	oldest    time.Time
	reason    string
	prepared  *checkpoint.PreparedCheckpoint
	published bool
}

// close makes the buffer's records the unfinished cut. Everything that depends
// on clock, chance or configuration is fixed here.
func (p *processor) close(cp kcl.Checkpointer, reason string) error {
	if err := p.buf.body.finish(); err != nil {
		return err
	}
	b := p.buf.take()
	id := p.newUUID()
	at := b.first.Arrival
	if at.IsZero() {
		at = time.Now()
	}
	pl := exactlyonce.Plan{
		Identity:     p.identity,
		UUID:         id,
		After:        cp.Last().ExtendedSequenceNumber,
		First:        b.first.ExtendedSequenceNumber,
		Last:         b.last.ExtendedSequenceNumber,
		FirstArrival: b.first.Arrival,
		LastArrival:  b.last.Arrival,
		Records:      b.body.records,
		Bytes:        b.body.bytes,
		Digest:       b.body.digest(),
		HashRange:    exactlyonce.HashRange{Start: p.shard.Range.Start, End: p.shard.Range.End, Rule: p.shard.HashRangeRule.Wire()},
		Bucket:       p.Bucket,
		Key:          objectKey(p.Prefix, p.DeliveryStreamName, p.Version, at, id, p.codec),
		Codec:        p.codec,
	}
	state, err := p.encode(pl)
	if err != nil {
		p.release(b.body, true)
		return err
	}
	p.cut = &cut{
		object: object{plan: pl, body: b.body, ifAbsent: p.Delivery == ExactlyOnce},
		state:  state, last: b.last, oldest: b.oldest, reason: reason,
	}
	return nil
}

// encode returns what the row is to hold of a plan, nil if nothing. A plan that
// a successor with this configuration would not finish must not get there.
func (p *processor) encode(pl exactlyonce.Plan) ([]byte, error) {
	if p.Delivery != ExactlyOnce {
		return nil, nil
	}
	state := pl.Encode()
	pending := checkpoint.Prepared{At: pl.Last, State: state}
	if verdict, _, err := exactlyonce.Judge(&pending, pl.After, p.identity, p.buckets()); verdict != exactlyonce.Redo {
		return nil, fmt.Errorf("a plan of ours is %v: %w", verdict, err)
	}
	return state, nil
}

// finish brings the unfinished cut, if there is one, to its end. After an
// error the cut is still there, and the next call goes on where this one
// stopped.
func (p *processor) finish(ctx context.Context, cp kcl.Checkpointer) error {
	for p.cut != nil {
		if err := p.advance(ctx, cp, p.cut); err != nil {
			return err
		}
	}
	return nil
}

// advance makes the step that the cut needs.
func (p *processor) advance(ctx context.Context, cp kcl.Checkpointer, c *cut) error {
	switch exactlyonce.Next(exactlyonce.Progress{Planned: c.state != nil, Prepared: c.prepared != nil, Published: c.published}) {
	case exactlyonce.Prepare:
		return p.prepare(ctx, cp, c)
	case exactlyonce.Publish:
		err := p.publish(ctx, &c.object)
		c.published = err == nil
		return err
	default:
		if err := p.commit(ctx, cp, c); err != nil {
			return err
		}
		p.cut = nil
		p.release(c.body, c.reusable())
		p.delivered(c.object, c.oldest, c.reason)
		return nil
	}
}

// prepare returns nil only if the plan is known to be in the row. Until then
// nothing but the same write is tried.
func (p *processor) prepare(ctx context.Context, cp kcl.Checkpointer, c *cut) error {
	return p.repeatWrite(ctx, fmt.Sprintf("preparing the cut that ends at %v", c.last), func(ctx context.Context) error {
		prepared, err := cp.PrepareAt(ctx, c.last, c.state)
		if err != nil {
			return err
		}
		c.prepared = prepared
		return nil
	})
}

func (p *processor) commit(ctx context.Context, cp kcl.Checkpointer, c *cut) error {
	return p.repeatWrite(ctx, fmt.Sprintf("committing the cut that ends at %v", c.last), func(ctx context.Context) error {
		if c.prepared != nil {
			return c.prepared.Checkpoint(ctx)
		}
		return cp.CheckpointAt(ctx, c.last)
	})
}

// delivered reports a cut that is committed.
func (p *processor) delivered(o object, oldest time.Time, reason string) {
	e := DeliveredEvent{
		ShardID: p.shard.ShardID, Bucket: o.plan.Bucket, Key: o.plan.Key,
		Records: o.plan.Records, Bytes: o.plan.Bytes, Freshness: ageOf(oldest, time.Now()),
		Reason: reason, ObjectBytes: o.size, Puts: o.puts, Found: o.found,
	}
	if o.stored { // fewer than planned, if some have expired
		e.Records, e.Bytes = o.body.records, o.body.bytes
	}
	p.log.Info("object delivered", zap.String("key", e.Key), zap.Int64("records", e.Records), zap.Int64("bytes", e.Bytes),
		zap.Int64("object_bytes", e.ObjectBytes), zap.String("reason", reason), zap.Duration("freshness", e.Freshness))
	if p.Hooks.Delivered != nil {
		p.Hooks.Delivered(e)
	}
}

// release closes a body. That its file could not be closed or removed loses
// nothing, so it is only logged.
func (p *processor) release(b *body, reuse bool) {
	if err := b.close(reuse); err != nil {
		p.log.Warn("spool file was left behind", zap.Error(err))
	}
}

func ageOf(arrival, now time.Time) time.Duration {
	if arrival.IsZero() {
		return 0
	}
	return max(now.Sub(arrival), 0)
}
