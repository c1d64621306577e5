package kcl

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl/internal/shardsync"
	"github.com/shardmill/shardmill/lease"
)

// maxDecisionAge is how old what was read may be when a lease is created because
// of it. A worker that was stopped in between must read again: others may have
// created, finished and deleted that very lease meanwhile.
const maxDecisionAge = 20 * time.Second

// errDecisionStale means that a decision was not carried out because it had become old.
var errDecisionStale = errors.New("the decision of the shard sync is too old")

// begun reports whether a shard that follows id has begun: then id had a lease,
// which is finished and deleted, and the list that says otherwise was torn. The
// rows are read again, consistently.
func (s *stream) begun(ctx context.Context, shards []Shard, id string) (bool, error) {
	for _, d := range shardsync.Descendants(shards, id) {
		l, err := s.cfg.Leases.Get(ctx, d)
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

// carryOut does what was decided on what was read at start.
func (s *stream) carryOut(ctx context.Context, todo shardsync.Actions, shards []Shard, start time.Time) error {
	s.tellWithheld(todo.Withheld)
	for _, l := range todo.Create {
		if err := s.create(ctx, l, shards, start); err != nil {
			return err
		}
	}
	for _, c := range todo.Repair {
		if err := s.repair(ctx, c, start); err != nil {
			return err
		}
	}
	for _, l := range todo.Annotate {
		if err := s.cfg.Leases.Annotate(ctx, l.Key, nil, l.Range); err != nil && !errors.Is(err, lease.ErrNotFound) {
			return err
		}
	}
	for _, l := range todo.Delete {
		if err := s.cfg.Leases.Delete(ctx, l); err != nil && !errors.Is(err, lease.ErrLost) {
			return err
		}
		s.cfg.Logger.Info("finished lease deleted", zap.String("lease_key", l.Key))
	}
	if len(todo.Create)+len(todo.Repair) > 0 {
		s.leases.Wake()
	}
	return nil
}

// create makes the lease of a shard that has none, unless one that follows it
// has begun.
func (s *stream) create(ctx context.Context, l lease.Lease, shards []Shard, start time.Time) error {
	begun, err := s.begun(ctx, shards, l.Key)
	if err != nil {
		return err
	}
	if begun {
		s.cfg.Logger.Warn("shard gets no lease: one that follows it has begun", zap.String("shard_id", l.Key))
		return nil
	}
	if s.leases.Now().Sub(start) > maxDecisionAge {
		return errDecisionStale
	}
	if err := s.cfg.Leases.Create(ctx, l); err != nil && !errors.Is(err, lease.ErrExists) {
		return err
	}
	return nil
}

// repair makes the lease of a child that its finished parent lacks. It need not
// look at what follows the child, as create does: a lease is deleted only after
// those of its parents, so while the parent has one, a child without a lease
// never had any.
func (s *stream) repair(ctx context.Context, c shardsync.Child, start time.Time) error {
	if s.leases.Now().Sub(start) > maxDecisionAge {
		return errDecisionStale
	}
	if err := s.cfg.Leases.CreateChild(ctx, c.Parent, c.Lease); err != nil && !errors.Is(err, lease.ErrLost) {
		return err
	}
	s.cfg.Logger.Warn("lease of a child was missing", zap.String("lease_key", c.Lease.Key), zap.Strings("parents", c.Lease.Parents))
	return nil
}

// tellWithheld logs which shards get no lease because of one that cannot be
// read, or contradicts the stream, whenever these are others than before.
func (s *stream) tellWithheld(shards []string) {
	s.mu.Lock()
	same := slices.Equal(s.withheld, shards)
	s.withheld = shards
	s.mu.Unlock()
	if !same && len(shards) > 0 {
		s.cfg.Logger.Error("shards get no lease and may wait: that of a shard that follows them cannot be read or contradicts the stream, so they may have ended",
			zap.Strings("shard_ids", shards))
	}
}
