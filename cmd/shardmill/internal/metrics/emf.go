package metrics

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// emf makes lines of CloudWatch's embedded metric format: JSON from which CloudWatch
// Logs takes metrics. They have the names, units and the dimension of Firehose's.
//
// Source: "Specification: Embedded metric format" of the CloudWatch user guide.
type emf struct {
	m         *Metrics
	namespace string

	written counted // what is in the lines before
}

// counted are counters at one time: of each sum, of the tries of each outcome, of each
// flag, and how many samples there were of each.
type counted struct {
	sums       []float64
	ok, failed []float64
	flags      []float64
	samples    []int64
}

func newEMF(m *Metrics, namespace string) *emf {
	t := &m.counts.told
	for _, s := range t.samplings {
		s.take()
	}
	tries := len(t.tries)
	return &emf{m, namespace, counted{sums: make([]float64, len(t.sums)), ok: make([]float64, tries), failed: make([]float64, tries), flags: make([]float64, len(t.flags))}}
}

// value returns that of a counter.
func value(c prometheus.Counter) float64 {
	var v dto.Metric
	_ = c.Write(&v) // never fails
	return v.GetCounter().GetValue()
}

// count returns the counters.
func (e *emf) count() (n counted) {
	for _, s := range e.m.counts.told.sums {
		n.sums = append(n.sums, value(s.counter))
	}
	for _, o := range e.m.counts.told.tries {
		n.ok, n.failed = append(n.ok, value(o.ok)), append(n.failed, value(o.failed))
	}
	for _, f := range e.m.counts.told.flags {
		n.flags = append(n.flags, value(f.counter))
	}
	return n
}

// most is how many values a metric may have in a line.
const most = 100

// lines returns what is to be written, and the counters that it is up to: wrote takes
// them once it is. There is one line, and more only if there were more than 100 tries, or
// samples.
func (e *emf) lines(now time.Time) ([]byte, counted) {
	n := e.count()
	first := e.line(now)
	shown, _ := e.m.snapshot()
	for i, s := range e.m.counts.told.sums {
		first.add(s.name, s.unit, n.sums[i]-e.written.sums[i])
	}
	for _, g := range e.m.levels(shown) {
		first.add(g.name, g.unit, g.value)
	}
	all := []line{first}
	for i, f := range e.m.counts.told.flags {
		if f.shown(e.m) {
			first.add(f.name, unitCount, min(1, n.flags[i]-e.written.flags[i]))
		}
	}
	spread := func(name, unit string, values []float64) {
		for k := range slices.Chunk(values, most) {
			l := all[0]
			if l.has(name) {
				l = e.line(now)
				all = append(all, l)
			}
			l.add(name, unit, k)
		}
	}
	for i, o := range e.m.counts.told.tries {
		spread(o.name, unitCount, slices.Concat(
			slices.Repeat([]float64{1}, int(n.ok[i]-e.written.ok[i])),
			slices.Repeat([]float64{0}, int(n.failed[i]-e.written.failed[i])),
		))
	}
	for _, s := range e.m.counts.told.samplings {
		values, upTo := s.waiting()
		n.samples = append(n.samples, upTo)
		spread(s.name, s.unit, values)
	}
	var text []byte
	for _, l := range all {
		text = append(text, l.encode()...)
	}
	return text, n
}

// wrote notes that lines are written.
func (e *emf) wrote(upTo counted) {
	e.written = upTo
	for i, s := range e.m.counts.told.samplings {
		s.wrote(upTo.samples[i])
	}
}

// line is a line of EMF: its members, and what makes metrics of some.
type line struct {
	members   map[string]any
	directive *directive
}

// metadata is the member _aws of a line.
type metadata struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics []*directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct{ Name, Unit string }

const dimension = "DeliveryStreamName"

func (e *emf) line(now time.Time) line {
	d := &directive{Namespace: e.namespace, Dimensions: [][]string{{dimension}}}
	return line{map[string]any{
		"_aws":    metadata{now.UnixMilli(), []*directive{d}},
		dimension: e.m.options.DeliveryStreamName,
		"Version": e.m.options.Version, // no dimension
	}, d}
}

func (l line) has(name string) bool { return l.members[name] != nil }

// add adds a metric, whose value is a number or numbers.
func (l line) add(name, unit string, value any) {
	l.members[name] = value
	l.directive.Metrics = append(l.directive.Metrics, definition{name, unit})
}

func (l line) encode() []byte {
	text, _ := json.Marshal(l.members) //nolint:errchkjson // texts, and numbers that are finite
	return append(text, '\n')
}
