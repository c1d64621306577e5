package kcl_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// A readiness probe: what keeps a worker from its work until somebody does
// something, by its own account.
func ExampleWorker_Snapshot() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	w, err := kcl.New(kcl.Config{
		ApplicationName: "word-printer", StreamName: "words", WorkerID: "worker-1",
		Source: kcltest.NewStream(1), Leases: new(lease.Mem),
	}, kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error { return nil }))
	if err != nil {
		log.Fatal(err)
	}
	probe := func() *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		readiness(w).ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", http.NoBody))
		return answer
	}

	fmt.Print("before Run: ", probe().Body)
	ran := make(chan error, 1)
	go func() { ran <- w.Run(ctx) }()
	for ctx.Err() == nil {
		if probe().Code == http.StatusOK {
			fmt.Println("ready")
			break
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-ran; err != nil {
		log.Fatal(err)
	}
	fmt.Print("after Run: ", probe().Body)
	// Output:
	// before Run: starting
	// ready
	// after Run: stopping
}

func readiness(w *kcl.Worker) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		s := w.Snapshot()
		switch {
		case !s.StopBy.IsZero():
			http.Error(rw, "stopping", http.StatusServiceUnavailable)
		case s.LastSync.IsZero():
			http.Error(rw, "starting", http.StatusServiceUnavailable)
		case len(s.Troubles) > 0:
			rw.WriteHeader(http.StatusServiceUnavailable)
			for _, t := range s.Troubles {
				fmt.Fprintf(rw, "%s %s: %q\n", t.Reason, t.ShardID, t.Text) // quoted: rows are others' text
			}
		default: // ready without a lease, too: another worker may have them all
			fmt.Fprintf(rw, "%d shards\n", len(s.Shards))
		}
	})
}
