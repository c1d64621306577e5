package kcl

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/lease"
)

// stream is the stream as the worker knows it: its shards, and which rows of the
// lease table are theirs. It is safe for concurrent use.
type stream struct {
	name, arn string // arn is "" if it is not configured
	source    Source
	initial   InitialPosition

	cfg      Config
	leases   *lease.Coordinator // for its clock, and to have it look for the leases that a sync made
	steps    *steps
	troubles *troubles
	kin      kinship
	resync   chan struct{} // has a value if a sync is asked for

	mu       sync.Mutex // guards what follows; never held over I/O
	lastSync time.Time
	open     int                 // shards that the last sync found open
	finished map[string]sighting // the finished leases of the last sync
	withheld []string            // the shards that the last sync left without a lease
	noted    []string            // what the last sync found odd about rows
}

func newStream(cfg Config, st *steps, tr *troubles) *stream {
	return &stream{
		name: cfg.StreamName, arn: cfg.StreamARN, source: cfg.Source, initial: cfg.InitialPosition,
		cfg: cfg, steps: st, troubles: tr, resync: make(chan struct{}, 1),
		kin: kinship{stream: cfg.StreamName, arn: cfg.StreamARN},
	}
}

// mayTake says whether the lease of a row may be taken, and what the row is to say
// then. A row of a shard that was not listed yet has the shards listed.
func (s *stream) mayTake(row lease.Lease) (lease.Identity, bool) {
	id, may, news := s.kin.claim(row)
	if news {
		s.syncSoon()
	}
	return id, may
}

// openShards returns how many shards take records, at least 1.
func (s *stream) openShards() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(1, s.open)
}

// syncedAt returns when the shards were last compared with the leases.
func (s *stream) syncedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastSync
}

// makeReady makes the table usable and the leases complete before the worker
// takes any. Errors that may pass are tried again until ctx is done.
func (s *stream) makeReady(ctx context.Context) error {
	retries := newRetries("start")
	for {
		err := s.tryReady(ctx)
		if err == nil || isUnusable(err) {
			return err
		}
		if ctx.Err() == nil {
			s.cfg.Logger.Warn("worker not started yet", zap.Error(err))
		}
		if err := retries.Wait(ctx); err != nil {
			return err
		}
	}
}

func (s *stream) tryReady(ctx context.Context) error {
	// The stream is looked at first: for one that does not exist no table
	// should be made.
	if _, err := s.listShards(ctx, loopStart, ""); err != nil {
		return err
	}
	if err := s.ensure(ctx, loopStart); err != nil {
		return err
	}
	_, err := s.syncShards(ctx, loopStart, "")
	return err
}

// isUnusable reports whether someone must change something before a retry can
// help. Of a worker that runs that is not so: credentials are renewed.
func isUnusable(err error) bool { return errors.Is(err, lease.ErrInvalidState) || isOutside(err) }

// What a worker does with the stream and the table, as troubles name it.
const (
	doingList  = "listing the shards"
	doingCheck = "checking the lease table"
	doingScan  = "reading the lease table"
	doingRead  = "reading shards"
	doingLease = "looking for leases to take"
)

// listShards lists the shards as a step of a loop.
func (s *stream) listShards(ctx context.Context, loop, shardID string) (list ShardList, err error) {
	err = s.steps.do(ctx, loop, shardID, doingList, func(ctx context.Context) (err error) {
		list, err = s.source.ListShards(ctx)
		return err
	})
	s.troubles.outcome(doingList, err)
	return list, err
}

// read reads a page as a step of a shard's loop.
func (s *stream) read(ctx context.Context, shardID string, r ShardReader, room Room) (page Page, err error) {
	err = s.steps.do(ctx, loopShard, shardID, "reading", func(ctx context.Context) (err error) {
		page, err = r.Next(ctx, room)
		return err
	})
	if ctx.Err() == nil {
		s.troubles.outcome(doingRead, err)
	}
	return page, err
}

// ensure makes sure that the table can be used, as a step of a loop.
func (s *stream) ensure(ctx context.Context, loop string) error {
	err := s.steps.do(ctx, loop, "", doingCheck, s.cfg.Leases.Ensure)
	s.troubles.outcome(doingCheck, err)
	return err
}

// listLeases reads the lease table as a step of a loop.
func (s *stream) listLeases(ctx context.Context, loop, shardID string) (list []lease.Lease, unreadable []*lease.UnreadableError, err error) {
	err = s.steps.do(ctx, loop, shardID, doingScan, func(ctx context.Context) (err error) {
		list, unreadable, err = s.cfg.Leases.List(ctx)
		return err
	})
	s.troubles.outcome(doingScan, err)
	return list, unreadable, err
}

// readRow reads one row consistently, as a step of a loop.
func (s *stream) readRow(ctx context.Context, loop, key string) (row lease.Lease, err error) {
	err = s.steps.do(ctx, loop, key, "reading a lease", func(ctx context.Context) (err error) {
		row, err = s.cfg.Leases.Get(ctx, key)
		return err
	})
	return row, err
}
