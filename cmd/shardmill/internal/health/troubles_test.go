package health_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// scanned has the worker read the leases after the first sync.
func (w world) scanned() {
	w.with(nil)
	_, _, _ = w.m.Table(&rows{}).List(w.t.Context())
}

// with has the worker hold shards and have troubles.
func (w world) with(troubles []kcl.Trouble, shards ...kcl.ShardStatus) {
	for i := range shards {
		shards[i].TrustedUntil = time.Now().Add(1000 * time.Hour)
	}
	w.w.set(func() kcl.Snapshot {
		return kcl.Snapshot{WorkerID: "w", Now: time.Now(), LastSync: time.Now(), Shards: shards, Troubles: troubles}
	})
}

// ready compares the answer's code and its lines without what each line says
// after the time.
func (w world) ready(code int, lines ...string) {
	w.t.Helper()
	c, body := get(w.t, w.m, "/readyz")
	var got []string
	for line := range strings.Lines(body) {
		line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), ", since ")
		got = append(got, line)
	}
	if c != code || !slices.Equal(got, lines) {
		w.t.Errorf("%d %q, want %d %q", c, got, code, lines)
	}
}

const yes = "ready: worker w holds 0 leases"

// What a restart does not mend ends readiness, and never liveness: refused
// access after one failover time, all else at once.
func TestReadinessEndsWithTroubles(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		reason kcl.TroubleReason
		after  time.Duration
	}{
		{kcl.TroubleAccess, failover},
		{kcl.TroubleStreamNotFound, 0},
		{kcl.TroubleTableNotFound, 0},
		{kcl.TroubleForeignTable, 0},
		{kcl.TroubleContradiction, 0},
		{kcl.TroubleUnreadable, 0},
		{"one that is new", 0},
	} {
		t.Run(string(row.reason), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.scanned()
				w.with([]kcl.Trouble{{Reason: row.reason, Since: time.Now(), ShardID: "shard-1", Text: "do something"}})
				if row.after > 0 {
					time.Sleep(row.after - 1)
					w.ready(http.StatusOK, yes)
					time.Sleep(time.Nanosecond)
				}
				w.ready(http.StatusServiceUnavailable, "not ready: a restart does not mend this: "+string(row.reason), "trouble: "+string(row.reason)+" of shard-1")
				time.Sleep(time.Hour)
				w.want("/healthz", http.StatusOK, idle)
				w.with(nil)
				w.ready(http.StatusOK, yes)
			})
		})
	}
}

// The answer lists all troubles, and each reason once; they are told before the
// first comparison, too, since it may never come because of them.
func TestReadinessListsAllTroubles(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		at := time.Now()
		troubles := []kcl.Trouble{
			{Reason: kcl.TroubleUnreadable, Since: at, ShardID: "shard-3", Text: "its counter is no number"},
			{Reason: kcl.TroubleContradiction, Since: at, ShardID: "shard-1", Text: "it has ended"},
			{Reason: kcl.TroubleContradiction, Since: at, ShardID: "shard-2", Text: "it is another's"},
			{Reason: kcl.TroubleAccess, Since: at, Text: "permit it"},
		}
		w.w.set(func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now(), Troubles: troubles[3:]} })
		since := ", since " + at.UTC().Format(time.RFC3339) + ": "
		access := "trouble: access" + since + "\"permit it\"\n"
		w.want("/readyz", http.StatusServiceUnavailable, "not ready: shards and leases have not been compared yet\n"+access)
		w.w.set(func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now(), Troubles: troubles} })
		w.want("/readyz", http.StatusServiceUnavailable, "not ready: a restart does not mend this: contradiction, unreadable\n"+
			"trouble: unreadable of shard-3"+since+"\"its counter is no number\"\n"+
			"trouble: contradiction of shard-1"+since+"\"it has ended\"\n"+
			"trouble: contradiction of shard-2"+since+"\"it is another's\"\n"+access)
	})
}

// denial is a put that the bucket does not take.
func denial(shard string) processors.PutFailedEvent {
	return processors.PutFailedEvent{ShardID: shard, Bucket: "b", Key: "k", Err: fmt.Errorf("PutObject b/k: %w: permit s3:PutObject", kcl.ErrAccessDenied)}
}

