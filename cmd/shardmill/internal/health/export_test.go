package health

import "github.com/prometheus/client_golang/prometheus"

// Registry is what /metrics gathers from.
func (m *Monitor) Registry() *prometheus.Registry { return m.registry }
