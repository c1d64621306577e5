package kcl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl/internal/rows"
	"github.com/shardmill/shardmill/kcl/internal/shardsync"
	"github.com/shardmill/shardmill/lease"
)

// maxDecisionAge is how old what was decided on may be when a lease is
// created. A worker that was stopped in between must look again: others may
// have finished and deleted that very lease meanwhile.
const maxDecisionAge = 20 * time.Second

// errDecisionStale means that a decision was not carried out because it had become old.
var errDecisionStale = errors.New("the decision of the shard sync is too old")

// What a worker does with the stream and the table, as troubles name it.
const (
	doingList  = "listing the shards"
	doingCheck = "checking the lease table"
	doingScan  = "reading the lease table"
	doingRead  = "reading shards"
	doingLease = "looking for leases to take"
)

// makeReady makes the table usable and the leases complete before the worker
// takes any. Errors that may pass are tried again until ctx is done.
func (w *Worker) makeReady(ctx context.Context) error {
	retries := newRetries("start")
	for {
		err := w.tryReady(ctx)
		if err == nil || isUnusable(err) {
			return err
		}
		if ctx.Err() == nil {
			w.cfg.Logger.Warn("worker not started yet", zap.Error(err))
		}
		if err := retries.Wait(ctx); err != nil {
			return err
		}
	}
}

func (w *Worker) tryReady(ctx context.Context) error {
	// The stream is looked at first: for one that does not exist no table
	// should be made.
	if _, err := w.listShards(ctx, loopStart, ""); err != nil {
		return err
	}
	if err := w.ensure(ctx, loopStart); err != nil {
		return err
	}
	_, err := w.syncShards(ctx, loopStart, "")
	return err
}

// isUnusable reports whether someone must change something before a retry can
// help. Of a worker that runs that is not so: credentials are renewed.
func isUnusable(err error) bool { return errors.Is(err, lease.ErrInvalidState) || isOutside(err) }

// listShards lists the shards as a step of a loop.
func (w *Worker) listShards(ctx context.Context, loop, shardID string) (list ShardList, err error) {
	err = w.steps.do(ctx, loop, shardID, doingList, func(ctx context.Context) (err error) {
		list, err = w.cfg.Source.ListShards(ctx)
		return err
	})
	w.troubles.outcome(doingList, err)
	return list, err
}

// ensure makes sure that the table can be used, as a step of a loop.
func (w *Worker) ensure(ctx context.Context, loop string) error {
	err := w.steps.do(ctx, loop, "", doingCheck, w.cfg.Leases.Ensure)
	w.troubles.outcome(doingCheck, err)
	return err
}

// minSyncGap is the least time from one shard sync to the next that somebody asks
// for.
const minSyncGap = 5 * time.Second

// syncSoon has the shards listed before the next sync is due: a row is of a shard
// that the last listing did not have.
func (w *Worker) syncSoon() {
	select {
	case w.resync <- struct{}{}:
	default:
	}
}

// untilSync waits until the next shard sync is due, or is asked for. A fifth of
// jitter is left out of the time, so that workers do not all list at once. One
// that failed is soon tried again.
func (w *Worker) untilSync(ctx context.Context, failed bool) (asked bool, err error) {
	due := pause.Less(ctx, "sync", w.cfg.ShardSyncInterval, 0.2)
	if failed {
		due = min(due, 2*minSyncGap)
	}
	if w.kin.inDoubt() {
		due = min(due, rows.Lasting+pause.Less(ctx, "sync in doubt", minSyncGap, 1))
	}
	gap := min(due, minSyncGap-pause.Less(ctx, "sync soon", minSyncGap/5, 1))
	if err := pause.For(ctx, gap); err != nil {
		return false, err
	}
	timer := time.NewTimer(due - gap)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-w.resync:
		return true, nil
	case <-timer.C:
		return false, nil
	}
}

// keepSynced compares shards and leases until ctx is done.
func (w *Worker) keepSynced(ctx context.Context) {
	for failed := false; ; {
		asked, err := w.untilSync(ctx, failed)
		if err != nil {
			return
		}
		err = w.ensure(ctx, loopSync)
		if err == nil {
			_, err = w.syncShards(ctx, loopSync, "")
		}
		failed = err != nil
		switch {
		case errors.Is(err, lease.ErrInvalidState):
			if _, foreign := errors.AsType[*foreignError](err); foreign { // it is told while processors stop
				w.troubles.set(troubleKey{reason: TroubleForeignTable}, err.Error(), nil)
			}
			w.fail(err)
			return
		case err != nil && ctx.Err() == nil:
			w.cfg.Logger.Warn("shards not synced", zap.Error(err))
		case asked:
			w.leases.Wake()
		}
	}
}