// Puts that are denied end readiness after one failover time, unless something
// says that access is back, or that the shard is not this worker's any more.
func TestReadinessEndsWhenPutsAreDenied(t *testing.T) {
	t.Parallel()
	const lost = "not ready: a restart does not mend this: access"
	delivered := func(shard string, puts int) func(world) {
		return func(w world) {
			w.m.DeliveryHooks().Delivered(processors.DeliveredEvent{ShardID: shard, Puts: puts})
		}
	}
	for _, row := range []struct {
		name string
		then func(world) // half a failover time after the first one
		code int
	}{
		{"and nothing else happens", func(world) {}, http.StatusServiceUnavailable},
		{"and denied again", func(w world) { w.m.DeliveryHooks().PutFailed(denial("shard-1")) }, http.StatusServiceUnavailable},
		{"and then fail otherwise", func(w world) {
			w.m.DeliveryHooks().PutFailed(processors.PutFailedEvent{ShardID: "shard-1", Err: errors.New("test")})
		}, http.StatusServiceUnavailable},
		{"and another shard's are not", delivered("shard-2", 1), http.StatusServiceUnavailable},
		{"and an object is found without a put", delivered("shard-1", 0), http.StatusServiceUnavailable},
		{"and one succeeds", delivered("shard-1", 2), http.StatusOK},
		{"and the lease is lost", func(w world) {
			w.m.Hooks().LeaseLost(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-1"}})
		}, http.StatusOK},
		{"and the lease is given back", func(w world) {
			w.m.Hooks().LeaseReleased(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-1"}})
		}, http.StatusOK},
		{"and the lease is taken anew", func(w world) {
			w.m.Hooks().LeaseTaken(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-1"}})
		}, http.StatusOK},
		{"and the lease has ended while the last answer was on its way", func(w world) {
			w.with(nil, kcl.ShardStatus{ShardID: "shard-1", Lost: true}, kcl.ShardStatus{ShardID: "shard-2"})
			w.m.DeliveryHooks().PutFailed(denial("shard-1"))
			time.Sleep(time.Second)
			w.with(nil, kcl.ShardStatus{ShardID: "shard-1"}, kcl.ShardStatus{ShardID: "shard-2"})
		}, http.StatusOK},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.scanned()
				w.with(nil, kcl.ShardStatus{ShardID: "shard-1"}, kcl.ShardStatus{ShardID: "shard-2"})
				start := time.Now()
				w.m.DeliveryHooks().PutFailed(denial("shard-1"))
				time.Sleep(failover / 2)
				row.then(w)
				time.Sleep(time.Until(start.Add(failover - 1)))
				w.ready(http.StatusOK, "ready: worker w holds 2 leases")
				time.Sleep(time.Nanosecond)
				if row.code == http.StatusOK {
					w.ready(row.code, "ready: worker w holds 2 leases")
				} else {
					w.ready(row.code, lost, "trouble: access of shard-1")
					if _, text := get(t, w.m, "/metrics"); !strings.Contains(text, "shardmill_Trouble{Reason=\"access\"} 1\n") {
						t.Error("the metrics do not have the trouble")
					}
				}
				w.want("/healthz", http.StatusOK, "alive: worker w holds 2 leases\n")
			})
		})
	}
}

// What the worker knows it logs itself; denied puts are logged at once, and each
// minute while they last, in one line for all shards.
func TestDeniedPutsAreLoggedEachMinute(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	inWorldOf(t, health.Options{FailoverTime: failover, ShutdownTimeout: shutdown, Logger: zap.New(core)}, func(w world) {
		lines := func(n int) {
			w.t.Helper()
			if got := logs.FilterLevelExact(zap.ErrorLevel).Len(); got != n {
				w.t.Errorf("%d lines, want %d", got, n)
			}
		}
		w.with([]kcl.Trouble{{Reason: kcl.TroubleAccess, Since: time.Now()}}, kcl.ShardStatus{ShardID: "shard-1"}, kcl.ShardStatus{ShardID: "shard-2"})
		time.Sleep(time.Hour)
		lines(0)
		put, delivered := w.m.DeliveryHooks().PutFailed, w.m.DeliveryHooks().Delivered
		put(denial("shard-2"))
		time.Sleep(time.Second)
		lines(1)
		put(denial("shard-1"))
		time.Sleep(59 * time.Second)
		lines(1)
		time.Sleep(time.Second)
		lines(2)
		fields := logs.All()[logs.Len()-1].ContextMap()
		text := "objects are not taken by bucket b: PutObject b/k: access denied: permit s3:PutObject"
		if fields["shards"] != int64(2) || fields["shard_id"] != "shard-2" || fields["error"] != text {
			w.t.Errorf("%v", fields)
		}
		for range 30 { // comes and goes
			delivered(processors.DeliveredEvent{ShardID: "shard-1", Puts: 1})
			delivered(processors.DeliveredEvent{ShardID: "shard-2", Puts: 1})
			time.Sleep(time.Second)
			put(denial("shard-1"))
			time.Sleep(time.Second)
		}
		lines(3)
		delivered(processors.DeliveredEvent{ShardID: "shard-1", Puts: 1})
		time.Sleep(time.Hour)
		lines(3)
	})
}

