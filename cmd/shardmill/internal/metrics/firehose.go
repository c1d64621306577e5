package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shardmill/shardmill/kcl"
)

// Units, as CloudWatch spells them.
const (
	unitCount  = "Count"
	unitBytes  = "Bytes"
	unitMillis = "Milliseconds"
	unitSecs   = "Seconds"
)

// Firehose's names of what is no counter.
const (
	deliveryFreshness = "DeliveryToS3.DataFreshness"
	backupFreshness   = "BackupToS3.DataFreshness"
	streamBehind      = "KinesisMillisBehindLatest"
	partitionCount    = "PartitionCount"
	partitionLimit    = "ActivePartitionsLimit"
)

// promName is Firehose's name of a metric as Prometheus has it.
func promName(name string) string { return strings.ReplaceAll(name, ".", "_") }

// sum is a counter that EMF has too, as what was added in a period.
type sum struct {
	name, unit string
	counter    prometheus.Counter
}

// outcomes count tries. Firehose's metric is 1 for each that succeeded and 0 for each
// that failed; Prometheus has the former.
type outcomes struct {
	name       string
	ok, failed prometheus.Counter
}

// flag is a counter of which EMF has whether it grew in a period: 1 or 0, while it is
// shown.
type flag struct {
	name    string
	counter prometheus.Counter
	shown   func(*Metrics) bool
}

// told are the counters that EMF has too.
type told struct {
	maker

	sums      []sum
	tries     []outcomes
	flags     []flag
	samplings []*samples
}

// sum makes a counter.
func (t *told) sum(name, unit, help string) prometheus.Counter {
	c := t.counter(promName(name), help)
	t.sums = append(t.sums, sum{name, unit, c})
	return c
}

// flag makes a counter.
func (t *told) flag(name, help string, shown func(*Metrics) bool) prometheus.Counter {
	c := t.counter(promName(name), help)
	t.flags = append(t.flags, flag{name, c, shown})
	return c
}

// outcomes makes the counters of tries.
func (t *told) outcomes(name, help string) outcomes {
	o := outcomes{name, t.counter(promName(name), help), prometheus.NewCounter(prometheus.CounterOpts{Name: name})}
	t.tries = append(t.tries, o)
	return o
}

// level is what Firehose tells of now, and not of a period.
type level struct {
	name, unit string
	value      float64
}

// freshnesses are the names of the age of the oldest record that is not delivered.
func (m *Metrics) freshnesses() (names []string) {
	o := m.options
	switch {
	case o.Documents == "" && o.Backup:
		return []string{deliveryFreshness, backupFreshness}
	case o.Documents == "":
		return []string{deliveryFreshness}
	case o.Backup:
		return []string{o.documentFreshness(), deliveryFreshness}
	default:
		return []string{o.documentFreshness()}
	}
}

func (o Options) documentFreshness() string {
	return "DeliveryTo" + string(o.Documents) + ".DataFreshness"
}

// levels returns those that there are: no freshness if nothing waits, how far the
// stream is behind only of what was read, and partitions only of shards that have them.
func (m *Metrics) levels(s kcl.Snapshot) (out []level) {
	if age, some := m.fresh.age(); some { // a cut has what goes to all destinations
		for _, name := range m.freshnesses() {
			out = append(out, level{name, unitSecs, age.Seconds()})
		}
	}
	if m.options.Warehouse {
		out = append(out, m.counts.load.levels(m.fresh.age())...)
	}
	if behind, some := FarthestBehind(s); some {
		out = append(out, level{streamBehind, unitMillis, float64(behind.Milliseconds())})
	}
	if p, some := m.partitions.sum(); some {
		out = append(out, level{partitionCount, unitCount, float64(p.active)}, level{partitionLimit, unitCount, float64(p.limit)})
	}
	return out
}
