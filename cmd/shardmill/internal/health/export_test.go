package health

import "github.com/prometheus/client_golang/prometheus"

// ServeOn is Serve on another listener than a port's.
var ServeOn = serveOn

// Registry is what /metrics gathers from.
func (m *Monitor) Registry() *prometheus.Registry { return m.registry }

// Dead is what /healthz goes by.
func (m *Monitor) Dead() string { return m.dead() }