// A transform of which no call is answered, or that answers so that no record succeeds,
// ends readiness after one failover time, until one does, or nobody has called it in vain
// for 5 minutes. It is logged each minute, and is in the metric.
func TestReadinessEndsWhenTheTransformFails(t *testing.T) {
	t.Parallel()
	const lost = "not ready: a restart does not mend this: transform"
	failing := func(w world) {
		w.m.DeliveryHooks().Transformed(processors.TransformedEvent{ShardID: "shard-1", Err: "Lambda.FunctionError"})
	}
	succeeding := func(w world) {
		w.m.DeliveryHooks().Transformed(processors.TransformedEvent{ShardID: "shard-2", Records: 500, Succeeded: 1})
	}
	missing := func(w world) { // answered, without results
		w.m.DeliveryHooks().Transformed(processors.TransformedEvent{ShardID: "shard-2", Records: 500})
	}
	const failed, answered = "the last one with Lambda.FunctionError", "the last one with an answer that fails each record"
	for _, row := range []struct {
		name  string
		first func(world)
		then  func(world)
		after time.Duration // since the first failure
		ready bool
		lines int    // of the log
		text  string // in each of them
	}{
		{"for less than a failover time", failing, func(world) {}, failover - 1, true, 0, ""},
		{"for a failover time", failing, func(world) {}, failover, false, 0, ""},
		{"again and again", failing, func(w world) {
			for range 4 {
				time.Sleep(4 * time.Minute)
				failing(w)
			}
		}, 20*time.Minute - 1, false, 20, failed},
		{"and another shard's batch has a record that succeeds", failing, succeeding, failover, true, 0, ""},
		{"and another shard's batch is answered, without a record that succeeds", failing, missing, failover, false, 0, ""},
		{"with answers", missing, func(world) {}, failover - 1, true, 0, ""},
		{"with answers, for a failover time", missing, func(world) {}, failover, false, 0, ""},
		{"with answers, again and again", missing, func(w world) {
			for range 4 {
				time.Sleep(4 * time.Minute)
				missing(w)
			}
		}, 20*time.Minute - 1, false, 20, answered},
		{"with answers, until a record succeeds", missing, func(w world) { time.Sleep(2*time.Minute - 1); succeeding(w) }, 2 * time.Minute, true, 2, answered},
		{"and nothing follows", failing, func(world) {}, 5*time.Minute - 1, false, 5, failed},
		{"and nothing follows for long", failing, func(world) {}, 5 * time.Minute, true, 5, failed},
		{"once more, after long", failing, func(w world) { time.Sleep(6 * time.Minute); failing(w) }, 6*time.Minute + failover - 1, true, 5, failed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zap.ErrorLevel)
			inWorldOf(t, health.Options{FailoverTime: failover, ShutdownTimeout: shutdown, Logger: zap.New(core)}, func(w world) {
				w.scanned()
				start := time.Now()
				row.first(w)
				row.then(w)
				time.Sleep(time.Until(start.Add(row.after)))
				if row.ready {
					w.ready(http.StatusOK, yes)
				} else {
					w.ready(http.StatusServiceUnavailable, lost, "trouble: transform")
					if _, text := get(t, w.m, "/metrics"); !strings.Contains(text, "shardmill_Trouble{Reason=\"transform\"} 1\n") {
						t.Error("the metrics do not have the trouble")
					}
				}
				w.want("/healthz", http.StatusOK, idle)
				all := logs.FilterMessage("the transform fails; records go into error objects once it was tried in vain").All()
				if len(all) != row.lines {
					w.t.Errorf("%d lines, want %d", len(all), row.lines)
				}
				for _, l := range all {
					if text, _ := l.ContextMap()["error"].(string); !strings.Contains(text, row.text) {
						w.t.Errorf("it logs %v", l.ContextMap())
					}
				}
			})
		})
	}
}
