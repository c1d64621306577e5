package health

import (
	"slices"
	"strings"
	"time"

	"github.com/shardmill/shardmill/kcl"
)

// notReady returns why a worker that does what s says is not ready, or "".
func (m *Monitor) notReady(s kcl.Snapshot) string {
	m.mu.Lock()
	ended, started := m.ended, m.worker != nil
	m.mu.Unlock()
	switch {
	case ended:
		return "the worker has stopped"
	case !started:
		return "the worker has not started"
	case !s.StopBy.IsZero():
		return "shutting down"
	}
	if reasons := grave(s.Troubles, m.options.FailoverTime); len(reasons) > 0 {
		return "a restart does not mend this: " + strings.Join(reasons, ", ")
	}
	switch {
	case s.LastSync.IsZero():
		return "shards and leases have not been compared yet"
	case !m.scanned.Load():
		return "leases have not been read yet"
	}
	return ""
}

// grave returns the reasons of the troubles that end readiness: each at once,
// but for access, which must have been refused for patience. Services refuse it
// now and then for a moment, while credentials are renewed, and then nothing is
// to be done.
func grave(troubles []kcl.Trouble, patience time.Duration) []string {
	var reasons []string
	for _, t := range troubles {
		if t.Reason != kcl.TroubleAccess || time.Since(t.Since) >= patience {
			reasons = append(reasons, string(t.Reason))
		}
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}
