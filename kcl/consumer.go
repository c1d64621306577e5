package kcl

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl/internal/budget"
	"github.com/shardmill/shardmill/lease"
)

// env is what a consumer has of its worker. All of it is safe for concurrent
// use.
type env struct {
	cfg      Config // with its defaults, and hooks that do not panic
	factory  ProcessorFactory
	stream   *stream
	steps    *steps
	troubles *troubles
	failures *failures

	avoid  func(shardID string, d time.Duration) // leaves the shard to other workers for d
	fail   func(err error)                       // has the worker stop, and Run return err
	stopBy func(stopping bool) time.Time         // when processors must have stopped; zero if they need not
}

// consumer is one holding of one shard's lease, from its taking to its end. It
// runs on one goroutine, which waits for every call of the processor; only
// status is shared.
type consumer struct {
	env

	held *lease.Held
	info ShardInfo
	log  *zap.Logger
	acct *budget.Account

	// stop is done when reading should end: with ErrShutdown or endSurplus as
	// the cause while the lease is still held, else with the cause of held's.
	stop context.Context //nolint:containedctx // the scope of the holding

	// failed counts the processors in a row that panicked without getting
	// beyond panicAt.
	failed  int
	panicAt checkpoint.ExtendedSequenceNumber

	// unlisted are the parents of merged shards that no listing has shown since
	// then, nor the merged ones.
	unlisted map[string]time.Time

	// dead are the positions whose records went to Config.DeadLetter although
	// no checkpoint covers them yet.
	dead []span

	mu     sync.Mutex // guards status
	status ShardStatus
}

func newConsumer(e env, held *lease.Held, acct *budget.Account) *consumer {
	row := held.Lease()
	return &consumer{
		env: e, held: held, acct: acct, log: e.cfg.Logger.With(zap.String("shard_id", row.Key)),
		info: ShardInfo{
			StreamName: e.stream.name, StreamARN: e.stream.arn, Table: e.cfg.ApplicationName,
			ShardID: row.Key, WorkerID: e.cfg.WorkerID, Range: row.Range,
			HashRangeRule: e.cfg.HashRangeRule, KPLFaults: e.cfg.KPLFaults,
		},
		status: ShardStatus{ShardID: row.Key, State: ShardWaiting, Checkpoint: row.Checkpoint},
	}
}

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
			cancel(endSurplus)
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
		return endFinished
	}
	if err := pause.For(c.stop, c.held.UntilProcessing()); err != nil {
		return err
	}
	if err := c.parentsEnded(); err != nil {
		return err
	}
	restarts := newRestarts("restart " + c.info.ShardID)
	for {
		if c.held.Lease().Finished() {
			return endFinished // it panicked after its last checkpoint
		}
		err := newSession(c).run()
		if !isPanic(err) {
			return err
		}
		if c.failed++; c.failed >= c.cfg.MaxAttempts {
			return fmt.Errorf("%d processors panicked in a row: %w", c.failed, err)
		}
		c.log.Error("processor panicked; a new one starts from the checkpoint", zap.Error(err), zap.Int("attempt", c.failed), panicStack(err))
		if c.failed <= 1 { // the ones before got further
			restarts.Reset()
		}
		if err := restarts.Wait(c.stop); err != nil {
			return err
		}
	}
}

// parentsEnded returns endBlocked unless every parent that has a lease has
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
			return fmt.Errorf("%w: %s", endBlocked, parent)
		}
	}
	return nil
}

// getLease reads a row, with as many tries as it takes. The error is ErrNotFound,
// an UnreadableError, or why c stopped.
func (c *consumer) getLease(key string) (lease.Lease, error) {
	retries := newRetries("get " + key)
	for {
		l, err := c.stream.readRow(c.stop, loopShard, key)
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

// begin notes a call that is made for the shard.
func (c *consumer) begin(doing string, call *deadline.Call) (end func()) {
	return c.steps.BeginCall(loopShard, c.info.ShardID, doing, call)
}

func (c *consumer) setStatus(f func(*ShardStatus)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.status)
}

// snapshot returns the state of the shard now.
func (c *consumer) snapshot() ShardStatus {
	c.mu.Lock()
	st := c.status
	c.mu.Unlock()
	st.TrustedUntil, st.Lost = c.held.TrustedUntil(), c.held.Context().Err() != nil
	return st
}