// syncShards creates, completes and deletes leases as the stream's shards ask
// for. Every worker does it, without a leader: creations are conditional on
// there being no row, deletions on the row being finished and unchanged. It
// returns the shards. The error is ErrInvalidState if the table is another
// stream's.
func (w *Worker) syncShards(ctx context.Context, loop, shardID string) ([]Shard, error) {
	start := w.leases.Now()
	leases, malformed, err := w.listLeases(ctx, loop, shardID)
	if err != nil {
		return nil, err
	}
	listed := w.leases.Now()
	list, err := w.listShards(ctx, loop, shardID)
	if err != nil {
		return nil, err
	}
	if err := list.CheckWhole(); err != nil {
		return nil, fmt.Errorf("listing of the shards of %s is not whole: %w", w.cfg.StreamName, err)
	}
	w.kin.saw(list.Shards)
	judged, err := w.judgeRows(ctx, loop, listed, leases, malformed)
	if err != nil {
		return nil, err
	}
	known, unreadable := asJudged(leases, judged)
	todo := shardsync.Decide(list.Shards, known, unreadable, w.cfg.InitialPosition.position(list.now()))
	finished := w.seeFinished(leases, start)
	todo.Delete = slices.DeleteFunc(todo.Delete, func(l lease.Lease) bool {
		return start.Sub(finished[l.Key].since) < w.cfg.KeepFinishedLeases || !judged[l.Key].May()
	})
	for i, l := range todo.Create {
		todo.Create[i].Identity = w.kin.identity(l.Key)
	}
	for i, c := range todo.Repair {
		todo.Repair[i].Lease.Identity = w.kin.identity(c.Lease.Key)
	}
	err = w.steps.do(ctx, loop, shardID, "carrying out the shard sync", func(ctx context.Context) error {
		return w.carryOut(ctx, todo, list.Shards, start)
	})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.lastSync = time.Now()
	w.mu.Unlock()
	return list.Shards, nil
}

// listLeases reads the lease table as a step of a loop.
func (w *Worker) listLeases(ctx context.Context, loop, shardID string) (list []lease.Lease, unreadable []*lease.UnreadableError, err error) {
	err = w.steps.do(ctx, loop, shardID, doingScan, func(ctx context.Context) (err error) {
		list, unreadable, err = w.cfg.Leases.List(ctx)
		return err
	})
	w.troubles.outcome(doingScan, err)
	return list, unreadable, err
}

// sighting is since when a lease is known to be finished as it is.
type sighting struct {
	counter int64
	since   time.Time // by the leases' clock
}

// seeFinished notes which leases are finished at now, and returns since when.
func (w *Worker) seeFinished(leases []lease.Lease, now time.Time) map[string]sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := make(map[string]sighting)
	for _, l := range leases {
		if !l.Finished() {
			continue
		}
		was, ok := w.finished[l.Key]
		if !ok || was.counter != l.Counter {
			was = sighting{l.Counter, now}
		}
		seen[l.Key] = was
	}
	w.finished = seen
	return seen
}

// begun reports whether a shard that follows id has begun: then id had a lease,
// which is finished and deleted, and the list that says otherwise was torn. The
// rows are read again, consistently.
func (w *Worker) begun(ctx context.Context, shards []Shard, id string) (bool, error) {
	for _, d := range shardsync.Descendants(shards, id) {
		l, err := w.cfg.Leases.Get(ctx, d)
		if errors.Is(err, lease.ErrNotFound) {
			continue
		}
		if lease.IsUnreadable(err) {
			return true, nil // it may have
		}
		if err != nil || !l.Checkpoint.IsSentinel() || l.Finished() {
			return err == nil, err
		}
	}
	return false, nil
}

func (w *Worker) carryOut(ctx context.Context, todo shardsync.Actions, shards []Shard, start time.Time) error {
	table := w.cfg.Leases
	w.tellWithheld(todo.Withheld)
	for _, l := range todo.Create {
		begun, err := w.begun(ctx, shards, l.Key)
		if err != nil {
			return err
		}
		if begun {
			w.cfg.Logger.Warn("shard gets no lease: one that follows it has begun", zap.String("shard_id", l.Key))
			continue
		}
		if w.leases.Now().Sub(start) > maxDecisionAge {
			return errDecisionStale
		}
		if err := table.Create(ctx, l); err != nil && !errors.Is(err, lease.ErrExists) {
			return err
		}
	}
	// A child that its finished parent lacks never had a lease, whatever follows
	// it: a lease is not deleted before those of its parents.
	for _, c := range todo.Repair {
		if w.leases.Now().Sub(start) > maxDecisionAge {
			return errDecisionStale
		}
		if err := table.CreateChild(ctx, c.Parent, c.Lease); err != nil && !errors.Is(err, lease.ErrLost) {
			return err
		}
		w.cfg.Logger.Warn("lease of a child was missing", zap.String("lease_key", c.Lease.Key), zap.Strings("parents", c.Lease.Parents))
	}
	for _, l := range todo.Annotate {
		if err := table.Annotate(ctx, l.Key, nil, l.Range); err != nil && !errors.Is(err, lease.ErrNotFound) {
			return err
		}
	}
	for _, l := range todo.Delete {
		if err := table.Delete(ctx, l); err != nil && !errors.Is(err, lease.ErrLost) {
			return err
		}
		w.cfg.Logger.Info("finished lease deleted", zap.String("lease_key", l.Key))
	}
	if len(todo.Create)+len(todo.Repair) > 0 {
		w.leases.Wake()
	}
	return nil
}

// tellWithheld logs which shards get no lease because of one that cannot be
// read, or contradicts the stream, whenever these are others than before.
func (w *Worker) tellWithheld(shards []string) {
	w.mu.Lock()
	same := slices.Equal(w.withheld, shards)
	w.withheld = shards
	w.mu.Unlock()
	if !same && len(shards) > 0 {
		w.cfg.Logger.Error("shards get no lease and may wait: that of a shard that follows them cannot be read or contradicts the stream, so they may have ended",
			zap.Strings("shard_ids", shards))
	}
}
