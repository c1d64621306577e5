package health

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
)

// Options describe the archiver that is watched.
type Options struct {
	DeliveryStreamName string
	Version            string              // of the program
	Backup             bool                // it backs up what it delivers
	Documents          metrics.Destination // of documents; "" if records go into objects
	Warehouse          bool                // what is put is loaded into Redshift
	FailoverTime       time.Duration       // of the leases
	ShutdownTimeout    time.Duration       // of the worker
	Logger             *zap.Logger         // nil logs nothing
}

// Worker is what a Monitor watches; a *kcl.Worker is one.
type Worker interface {
	Run(ctx context.Context) error
	Snapshot() kcl.Snapshot
}

// Monitor watches a worker and counts what it does. Give the worker its Hooks,
// Table, Source and Factory, and run it with Run. Its methods are safe for
// concurrent use.
type Monitor struct {
	options Options
	metrics *metrics.Metrics
	denied  denials

	transforms transforms
	indexes    indexes
	loads      loads

	scanned atomic.Bool // the lease table was read after the first shard sync

	mu     sync.Mutex // guards what follows
	worker Worker     // nil before Run
	stopBy time.Time  // when processors must have stopped; zero before Run's context is done
	ended  bool       // Run has returned
	reason string     // why the worker is not alive; "" if it is
}

// New returns a Monitor of a worker that does not run yet.
func New(o Options) *Monitor {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	m := &Monitor{options: o, denied: denials{of: map[string]denial{}}}
	m.metrics = metrics.New(metrics.Options{DeliveryStreamName: o.DeliveryStreamName, Version: o.Version, Backup: o.Backup, Documents: o.Documents, Warehouse: o.Warehouse}, m.snapshot)
	return m
}

// lookInterval is how often the worker is looked at.
const lookInterval = time.Second

// Run runs w and watches it until it returns. Call it once. The result is that
// of w.Run.
func (m *Monitor) Run(ctx context.Context, w Worker) error {
	m.mu.Lock()
	m.worker = w
	m.mu.Unlock()
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { m.watch(ctx, w, over) })
	defer func() { // after a panic, too
		m.mu.Lock()
		m.ended = true
		m.mu.Unlock()
		close(over)
		watch.Wait()
	}()
	return w.Run(ctx)
}

// watch looks at w until over is closed.
func (m *Monitor) watch(ctx context.Context, w Worker, over <-chan struct{}) {
	d := watchdog{limit: m.options.FailoverTime + m.options.ShutdownTimeout, seen: map[string]seen{}}
	puts := alarm{log: m.options.Logger, says: "objects cannot be put; nothing is lost, and records wait until somebody gives access"}
	transform := alarm{log: m.options.Logger, says: "the transform fails; records go into error objects once it was tried in vain"}
	index := alarm{log: m.options.Logger, says: "the cluster takes no documents"}
	load := alarm{log: m.options.Logger, says: "what is staged is not loaded"}
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	stop := ctx.Done()
	for {
		select {
		case <-over:
			return
		case <-stop:
			stop = nil
			m.mu.Lock()
			m.stopBy = time.Now().Add(m.options.ShutdownTimeout)
			m.mu.Unlock()
			continue
		case <-ticker.C:
		}
		s, denied := m.look(w)
		now := time.Now()
		puts.sound(denied, now)
		transform.sound(grave(m.transforms.troubles(), m.options.FailoverTime), now)
		index.sound(grave(m.indexes.troubles(), m.options.FailoverTime), now)
		load.sound(grave(m.loads.troubles(), m.options.FailoverTime), now)
		reason := d.look(s, now)
		m.mu.Lock()
		m.reason = reason
		m.mu.Unlock()
	}
}

// snapshot returns what the worker does now, and false if there is none yet.
func (m *Monitor) snapshot() (kcl.Snapshot, bool) {
	m.mu.Lock()
	w := m.worker
	m.mu.Unlock()
	if w == nil {
		return kcl.Snapshot{}, false
	}
	s, _ := m.look(w)
	return s, true
}

// look returns what w does now, and those of its troubles that it does not know
// of: with puts. Its shutdown begins when Run's context is done, also if w has
// not come so far as to know.
func (m *Monitor) look(w Worker) (s kcl.Snapshot, denied []kcl.Trouble) {
	s = w.Snapshot()
	denied = m.denied.troubles(s.Shards)
	s.Troubles = slices.Concat(s.Troubles, denied, m.transforms.troubles(), m.indexes.troubles(), m.loads.troubles())
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.StopBy.IsZero() {
		s.StopBy = m.stopBy
	}
	return s, denied
}

// dead returns why the worker is not alive, or "".
func (m *Monitor) dead() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return "the worker has stopped"
	}
	return m.reason
}
