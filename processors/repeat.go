package processors

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
	"github.com/shardmill/shardmill/kcl"
)

const (
	tableInterval = time.Second // before a write of the lease row is repeated
	warnInterval  = time.Minute // between two warnings of one trouble
	beatInterval  = time.Second // between two signs of life
)

// isFinal reports whether the same call cannot succeed any more.
func isFinal(err error) bool { return kcl.IsGiveUp(err) || errors.Is(err, kcl.ErrLeaseLost) }

// tries makes the calls of one shard that may have to be repeated.
type tries struct {
	shardID string
	log     *zap.Logger
}

// until calls f until it succeeds, fails for good, or ctx is done. The first
// failure is a warning, later ones are at most one a minute. Each try that ends
// is a sign of life, and so is the wait for the next one: who waits for what is
// down does not hang. f must end by itself.
func (t *tries) until(ctx context.Context, doing string, every time.Duration, f func(context.Context) error) error {
	var warned time.Time
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
		}
		err := f(ctx)
		deadline.Beat(ctx)
		switch {
		case err == nil:
			if attempt > 1 {
				t.log.Info("succeeded after failures", zap.String("operation", doing), zap.Int("attempt", attempt))
			}
			return nil
		case isFinal(err):
			return fmt.Errorf("%s: %w", doing, err)
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
		}
		in := pause.Around(ctx, "repeat for "+t.shardID, every, 0.2)
		level := zap.DebugLevel
		if now := time.Now(); warned.IsZero() || now.Sub(warned) >= warnInterval {
			level, warned = zap.WarnLevel, now
		}
		t.log.Log(level, "failed, will be repeated", zap.String("operation", doing), zap.Int("attempt", attempt),
			zap.Duration("retry_in", in), zap.Error(err))
		rest(ctx, in) // the loop sees that ctx is done
	}
}

// rest waits for d, alive.
func rest(ctx context.Context, d time.Duration) {
	for ; d > 0 && ctx.Err() == nil; d -= beatInterval {
		_ = pause.For(ctx, min(d, beatInterval))
		deadline.Beat(ctx)
	}
}

// once makes one try, which ends within limit. While it runs it is alive: it
// will end, whatever the store does, and a body that goes out slowly brings no
// other sign. Each minute without an answer is told.
func (t *tries) once(ctx context.Context, doing string, limit time.Duration, f func(context.Context) error) error {
	tryCtx, cancel := context.WithTimeoutCause(ctx, limit, &deadline.Error{Limit: limit})
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		for waited := beatInterval; pause.For(tryCtx, beatInterval) == nil; waited += beatInterval {
			deadline.Beat(ctx)
			if waited%warnInterval == 0 && waited < limit {
				t.log.Warn("no answer yet", zap.String("operation", doing), zap.Duration("waited", waited), zap.Duration("limit", limit))
			}
		}
	})
	return deadline.Explain(tryCtx, f(tryCtx))
}

// write is until for a write of the lease row, each of which ends with
// trust in the lease, if not before.
func (t *tries) write(ctx context.Context, doing string, f func(context.Context) error) error {
	return t.until(ctx, doing, tableInterval, func(ctx context.Context) error {
		err := f(ctx)
		if checkpoint.IsMisuse(err) {
			return kcl.GiveUp(err)
		}
		return err
	})
}
