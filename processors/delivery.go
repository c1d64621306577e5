package processors

import (
	"context"
	"fmt"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// parcel is what a cut brings to its destination: objects of a store, or, for a
// destination of another kind, a bulk of documents. One goroutine uses it.
type parcel interface {
	// seal returns nil when what publish needs is durable, so that another holder
	// can publish it, however long that takes.
	seal(ctx context.Context) error

	// publish returns nil when all of it is durable, however long that takes.
	// After an error it may be called again, and goes on where it stopped.
	publish(ctx context.Context) error

	// committed is told that the checkpoint has passed it, after release.
	committed(ctx context.Context, reason string)

	// release gives back what it holds in memory and in files.
	release()

	// held returns what it holds.
	held() BufferedEvent
}

// delivery brings the closed cuts of one shard to their end.
type delivery struct {
	try     *tries
	staging *staging // nil if no cut is sealed
	cut     *cut     // the unfinished one; nil if there is none
}

// finish brings the unfinished cut, if there is one, to its end. After an
// error the cut is still there, and the next call goes on where this one
// stopped.
func (d *delivery) finish(ctx context.Context, cp kcl.Checkpointer) error {
	for d.cut != nil {
		if err := d.advance(ctx, cp, d.cut); err != nil {
			return err
		}
	}
	return nil
}

// advance makes the step that the cut needs.
func (d *delivery) advance(ctx context.Context, cp kcl.Checkpointer, c *cut) error {
	switch exactlyonce.Next(c.progress) {
	case exactlyonce.Seal:
		err := c.seal(ctx)
		c.progress.Sealed = err == nil
		return err
	case exactlyonce.Prepare:
		err := d.prepare(ctx, cp, c)
		c.progress.Prepared = err == nil
		return err
	case exactlyonce.Publish:
		err := c.publish(ctx)
		c.progress.Published = err == nil
		return err
	default: // exactlyonce.Commit
		if err := d.commit(ctx, cp, c); err != nil {
			return err
		}
		d.drop()
		c.committed(ctx, c.reason)
		d.staging.sweep(ctx)
		return nil
	}
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

// drop forgets the unfinished cut. If it is prepared, the plan stays in the row.
func (d *delivery) drop() {
	if d.cut != nil {
		d.cut.release()
		d.cut = nil
	}
}
