package health

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
)

// Handler serves /healthz, /readyz and /metrics.
func (m *Monitor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		s, _ := m.snapshot()
		m.answer(w, r, s, "alive", m.dead(), false)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		s, _ := m.snapshot()
		m.answer(w, r, s, "ready", m.notReady(s), true)
	})
	mux.Handle("GET /metrics", m.metrics.Handler())
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "there are /healthz, /readyz and /metrics; the first two take ?verbose", http.StatusNotFound)
	})
	return mux
}

// answer says yes, or why not, and then also the troubles if they may be why.
// Also an answer of one line has looked at the worker: if that hangs, so does
// the answer, and who asks gives up.
func (m *Monitor) answer(w http.ResponseWriter, r *http.Request, s kcl.Snapshot, yes, reason string, troubles bool) {
	var b strings.Builder
	code := http.StatusOK
	if reason != "" {
		code = http.StatusServiceUnavailable
		fmt.Fprintf(&b, "not %s: %s\n", yes, reason)
	} else {
		fmt.Fprintf(&b, "%s: worker %s holds %d leases\n", yes, s.WorkerID, metrics.Held(s))
	}
	verbose := r.URL.Query().Has("verbose")
	if verbose || reason != "" && troubles {
		tellTroubles(&b, s)
	}
	if verbose {
		describe(&b, s)
		m.loads.describe(&b)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(b.String()))
}

// tellTroubles lists the troubles, those too that do not end readiness yet.
func tellTroubles(b *strings.Builder, s kcl.Snapshot) {
	for _, t := range s.Troubles {
		fmt.Fprintf(b, "trouble: %s", t.Reason)
		if t.ShardID != "" {
			fmt.Fprintf(b, " of %s", t.ShardID)
		}
		fmt.Fprintf(b, ", since %s: %.1000q\n", t.Since.UTC().Format(time.RFC3339), t.Text)
	}
}

// tellLoops lists the tries that are under way.
func tellLoops(b *strings.Builder, s kcl.Snapshot) {
	for _, l := range s.Loops {
		limit := "no limit"
		if l.Limit > 0 {
			limit = "limit " + l.Limit.String()
		}
		fmt.Fprintf(b, "%s: %s, silent for %v, %s\n", nameOf(l), cmp.Or(l.Doing, "busy"), l.Silent.Truncate(time.Millisecond), limit)
	}
}

// describe lists what is under way, and the shards and how far they are behind.
func describe(b *strings.Builder, s kcl.Snapshot) {
	if behind, some := metrics.FarthestBehind(s); some {
		fmt.Fprintf(b, "farthest behind: %v\n", behind)
	}
	if !s.LastSync.IsZero() {
		fmt.Fprintf(b, "shards and leases compared: %v ago\n", time.Since(s.LastSync).Truncate(time.Second))
	}
	tellLoops(b, s)
	for _, shard := range s.Shards {
		state := string(shard.State)
		if shard.Lost {
			state = "lease has ended"
		}
		fmt.Fprintf(b, "%s: %s, behind %v, trusted for %v, checkpoint %v, records %d, bytes %d",
			shard.ShardID, state, shard.BehindLatest, shard.TrustedUntil.Sub(s.Now).Truncate(time.Millisecond), shard.Checkpoint, shard.Records, shard.Bytes)
		if shard.LastError != "" {
			fmt.Fprintf(b, ", last error %.200q", shard.LastError)
		}
		b.WriteByte('\n')
	}
}
