package metrics

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Firehose's and our names of what is no counter.
const (
	loadFreshness  = "DeliveryToRedshift.DataFreshness"
	markersWaiting = "MarkersWaiting"
	hasLoader      = "Loader"
	shardsAwaiting = "ShardsAwaitingLoad"
)

// loading are the metrics of what is loaded into Redshift. Those of another stream count
// nothing, and are not shown.
type loading struct {
	records, bytes                          prometheus.Counter
	success                                 outcomes
	loads, givenUp, recordsNotLoaded, known prometheus.Counter
	objects, objectsNotLoaded, tries        prometheus.Counter
	time                                    prometheus.Histogram

	mu      sync.Mutex // guards what follows
	has     bool       // this worker loads
	markers int        // that the last look found
	oldest  time.Time  // arrival of the oldest record of the batch that is tried; zero if there is none

	role   func() elected.Status // nil if it is not watched
	staged time.Time             // arrival of the oldest record staged here since somebody was known to load; zero if there is none

	awaiting map[string]time.Time // arrival of the oldest record of the cut whose load a shard's checkpoint waits for
}

func newLoading(firehose, ours *told, on bool) *loading {
	if !on {
		firehose, ours = hidden(), hidden()
	}
	name := func(what string) string { return "DeliveryToRedshift." + what }
	return &loading{
		awaiting: map[string]time.Time{},

		records: firehose.sum(name("Records"), unitCount, "Records in objects that were loaded."),
		bytes:   firehose.sum(name("Bytes"), unitBytes, "Bytes of these records, before compression."),
		success: firehose.outcomes(name("Success"), "Tries of COPY that were committed."),

		loads:            ours.sum("Loads", unitCount, "Batches that were loaded."),
		objects:          ours.sum("ObjectsLoaded", unitCount, "Objects of these batches, those aside that the ledger had."),
		known:            ours.sum("ObjectsKnown", unitCount, "Objects that the ledger had already, and that were not loaded again."),
		givenUp:          ours.sum("LoadsGivenUp", unitCount, "Batches that were not loaded, and that a manifest under errors/manifests/ names."),
		objectsNotLoaded: ours.sum("ObjectsNotLoaded", unitCount, "Objects of these batches."),
		recordsNotLoaded: ours.sum("RecordsNotLoaded", unitCount, "Records in these objects."),
		tries:            ours.sum("LoadTries", unitCount, "Tries of COPY."),
		time:             ours.histogramOf("LoadTry_Time", "Milliseconds that tries of COPY took, failed ones too.", latencies()),
	}
}

// LoaderHooks are the loader's.
func (m *Metrics) LoaderHooks() redshiftarchive.Hooks {
	l := m.counts.load
	return redshiftarchive.Hooks{
		Loaded: func(e redshiftarchive.LoadedEvent) {
			l.loads.Inc()
			l.objects.Add(float64(e.Objects))
			l.known.Add(float64(e.Known))
			l.records.Add(float64(e.Records))
			l.bytes.Add(float64(e.Bytes))
		},
		Tried: func(e redshiftarchive.TriedEvent) {
			l.tries.Inc()
			l.time.Observe(inMillis(e.Duration))
			if e.Err != nil {
				l.success.failed.Inc()
				return
			}
			l.success.ok.Inc()
		},
		GivenUp: func(e redshiftarchive.GivenUpEvent) {
			l.givenUp.Inc()
			l.objectsNotLoaded.Add(float64(e.Objects))
			l.recordsNotLoaded.Add(float64(e.Records))
		},
		Waiting: l.waiting,
	}
}

// LoaderChanged notes that this worker begins or ends to load.
func (m *Metrics) LoaderChanged(has bool) {
	l := m.counts.load
	l.mu.Lock()
	defer l.mu.Unlock()
	l.has, l.markers, l.oldest = has, 0, time.Time{} // of another worker's markers it knows nothing
}

// WatchRole has the role of loader watched: status says how it stands. Call it once,
// before anything is staged.
func (m *Metrics) WatchRole(status func() elected.Status) {
	l := m.counts.load
	l.mu.Lock()
	defer l.mu.Unlock()
	l.role = status
}

// delivered notes what is staged: it is not loaded as long as nobody is known to load.
func (l *loading) delivered(e processors.DeliveredEvent) {
	if e.Role != processors.RoleDelivery {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetStaged()
	if at := time.Now().Add(-e.Freshness); l.role != nil && (l.staged.IsZero() || at.Before(l.staged)) {
		l.staged = at
	}
}

// forgetStaged forgets what is staged once another worker loads, which knows of it, while
// l.mu is locked. What this worker itself loads it forgets when it has looked for markers.
func (l *loading) forgetStaged() {
	if l.role == nil {
		return
	}
	if s := l.role(); !s.Has && s.Holder != "" { // it has a lock of its own
		l.staged = time.Time{}
	}
}

func (l *loading) waiting(e redshiftarchive.WaitingEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.markers, l.oldest = e.Markers, time.Time{}
	if e.StoreErr == nil {
		l.staged = time.Time{} // the markers tell of it
	}
	if e.Oldest > 0 {
		l.oldest = time.Now().Add(-e.Oldest) // while a try is not answered nothing else is told
	}
}

// awaits notes that a shard waits for its load, or does not any more.
func (l *loading) awaits(e processors.AwaitingEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Since.IsZero() {
		delete(l.awaiting, e.ShardID)
		return
	}
	at := e.Oldest // it is the same for each holder
	if at.IsZero() {
		at = e.Since
	}
	l.awaiting[e.ShardID] = at
}

// forget forgets a shard whose lease has ended.
func (l *loading) forget(shard string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.awaiting, shard)
}

// levels returns what there is of a worker that loads, and of how old the oldest record
// is that is not loaded, as far as this worker knows: of those staged, if it loads, or if nobody
// is known to; of those whose load a checkpoint waits for; and of those that are not staged yet.
func (l *loading) levels(unstaged time.Duration, some bool) (out []level) {
	l.mu.Lock()
	defer l.mu.Unlock()
	age, has := unstaged, 0.0
	l.forgetStaged()
	for _, at := range append(slices.Collect(maps.Values(l.awaiting)), l.staged) {
		if !at.IsZero() {
			age, some = max(age, time.Since(at)), true
		}
	}
	if l.has {
		has = 1
		out = append(out, level{markersWaiting, unitCount, float64(l.markers)})
		if !l.oldest.IsZero() {
			age, some = max(age, time.Since(l.oldest)), true
		}
	}
	if some {
		out = append(out, level{loadFreshness, unitSecs, age.Seconds()})
	}
	return append(out, level{hasLoader, unitCount, has}, level{shardsAwaiting, unitCount, float64(len(l.awaiting))})
}
