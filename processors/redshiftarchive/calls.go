package redshiftarchive

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

const (
	callLimit     = time.Minute     // of one call of the store
	repeatStorage = 5 * time.Second // before one is repeated, give or take a fifth: Firehose's
)

// limited returns a context that ends with ctx, or when a call of the store has taken too long.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, callLimit, &deadline.Error{Limit: callLimit})
}

// until makes a call of the store until it succeeds, while the loader is trusted and ctx is not
// done. Each failure is shown to the hook.
func (r *run) until(ctx context.Context, doing string, f func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		if err := r.may(ctx); err != nil {
			return err
		}
		call, cancel := limited(ctx)
		err := deadline.Explain(call, f(call))
		cancel()
		if err == nil {
			delete(r.told, doing)
			if attempt > 1 {
				r.log.Info("succeeded after failures", zap.String("operation", doing), zap.Int("attempt", attempt))
				r.tellWaiting()
			}
			return nil
		}
		if r.may(ctx) != nil {
			continue // it is why the call ended, maybe
		}
		r.trouble(doing, err)
		was := r.waiting.StoreErr
		r.waiting.StoreErr = fmt.Errorf("%s: %w", doing, err)
		r.tellWaiting()
		r.waiting.StoreErr = was
		_ = pause.For(ctx, pause.Around(ctx, doing, repeatStorage, 0.2)) // the loop sees that ctx is done
	}
}

// put puts a manifest, and returns its URL. A put that is repeated has the same bytes.
func (r *run) put(ctx context.Context, before string, m manifest) (string, error) {
	o := r.settings.manifestObject(before, m)
	err := r.until(ctx, "putting "+before, func(ctx context.Context) error { return r.store.Put(ctx, o) })
	return r.settings.url(o.Key), err
}

// unmark deletes the markers that are settled, until all are gone.
func (r *run) unmark() error {
	if len(r.settled) == 0 {
		return nil
	}
	return r.until(r.work, "deleting markers", r.deleteSettled)
}

// deleteSettled makes one try for each marker that is settled.
func (r *run) deleteSettled(ctx context.Context) error {
	var deletions errgroup.Group
	deletions.SetLimit(parallelCalls)
	var mu sync.Mutex // guards gone
	var gone []string
	for key := range r.settled {
		deletions.Go(func() error {
			if err := r.trusted(); err != nil {
				return err
			}
			if err := r.store.Delete(ctx, r.settings.markerBucket, key); err != nil {
				return err //nolint:wrapcheck // it says what it is about
			}
			mu.Lock()
			defer mu.Unlock()
			gone = append(gone, key)
			return nil
		})
	}
	err := deletions.Wait()
	for _, key := range gone {
		delete(r.settled, key)
		delete(r.known, key)
	}
	return err //nolint:wrapcheck // it is one of the above
}

// settle notes that the objects of markers are loaded, or named. It comes before all else that
// follows, so that nothing makes this loader take them for staged again.
func (l *Loader) settle(markers []string) {
	for _, key := range markers {
		l.settled[key] = struct{}{}
	}
}
