package processors

import (
	"context"
	"fmt"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// parcel are the objects that a cut brings to a store. One goroutine uses it.
type parcel interface {
	// seal returns nil when what publish needs is durable, so that another holder
	// can publish it, however long that takes.
	seal(ctx context.Context) error

	// publish returns nil when all of it is durable, however long that takes.
	// After an error it may be called again, and goes on where it stopped.
	publish(ctx context.Context) error

	// loading returns what is left of it when all of it is durable, and is to be loaded;
	// nil if it is not.
	loading() *loading

	// committed is told that the checkpoint has passed it, or that nothing but its marker
	// keeps it from that, after release.
	committed(ctx context.Context, reason string)

	// release gives back what it holds in memory and in files.
	release()

	// held returns what it holds.
	held() BufferedEvent
}

// delivery brings the closed cuts of one shard to their end, one after another. The
// lease row is written on the shard's goroutine. What talks to the destination goes on
// behind, so that the next cut can fill.
type delivery struct {
	try     *tries
	staging *staging        // nil if no cut is sealed
	holding context.Context //nolint:containedctx // ends with the lease, and what goes on behind with it
	stop    <-chan struct{} // a call that waits returns once it is closed; nil if none does
	wake    func()          // asks for a call, since what went on behind has ended; nil if nobody listens
	cut     *cut            // the unfinished one; nil if there is none
	behind  *errand         // of cut; nil if nothing goes on
	failed  bool            // the last one that ended
}

// advance brings the unfinished cut, if there is one, as far as it comes without
// waiting for the destination. After an error the cut is still there, and the next
// call goes on where this one stopped; it waits then, so that who counts the calls
// that fail counts this one.
func (d *delivery) advance(ctx context.Context, cp kcl.Checkpointer) error {
	return d.goOn(ctx, cp, func() bool { return false })
}

// stage is advance that waits for all but a load: when it returns nil there is no
// unfinished cut, or it awaits.
func (d *delivery) stage(ctx context.Context, cp kcl.Checkpointer) error {
	return d.goOn(ctx, cp, func() bool { return !d.awaits() })
}

// finish is advance that waits: when it returns nil there is no unfinished cut.
func (d *delivery) finish(ctx context.Context, cp kcl.Checkpointer) error {
	return d.goOn(ctx, cp, func() bool { return true })
}

// awaits reports whether the unfinished cut is in the store, and only waits until it is
// loaded.
func (d *delivery) awaits() bool {
	return d.cut != nil && exactlyonce.Next(d.cut.progress) == exactlyonce.Await
}

func (d *delivery) goOn(ctx context.Context, cp kcl.Checkpointer, waits func() bool) error {
	for d.cut != nil {
		if d.behind != nil && !d.behind.isOver() {
			if !waits() && !d.failed {
				return nil
			}
			if err := d.behind.wait(ctx, d.stop); err != nil {
				return err
			}
		}
		if err := d.step(ctx, cp); err != nil {
			return err
		}
	}
	return nil
}

// step takes what has ended behind, or makes the step that the cut needs, or has it
// made behind.
func (d *delivery) step(ctx context.Context, cp kcl.Checkpointer) error {
	c, next := d.cut, exactlyonce.Next(d.cut.progress)
	switch {
	case d.behind != nil:
		err := d.behind.err
		d.behind, d.failed = nil, err != nil
		switch next {
		case exactlyonce.Bulk:
			if err == nil {
				err = c.close(ctx)
			}
		case exactlyonce.Seal:
			c.progress.Sealed = err == nil
		case exactlyonce.Await:
			c.progress.Loaded = err == nil
		default:
			c.progress.Published = err == nil
		}
		return err
	case next == exactlyonce.Bulk:
		d.behind = send(d.holding, c.open.index, d.wake) //nolint:contextcheck // it may outlast the call
	case next == exactlyonce.Seal:
		d.behind = send(d.holding, c.seal, d.wake) //nolint:contextcheck // it may outlast the call
	case next == exactlyonce.Publish:
		d.behind = send(d.holding, c.publish, d.wake) //nolint:contextcheck // it may outlast the call
	case next == exactlyonce.Prepare:
		err := d.prepare(ctx, cp, c)
		c.progress.Prepared = err == nil
		return err
	case next == exactlyonce.Announce:
		err := d.try.announce(ctx, c.prepared, c.announcement)
		c.progress.Announced = err == nil
		return err
	case next == exactlyonce.Await:
		left := c.staged(ctx)
		d.behind = send(d.holding, left.await, d.wake) //nolint:contextcheck // it may outlast the call
	default: // exactlyonce.Commit
		if err := d.commit(ctx, cp, c); err != nil {
			return err
		}
		d.drop()
		d.staging.sweep(ctx)
		c.committed(ctx, c.reason)
	}
	return nil
}

// prepare returns nil only if the plan is known to be in the row. Until then
// nothing but the same write is tried.
func (d *delivery) prepare(ctx context.Context, cp kcl.Checkpointer, c *cut) error {
	return d.try.write(ctx, fmt.Sprintf("preparing the cut that ends at %v", c.last), func(ctx context.Context) error {
		prepared, err := cp.PrepareAt(ctx, c.last, c.state)
		if err != nil {
			return err
		}
		c.prepared = prepared
		return nil
	})
}

func (d *delivery) commit(ctx context.Context, cp kcl.Checkpointer, c *cut) error {
	return d.try.write(ctx, fmt.Sprintf("committing the cut that ends at %v", c.last), func(ctx context.Context) error {
		if c.prepared != nil {
			return c.prepared.Checkpoint(ctx)
		}
		return cp.CheckpointAt(ctx, c.last)
	})
}

// drop ends what goes on behind, and forgets the unfinished cut. If it is prepared, the
// plan stays in the row.
func (d *delivery) drop() {
	if d.behind != nil {
		d.behind.end()
		d.behind = nil
	}
	d.failed = false
	if d.cut != nil {
		d.cut.release()
		d.cut = nil
	}
}
