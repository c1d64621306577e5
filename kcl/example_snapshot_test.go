package kcl_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// A readiness probe: what a worker is waiting for somebody to mend, by its own
// account.
func ExampleWorker_Snapshot() {
	w, err := kcl.New(kcl.Config{
		ApplicationName: "word-printer", StreamName: "words", WorkerID: "worker-1",
		Source: kcltest.NewStream(1), Leases: new(lease.Mem),
	}, func(kcl.ShardInfo) kcl.RecordProcessor { return &counter{} })
	if err != nil {
		log.Fatal(err)
	}
	ready := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		s := w.Snapshot()
		switch {
		case !s.StopBy.IsZero():
			http.Error(rw, "shutting down", http.StatusServiceUnavailable)
		case s.LastSync.IsZero():
			http.Error(rw, "starting", http.StatusServiceUnavailable)
		case len(s.Troubles) > 0:
			rw.WriteHeader(http.StatusServiceUnavailable)
			for _, t := range s.Troubles {
				fmt.Fprintln(rw, t.Reason, t.ShardID, t.Text)
			}
		default:
			for _, shard := range s.Shards {
				fmt.Fprintln(rw, shard.ShardID, shard.State, shard.BehindLatest)
			}
		}
	})

	answer := httptest.NewRecorder()
	ready.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody))
	fmt.Print(answer.Code, " ", answer.Body)
	// Output: 503 starting
}
