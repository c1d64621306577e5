package kcl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl/internal/rows"
	"github.com/shardmill/shardmill/kcl/internal/shardsync"
	"github.com/shardmill/shardmill/lease"
)

// endShard ends a shard that was read to its end: the leases of its children are
// made, the processor checkpoints the end, and only then may they begin.
func (s *session) endShard(children []Shard) error {
	s.state(ShardEnding)
	for waited := false; ; waited = true {
		err := s.retry("creating child leases", func(int) error { return s.createChildren(children) })
		if err == nil {
			break
		}
		if !errors.Is(err, errOtherParent) {
			return err
		}
		if !waited {
			s.log.Info("shard was read to its end and waits", zap.Error(err))
			s.setStatus(func(st *ShardStatus) { st.LastError = err.Error() })
		}
		if err := s.idle(s.cfg.ScanInterval); err != nil {
			return err
		}
	}
	s.cp.EndShard()
	err := s.retry("ending the shard", func(attempt int) error {
		err := s.p.ShardEnded(s.held.Context(), ShardEndedInput{Checkpointer: s.cp, Attempt: attempt, Stopping: s.stop.Done()})
		if err == nil && !s.cp.Last().IsShardEnd() {
			return errors.New("ShardEnded returned without a checkpoint: it must call in.Checkpointer.Checkpoint")
		}
		return err
	})
	if err != nil {
		return err
	}
	return endFinished
}

// createChildren makes the leases of the shards that follow this one, then
// notes them in its row: Java's order.
func (c *consumer) createChildren(children []Shard) error {
	ids := make([]string, 0, len(children))
	for _, s := range children {
		ids = append(ids, s.ID)
	}
	for i, l := range shardsync.Children(children) {
		if err := c.otherParent(l); err != nil {
			return err
		}
		l.Identity = c.stream.kin.identity(l.Key)
		l.Identity.Start = cmp.Or(l.Identity.Start, children[i].StartingSequenceNumber)
		if err := c.held.CreateChild(c.held.Context(), l); err != nil {
			return err
		}
		c.stream.kin.creates(l.Key)
	}
	if len(ids) == 0 {
		return nil
	}
	return c.held.Annotate(c.held.Context(), ids)
}

// errOtherParent means that a merged shard cannot have its lease yet, because
// its other parent has none.
var errOtherParent = errors.New("the other parent of a merged shard has no lease yet")

// otherParent makes sure that the other parent of a merged shard has a lease,
// unless the child has begun. A child does not wait for a parent that has none,
// and the other one's own parent may still be being read. If it might never be
// read, a shard sync makes its lease. One that has expired is told, and nobody
// will make its lease.
// Source: KCL BlockedOnParentShardException.
func (c *consumer) otherParent(child lease.Lease) error {
	if len(child.Parents) < 2 {
		return nil
	}
	for _, parent := range child.Parents {
		if parent == c.info.ShardID {
			continue
		}
		if there, err := c.hasLease(parent); there || err != nil {
			return err
		}
		shards, err := c.stream.syncShards(c.stop, loopShard, c.info.ShardID)
		if err != nil {
			return fmt.Errorf("creating the lease of %s, the other parent of %s: %w", parent, child.Key, err)
		}
		if there, err := c.hasLease(parent); there || err != nil {
			return err
		}
		if _, err := c.getLease(child.Key); lease.IsUnreadable(err) {
			return fmt.Errorf("%w: %s, of %s: %w", errOtherParent, parent, child.Key, err) // it may not have begun
		} else if !errors.Is(err, lease.ErrNotFound) {
			return err
		}
		if !c.hasExpired(shards, parent, child.Key) {
			return fmt.Errorf("%w: %s, of %s", errOtherParent, parent, child.Key)
		}
		c.log.Error("other parent of a merged shard expired before it was read", zap.String("parent", parent), zap.String("child", child.Key))
		c.cfg.Hooks.recordsLost(LossEvent{ShardID: parent})
	}
	return nil
}

