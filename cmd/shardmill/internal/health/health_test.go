package health_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
)

// fake is a worker that shows what a test sets.
type fake struct {
	mu   sync.Mutex
	show func() kcl.Snapshot
	end  chan struct{} // closed to have Run return
}

func (f *fake) Run(context.Context) error { <-f.end; return nil }

func (f *fake) Snapshot() kcl.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.show()
}

func (f *fake) set(show func() kcl.Snapshot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.show = show
}

const (
	failover = 10 * time.Second
	shutdown = time.Minute
)

// world is a monitor of a fake worker, in virtual time.
type world struct {
	t    *testing.T
	m    *health.Monitor
	w    *fake
	stop context.CancelFunc
}

// inWorld runs f while the worker runs. Half a second off the looks is never in
// doubt about one.
func inWorld(t *testing.T, f func(world)) {
	t.Helper()
	inWorldOf(t, health.Options{DeliveryStreamName: "orders", FailoverTime: failover, ShutdownTimeout: shutdown}, f)
}

// inWorldOf does so with other options.
func inWorldOf(t *testing.T, o health.Options, f func(world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := health.New(o)
		w := &fake{end: make(chan struct{}), show: func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now()} }}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var run sync.WaitGroup
		run.Go(func() { _ = m.Run(ctx, w) })
		time.Sleep(500 * time.Millisecond)
		f(world{t, m, w, stop})
		select {
		case <-w.end:
		default:
			close(w.end)
		}
		run.Wait()
	})
}

func get(t *testing.T, m *health.Monitor, path string) (code int, body string) {
	t.Helper()
	r := httptest.NewRecorder()
	m.Handler().ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	return r.Code, r.Body.String()
}

func (w world) want(path string, code int, body string) {
	w.t.Helper()
	if c, b := get(w.t, w.m, path); c != code || b != body {
		w.t.Errorf("%s: %d %q, want %d %q", path, c, b, code, body)
	}
}

const alive = "alive: worker w holds 1 leases\n"

// holding shows one shard whose lease is trusted until then.
func holding(until time.Time, lost bool) func() kcl.Snapshot {
	return func() kcl.Snapshot {
		return kcl.Snapshot{WorkerID: "w", Now: time.Now(), Shards: []kcl.ShardStatus{{ShardID: "shard-1", State: kcl.ShardProcessing, TrustedUntil: until, Lost: lost}}}
	}
}

// Liveness fails at the fifth look at a lease that is past its trust and still
// held, not before, and is back as soon as the lease is trusted or gone.
func TestLivenessFailsWhenALeasePastTrustIsStillHeld(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		until := time.Now().Add(3 * time.Second) // half a second off the looks
		w.w.set(holding(until, false))
		for range 7 { // three looks in trust, four past it
			time.Sleep(time.Second)
			w.want("/healthz", http.StatusOK, alive)
		}
		time.Sleep(time.Second)
		w.want("/healthz", http.StatusServiceUnavailable, "not alive: the lease of shard-1 is past its trust by 4s, and it is still held\n")
		w.w.set(holding(time.Now().Add(time.Hour), false))
		time.Sleep(time.Second)
		w.want("/healthz", http.StatusOK, alive)
	})
}

// A process that wakes up finds all of its leases past trust, and notices at
// its own pace: that is no failure.
func TestLivenessSurvivesASuspension(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		slept := func() kcl.Snapshot {
			s := holding(time.Now().Add(-time.Hour), false)()
			s.Now = time.Now() // the lease's clock is an hour ahead of its renewal
			return s
		}
		w.w.set(slept)
		time.Sleep(4 * time.Second)
		w.want("/healthz", http.StatusOK, alive)
		w.w.set(func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now()} })
		time.Sleep(time.Second)
		w.w.set(slept) // the count begins anew
		time.Sleep(4 * time.Second)
		w.want("/healthz", http.StatusOK, alive)
	})
}

// Trust is compared with the lease's clock, which is ahead of time.Now by what
// the machine slept.
func TestLivenessComparesTrustWithTheLeasesClock(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		until time.Duration // on the lease's clock, from its now
		code  int
	}{
		{"trusted, though time.Now is past it", time.Minute, http.StatusOK},
		{"past trust, though time.Now is not", -time.Second, http.StatusServiceUnavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				off := -2 * row.until // puts the end of trust on the other side of time.Now
				w.w.set(func() kcl.Snapshot {
					now := time.Now().Add(off)
					s := holding(now.Add(row.until), false)()
					s.Now = now
					return s
				})
				time.Sleep(10 * time.Second)
				if code, body := get(w.t, w.m, "/healthz"); code != row.code {
					w.t.Errorf("%d %q, want %d", code, body, row.code)
				}
			})
		})
	}
}

// A processor whose lease has gone may take as long as its last call may, and
// no longer.
func TestLivenessFailsWhenAProcessorDoesNotReturn(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.w.set(holding(time.Now(), true))
		time.Sleep(failover + shutdown + 4*time.Second)
		w.want("/healthz", http.StatusOK, "alive: worker w holds 0 leases\n")
		time.Sleep(time.Second)
		w.want("/healthz", http.StatusServiceUnavailable, "not alive: the lease of shard-1 ended 1m14s ago, and its processor has not returned\n")
	})
}

