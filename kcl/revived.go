package kcl

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/internal/shardsync"
)

// listing is one listing of the stream's shards, made by one consumer and
// awaited by others.
type listing struct {
	begun  time.Time
	done   chan struct{} // closed when shards and err are set
	shards []shardsync.Shard
	err    error
}

// shardsSince lists the stream's shards as they were at since or later.
// Consumers that ask at about the same time share one listing.
func (w *Worker) shardsSince(ctx context.Context, since time.Time) ([]shardsync.Shard, error) {
	w.mu.Lock()
	l := w.listing
	mine := l == nil || l.begun.Before(since)
	if mine {
		l = &listing{begun: time.Now(), done: make(chan struct{})}
		w.listing = l
	}
	w.mu.Unlock()
	if mine {
		l.shards, l.err = w.listShards(ctx)
		close(l.done)
	}
	select {
	case <-l.done:
		return l.shards, l.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (w *Worker) listShards(ctx context.Context) ([]shardsync.Shard, error) {
	list, err := w.cfg.Source.ListShards(ctx)
	if err != nil {
		return nil, err
	}
	return toSync(list), nil
}

func toSync(list ShardList) []shardsync.Shard {
	shards := make([]shardsync.Shard, 0, len(list.Shards))
	for _, s := range list.Shards {
		shards = append(shards, shardsync.Shard(s))
	}
	return shards
}

// endIfRevived ends a lease that was finished and deleted before and has come
// back: a shard that follows this one has begun, which happens only after this
// one's last record is done. A request to create it that was under way for long
// does that; leases without a parent have no fence against it. Its records must
// not be delivered again.
func (c *consumer) endIfRevived() error {
	if !c.held.Lease().Checkpoint.IsSentinel() {
		return nil // it has a history
	}
	since := time.Now()
	retries := newRetries("revived " + c.info.ShardID)
	for {
		begun, err := c.followersBegun(since)
		switch {
		case err == nil && !begun:
			return nil
		case err == nil:
			c.log.Warn("lease came back after its shard was done; it is ended again", zap.Stringer("checkpoint", c.held.Lease().Checkpoint))
			if err := c.held.Checkpoint(c.stop, checkpoint.Sentinel(checkpoint.ShardEnd)); err != nil {
				return err
			}
			return errEnded
		case c.stop.Err() != nil:
			return context.Cause(c.stop)
		}
		c.log.Warn("shards that follow not looked at", zap.Error(err))
		if err := retries.Wait(c.stop); err != nil {
			return err
		}
		since = time.Now() // a listing that failed is not asked again
	}
}

func (c *consumer) followersBegun(since time.Time) (bool, error) {
	shards, err := c.w.shardsSince(c.stop, since)
	if err != nil {
		return false, err
	}
	return c.w.begun(c.stop, shards, c.info.ShardID)
}
