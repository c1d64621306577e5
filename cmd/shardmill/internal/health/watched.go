package health

import (
	"context"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Hooks are the worker's.
func (m *Monitor) Hooks() kcl.Hooks {
	h := m.metrics.Hooks()
	for _, hook := range []*func(kcl.LeaseEvent){&h.LeaseTaken, &h.LeaseLost, &h.LeaseReleased} {
		counted := *hook
		*hook = func(e kcl.LeaseEvent) { m.denied.forget(e.Lease.Key); m.loads.forget(e.Lease.Key); counted(e) }
	}
	return h
}

// DeliveryHooks are the delivery stream's.
func (m *Monitor) DeliveryHooks() processors.Hooks {
	h := m.metrics.DeliveryHooks()
	delivered, failed, transformed, bulked, awaiting := h.Delivered, h.PutFailed, h.Transformed, h.Bulked, h.Awaiting
	h.Awaiting = func(e processors.AwaitingEvent) { awaiting(e); m.loads.waits(e) }
	h.Delivered = func(e processors.DeliveredEvent) {
		delivered(e)
		m.denied.delivered(e)
		m.indexes.delivered(e)
		m.loads.delivered(e)
	}
	h.PutFailed = func(e processors.PutFailedEvent) { failed(e); m.denied.failed(e); m.indexes.putFailed(e) }
	h.Bulked = func(e processors.BulkEvent) { bulked(e); m.indexes.bulked(e) }
	h.Transformed = func(e processors.TransformedEvent) { transformed(e); m.transforms.called(e) }
	return h
}

// LoaderHooks are those of the loader of the delivery stream, if it is loaded.
func (m *Monitor) LoaderHooks() redshiftarchive.Hooks {
	h := m.metrics.LoaderHooks()
	loaded, tried, givenUp, waiting := h.Loaded, h.Tried, h.GivenUp, h.Waiting
	h.Tried = func(e redshiftarchive.TriedEvent) { tried(e); m.loads.tried(e) }
	h.Loaded = func(e redshiftarchive.LoadedEvent) { loaded(e); m.loads.loaded(e) }
	h.GivenUp = func(e redshiftarchive.GivenUpEvent) { givenUp(e); m.loads.gaveUp(e) }
	h.Waiting = func(e redshiftarchive.WaitingEvent) { waiting(e); m.loads.waiting(e) }
	return h
}

// LoaderChanged notes that this worker begins or ends to load.
func (m *Monitor) LoaderChanged(has bool) {
	m.metrics.LoaderChanged(has)
	m.loads.changed(has)
}

// WatchRole has the role of loader watched: status says how it stands. Call it once,
// before Run.
func (m *Monitor) WatchRole(status func() elected.Status) {
	m.metrics.WatchRole(status)
	m.loads.mu.Lock()
	defer m.loads.mu.Unlock()
	m.loads.role = status
}

// Source returns s, whose records are counted.
func (m *Monitor) Source(s kcl.Source) kcl.Source { return m.metrics.Source(s) }

// Throttled counts a call of Kinesis that was refused because of a limit.
func (m *Monitor) Throttled(operation, shardID string) { m.metrics.Throttled(operation, shardID) }

// Factory returns f, whose processors' first and last calls are measured.
func (m *Monitor) Factory(f kcl.ProcessorFactory) kcl.ProcessorFactory { return m.metrics.Factory(f) }

// Table returns t, whose calls are counted and whose readings are noted. Call it
// once.
func (m *Monitor) Table(t lease.Table) lease.Table { return table{m.metrics.Table(t), m} }

type table struct {
	lease.Table

	m *Monitor
}

// List implements lease.Table. The first one that begins after the shards were
// synced is the worker's first look for leases to take.
func (t table) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	s, _ := t.m.snapshot()
	list, unreadable, err := t.Table.List(ctx)
	if err == nil && !s.LastSync.IsZero() {
		t.m.scanned.Store(true)
	}
	return list, unreadable, err
}

// EmitEMF writes metrics for CloudWatch, as [metrics.Metrics.EmitEMF] does.
func (m *Monitor) EmitEMF(ctx context.Context, namespace string, write func([]byte) error, log *zap.Logger) (end func()) {
	return m.metrics.EmitEMF(ctx, namespace, write, log)
}
