package elected

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/lease"
)

const tellInterval = time.Minute // between two lines about one trouble

// errPreparing is what Status has until the table was found to be usable.
var errPreparing = errors.New("the table of jobs is being made ready")

// keepRow makes the row anew whenever the table is seen to have none: somebody removed
// it, and without it nobody would ever do the job again.
func (r *Role) keepRow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.absent:
		}
		if !r.makeReady(ctx) {
			return
		}
		r.leases.Wake()
	}
}

// makeReady makes the table and the row, if there are none. It tries until it has, and
// returns false if ctx is done before.
func (r *Role) makeReady(ctx context.Context) bool {
	tries := pause.NewBackOff("job "+r.cfg.Job, time.Second, 30*time.Second, 0.2)
	var told time.Time
	for attempt := 1; ctx.Err() == nil; attempt++ {
		err := r.ensure(ctx, attempt)
		if ctx.Err() != nil {
			break
		}
		r.note(err)
		if err == nil {
			if attempt > 1 {
				r.cfg.Logger.Info("table of jobs is ready", zap.Int("attempt", attempt))
			}
			return true
		}
		in := tries.Next(ctx)
		if now := time.Now(); told.IsZero() || now.Sub(told) >= tellInterval {
			told = now
			r.cfg.Logger.Warn("table of jobs is not ready: nobody is known to do the job; trying again",
				zap.Int("attempt", attempt), zap.Duration("retry_in", in), zap.Error(err))
		}
		_ = pause.For(ctx, in) // the loop sees that ctx is done
	}
	return false
}

// note notes what became of a try to make the table ready.
func (r *Role) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table.set(err)
}

// ensure makes one try. It may wait for a table that is being made.
func (r *Role) ensure(ctx context.Context, attempt int) error {
	if attempt == 1 {
		r.note(errPreparing)
	}
	end := pause.Remind(tellInterval, tellInterval, func(waited time.Duration) {
		r.cfg.Logger.Warn("table of jobs is not ready yet: nobody is known to do the job", zap.Duration("waited", waited))
	})
	defer end()
	if err := r.cfg.Table.Ensure(ctx); err != nil {
		return err //nolint:wrapcheck // it says what it is about
	}
	if _, err := r.cfg.Table.Get(ctx, r.cfg.Job); !errors.Is(err, lease.ErrNotFound) {
		return err //nolint:wrapcheck // it says what it is about
	}
	if err := r.checkRows(ctx); err != nil {
		return err
	}
	err := r.cfg.Table.Create(ctx, lease.Lease{Key: r.cfg.Job, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
	if errors.Is(err, lease.ErrExists) {
		return nil
	}
	return err //nolint:wrapcheck // it says what it is about
}

// checkRows looks for the leases of shards before a row is put among them.
func (r *Role) checkRows(ctx context.Context) error {
	leases, unreadable, err := r.cfg.Table.List(ctx)
	if err != nil {
		return err //nolint:wrapcheck // it says what it is about
	}
	return CheckRows(leases, unreadable)
}

// CheckRows returns an error that is lease.ErrInvalidState if a table of jobs has the lease of a
// shard, given what lease.Store's List found. Such a table is an application's: its workers, whoever they are
// written by, would take the row of a job for the free lease of a shard that is not there. Where nothing has
// been listed it cannot be told: an application may make its leases later.
func CheckRows(leases []lease.Lease, unreadable []*lease.UnreadableError) error {
	for _, row := range unreadable {
		if strings.Contains(row.Key, shard) {
			return notOfJobs(row.Key)
		}
	}
	for _, l := range leases {
		if isOfShard(l) {
			return notOfJobs(l.Key)
		}
	}
	return nil
}

func notOfJobs(key string) error {
	return fmt.Errorf("%w: the table has the lease of a shard, %s: it is the lease table of an application, whose workers would take the row of a job for a shard's: use another one (loaderTable)", lease.ErrInvalidState, key)
}

// shard is in the names of shards, also in those that have their stream before it.
// Source: Kinesis API, Shard; KCL multi-stream leases.
const shard = "shardId-"

// isOfShard reports whether a row has what the row of a job never has.
func isOfShard(l lease.Lease) bool {
	return strings.Contains(l.Key, shard) || len(l.Parents)+len(l.Children) > 0 || l.Range != lease.HashRange{} || !l.Identity.IsZero() ||
		l.Pending != nil || l.Checkpoint != checkpoint.Sentinel(checkpoint.TrimHorizon)
}
