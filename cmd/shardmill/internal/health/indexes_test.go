package health_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
	"github.com/shardmill/shardmill/processors"
)

var errTest = errors.New("test")

// down is a request that nobody answered.
func down() processors.BulkEvent {
	return processors.BulkEvent{ShardID: "shard-1", Documents: 5, Failed: 5, Err: errTest}
}

// No document taken for longer than the failover time ends readiness, and not liveness;
// one that is taken mends it, and so does silence.
func TestReadinessEndsWhenNoDocumentIsTaken(t *testing.T) {
	t.Parallel()
	const lost = "not ready: a restart does not mend this: index"
	taken := processors.BulkEvent{ShardID: "shard-2", Documents: 5, Indexed: 1, Failed: 4}
	for name, row := range map[string]struct {
		first processors.BulkEvent
		then  processors.BulkEvent // half a failover time after the first one; none without documents
		ready bool
	}{
		"nobody answers":                      {down(), processors.BulkEvent{}, false},
		"nobody answers, twice":               {down(), down(), false},
		"documents were there before":         {down(), processors.BulkEvent{Documents: 2, Superseded: 2, Status: 200}, true},
		"one document, and the disk is full":  {processors.BulkEvent{Documents: 1, Failed: 1, Status: 200, Blocked: true}, processors.BulkEvent{}, false},
		"another shard's document is taken":   {down(), taken, true},
		"each of several is refused":          {processors.BulkEvent{Documents: 2, Failed: 2, Status: 200}, processors.BulkEvent{}, false},
		"one document is refused":             {processors.BulkEvent{Documents: 1, Failed: 1, Status: 200}, processors.BulkEvent{}, true},
		"one document is refused meanwhile":   {down(), processors.BulkEvent{Documents: 1, Failed: 1, Status: 200}, false},
		"one document, and nobody answers":    {processors.BulkEvent{Documents: 1, Failed: 1, Err: errTest}, processors.BulkEvent{}, false},
		"one document, and the queue is full": {processors.BulkEvent{Documents: 1, Failed: 1, Status: 200, Rejected: true}, processors.BulkEvent{}, false},
		"one document, which is denied":       {processors.BulkEvent{Documents: 1, Failed: 1, Status: 200, AuthFailure: true}, processors.BulkEvent{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.scanned()
				bulked := w.m.DeliveryHooks().Bulked
				bulked(row.first)
				w.ready(http.StatusOK, yes)
				time.Sleep(failover / 2)
				if row.then.Documents > 0 {
					bulked(row.then)
				}
				time.Sleep(failover/2 - 1)
				w.ready(http.StatusOK, yes)
				time.Sleep(time.Nanosecond)
				if row.ready {
					w.ready(http.StatusOK, yes)
					return
				}
				w.ready(http.StatusServiceUnavailable, lost, "trouble: index")
				w.want("/healthz", http.StatusOK, idle)
				bulked(taken)
				w.ready(http.StatusOK, yes)
				bulked(row.first)
				time.Sleep(5*time.Minute - 1)
				w.ready(http.StatusServiceUnavailable, lost, "trouble: index")
				time.Sleep(time.Nanosecond)
				w.ready(http.StatusOK, yes)
			})
		})
	}
}

// A document that is refused for as long as it is tried makes nothing red, and the
// archiver is alive while the cluster is down for hours.
func TestLivenessDoesNotMindDocuments(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.scanned()
		bulked := w.m.DeliveryHooks().Bulked
		for range 30 {
			bulked(processors.BulkEvent{Documents: 1, Failed: 1, Status: 200})
			time.Sleep(10 * time.Second)
			w.ready(http.StatusOK, yes)
			w.want("/healthz", http.StatusOK, idle)
		}
		for range 2 * 60 {
			bulked(down())
			time.Sleep(time.Minute)
			w.want("/healthz", http.StatusOK, idle)
		}
		if _, text := get(w.t, w.m, "/metrics"); !strings.Contains(text, "shardmill_Trouble{Reason=\"index\"} 1\n") {
			w.t.Error("the metric does not tell it")
		}
	})
}

// TestConformance has what is said when neither the cluster nor the bucket is there.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("W4", func(t *testing.T) {
		t.Parallel()
		core, logs := observer.New(zap.ErrorLevel)
		inWorldOf(t, health.Options{FailoverTime: failover, ShutdownTimeout: time.Minute, Logger: zap.New(core)}, func(w world) {
			w.scanned()
			h := w.m.DeliveryHooks()
			says := func(both bool) {
				w.t.Helper()
				code, body := get(w.t, w.m, "/readyz")
				if code != http.StatusServiceUnavailable || strings.Contains(body, "cluster and backup both down: pause") != both || strings.Contains(body, "bucket b: ") != both {
					w.t.Errorf("%d %s", code, body)
				}
			}
			h.Bulked(down())
			time.Sleep(failover)
			says(false)
			h.PutFailed(processors.PutFailedEvent{ShardID: "shard-1", Bucket: "b", Role: processors.RoleBundle, Err: errTest})
			says(true)
			time.Sleep(90 * time.Second)
			w.want("/healthz", http.StatusOK, idle)
			if told := logs.FilterMessage("the cluster takes no documents").All(); len(told) != 2 || !strings.Contains(told[1].ContextMap()["error"].(string), "both down") {
				w.t.Errorf("the log tells %d times: %v", len(told), told)
			}
			for range 10 { // what has failed waits for the bucket, and nothing else is sent
				h.PutFailed(processors.PutFailedEvent{ShardID: "shard-1", Bucket: "b", Role: processors.RoleBundle, Err: errTest})
				time.Sleep(time.Minute)
			}
			says(true)
			h.Bulked(down())
			time.Sleep(5*time.Minute - time.Nanosecond) // no put any more, such as when the lease is lost
			says(false)
			h.Bulked(down())
			h.PutFailed(processors.PutFailedEvent{ShardID: "shard-1", Bucket: "b", Role: processors.RoleBundle, Err: errTest})
			says(true)
			h.Delivered(processors.DeliveredEvent{ShardID: "shard-1", Role: processors.RoleFailed}) // an earlier holder's
			says(true)
			h.Delivered(processors.DeliveredEvent{ShardID: "shard-1", Role: processors.RoleFailed, Puts: 1})
			says(false)
			h.Bulked(processors.BulkEvent{ShardID: "shard-1", Documents: 5, Indexed: 5})
			w.ready(http.StatusOK, yes)
		})
	})
}
