package health

import (
	"slices"
	"strings"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
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
	if reasons := reasonsOf(grave(s.Troubles, m.options.FailoverTime)); len(reasons) > 0 {
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

// grave returns the troubles that end readiness: each at once, but for access, transform
// and index, which must have lasted for patience, and load, which has a longer one. Services refuse access now and then
// for a moment, while credentials are renewed, and then nothing is to be done; a
// transform is throttled now and then, and a cluster is busy, and they are tried again.
func grave(troubles []kcl.Trouble, patience time.Duration) (out []kcl.Trouble) {
	for _, t := range troubles {
		needed := time.Duration(0)
		switch t.Reason { //nolint:exhaustive // the others end it at once
		case kcl.TroubleAccess, metrics.TroubleTransform, metrics.TroubleIndex:
			needed = patience
		case metrics.TroubleLoad:
			needed = loadPatience
		}
		if time.Since(t.Since) >= needed {
			out = append(out, t)
		}
	}
	return out
}

// reasonsOf returns the reasons of troubles, each once.
func reasonsOf(troubles []kcl.Trouble) (reasons []string) {
	for _, t := range troubles {
		reasons = append(reasons, string(t.Reason))
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}