// hasExpired reports whether a parent is not listed any more. A listing that shows
// its child, which is younger, would show it; one that shows neither may be
// behind, unless that lasts for longer than any listing is.
func (c *consumer) hasExpired(shards []Shard, parent, child string) bool {
	listed := func(id string) bool {
		return slices.ContainsFunc(shards, func(s Shard) bool { return s.ID == id })
	}
	switch {
	case listed(parent):
		delete(c.unlisted, parent)
		return false
	case listed(child):
		return true
	}
	first, before := c.unlisted[parent]
	if !before {
		if c.unlisted == nil {
			c.unlisted = make(map[string]time.Time)
		}
		c.unlisted[parent] = time.Now()
	}
	return before && time.Since(first) >= rows.Lasting
}

// hasLease reports whether a shard has a lease, be it one that cannot be read.
func (c *consumer) hasLease(key string) (bool, error) {
	_, err := c.getLease(key)
	if errors.Is(err, lease.ErrNotFound) {
		return false, nil
	}
	if lease.IsUnreadable(err) {
		return true, nil
	}
	return err == nil, err
}

// ending returns what err, which ended the processing of the shard, stands for.
func (c *consumer) ending(err error) ending {
	return endingOf(err, context.Cause(c.held.Context()), c.held.CheckTrust())
}

// end makes the processor's last calls, as the reason asks for.
func (s *session) end(why error) error {
	if s.panicked || errors.Is(why, endFinished) { // the last call was made
		return why
	}
	e := s.ending(why)
	if s.initialized && e.follows().asked {
		s.state(ShardStopping)
		err := s.shutdownRequested(e == endSurplus)
		if err != nil && s.held.CheckTrust() == nil {
			s.log.Warn("processor failed to stop well; its records will be processed again", zap.Error(err), panicStack(err))
		}
		if isPanic(err) {
			return why
		}
	}
	cause := why
	if lost := s.held.CheckTrust(); lost != nil {
		why, cause = lost, lost
		if c := context.Cause(s.held.Context()); c != nil {
			cause = c
		}
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(s.held.Context()), s.cfg.ShutdownTimeout, ErrShutdownTimeout)
	defer cancel()
	if err := s.p.LeaseLost(ctx, LeaseLostInput{Cause: cause}); err != nil {
		s.log.Error("processor panicked after its lease had ended", zap.Error(err), panicStack(err))
	}
	return why
}

func (s *session) shutdownRequested(surplus bool) error {
	ctx, in := s.held.Context(), ShutdownRequestedInput{Checkpointer: s.cp, Surplus: surplus}
	in.Deadline = s.stopBy(!surplus)
	if in.Deadline.IsZero() {
		in.Deadline = time.Now().Add(s.cfg.ShutdownTimeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, in.Deadline, ErrShutdownTimeout)
		defer cancel()
	}
	return s.p.ShutdownRequested(ctx, in)
}

// finish says what became of the shard, leaves it to others if it must rest, and
// gives the lease back if it is still held.
func (c *consumer) finish(err error) {
	e := c.ending(err)
	then := e.follows()
	away := c.leave(then.rest)
	switch e {
	case endTimeout:
		c.fail(fmt.Errorf("shard %s: %w", c.info.ShardID, ErrShutdownTimeout))
	case endFinished:
		c.failures.progressed(c.info.ShardID)
	case endBlocked:
		c.log.Info("shard waits", zap.Error(err))
	case endRefuted:
		c.stream.kin.refute(c.info.ShardID, c.held.Lease().Checkpoint.ExtendedSequenceNumber, err.Error())
		c.troubles.set(contradiction(c.info.ShardID), err.Error(), nil)
	case endFailed:
		c.log.Error("shard given up", zap.Error(err), zap.Duration("retry_in", away), panicStack(err))
	case endShutdown, endSurplus, endLost:
	}
	if !then.released {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.held.Context()), c.cfg.FailoverTime)
	defer cancel()
	if rerr := c.held.Release(ctx, then.why); rerr != nil && !errors.Is(rerr, lease.ErrLost) {
		c.log.Warn("lease not released; it will run out", zap.Error(rerr))
	}
}

// leave leaves the shard to other workers, and returns for how long.
func (c *consumer) leave(how rest) time.Duration {
	var d time.Duration
	switch how {
	case restNone:
		return 0
	case restScan:
		d = c.cfg.ScanInterval
	case restGrowing:
		d = restAfter(c.failures.gaveUp(c.info.ShardID), c.cfg.FailoverTime)
	}
	c.avoid(c.info.ShardID, d)
	return d
}
