package redshiftarchive

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
)

const (
	lookInterval = 5 * time.Second  // between looks for markers, give or take a fifth
	tryInterval  = 5 * time.Minute  // between the tries of a batch, from start to start: Firehose's
	stopWithin   = 10 * time.Second // that a COPY under way has when the loader is to stop
	tellInterval = time.Minute      // between two lines about one trouble
	tellLeft     = time.Hour        // between two lines about one marker that is left
)

// Loader loads what is staged for one delivery stream.
type Loader struct {
	settings *settings
	store    Store
	db       Database
	log      *zap.Logger
	hooks    Hooks // settings.Hooks, guarded; none is nil

	running sync.Mutex // held by Run

	// What follows belongs to Run, and is kept from one call of it to the next.
	known    map[string]marked     // markers that were read, by key
	left     map[string]leftMarker // markers that cannot be loaded
	settled  map[string]struct{}   // markers whose objects are loaded, or named under errors/manifests/, and which are not known to be deleted
	told     map[string]time.Time  // when a trouble was told
	waiting  WaitingEvent
	keysTold bool // that COPY is given keys without a token
}

// New returns a Loader. It does no I/O. The error joins all that is wrong.
func New(cfg Config, store Store, db Database) (*Loader, error) {
	s, err := cfg.settle()
	var errs []error
	if store == nil {
		errs = append(errs, errors.New("the store must not be nil"))
	}
	if db == nil {
		errs = append(errs, errors.New("the database must not be nil"))
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("redshift: %w", err)
	}
	log := s.Logger.With(zap.String("delivery_stream", s.Staging.DeliveryStreamName))
	return &Loader{
		settings: s, store: store, db: db, log: log, hooks: s.Hooks.guarded(log),
		known: make(map[string]marked), left: make(map[string]leftMarker), settled: make(map[string]struct{}), told: make(map[string]time.Time),
	}, nil
}

// errStopped means that the loader is to stop.
var errStopped = errors.New("the loader is to stop")

// Run loads until ctx is done, and then returns nil, or until trusted returns an error, which it returns.
// It is called by one goroutine at a time; a second call waits for the first.
//
// trusted tells whether this loader may go on: nil if no other loader works, such as
// [github.com/shardmill/shardmill/lease/elected.Term.CheckTrust]. It is asked before each
// COPY, each manifest and each deletion, also by several goroutines at once; if trusted is
// nil nobody is asked. What is left then is found by its markers.
//
// A COPY that is under way when ctx ends, while trusted still returns nil, has 10 s to be
// answered, and its markers to be deleted, so that it need not be made again. A loader that
// starts begins each batch anew, with a RetryDuration of its own.
func (l *Loader) Run(ctx context.Context, trusted func() error) error {
	l.running.Lock()
	defer l.running.Unlock()
	if trusted == nil {
		trusted = func() error { return nil }
	}
	work, end := withGrace(ctx, trusted)
	defer end()
	r := &run{Loader: l, work: work, trusted: trusted}
	for {
		more, err := r.round(ctx)
		switch {
		case errors.Is(err, errStopped):
			return nil
		case err != nil:
			return err
		case !more:
			_ = pause.For(ctx, pause.Around(ctx, "look for markers of "+l.settings.Staging.DeliveryStreamName, lookInterval, 0.2)) // the next round sees that ctx is done
		}
	}
}

// run is one call of Run.
type run struct {
	*Loader

	work    context.Context //nolint:containedctx // of what is under way when the loader is to stop: it ends somewhat later
	trusted func() error
}

// withGrace returns a context that ends stopWithin after ctx, or with it if the loader is
// not trusted then. end ends it at once, and waits for the goroutine that does so.
func withGrace(ctx context.Context, trusted func() error) (work context.Context, end func()) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-work.Done():
			return
		case <-ctx.Done():
		}
		if trusted() == nil {
			_ = pause.For(work, stopWithin) // it ends before if all is done
		}
		cancel(context.Cause(ctx))
	})
	return work, func() { cancel(nil); watch.Wait() }
}

// may returns the error of trusted, or errStopped if ctx is done: nothing is begun then.
func (r *run) may(ctx context.Context) error {
	if err := r.trusted(); err != nil {
		return fmt.Errorf("loading ends, and its markers are left to another loader: %w", err)
	}
	if ctx.Err() != nil {
		return errStopped
	}
	return nil
}

// round looks for markers and loads one batch. It reports whether there was one.
func (r *run) round(ctx context.Context) (more bool, err error) {
	if err := r.may(ctx); err != nil {
		return false, err
	}
	staged, err := r.look(ctx)
	if err := r.may(ctx); err != nil {
		return false, err
	}
	r.waiting.StoreErr, r.waiting.Err, r.waiting.Tries = err, nil, 0 // an earlier call of Run may have left a batch
	r.tellWaiting()
	if err := r.unmark(); err != nil { // what an earlier call of Run has left
		return false, err
	}
	b := nextBatch(staged)
	if len(b.markers) == 0 {
		return false, nil
	}
	c := &copying{run: r, batch: b, rest: b.objects}
	return true, c.load(ctx)
}

// tellWaiting calls the hook.
func (l *Loader) tellWaiting() { l.hooks.Waiting(l.waiting) }

// due reports whether a trouble may be told again, and notes that it is.
func (l *Loader) due(what string, every time.Duration) bool {
	if last, ok := l.told[what]; ok && time.Since(last) < every {
		return false
	}
	l.told[what] = time.Now()
	return true
}
