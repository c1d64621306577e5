package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
)

// Table returns t, whose calls are counted. Call it once.
func (m *Metrics) Table(t lease.Table) lease.Table {
	shape := maker{registry: m.registry}
	return table{
		Table: t, m: m,
		total:   shape.gauge("TotalLeases", "Rows in the lease table when it was last read."),
		workers: shape.gauge("NumWorkers", "Owners of leases when the lease table was last read."),
		undated: shape.gauge("UndatedLeases", "Leases of shards that are not finished whose checkpoint had no timestamp when the lease table was last read."),
		broken:  shape.gauge("LeaseDeserializationFailureCount", "Leases that could not be read when the lease table was last read."),
	}
}

type table struct {
	lease.Table

	m                               *Metrics
	total, workers, undated, broken prometheus.Gauge
}

// List implements lease.Table.
func (t table) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	start := time.Now()
	list, unreadable, err := t.Table.List(ctx)
	t.m.counts.list.done(start, err)
	if err != nil {
		return nil, nil, err
	}
	owners := map[string]bool{}
	for _, l := range list {
		if l.Owner != "" {
			owners[l.Owner] = true
		}
	}
	oldest, undated := lease.OldestCheckpoint(list)
	t.m.scanned.Store(time.Now().UnixMilli())
	t.m.oldest.Store(0)
	if !oldest.IsZero() {
		t.m.oldest.Store(oldest.UnixMilli())
	}
	t.undated.Set(float64(undated))
	t.total.Set(float64(len(list) + len(unreadable)))
	t.workers.Set(float64(len(owners)))
	t.broken.Set(float64(len(unreadable)))
	return list, unreadable, nil
}

// Take implements lease.Table.
func (t table) Take(ctx context.Context, seen lease.Lease, by lease.Claim) (lease.Lease, error) {
	start := time.Now()
	l, err := t.Table.Take(ctx, seen, by)
	t.m.counts.take.done(start, err)
	return l, err
}

// Renew implements lease.Table.
func (t table) Renew(ctx context.Context, held lease.Lease) (lease.Lease, error) {
	start := time.Now()
	l, err := t.Table.Renew(ctx, held)
	t.m.counts.renew.done(start, err)
	return l, err
}

// Checkpoint implements lease.Table.
func (t table) Checkpoint(ctx context.Context, held lease.Lease, at checkpoint.Position) (lease.Lease, error) {
	start := time.Now()
	l, err := t.Table.Checkpoint(ctx, held, at)
	t.m.counts.update.done(start, err)
	return l, err
}

// Prepare implements lease.Table.
func (t table) Prepare(ctx context.Context, held lease.Lease, p checkpoint.Prepared) (lease.Lease, error) {
	start := time.Now()
	l, err := t.Table.Prepare(ctx, held, p)
	t.m.counts.update.done(start, err)
	return l, err
}

// Create implements lease.Table.
func (t table) Create(ctx context.Context, l lease.Lease) error {
	start := time.Now()
	err := t.Table.Create(ctx, l)
	t.m.counts.create.done(start, err)
	return err
}

// CreateChild implements lease.Table.
func (t table) CreateChild(ctx context.Context, parent, child lease.Lease) error {
	start := time.Now()
	err := t.Table.CreateChild(ctx, parent, child)
	t.m.counts.create.done(start, err)
	return err
}

// Source returns s, whose records are counted.
func (m *Metrics) Source(s kcl.Source) kcl.Source { return source{s, m} }

type source struct {
	kcl.Source

	m *Metrics
}

// Open implements kcl.Source.
func (s source) Open(shard string, from checkpoint.Position) kcl.ShardReader {
	return reader{s.Source.Open(shard, from), s.m}
}

type reader struct {
	kcl.ShardReader

	m *Metrics
}

// Next implements kcl.ShardReader.
func (r reader) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	p, err := r.ShardReader.Next(ctx, room)
	if err == nil {
		r.m.counts.readRecords.Add(float64(len(p.Records)))
		r.m.counts.readBytes.Add(float64(p.Bytes()))
	}
	return p, err
}

// Factory returns f, whose processors' first and last calls are measured.
func (m *Metrics) Factory(f kcl.ProcessorFactory) kcl.ProcessorFactory {
	return func(shard kcl.ShardInfo) kcl.RecordProcessor { return processor{f(shard), &m.counts} }
}

type processor struct {
	kcl.RecordProcessor

	c *counts
}

func since(h prometheus.Observer, start time.Time) { h.Observe(inMillis(time.Since(start))) }

// Initialize implements kcl.RecordProcessor.
func (p processor) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	defer since(p.c.initializing, time.Now())
	return p.RecordProcessor.Initialize(ctx, in)
}

// LeaseLost implements kcl.RecordProcessor.
func (p processor) LeaseLost(ctx context.Context, in kcl.LeaseLostInput) {
	defer since(p.c.stopping, time.Now())
	p.RecordProcessor.LeaseLost(ctx, in)
}

// ShardEnded implements kcl.RecordProcessor.
func (p processor) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	defer since(p.c.stopping, time.Now())
	return p.RecordProcessor.ShardEnded(ctx, in)
}

// ShutdownRequested implements kcl.RecordProcessor.
func (p processor) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	defer since(p.c.stopping, time.Now())
	return p.RecordProcessor.ShutdownRequested(ctx, in)
}
