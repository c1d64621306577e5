package kcl_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// Hooks feed the metrics of Prometheus.
func ExampleHooks() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	registry := prometheus.NewRegistry()
	stream := kcltest.NewStream(1)
	stream.Put(0, "to", "be", "or")

	w, err := kcl.New(kcl.Config{
		ApplicationName: "counter", StreamName: "words", WorkerID: "worker-1",
		Source: stream, Leases: new(lease.Mem), Hooks: metrics(registry),
	}, kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error {
		stop()
		return nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	families, err := registry.Gather() // in a program: promhttp.HandlerFor(registry, …)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			fmt.Println(f.GetName(), m.GetCounter().GetValue()+m.GetGauge().GetValue())
		}
	}
	// Output:
	// leases 0
	// records_lost_total 0
	// records_total 3
}

func metrics(r prometheus.Registerer) kcl.Hooks {
	m := promauto.With(r)
	shard := []string{"shard"}
	leases := m.NewGauge(prometheus.GaugeOpts{Name: "leases"})
	records := m.NewCounterVec(prometheus.CounterOpts{Name: "records_total"}, shard)
	failures := m.NewCounterVec(prometheus.CounterOpts{Name: "failures_total"}, shard)
	behind := m.NewGaugeVec(prometheus.GaugeOpts{Name: "behind_seconds"}, shard)
	lost := m.NewCounter(prometheus.CounterOpts{Name: "records_lost_total", Help: "Gaps; wake somebody."})

	gone := func(e kcl.LeaseEvent) {
		leases.Dec()
		behind.DeleteLabelValues(e.Lease.Key) // or its last value would stay for ever
	}
	return kcl.Hooks{
		LeaseTaken:    func(kcl.LeaseEvent) { leases.Inc() },
		LeaseLost:     gone,
		LeaseReleased: gone,
		Processed: func(e kcl.BatchEvent) {
			if e.Err != nil {
				failures.WithLabelValues(e.ShardID).Inc()
				return
			}
			records.WithLabelValues(e.ShardID).Add(float64(e.Records))
			behind.WithLabelValues(e.ShardID).Set(e.BehindLatest.Seconds())
		},
		RecordsLost: func(kcl.LossEvent) { lost.Inc() },
	}
}
