package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// counts are the metrics that grow with what happens, and those of the last
// reading of the lease table.
type counts struct {
	taken, lost, released                               prometheus.Counter
	free, needed, toTake, untaken, spillover, leftAlone prometheus.Gauge

	records, bytes *prometheus.CounterVec // by shard
	processing     *prometheus.HistogramVec
	latency        prometheus.Histogram

	initializing, stopping prometheus.Histogram

	list, take, renew, update, create tries

	readRecords, readBytes                       prometheus.Counter
	throttled                                    map[string]prometheus.Counter // by the operation of Kinesis
	delivered, backup, aside                     deliveries
	recordsLost, gaps, bundlesLost               prometheus.Counter
	dropped, malformed, deadLettered, putsFailed prometheus.Counter
	pendingFound                                 *prometheus.CounterVec
	keys                                         map[string]prometheus.Counter // by s3archive's problem of a key

	documents bool // where records go
	index     indexing
	load      *loading

	stages stages
	told   told
}

// deliveries are the metrics of what is put into a bucket.
type deliveries struct {
	records, bytes prometheus.Counter
	puts           outcomes
}

// maker registers what it makes.
type maker struct {
	registry *prometheus.Registry
	labels   prometheus.Labels
}

// prefix is what all names begin with.
const prefix = "shardmill_"

func (m maker) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + name, Help: help, ConstLabels: m.labels})
	m.registry.MustRegister(c)
	return c
}

func (m maker) counters(name, label, help string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help, ConstLabels: m.labels}, []string{label})
	m.registry.MustRegister(c)
	return c
}

// millis are the buckets of all times.
func millis() []float64 { return []float64{1, 5, 25, 100, 500, 2_500, 10_000, 60_000} }

// latencies are the buckets of how long records wait: up to a day.
func latencies() []float64 {
	return []float64{100, 500, 1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 86_400_000}
}

func (m maker) histogram(name, help string) prometheus.Histogram {
	return m.histogramOf(name, help, millis())
}

func (m maker) histogramOf(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + name, Help: help, ConstLabels: m.labels, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

func (m maker) histograms(name, label, help string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, ConstLabels: m.labels, Buckets: millis()}, []string{label})
	m.registry.MustRegister(h)
	return h
}

func (m maker) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + name, Help: help, ConstLabels: m.labels})
	m.registry.MustRegister(g)
	return g
}

// tries counts the calls of one operation.
type tries struct {
	success prometheus.Counter
	time    prometheus.Histogram
}

func (m maker) tries(name, what string) tries {
	return tries{
		success: m.counter(name+"_Success", what+" that succeeded."),
		time:    m.histogram(name+"_Time", "Milliseconds that "+what+" took, failed ones too."),
	}
}

// done notes one call that began at start.
func (t tries) done(start time.Time, err error) {
	if err == nil {
		t.success.Inc()
	}
	t.time.Observe(inMillis(time.Since(start)))
}

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

const shardID = "ShardId"

