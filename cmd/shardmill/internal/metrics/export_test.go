package metrics

import "github.com/prometheus/client_golang/prometheus"

// Registry is what Handler gathers from.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }
