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
	cfg     Config
	factory ProcessorFactory
	leases  *lease.Coordinator
	memory  *budget.Budget
	kin     *kinship
	resync  chan struct{} // has a value if a shard sync is asked for

	steps    steps
	troubles troubles

	mu         sync.Mutex // guards what follows; never held over I/O
	started    bool
	stopBy     time.Time // when processors must have stopped; zero before the shutdown
	lastSync   time.Time
	finished   map[string]sighting // the finished leases of the last shard sync
	withheld   []string            // the shards that the last shard sync left without a lease
	noted      []string            // what the last shard sync found odd about rows
	consumers  map[*consumer]struct{}
	failures   map[string]int // times in a row that a shard was given up
	failed     []error        // what Run returns
	stopForErr context.CancelCauseFunc
}

// New returns a worker that is not running. It does no I/O. factory makes a
// processor for each shard.
func New(cfg Config, factory ProcessorFactory) (*Worker, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(factory); err != nil {
		return nil, err
	}
	w := &Worker{
		cfg: cfg, factory: factory, memory: budget.New(cfg.MaxBytes),
		kin: &kinship{stream: cfg.StreamName, arn: cfg.StreamARN}, resync: make(chan struct{}, 1),
		consumers: make(map[*consumer]struct{}), failures: make(map[string]int),
	}
	w.cfg.Logger = cfg.Logger.With(zap.String("worker_id", cfg.WorkerID))
	w.cfg.Hooks = cfg.Hooks.guarded(w.cfg.Logger, cfg.WarnAfter)
	var err error
	w.leases, err = lease.NewCoordinator(lease.Config{
		Table: cfg.Leases, WorkerID: cfg.WorkerID, FailoverTime: cfg.FailoverTime, ScanInterval: cfg.ScanInterval,
		MaxLeases: cfg.MaxLeases, MaxSteal: cfg.MaxSteal, Judge: w.mayTake, OnChange: w.cfg.Hooks.changed,
		OnTry: func(err error) { w.troubles.outcome(doingLease, err) }, OnScan: w.cfg.Hooks.LeasesScanned, Logger: w.cfg.Logger,
	}, rand.Text())
	if err != nil {
		return nil, fmt.Errorf("kcl: %w", err)
	}
	return w, nil
}

// mayTake says whether the lease of a row may be taken, and what the row is to say
// then. A row of a shard that was not listed yet has the shards listed.
func (w *Worker) mayTake(row lease.Lease) (lease.Identity, bool) {
	id, may, news := w.kin.claim(row)
	if news {
		w.syncSoon()
	}
	return id, may
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
	if err := w.makeReady(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}

	var wg sync.WaitGroup
	// The leases and their processors outlive ctx, by ShutdownTimeout at most.
	hard, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	wg.Go(func() { w.limitShutdown(ctx, hard, cancel) })
	wg.Go(func() { w.keepSynced(ctx) })
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
	w.mu.Lock()
	w.stopBy = time.Now().Add(w.cfg.ShutdownTimeout)
	w.mu.Unlock()
	if pause.For(hard, w.cfg.ShutdownTimeout) == nil {
		cancel(ErrShutdownTimeout)
	}
}

// deadline returns when processors must have stopped, zero if they need not.
func (w *Worker) deadline() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopBy
}

// consume runs the consumer of one held lease.
func (w *Worker) consume(soft context.Context, h *lease.Held) {
	row := h.Lease()
	c := &consumer{
		w: w, held: h, acct: w.memory.Open(),
		log: w.cfg.Logger.With(zap.String("shard_id", row.Key)),
		info: ShardInfo{
			StreamName: w.cfg.StreamName, StreamARN: w.cfg.StreamARN, Table: w.cfg.ApplicationName,
			ShardID: row.Key, WorkerID: w.cfg.WorkerID, Range: row.Range, HashRangeRule: w.cfg.HashRangeRule,
		},
		status: ShardStatus{ShardID: row.Key, State: ShardWaiting, Checkpoint: row.Checkpoint},
	}
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

// progressed notes that a shard is processed well.
func (w *Worker) progressed(shardID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.failures, shardID)
}

// maxAvoid bounds how long a shard that fails is left to other workers.
const maxAvoid = 10 * time.Minute

// giveUp notes that a shard failed and leaves it to others for a time that
// doubles with each failure in a row.
func (w *Worker) giveUp(shardID string) time.Duration {
	w.mu.Lock()
	w.failures[shardID]++
	n := w.failures[shardID]
	w.mu.Unlock()
	avoid := min(maxAvoid, w.cfg.FailoverTime<<min(n-1, 16))
	w.leases.Avoid(shardID, avoid)
	return avoid
}

// pauseAfter returns the pause after the n-th failure in a row, or after one that
// does not count.
func (w *Worker) pauseAfter(n int) time.Duration {
	return min(30*time.Second, 500*time.Millisecond<<max(0, min(n-1, 10)))
}
