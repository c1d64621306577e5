package health

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/shardmill/shardmill/kcl"
)

// maxScrapes is how many may gather metrics at once.
const maxScrapes = 4

// Handler serves /healthz, /readyz and /metrics.
func (m *Monitor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { m.answer(w, r, "alive", "not alive", m.dead()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { m.answer(w, r, "ready", "not ready", m.notReady()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "there are /healthz, /readyz and /metrics; the first two take ?verbose", http.StatusNotFound)
	})
	return mux
}

// answer says yes, or no and why.
func (m *Monitor) answer(w http.ResponseWriter, r *http.Request, yes, no, reason string) {
	// Also an answer of one line looks at the worker: if that hangs, so does
	// the answer, and who asks gives up.
	s, _ := m.snapshot()
	var b strings.Builder
	code := http.StatusOK
	if reason != "" {
		code = http.StatusServiceUnavailable
		fmt.Fprintf(&b, "%s: %s\n", no, reason)
	} else {
		fmt.Fprintf(&b, "%s: worker %s holds %d leases\n", yes, s.WorkerID, countHeld(s))
	}
	if r.URL.Query().Has("verbose") {
		describe(&b, s)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(b.String()))
}

// describe lists the shards, and how far they are behind.
func describe(b *strings.Builder, s kcl.Snapshot) {
	if behind, some := farthestBehind(s); some {
		fmt.Fprintf(b, "farthest behind: %v\n", behind)
	}
	if !s.LastSync.IsZero() {
		fmt.Fprintf(b, "shards and leases compared: %v ago\n", time.Since(s.LastSync).Truncate(time.Second))
	}
	for _, shard := range s.Shards {
		state := shard.State
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
