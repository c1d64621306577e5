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

// minSyncGap is the least time from one shard sync to the next that somebody asks
// for.
const minSyncGap = 5 * time.Second

// syncSoon has the shards listed before the next sync is due: a row is of a shard
// that the last listing did not have.
func (s *stream) syncSoon() {
	select {
	case s.resync <- struct{}{}:
	default:
	}
}

// untilSync waits until the next shard sync is due, or is asked for. A fifth of
// jitter is left out of the time, so that workers do not all list at once. One
// that failed is soon tried again.
func (s *stream) untilSync(ctx context.Context, failed bool) (asked bool, err error) {
	due := pause.Less(ctx, "sync", s.cfg.ShardSyncInterval, 0.2)
	if failed {
		due = min(due, 2*minSyncGap)
	}
	if s.kin.inDoubt() {
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
	case <-s.resync:
		return true, nil
	case <-timer.C:
		return false, nil
	}
}

// keepSynced compares shards and leases until ctx is done. The error, of a table
// that cannot be used, ends the worker.
func (s *stream) keepSynced(ctx context.Context) error {
	for failed := false; ; {
		asked, err := s.untilSync(ctx, failed)
		if err != nil {
			return nil //nolint:nilerr // ctx is done
		}
		err = s.ensure(ctx, loopSync)
		if err == nil {
			_, err = s.syncShards(ctx, loopSync, "")
		}
		failed = err != nil
		switch {
		case errors.Is(err, lease.ErrInvalidState):
			if _, foreign := errors.AsType[*foreignError](err); foreign { // it is told while processors stop
				s.troubles.set(troubleKey{reason: TroubleForeignTable}, err.Error(), nil)
			}
			return err
		case err != nil && ctx.Err() == nil:
			s.cfg.Logger.Warn("shards not synced", zap.Error(err))
		case asked:
			s.leases.Wake()
		}
	}
}

// syncShards creates, completes and deletes leases as the stream's shards ask
// for. Every worker does it, without a leader: creations are conditional on
// there being no row, deletions on the row being finished and unchanged. It
// returns the shards. The error is ErrInvalidState if the table is another
// stream's.
func (s *stream) syncShards(ctx context.Context, loop, shardID string) ([]Shard, error) {
	start := s.leases.Now()
	leases, malformed, err := s.listLeases(ctx, loop, shardID)
	if err != nil {
		return nil, err
	}
	listed := s.leases.Now()
	list, err := s.listShards(ctx, loop, shardID)
	if err != nil {
		return nil, err
	}
	if err := list.CheckWhole(); err != nil {
		return nil, fmt.Errorf("listing of the shards of %s is not whole: %w", s.name, err)
	}
	s.kin.saw(list.Shards)
	judged, err := s.judgeRows(ctx, loop, listed, leases, malformed)
	if err != nil {
		return nil, err
	}
	todo := s.decide(list, leases, judged, start)
	err = s.steps.do(ctx, loop, shardID, "carrying out the shard sync", func(ctx context.Context) error {
		return s.carryOut(ctx, todo, list.Shards, start)
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.lastSync, s.open = time.Now(), 0
	for i := range list.Shards {
		if list.Shards[i].IsOpen() {
			s.open++
		}
	}
	s.mu.Unlock()
	return list.Shards, nil
}

// decide decides what the table lacks, or has too much of, from what was read
// from start on. New rows say which shard they are of.
func (s *stream) decide(list ShardList, leases []lease.Lease, judged map[string]rows.Judgement, start time.Time) shardsync.Actions {
	known, unreadable := asJudged(leases, judged)
	todo := shardsync.Decide(list.Shards, known, unreadable, s.initial.position(list.now()))
	finished := s.seeFinished(leases, start)
	todo.Delete = slices.DeleteFunc(todo.Delete, func(l lease.Lease) bool {
		return start.Sub(finished[l.Key].since) < s.cfg.KeepFinishedLeases || !judged[l.Key].May()
	})
	for i, l := range todo.Create {
		todo.Create[i].Identity = s.kin.identity(l.Key)
	}
	for i, c := range todo.Repair {
		todo.Repair[i].Lease.Identity = s.kin.identity(c.Lease.Key)
	}
	return todo
}

// sighting is since when a lease is known to be finished as it is.
type sighting struct {
	counter int64
	since   time.Time // by the leases' clock
}

// seeFinished notes which leases are finished at now, and returns since when.
func (s *stream) seeFinished(leases []lease.Lease, now time.Time) map[string]sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make(map[string]sighting)
	for _, l := range leases {
		if !l.Finished() {
			continue
		}
		was, ok := s.finished[l.Key]
		if !ok || was.counter != l.Counter {
			was = sighting{l.Counter, now}
		}
		seen[l.Key] = was
	}
	s.finished = seen
	return seen
}
