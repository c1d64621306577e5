package kcl

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl/internal/budget"
	"github.com/shardmill/shardmill/lease"
)

// Worker processes shards of a stream: those whose leases it holds.
type Worker struct {
	cfg      Config
	leases   *lease.Coordinator
	memory   *budget.Budget
	stream   *stream
	steps    steps
	troubles troubles
	env      env // of its consumers
	failures failures

	mu         sync.Mutex // guards what follows; never held over I/O
	started    bool
	stopBy     time.Time // when processors must have stopped; zero before the shutdown
	consumers  map[*consumer]struct{}
	failed     []error // what Run returns
	stopForErr context.CancelCauseFunc
}

// New returns a worker that is not running. It does no I/O. factory makes a
// processor for each shard.
func New(cfg Config, factory ProcessorFactory) (*Worker, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(factory); err != nil {
		return nil, err
	}
	cfg.Logger = cfg.Logger.With(zap.String("worker_id", cfg.WorkerID))
	cfg.Hooks = cfg.Hooks.guarded(cfg.Logger, cfg.WarnAfter)
	w := &Worker{cfg: cfg, memory: budget.New(cfg.MaxBytes), consumers: make(map[*consumer]struct{})}
	w.stream = newStream(cfg, &w.steps, &w.troubles)
	var err error
	w.leases, err = lease.NewCoordinator(lease.Config{
		Table: cfg.Leases, WorkerID: cfg.WorkerID, FailoverTime: cfg.FailoverTime, ScanInterval: cfg.ScanInterval,
		MaxLeases: cfg.MaxLeases, MaxSteal: cfg.MaxSteal, Judge: w.stream.mayTake, OnChange: cfg.Hooks.changed,
		OnTry: func(err error) { w.troubles.outcome(doingLease, err) }, OnScan: cfg.Hooks.LeasesScanned, Logger: cfg.Logger,
	}, rand.Text())
	if err != nil {
		return nil, fmt.Errorf("kcl: %w", err)
	}
	w.stream.leases = w.leases
	w.env = env{
		cfg: cfg, factory: factory, stream: w.stream, steps: &w.steps, troubles: &w.troubles, failures: &w.failures,
		avoid: w.leases.Avoid, fail: w.fail, stopBy: w.deadline,
	}
	return w, nil
}

// errAlreadyRun is returned by a second call of Run.
var errAlreadyRun = errors.New("kcl: Run was called before; make a new Worker")

// Run processes shards until ctx is done and then shuts down: each processor
// gets ShutdownRequested, its lease is released, and other workers take it at
// their next scan. When Run returns, no processor is being called, and every
// goroutine that it started has ended, but for one of a hook about leases that
// has not returned for ten seconds. It may be called once.
//
// Run returns nil after a clean shutdown. It does not begin if the stream or the
// lease table cannot be used: ErrStreamNotFound, ErrAccessDenied,
// lease.ErrTableNotFound or lease.ErrInvalidState, which is also the answer if a
// row proves that the table is another stream's. Later the first three end it once
// they have lasted for Config.AccessTimeout, and lease.ErrInvalidState if the
// table says that it cannot be used, or no row of it can be this stream's. It
// returns ErrShutdownTimeout if a processor had to be cancelled. Shards that fail
// do not end it: they are given up, logged and tried again after a time that grows.
// Nor does a row that contradicts the stream: its shard is left alone, and
// Snapshot, the log and health tell.
func (w *Worker) Run(ctx context.Context) error {
	w.mu.Lock()
	again := w.started
	w.started = true
	w.mu.Unlock()
	if again {
		return errAlreadyRun
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w.stopForErr = stop
	if err := w.stream.makeReady(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}

	var wg sync.WaitGroup
	// The leases and their processors outlive ctx, by ShutdownTimeout at most.
	hard, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	wg.Go(func() { w.limitShutdown(ctx, hard, cancel) })
	wg.Go(func() {
		if err := w.stream.keepSynced(ctx); err != nil {
			w.fail(err)
		}
	})
	wg.Go(func() { w.watchTroubles(ctx) })
	w.leases.Run(ctx, hard, func(h *lease.Held) { w.consume(ctx, h) })
	cancel(nil)
	wg.Wait()
	return w.result()
}

// limitShutdown cancels hard ShutdownTimeout after soft is done.
func (w *Worker) limitShutdown(soft, hard context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-hard.Done():
		return
	case <-soft.Done():
	}
	if pause.For(hard, time.Until(w.deadline(true))) == nil {
		cancel(ErrShutdownTimeout)
	}
}

// deadline returns when processors must have stopped, zero if they need not. Who
// knows first that the worker stops sets it, so that it is the same for all.
func (w *Worker) deadline(stopping bool) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if stopping && w.stopBy.IsZero() {
		w.stopBy = time.Now().Add(w.cfg.ShutdownTimeout)
	}
	return w.stopBy
}

// consume runs the consumer of one held lease.
func (w *Worker) consume(soft context.Context, h *lease.Held) {
	c := newConsumer(w.env, h, w.memory.Open())
	w.mu.Lock()
	w.consumers[c] = struct{}{}
	w.mu.Unlock()
	c.run(soft)
	w.mu.Lock()
	delete(w.consumers, c)
	w.mu.Unlock()
}

// fail makes Run return err, after a shutdown.
func (w *Worker) fail(err error) {
	w.mu.Lock()
	w.failed = append(w.failed, err)
	w.mu.Unlock()
	w.stopForErr(err)
}

func (w *Worker) result() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.failed...)
}
