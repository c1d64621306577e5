package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shardmill/shardmill/kcl"
)

// gauges are the metrics that a snapshot has at the moment of a scrape.
type gauges struct {
	m *Metrics

	build, behind, current, trust, sync, scan, oldest, inUse, most, trouble, silent *prometheus.Desc
	firehose                                                                        map[string]*prometheus.Desc // by Firehose's name
}

func newGauges(m *Metrics) *gauges {
	stream := prometheus.Labels{dimension: m.options.DeliveryStreamName}
	desc := func(name, help string, labels prometheus.Labels, variable ...string) *prometheus.Desc {
		return prometheus.NewDesc(prefix+name, help, variable, labels)
	}
	g := &gauges{
		m:       m,
		build:   desc("build_info", "1: the version of the program that runs.", nil, "version"),
		behind:  desc("MillisBehindLatest", "Milliseconds that the shard's last page was behind the tip.", nil, shardID),
		current: desc("CurrentLeases", "Leases held.", nil),
		trust:   desc("LeaseTrust_Millis", "Milliseconds until trust in the first of the leases ends, unless it is renewed.", nil),
		sync:    desc("SyncShards_Age", "Seconds since shards and leases were last compared.", nil),
		scan:    desc("ScanLeases_Age", "Seconds since the lease table was last read.", nil),
		oldest:  desc("OldestCheckpoint_Age", "Seconds since the timestamp of the oldest checkpoint in the lease table, whoever holds its lease: the most that a shard can be behind.", nil),
		inUse:   desc("BytesInUse", "Bytes of memory that records take.", nil),
		most:    desc("MaxBytes", "Bytes of memory that records may take.", nil),
		trouble: desc("Trouble", "Troubles that there are now and that a restart does not mend.", nil, "Reason"),
		silent:  desc("Loop_Silent_Seconds", "Seconds since the last sign of life of the try under way that is silent for longest; 0 without one.", nil, "Loop"),
		firehose: map[string]*prometheus.Desc{
			streamBehind:      desc(streamBehind, "The greatest MillisBehindLatest of the shards.", stream),
			deliveryFreshness: desc(promName(deliveryFreshness), "Age in seconds of the oldest record that is not delivered.", stream),
			partitionCount:    desc(partitionCount, "Partitions whose objects are open.", stream),
			partitionLimit:    desc(partitionLimit, "Partitions whose objects may be open.", stream),
			backupFreshness:   desc(promName(backupFreshness), "Age in seconds of the oldest record that is not in the backup.", stream),
		},
	}
	if m.options.Warehouse {
		g.firehose[loadFreshness] = desc(promName(loadFreshness), "Age in seconds of the oldest record that is not loaded, of those that this worker knows of.", stream)
		g.firehose[markersWaiting] = desc(markersWaiting, "Markers of staged objects that wait to be loaded, up to 1,000; of the worker that loads.", nil)
		g.firehose[shardsAwaiting] = desc(shardsAwaiting, "Shards whose checkpoint waits until what is staged is loaded.", nil)
		g.firehose[hasLoader] = desc(hasLoader, "1 if this worker loads, 0 if another one does, or nobody.", nil)
	}
	if name := m.options.documentFreshness(); m.options.Documents != "" {
		g.firehose[name] = desc(promName(name), "Age in seconds of the oldest record that is not delivered.", stream)
	}
	return g
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.build, g.behind, g.current, g.trust, g.sync, g.scan, g.oldest, g.inUse, g.most, g.trouble, g.silent} {
		out <- d
	}
	for _, d := range g.firehose {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	tell(g.build, 1, g.m.options.Version)
	if at := g.m.scanned.Load(); at > 0 {
		tell(g.scan, time.Since(time.UnixMilli(at)).Seconds())
	}
	if at := g.m.oldest.Load(); at > 0 {
		tell(g.oldest, max(0, time.Since(time.UnixMilli(at)).Seconds())) // the service's clock may be ahead
	}
	s, ok := g.m.snapshot()
	for _, l := range g.m.levels(s) {
		tell(g.firehose[l.name], l.value)
	}
	for reason, n := range countTroubles(s) {
		tell(g.trouble, float64(n), string(reason))
	}
	for loop, d := range longestSilence(s) {
		tell(g.silent, d.Seconds(), loop)
	}
	if !ok {
		return
	}
	tell(g.inUse, float64(s.BytesInUse))
	tell(g.most, float64(s.MaxBytes))
	if !s.LastSync.IsZero() {
		tell(g.sync, time.Since(s.LastSync).Seconds())
	}
	for _, shard := range s.Shards {
		if wasRead(shard) {
			tell(g.behind, float64(shard.BehindLatest.Milliseconds()), shard.ShardID)
		}
	}
	held := Held(s)
	tell(g.current, float64(held))
	if held > 0 {
		tell(g.trust, inMillis(leastTrust(s)))
	}
}

