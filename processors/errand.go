package processors

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
)

// errand is a step of a cut that goes on behind: on a goroutine of its own, while the
// shard's gathers the next cut. Whoever starts it ends it, or waits for it.
type errand struct {
	call *deadline.Call // its signs of life
	done chan struct{}
	err  error // once done is closed
}

// errandLimit is how long an errand may go without a sign of life. Its tries give one a
// second.
const errandLimit = time.Minute

// send starts an errand, which ends with ctx. wake, unless nil, is called when it has
// ended.
func send(ctx context.Context, f func(context.Context) error, wake func()) *errand {
	ctx, call := deadline.Start(ctx, errandLimit)
	e := &errand{call: call, done: make(chan struct{})}
	go func() {
		defer func() {
			call.End()
			close(e.done)
			if wake != nil {
				wake()
			}
		}()
		attempt(&e.err, func() error { return deadline.Explain(ctx, f(ctx)) })
	}()
	return e
}

// isOver reports whether it has ended.
func (e *errand) isOver() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// wait returns nil when the errand has ended, however it did, and kcl.ErrStopping if the
// shard is to stop before. Who waits is alive as long as the errand is.
func (e *errand) wait(ctx context.Context, stopping <-chan struct{}) error {
	look := time.NewTicker(beatInterval)
	defer look.Stop()
	for !e.isOver() {
		select {
		case <-e.done:
		case <-stopping:
			return fmt.Errorf("waiting for the destination: %w", kcl.ErrStopping)
		case <-ctx.Done():
			return fmt.Errorf("waiting for the destination: %w", context.Cause(ctx))
		case <-look.C:
			if e.call.Silent() < 2*beatInterval {
				deadline.Beat(ctx)
			}
		}
	}
	return nil
}

// cancel has the errand end soon.
func (e *errand) cancel() { e.call.End() }

// end cancels the errand and returns when it has ended.
func (e *errand) end() {
	e.cancel()
	<-e.done
}

// stoppable returns a context that ends with ErrStopping too, and what frees it.
func stoppable(ctx context.Context, stopping <-chan struct{}) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-stopping:
			cancel(kcl.ErrStopping)
		case <-ctx.Done():
		}
	})
	return ctx, func() { cancel(nil); watch.Wait() }
}
