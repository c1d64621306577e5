package health

// ServeOn is Serve on another listener than a port's.
var ServeOn = serveOn

// Dead is what /healthz goes by.
func (m *Monitor) Dead() string { return m.dead() }