func newCounts(r *prometheus.Registry, o Options) counts {
	kcl := maker{registry: r}
	firehose := told{maker: maker{registry: r, labels: prometheus.Labels{dimension: o.DeliveryStreamName}}}
	documents := o.Documents != ""
	objects, backups := &firehose, &firehose // of what is seen
	if documents {
		backups = hidden()
		if !o.Backup {
			objects = hidden()
		}
	}
	ours := told{maker: kcl} // what Firehose has not, and EMF tells all the same
	c := counts{
		taken:    kcl.counter("TakenLeases", "Leases taken, be they free or another worker's."),
		lost:     kcl.counter("LostLeases", "Leases that another worker took or whose trust ran out."),
		released: kcl.counter("ReleasedLeases", "Leases given back."),

		records:      kcl.counters("RecordsProcessed", shardID, "Records that the processor accepted."),
		bytes:        kcl.counters("DataBytesProcessed", shardID, "Bytes of the records that the processor accepted."),
		processing:   kcl.histograms("RecordProcessor_processRecords_Time", shardID, "Milliseconds that calls of ProcessRecords with records took."),
		latency:      kcl.histogramOf("RecordsProcessed_Latency", "Milliseconds from the arrival of a batch's last record until the processor accepted it.", latencies()),
		initializing: kcl.histogram("RecordProcessor_initialize_Time", "Milliseconds that calls of Initialize took."),
		stopping:     kcl.histogram("RecordProcessor_shutdown_Time", "Milliseconds that the last calls of processors took."),

		free:      kcl.gauge("ExpiredLeases", "Leases that nobody held when the lease table was last read."),
		needed:    kcl.gauge("NeededLeases", "Leases that the worker lacked to its share then."),
		toTake:    kcl.gauge("LeasesToTake", "Leases that it tried to take then."),
		untaken:   kcl.gauge("UntakenLeases", "Those of them that it did not get."),
		spillover: kcl.gauge("LeaseSpillover", "Leases of its share that it left to other workers because of MaxLeases."),
		leftAlone: kcl.gauge("LeasesLeftAlone", "Rows that the worker leaves alone: of another stream, or contradicting this one."),

		list:   kcl.tries("ListLeases", "Readings of the lease table"),
		take:   kcl.tries("TakeLease", "Takes of leases"),
		renew:  kcl.tries("RenewLease", "Renewals of leases"),
		update: kcl.tries("UpdateLease", "Writes of checkpoints"),
		create: kcl.tries("CreateLease", "Creations of leases"),

		readRecords: firehose.sum("DataReadFromKinesisStream.Records", unitCount, "Records read, aggregated ones as one."),
		readBytes:   firehose.sum("DataReadFromKinesisStream.Bytes", unitBytes, "Bytes of the records read."),
		throttled: map[string]prometheus.Counter{
			"GetRecords":       firehose.sum("ThrottledGetRecords", unitCount, "Calls of GetRecords that Kinesis refused because of a limit."),
			"GetShardIterator": firehose.sum("ThrottledGetShardIterator", unitCount, "Calls of GetShardIterator that Kinesis refused because of a limit."),
			"ListShards":       ours.sum("ThrottledListShards", unitCount, "Calls of ListShards that Kinesis refused because of a limit."),
		},
		delivered: putsOf("DeliveryToS3", "", &firehose, objects),
		backup:    putsOf("BackupToS3", " of the backup", backups, backups),
		aside:     putsOf("Aside", "", hidden(), hidden()),
		documents: documents,
		index:     newIndexing(&firehose, &ours, o.Documents),
		load:      newLoading(&firehose, &ours, o.Warehouse),

		bundlesLost:  ours.sum("BundlesLost", unitCount, "Cuts delivered again because their bundle was gone: exactly once is broken."),
		recordsLost:  ours.sum("RecordsLost", unitCount, "Records of prepared objects that expired before these were finished; at least."),
		gaps:         ours.sum("RecordsLost.Gaps", unitCount, "Gaps in shards whose records may have expired before they were read."),
		dropped:      kcl.counter("UserRecordsDropped", "User records outside the shard's hash range, not delivered here."),
		malformed:    kcl.counter("AggregatesMalformed", "Aggregated records that could not be taken apart, delivered whole."),
		deadLettered: kcl.counter("DeadLettered", "Records that the processor never accepted and that were put aside."),
		putsFailed:   ours.sum("PutFailed", unitCount, "Tries of a put that failed."),
		keys: map[string]prometheus.Counter{
			s3archive.KeyAccessDenied: firehose.sum("KMSKeyAccessDenied", unitCount, "Tries of a put that failed as the bucket's key may not be used."),
			s3archive.KeyDisabled:     firehose.sum("KMSKeyDisabled", unitCount, "Tries of a put that failed as the key is disabled."),
			s3archive.KeyInvalidState: firehose.sum("KMSKeyInvalidState", unitCount, "Tries of a put that failed because of the key's state."),
			s3archive.KeyNotFound:     firehose.sum("KMSKeyNotFound", unitCount, "Tries of a put that failed as there is no such key."),
		},
		pendingFound: kcl.counters("PendingFound", "Verdict", "Pending checkpoints of earlier holders that were found."),
	}
	several := &firehose
	if documents {
		several = hidden()
	}
	c.stages = newStages(&firehose, &ours, several)
	c.told.tell(&firehose, &ours)
	for _, verdict := range []string{"foreign", "newer", "broken", "void", "redo", "forbidden"} {
		c.pendingFound.WithLabelValues(verdict)
	}
	return c
}

