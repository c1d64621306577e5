package metrics

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// mostSamples is how many values wait for a line of EMF: 80 KB of them.
const mostSamples = 10_000

// samples are values of which EMF has each: durations in milliseconds, which Prometheus has
// as a histogram, or shares.
type samples struct {
	name, unit string               // Firehose's
	histogram  prometheus.Histogram // nil of shares
	counter    prometheus.Counter   // nil of durations; counts what the shares are of

	mu     sync.Mutex // guards what follows
	taken  bool       // by EMF; else no value waits
	values []float64  // that are in no line yet, of the last mostSamples
	before int64      // how many there were before these
}

// calls are the buckets of how long calls take: up to 5 minutes.
func calls() []float64 { return append(millis(), 300_000) }

// samples makes one.
func (t *told) samples(name, help string) *samples {
	s := &samples{name: name, unit: unitMillis, histogram: t.histogramOf(promName(name), help, calls())}
	t.samplings = append(t.samplings, s)
	return s
}

// shares makes one of numbers from 0 to 1.
func (t *told) shares(name, help string) *samples {
	s := &samples{name: name, unit: unitCount, counter: t.counter(promName(name), help)}
	t.samplings = append(t.samplings, s)
	return s
}

func (s *samples) add(v float64) {
	if s.histogram != nil {
		s.histogram.Observe(v)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.taken {
		return
	}
	if len(s.values) == mostSamples {
		s.values, s.before = slices.Delete(s.values, 0, 1), s.before+1
	}
	s.values = append(s.values, v)
}

// take has values wait from now on.
func (s *samples) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = true
}

// waiting returns the values that are in no line yet, and how many there were with them.
func (s *samples) waiting() (values []float64, upTo int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.values), s.before + int64(len(s.values))
}

// wrote drops the values up to one that waiting told.
func (s *samples) wrote(upTo int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := upTo - s.before; n > 0 {
		s.values, s.before = slices.Delete(s.values, 0, int(n)), upTo
	}
}
