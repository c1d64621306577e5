package metrics

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/shardmill/shardmill/kcl"
)

// Metrics are those of one archiver. Give its worker their Hooks, Table, Source
// and Factory, and its deliveries their DeliveryHooks. The methods are safe for
// concurrent use.
type Metrics struct {
	options  Options
	snapshot func() (kcl.Snapshot, bool)
	registry *prometheus.Registry
	counts   counts
	fresh    freshness

	partitions partitions

	scanned atomic.Int64 // when the lease table was last read, in Unix milliseconds; 0 before
	oldest  atomic.Int64 // the oldest checkpoint's timestamp in it, likewise; 0 without one
}

// Options describe the program whose metrics they are.
type Options struct {
	DeliveryStreamName string
	Version            string // of the program
	Backup             bool   // the stream has one

	// Documents says that records go to a cluster, as documents, and what Firehose calls
	// the destination. Then a backup is what Firehose has as DeliveryToS3. Default "": they
	// go into objects.
	Documents Destination

	// Warehouse says that what is put is loaded into Redshift.
	Warehouse bool
}

// New returns the metrics of an archiver. snapshot tells at
// each scrape what the worker does, and false if there is none yet; its troubles
// are shown all the same.
func New(o Options, snapshot func() (kcl.Snapshot, bool)) *Metrics {
	m := &Metrics{options: o, snapshot: snapshot, registry: prometheus.NewRegistry(), fresh: newFreshness(), partitions: partitions{of: map[string]partitioned{}}}
	m.counts = newCounts(m.registry, o)
	m.registry.MustRegister(
		newGauges(m),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// maxScrapes is how many may gather metrics at once.
const maxScrapes = 4

// Handler answers with the metrics, as Prometheus reads them.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}