// Hooks are the worker's.
func (m *Metrics) Hooks() kcl.Hooks {
	c := &m.counts
	return kcl.Hooks{
		LeaseTaken:    func(e kcl.LeaseEvent) { c.taken.Inc(); c.begin(e.Lease.Key) },
		LeaseLost:     func(e kcl.LeaseEvent) { c.lost.Inc(); m.forget(e.Lease.Key) },
		LeaseReleased: func(e kcl.LeaseEvent) { c.released.Inc(); m.forget(e.Lease.Key) },
		Processed: func(e kcl.BatchEvent) {
			c.processing.WithLabelValues(e.ShardID).Observe(inMillis(e.Duration))
			if e.Err == nil {
				c.records.WithLabelValues(e.ShardID).Add(float64(e.Records))
				c.bytes.WithLabelValues(e.ShardID).Add(float64(e.Bytes))
				if at := e.Last.Arrival; !at.IsZero() {
					c.latency.Observe(inMillis(max(0, time.Since(at)))) // the service's clock may be ahead
				}
			}
		},
		DeadLettered:        func(e kcl.BatchEvent) { c.deadLettered.Add(float64(e.Records)) },
		RecordsLost:         func(kcl.LossEvent) { c.gaps.Inc() },
		AggregatesMalformed: func(_ string, n int) { c.malformed.Add(float64(n)) },
		UserRecordsDropped:  func(_ string, n int) { c.dropped.Add(float64(n)) },
		LeasesScanned:       c.scanned,
	}
}

// Throttled counts a call of Kinesis that was refused because of a limit.
func (m *Metrics) Throttled(operation, _ string) {
	if c := m.counts.throttled[operation]; c != nil {
		c.Inc()
	}
}

func (c *counts) scanned(s lease.Scan) {
	c.free.Set(float64(s.Free))
	c.needed.Set(float64(s.Needed))
	c.toTake.Set(float64(s.ToTake))
	c.untaken.Set(float64(s.ToTake - s.Taken))
	c.spillover.Set(float64(s.Spillover))
	c.leftAlone.Set(float64(s.LeftAlone))
}

// DeliveryHooks are the delivery stream's.
func (m *Metrics) DeliveryHooks() processors.Hooks {
	c := &m.counts
	return processors.Hooks{
		Delivered: func(e processors.DeliveredEvent) {
			d, records := c.of(e.Role)
			d.puts.ok.Inc()
			if records {
				d.records.Add(float64(e.Records))
				d.bytes.Add(float64(e.Bytes))
			}
			c.load.delivered(e)
		},
		PutFailed: func(e processors.PutFailedEvent) {
			c.putsFailed.Inc()
			d, _ := c.of(e.Role)
			d.puts.failed.Inc()
			if k := c.keys[s3archive.KeyProblem(e.Err)]; k != nil {
				k.Inc()
			}
		},
		Buffered:     func(e processors.BufferedEvent) { m.fresh.note(e); m.partitions.note(e) },
		Transformed:  c.stages.called,
		Indexed:      c.index.indexed,
		Bulked:       c.index.bulked,
		Awaiting:     c.load.awaits,
		PendingFound: func(e processors.PendingFoundEvent) { c.pendingFound.WithLabelValues(e.Verdict).Inc() },
		Processed:    c.stages.processed,
		BundleLost:   func(processors.BundleLostEvent) { c.bundlesLost.Inc() },
		RecordsLost:  func(e processors.RecordsLostEvent) { c.recordsLost.Add(float64(e.Lost)) },
	}
}

// begin makes a shard's series, so that their first increase is seen as one.
func (c *counts) begin(shard string) {
	c.records.WithLabelValues(shard)
	c.bytes.WithLabelValues(shard)
	c.processing.WithLabelValues(shard)
}

// forget removes a shard's series.
func (m *Metrics) forget(shard string) {
	m.counts.records.DeleteLabelValues(shard)
	m.counts.bytes.DeleteLabelValues(shard)
	m.counts.processing.DeleteLabelValues(shard)
	m.fresh.forget(shard)
	m.counts.load.forget(shard)
	m.partitions.forget(shard)
}
