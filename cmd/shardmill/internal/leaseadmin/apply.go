package leaseadmin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/lease"
)

// patience is for how long one row is tried to be written.
const patience = 30 * time.Second

// Apply writes what was decided, row after row, and tells of each one written.
// It ends between two rows when ctx is done.
//
// Errors: context.Cause(ctx). lease.ErrLost if a row is no longer as it was
// read: nothing of that row was written, and a new plan may be made. Others as
// the table's, after what may pass was tried again; what was written is not
// known then, which a new plan shows.
func Apply(ctx context.Context, t Table, plan []Change, told func(Change)) error {
	for _, c := range plan {
		if !c.Writes() {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := applyOne(ctx, t, c); err != nil {
			return err
		}
		told(c)
	}
	return nil
}

// applyOne is not ended by ctx: it takes no longer than its patience.
func applyOne(ctx context.Context, t Table, c Change) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	row := c.Before
	switch {
	case c.Kind == Releases:
		return persist(ctx, row.Key, func() error {
			_, err := t.Release(ctx, row, lease.Plain)
			return err
		})
	case c.Kind == Rewrites, !row.Finished():
		err := persist(ctx, row.Key, func() (err error) {
			var written lease.Lease
			if written, err = t.Rewrite(ctx, c.Before, c.After); err == nil {
				row = written
			}
			return err
		})
		if err != nil || c.Kind == Rewrites {
			return err
		}
	}
	return persist(ctx, row.Key, func() error { return t.Delete(ctx, row) })
}

// persist repeats one write until its outcome is known.
func persist(ctx context.Context, key string, write func() error) error {
	pauses := pause.NewBackOff("write "+key, 200*time.Millisecond, 2*time.Second, 0.5)
	doubt := false // a try before this one may have been it
	for {
		err := write()
		lost, passes := errors.Is(err, lease.ErrLost), !isFinal(err)
		doubt = doubt || passes && !lost && !errors.Is(err, lease.ErrThrottled)
		switch {
		case err == nil:
			return nil
		case passes && !lost && pauses.Wait(ctx) == nil:
			// again
		case doubt:
			return fmt.Errorf("it is not known whether lease %s was written; look again: %w", key, err)
		case lost:
			return fmt.Errorf("lease %s was changed while it was looked at, and was not written: %w", key, err)
		default:
			return fmt.Errorf("lease %s was not written: %w", key, err)
		}
	}
}

func isFinal(err error) bool {
	return errors.Is(err, lease.ErrInvalidState) || errors.Is(err, lease.ErrAccessDenied) || errors.Is(err, lease.ErrTableNotFound)
}