// TroubleTransform is the reason of a trouble with a delivery stream's transform, beside
// those of a worker: none of its calls succeeds.
const TroubleTransform kcl.TroubleReason = "transform"

// TroubleIndex is the reason of a trouble with a delivery stream's cluster: it takes no
// documents.
const TroubleIndex kcl.TroubleReason = "index"

// TroubleLoad is the reason of a trouble with a delivery stream's database: what is staged
// is not loaded, or this worker cannot stand ready to load it.
const TroubleLoad kcl.TroubleReason = "load"

// TroubleNotLoaded is the reason of a trouble that is over for the loader, and not for who
// waits for the records: some will not be loaded unless somebody does it.
const TroubleNotLoaded kcl.TroubleReason = "not-loaded"

// countTroubles returns how many troubles there are of each reason. 0 is told
// too: a rule on a series that is not there never fires.
func countTroubles(s kcl.Snapshot) map[kcl.TroubleReason]int {
	n := map[kcl.TroubleReason]int{
		kcl.TroubleAccess: 0, kcl.TroubleStreamNotFound: 0, kcl.TroubleTableNotFound: 0,
		kcl.TroubleForeignTable: 0, kcl.TroubleContradiction: 0, kcl.TroubleUnreadable: 0, TroubleTransform: 0, TroubleIndex: 0, TroubleLoad: 0, TroubleNotLoaded: 0,
	}
	for _, t := range s.Troubles {
		n[t.Reason]++
	}
	return n
}

// longestSilence returns, of each loop, how long that of its tries has been
// silent that is so for longest.
func longestSilence(s kcl.Snapshot) map[string]time.Duration {
	silent := map[string]time.Duration{"start": 0, "scan": 0, "sync": 0, "renewal": 0, "shard": 0}
	for _, l := range s.Loops {
		silent[l.Loop] = max(silent[l.Loop], l.Silent)
	}
	return silent
}

// Held returns how many leases are held.
func Held(s kcl.Snapshot) (n int) {
	for _, shard := range s.Shards {
		if !shard.Lost {
			n++
		}
	}
	return n
}

// wasRead reports whether it is known how far the shard is behind, and this
// worker's to tell.
func wasRead(s kcl.ShardStatus) bool { return !s.Lost && !s.LastRead.IsZero() }

// FarthestBehind returns how far the shard is behind that is so the most, and
// false if no shard was read yet.
func FarthestBehind(s kcl.Snapshot) (behind time.Duration, some bool) {
	for _, shard := range s.Shards {
		if wasRead(shard) {
			behind, some = max(behind, shard.BehindLatest), true
		}
	}
	return behind, some
}

// leastTrust returns how long the lease nearest to it is from the end of its
// trust.
func leastTrust(s kcl.Snapshot) time.Duration {
	least := time.Duration(1<<63 - 1)
	for _, shard := range s.Shards {
		if !shard.Lost {
			least = min(least, shard.TrustedUntil.Sub(s.Now))
		}
	}
	return least
}
