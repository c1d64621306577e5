package kcl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl/internal/budget"
	"github.com/shardmill/shardmill/kcl/internal/shardsync"
	"github.com/shardmill/shardmill/lease"
)

// consumer is one holding of one shard's lease, from its taking to its end. It
// runs on one goroutine, which waits for every call of the processor; only
// status is shared.
type consumer struct {
	w    *Worker
	held *lease.Held
	info ShardInfo
	log  *zap.Logger
	acct *budget.Account

	// stop is done when reading should end: with ErrShutdown or errSurplus as
	// the cause while the lease is still held, else with the cause of held's.
	stop context.Context //nolint:containedctx // the scope of the holding

	// failed counts the processors in a row that panicked without getting
	// beyond panicAt.
	failed  int
	panicAt checkpoint.ExtendedSequenceNumber

	// dead are the positions whose records went to Config.DeadLetter although
	// no checkpoint covers them yet.
	dead []span

	mu     sync.Mutex // guards status
	status ShardStatus
}

// span is the records after from up to through.
type span struct {
	from, through checkpoint.ExtendedSequenceNumber
}

var (
	errSurplus = errors.New("another worker is to have the shard")
	errEnded   = errors.New("shard ended")
	errBlocked = errors.New("a parent shard has not ended")
)

// run processes the shard until the lease is lost, given up or finished.
func (c *consumer) run(soft context.Context) {
	defer c.acct.Close()
	stop, cancel := context.WithCancelCause(c.held.Context())
	c.stop = stop
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-soft.Done():
			cancel(ErrShutdown)
		case <-c.held.Surplus():
			cancel(errSurplus)
		case <-stop.Done():
		}
	})
	err := c.live() //nolint:contextcheck // the context of the holding is c.stop, not Run's
	cancel(err)
	watch.Wait()
	c.finish(err) //nolint:contextcheck // it outlives Run's
}

// live returns why the holding ends; it is never nil.
func (c *consumer) live() error {
	if c.held.Lease().Finished() {
		return errEnded
	}
	if err := pause.For(c.stop, c.held.UntilDelivery()); err != nil {
		return err
	}
	if err := c.parentsEnded(); err != nil {
		return err
	}
	for {
		if c.held.Lease().Finished() {
			return errEnded // it panicked after its last checkpoint
		}
		err := newSession(c).run()
		if !isPanic(err) {
			return err
		}
		if c.failed++; c.failed >= c.w.cfg.MaxAttempts {
			return fmt.Errorf("%d processors panicked in a row: %w", c.failed, err)
		}
		c.log.Error("processor panicked; a new one starts from the checkpoint", zap.Error(err), zap.Int("attempt", c.failed), panicStack(err))
		if err := pause.For(c.stop, c.w.pauseAfter(c.failed)); err != nil {
			return err
		}
	}
}

func panicStack(err error) zap.Field {
	if p, ok := errors.AsType[*PanicError](err); ok {
		return zap.ByteString("stack", p.Stack)
	}
	return zap.Skip()
}

// parentsEnded returns errBlocked unless every parent that has a lease has
// ended. It reads the rows again, consistently: the list that the lease was
// taken from may have missed one.
func (c *consumer) parentsEnded() error {
	for _, parent := range c.held.Lease().Parents {
		l, err := c.getLease(parent)
		switch {
		case errors.Is(err, lease.ErrNotFound):
		case err != nil && !lease.IsUnreadable(err):
			return err
		case err != nil || !l.Finished():
			return fmt.Errorf("%w: %s", errBlocked, parent)
		}
	}
	return nil
}

// getLease reads a row, with as many tries as it takes. The error is ErrNotFound,
// an UnreadableError, or why c stopped.
func (c *consumer) getLease(key string) (lease.Lease, error) {
	retries := newRetries("get " + key)
	for {
		l, err := c.w.readRow(c.stop, loopShard, key)
		if err == nil || errors.Is(err, lease.ErrNotFound) || lease.IsUnreadable(err) {
			return l, err
		}
		if c.stop.Err() != nil {
			return lease.Lease{}, context.Cause(c.stop)
		}
		c.log.Warn("lease of a parent not read", zap.Error(err), zap.String("lease_key", key))
		if err := retries.Wait(c.stop); err != nil {
			return lease.Lease{}, err
		}
	}
}

// finish gives the lease back, if it is still held, and says what became of
// the shard.
func (c *consumer) finish(err error) {
	w, why := c.w, lease.Plain
	switch {
	case errors.Is(context.Cause(c.held.Context()), ErrShutdownTimeout):
		w.fail(fmt.Errorf("shard %s: %w", c.info.ShardID, ErrShutdownTimeout))
		return
	case c.held.CheckTrust() != nil:
		return
	case errors.Is(err, errEnded):
		w.progressed(c.info.ShardID)
	case errors.Is(err, ErrShutdown):
	case errors.Is(err, errSurplus):
		why = lease.Surplus
	case errors.Is(err, errBlocked), isOutside(err):
		why = lease.Blocked
		w.leases.Avoid(c.info.ShardID, w.cfg.ScanInterval)
		c.log.Info("shard waits", zap.Error(err))
	case errors.Is(err, errRefuted):
		why = lease.GivenUp
		w.kin.refute(c.info.ShardID, c.held.Lease().Checkpoint.ExtendedSequenceNumber, err.Error())
		w.troubles.set(contradiction(c.info.ShardID), err.Error(), nil)
	default:
		why = lease.GivenUp
		avoid := w.giveUp(c.info.ShardID)
		c.log.Error("shard given up", zap.Error(err), zap.Duration("retry_in", avoid), panicStack(err))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.held.Context()), w.cfg.FailoverTime)
	defer cancel()
	if rerr := c.held.Release(ctx, why); rerr != nil && !errors.Is(rerr, lease.ErrLost) {
		c.log.Warn("lease not released; it will run out", zap.Error(rerr))
	}
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
		l.Identity = c.w.kin.identity(l.Key)
		l.Identity.Start = cmp.Or(l.Identity.Start, children[i].StartingSequenceNumber)
		if err := c.held.CreateChild(c.held.Context(), l); err != nil {
			return err
		}
		c.w.kin.creates(l.Key)
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
// read, a shard sync makes its lease. One that the stream lists no more has
// expired: that is told, and nobody will make its lease.
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
		shards, err := c.w.syncShards(c.stop, loopShard, c.info.ShardID)
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
		if slices.ContainsFunc(shards, func(s Shard) bool { return s.ID == parent }) {
			return fmt.Errorf("%w: %s, of %s", errOtherParent, parent, child.Key)
		}
		c.log.Error("other parent of a merged shard expired before it was read", zap.String("parent", parent), zap.String("child", child.Key))
		c.w.cfg.Hooks.recordsLost(LossEvent{ShardID: parent})
	}
	return nil
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

func (c *consumer) setStatus(f func(*ShardStatus)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.status)
}
