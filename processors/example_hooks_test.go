package processors_test

import (
	"fmt"
	"log"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/shardmill/shardmill/processors"
)

// Hooks feed the metrics of Prometheus. Of what an archiver does the two that
// matter are how old the oldest record is that is not in the store, and whether
// puts fail.
func ExampleHooks() {
	registry := prometheus.NewRegistry()
	hooks := archiverMetrics(registry)

	// An archiver with these hooks calls them as things happen:
	hooks.Buffered(processors.BufferedEvent{ShardID: "shardId-000000000000", Freshness: 90 * time.Second})
	hooks.Delivered(processors.DeliveredEvent{ShardID: "shardId-000000000000", Records: 1000})

	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			fmt.Println(f.GetName(), m.GetCounter().GetValue()+m.GetGauge().GetValue())
		}
	}
	// Output:
	// failed_puts_total 0
	// freshness_seconds 90
	// records_delivered_total 1000
	// records_lost_total 0
}

func archiverMetrics(r prometheus.Registerer) processors.Hooks {
	m := promauto.With(r)
	freshness := m.NewGaugeVec(prometheus.GaugeOpts{Name: "freshness_seconds"}, []string{"shard"})
	records := m.NewCounter(prometheus.CounterOpts{Name: "records_delivered_total"})
	failed := m.NewCounter(prometheus.CounterOpts{Name: "failed_puts_total", Help: "Each is repeated."})
	lost := m.NewCounter(prometheus.CounterOpts{Name: "records_lost_total", Help: "Wake somebody."})
	return processors.Hooks{
		// The shard's label should go with its lease: see kcl.Hooks.LeaseReleased.
		Buffered:    func(e processors.BufferedEvent) { freshness.WithLabelValues(e.ShardID).Set(e.Freshness.Seconds()) },
		Delivered:   func(e processors.DeliveredEvent) { records.Add(float64(e.Records)) },
		PutFailed:   func(processors.PutFailedEvent) { failed.Inc() },
		RecordsLost: func(e processors.RecordsLostEvent) { lost.Add(float64(e.Lost)) },
	}
}