// A shutdown has its time, whether or not the worker has come so far as to
// know of it; readiness ends at once.
func TestAShutdownThatHangs(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		knows bool
	}{{"before the worker knows", false}, {"when the worker knows", true}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				by := time.Now().Add(shutdown)
				if row.knows {
					w.w.set(func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now(), StopBy: by} })
				} else {
					w.stop()
				}
				synctest.Wait()
				w.want("/readyz", http.StatusServiceUnavailable, "not ready: shutting down\n")
				time.Sleep(2*shutdown + failover + 4*time.Second)
				w.want("/healthz", http.StatusOK, "alive: worker w holds 0 leases\n")
				time.Sleep(time.Second)
				w.want("/healthz", http.StatusServiceUnavailable, "not alive: the shutdown should have ended 1m14s ago\n")
			})
		})
	}
}

func TestAWorkerThatHasStoppedIsNeitherAliveNorReady(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		close(w.w.end)
		synctest.Wait()
		w.want("/healthz", http.StatusServiceUnavailable, "not alive: the worker has stopped\n")
		w.want("/readyz", http.StatusServiceUnavailable, "not ready: the worker has stopped\n")
	})
}

// Whatever is down or behind, a worker whose leases are trusted is alive.
func TestLivenessDoesNotMindServicesThatAreDown(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.w.set(func() kcl.Snapshot {
			s := holding(time.Now().Add(time.Second), false)()
			s.Shards[0].BehindLatest, s.Shards[0].LastRead = 23*time.Hour, time.Now().Add(-time.Hour)
			s.Shards[0].LastError = "putting: connection refused"
			s.BytesInUse, s.MaxBytes = 10, 10
			s.LastSync = time.Now().Add(-24 * time.Hour)
			return s
		})
		time.Sleep(time.Hour)
		w.want("/healthz", http.StatusOK, alive)
		w.w.set(func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now()} }) // the lease table was down
		time.Sleep(time.Hour)
		w.want("/healthz", http.StatusOK, "alive: worker w holds 0 leases\n")
	})
}

// rows is a lease table of which only List is called.
type rows struct {
	lease.Table

	err error
}

func (r *rows) List(context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list := []lease.Lease{{Key: "shard-1", Owner: "w"}, {Key: "shard-2", Owner: "v"}, {Key: "shard-4", Owner: "w"}}
	return list, []*lease.UnreadableError{{Key: "shard-3", Err: errors.New("malformed")}}, r.err
}

func TestReadinessComesWithTheFirstSyncAndScan(t *testing.T) {
	t.Parallel()
	m := health.New(health.Options{})
	if code, body := get(t, m, "/readyz"); code != http.StatusServiceUnavailable || body != "not ready: the worker has not started\n" {
		t.Errorf("before Run: %d %q", code, body)
	}
	if code, _ := get(t, m, "/healthz"); code != http.StatusOK {
		t.Errorf("before Run: %d", code)
	}
	inWorld(t, func(w world) {
		r := &rows{}
		table := w.m.Table(r)
		list := func() { _, _, _ = table.List(w.t.Context()) }
		list() // the sync's own reading
		w.want("/readyz", http.StatusServiceUnavailable, "not ready: shards and leases have not been compared yet\n")
		w.w.set(func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now(), LastSync: time.Now()} })
		w.want("/readyz", http.StatusServiceUnavailable, "not ready: leases have not been read yet\n")
		r.err = lease.ErrThrottled
		list()
		w.want("/readyz", http.StatusServiceUnavailable, "not ready: leases have not been read yet\n")
		r.err = nil
		list()
		w.want("/readyz", http.StatusOK, "ready: worker w holds 0 leases\n")
		r.err = lease.ErrThrottled
		list()
		time.Sleep(time.Hour)
		w.want("/readyz", http.StatusOK, "ready: worker w holds 0 leases\n")
	})
}

func TestVerboseListsTheShards(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.w.set(func() kcl.Snapshot {
			return kcl.Snapshot{WorkerID: "w", Now: time.Now(), LastSync: time.Now().Add(-5 * time.Second), Shards: []kcl.ShardStatus{
				{
					ShardID: "shard-1", State: kcl.ShardProcessing, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon), BehindLatest: 1200 * time.Millisecond,
					LastRead: time.Now(), TrustedUntil: time.Now().Add(6 * time.Second), Records: 7, Bytes: 70, LastError: "two\nlines " + strings.Repeat("x", 300),
				},
				{ShardID: "shard-2", State: kcl.ShardStopping, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd), TrustedUntil: time.Now().Add(-time.Second), Lost: true},
			}}
		})
		w.want("/healthz?verbose", http.StatusOK, alive+"farthest behind: 1.2s\nshards and leases compared: 5s ago\n"+
			"shard-1: processing, behind 1.2s, trusted for 6s, checkpoint TRIM_HORIZON, records 7, bytes 70, last error \"two\\nlines "+strings.Repeat("x", 190)+"\"\n"+
			"shard-2: lease has ended, behind 0s, trusted for -1s, checkpoint SHARD_END, records 0, bytes 0\n")
	})
}
