package health_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// role is how the role of loader stands.
type role struct {
	status atomic.Pointer[elected.Status]
}

func (r *role) is(s elected.Status) { r.status.Store(&s) }

func (w world) watchRole() *role {
	r := new(role)
	r.is(elected.Status{Has: true, Since: time.Now()})
	w.m.WatchRole(func() elected.Status { return *r.status.Load() })
	w.m.LoaderChanged(true)
	return r
}

// The second try that fails ends readiness, and not the first one; what is loaded mends it,
// and so does that another worker loads.
func TestReadinessEndsWhenNothingIsLoaded(t *testing.T) {
	t.Parallel()
	const failing = "not ready: a restart does not mend this: load"
	failed := redshiftarchive.WaitingEvent{Markers: 3, Oldest: time.Minute, Tries: 1, Err: errTest}
	for name, row := range map[string]struct {
		first redshiftarchive.WaitingEvent
		then  func(world) // after 5 minutes
		says  string      // after 6 minutes: what is told, "" if it is ready
	}{
		"each try fails":           {failed, func(w world) { w.m.LoaderHooks().Waiting(redshiftarchive.WaitingEvent{Tries: 2, Err: errTest}) }, "2 tries to load a batch have failed, the last one with test"},
		"no other try yet":         {failed, func(world) {}, "1 tries to load a batch have failed, the last one with test"},
		"markers cannot be listed": {redshiftarchive.WaitingEvent{StoreErr: errTest}, func(world) {}, "markers cannot be looked for, or not all, or a manifest not be put, or a marker not be deleted: test"},
		"not all can be read, and others are loaded": {redshiftarchive.WaitingEvent{StoreErr: errTest}, func(w world) {
			w.m.LoaderHooks().Loaded(redshiftarchive.LoadedEvent{Objects: 3})
			w.m.LoaderHooks().GivenUp(redshiftarchive.GivenUpEvent{})
			w.m.LoaderHooks().Loaded(redshiftarchive.LoadedEvent{Objects: 3})
		}, "or not all, or a manifest not be put, or a marker not be deleted: test"},
		"markers can be read again": {redshiftarchive.WaitingEvent{StoreErr: errTest}, func(w world) { w.m.LoaderHooks().Waiting(redshiftarchive.WaitingEvent{Markers: 1}) }, ""},
		"the second try succeeds":   {failed, func(w world) { w.m.LoaderHooks().Loaded(redshiftarchive.LoadedEvent{Objects: 3}) }, ""},
		"nothing is there any more": {failed, func(w world) { w.m.LoaderHooks().Waiting(redshiftarchive.WaitingEvent{}) }, ""},
		"another worker loads":      {failed, func(w world) { w.m.LoaderChanged(false) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.scanned()
				w.watchRole()
				w.ready(http.StatusOK, yes)
				w.m.LoaderHooks().Waiting(row.first)
				time.Sleep(5 * time.Minute)
				w.ready(http.StatusOK, yes)
				row.then(w)
				time.Sleep(time.Minute - time.Second)
				w.ready(http.StatusOK, yes)
				time.Sleep(time.Second)
				if row.says == "" {
					w.ready(http.StatusOK, yes)
					return
				}
				w.ready(http.StatusServiceUnavailable, failing, "trouble: load")
				if _, body := get(w.t, w.m, "/readyz"); !strings.Contains(body, row.says) {
					w.t.Errorf("it does not say %q: %s", row.says, body)
				}
				w.want("/healthz", http.StatusOK, idle)
			})
		})
	}
}

// A COPY that is not answered ends readiness, until it is, or another worker loads; one that
// follows another counts from its own begin.
func TestReadinessEndsWhenCopyIsNotAnswered(t *testing.T) {
	t.Parallel()
	tells := redshiftarchive.WaitingEvent{Markers: 1, Trying: true} // each minute, also of a batch whose age is not known
	for name, answered := range map[string]func(world){
		"it is loaded":         func(w world) { w.m.LoaderHooks().Tried(redshiftarchive.TriedEvent{}) },
		"no marker is left":    func(w world) { w.m.LoaderHooks().Waiting(redshiftarchive.WaitingEvent{}) },
		"another worker loads": func(w world) { w.m.LoaderChanged(false) },
		"it fails, and anew so": func(w world) {
			w.m.LoaderHooks().Waiting(redshiftarchive.WaitingEvent{Trying: true, Tries: 1, Err: errTest})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.scanned()
				w.watchRole()
				h := w.m.LoaderHooks()
				h.Waiting(tells)
				time.Sleep(5 * time.Minute)
				h.Tried(redshiftarchive.TriedEvent{})
				for range 6 {
					h.Waiting(tells)
					w.ready(http.StatusOK, yes)
					time.Sleep(time.Minute)
				}
				w.ready(http.StatusServiceUnavailable, "not ready: a restart does not mend this: load", "trouble: load")
				if _, body := get(w.t, w.m, "/readyz"); !strings.Contains(body, "a COPY is not answered") {
					w.t.Errorf("it does not say so: %s", body)
				}
				answered(w)
				w.ready(http.StatusOK, yes)
			})
		})
	}
}

// Nobody who loads, while something waits for it, ends readiness; that nothing waits, or
// somebody loads, mends it.
func TestReadinessEndsWhenNobodyLoads(t *testing.T) {
	t.Parallel()
	awaits := func(w world, since time.Time) {
		w.m.DeliveryHooks().Awaiting(processors.AwaitingEvent{ShardID: "shard-1", Since: since})
	}
	delivered := func(role processors.Role) func(world) {
		return func(w world) { w.m.DeliveryHooks().Delivered(processors.DeliveredEvent{Role: role}) }
	}
	for name, row := range map[string]struct {
		waits func(world)
		ends  func(world, *role)
		never bool
	}{
		"a shard waits, until it is loaded": {func(w world) { awaits(w, time.Now()) }, func(w world, _ *role) { awaits(w, time.Time{}) }, false},
		"a shard waits, until somebody is":  {func(w world) { awaits(w, time.Now()) }, func(_ world, r *role) { r.is(elected.Status{Holder: "another"}) }, false},
		"something is staged":               {delivered(processors.RoleDelivery), func(_ world, r *role) { r.is(elected.Status{Has: true}) }, false},
		"a record failed":                   {delivered(processors.RoleFailed), func(world, *role) {}, true},
		"nothing waits":                     {func(world) {}, func(world, *role) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.scanned()
				r := w.watchRole()
				w.m.LoaderChanged(false)
				r.is(elected.Status{Holder: "another"})
				row.waits(w)
				time.Sleep(time.Hour)
				w.ready(http.StatusOK, yes)
				r.is(elected.Status{})
				row.waits(w)
				w.ready(http.StatusOK, yes)
				time.Sleep(6*time.Minute - time.Second)
				w.ready(http.StatusOK, yes)
				time.Sleep(time.Second)
				if row.never {
					w.ready(http.StatusOK, yes)
					return
				}
				w.ready(http.StatusServiceUnavailable, "not ready: a restart does not mend this: load", "trouble: load")
				if _, body := get(w.t, w.m, "/readyz"); !strings.Contains(body, "no worker is known to load, though something waits") {
					w.t.Errorf("it does not say so: %s", body)
				}
				row.ends(w, r)
				w.ready(http.StatusOK, yes)
			})
		})
	}
}

// A batch that is given up is told at once, with its manifest, until the next one is loaded,
// or for five minutes.
func TestReadinessEndsWhenABatchIsGivenUp(t *testing.T) {
	t.Parallel()
	givenUp := redshiftarchive.GivenUpEvent{Objects: 3, Records: 40, Manifest: "s3://b/errors/manifests/1", Tries: 12, Err: errTest}
	for _, loaded := range []bool{false, true} {
		says := "3 objects with 40 records were not loaded, and s3://b/errors/manifests/1 names them: COPY that manifest"
		if givenUp.InDoubt = loaded; givenUp.InDoubt {
			says = "3 objects with 40 records may be loaded already, and s3://b/errors/manifests/1 names them: look whether rows are there first"
		}
		inWorld(t, func(w world) {
			w.scanned()
			w.watchRole()
			h := w.m.LoaderHooks()
			h.Waiting(redshiftarchive.WaitingEvent{Tries: 12, Err: errTest})
			h.GivenUp(givenUp)
			w.ready(http.StatusServiceUnavailable, "not ready: a restart does not mend this: not-loaded", "trouble: not-loaded")
			if _, body := get(w.t, w.m, "/readyz"); !strings.Contains(body, says) {
				w.t.Errorf("it does not say so: %s", body)
			}
			h.Waiting(redshiftarchive.WaitingEvent{Markers: 1}) // another batch begins
			time.Sleep(5*time.Minute - time.Second)
			w.ready(http.StatusServiceUnavailable, "not ready: a restart does not mend this: not-loaded", "trouble: not-loaded")
			if loaded {
				h.Loaded(redshiftarchive.LoadedEvent{Objects: 1})
				w.ready(http.StatusOK, yes)
				return
			}
			time.Sleep(time.Second)
			w.ready(http.StatusOK, yes)
		})
	}
}

// A marker that nobody here can load is told at once, while it is there.
func TestReadinessEndsWithMarkersThatAreLeft(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.scanned()
		w.watchRole()
		for _, end := range []func(){
			func() { w.m.LoaderHooks().Waiting(redshiftarchive.WaitingEvent{Markers: 1}) },
			func() { w.m.LoaderChanged(false) },
		} {
			w.m.LoaderHooks().Waiting(redshiftarchive.WaitingEvent{Markers: 3, Left: 2})
			w.ready(http.StatusServiceUnavailable, "not ready: a restart does not mend this: not-loaded", "trouble: not-loaded")
			if _, body := get(w.t, w.m, "/readyz"); !strings.Contains(body, "2 markers cannot be loaded") {
				w.t.Errorf("it does not say so: %s", body)
			}
			end()
			w.ready(http.StatusOK, yes)
		}
	})
}

// A worker that cannot stand ready to load says so, though it archives.
func TestReadinessEndsWithoutARole(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.scanned()
		r := w.watchRole()
		r.is(elected.Status{Err: errors.New("no table"), ErrSince: time.Now()})
		time.Sleep(6*time.Minute - time.Second)
		w.ready(http.StatusOK, yes)
		time.Sleep(time.Second)
		w.ready(http.StatusServiceUnavailable, "not ready: a restart does not mend this: load", "trouble: load")
		if _, body := get(w.t, w.m, "/readyz"); !strings.Contains(body, "this worker cannot stand ready to load: no table; nothing is lost") {
			w.t.Errorf("it does not say so: %s", body)
		}
		r.is(elected.Status{Holder: "another"})
		w.ready(http.StatusOK, yes)
	})
}

// Who loads, what waits, and which shards wait for it, is told whoever asks for all.
func TestLoaderIsDescribed(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.scanned()
		is := func(want string) {
			w.t.Helper()
			_, body := get(w.t, w.m, "/readyz?verbose")
			_, got, _ := strings.Cut(body, "\nloader: ")
			if got, _, _ = strings.Cut("loader: "+got, "\n\n"); got != want {
				w.t.Errorf("it says %q, want %q", got, want)
			}
		}
		is("loader: ")
		r := w.watchRole()
		time.Sleep(time.Minute)
		is("loader: this worker, for 1m0s; 0 markers wait\n")
		w.m.LoaderHooks().Waiting(redshiftarchive.WaitingEvent{Markers: 5, Oldest: time.Hour, Tries: 2, Err: errTest})
		time.Sleep(time.Minute)
		for i, shard := range []string{"shard-2", "shard-1", "shard-3"} {
			w.m.DeliveryHooks().Awaiting(processors.AwaitingEvent{ShardID: shard, Since: time.Now().Add(-time.Duration(i) * time.Second)})
		}
		w.m.Hooks().LeaseLost(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-3"}})
		is("loader: this worker, for 2m0s; 5 markers wait, the oldest record is 1h1m0s old, 2 tries have failed\n" +
			"shard-1: its checkpoint has waited for a load for 1s\nshard-2: its checkpoint has waited for a load for 0s\n")
		for _, shard := range []string{"shard-1", "shard-2"} {
			w.m.DeliveryHooks().Awaiting(processors.AwaitingEvent{ShardID: shard})
		}
		r.is(elected.Status{Holder: "host-2"})
		is("loader: worker host-2\n")
		r.is(elected.Status{})
		is("loader: nobody, or not known yet\n")
	})
}

// What is not loaded is in the log once a minute, from when it ends readiness.
func TestLoadsAreLogged(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.ErrorLevel)
	inWorldOf(t, health.Options{FailoverTime: failover, ShutdownTimeout: time.Minute, Warehouse: true, Logger: zap.New(core)}, func(w world) {
		w.scanned()
		w.watchRole()
		w.m.LoaderHooks().Waiting(redshiftarchive.WaitingEvent{Tries: 1, Err: errTest})
		time.Sleep(6*time.Minute - time.Second)
		if n := logs.Len(); n > 0 {
			w.t.Errorf("%d lines before", n)
		}
		time.Sleep(2*time.Minute + 2*time.Second)
		lines := logs.FilterMessage("what is staged is not loaded").All()
		if len(lines) != 3 || !strings.Contains(lines[0].ContextMap()["error"].(string), "1 tries to load a batch have failed") {
			w.t.Errorf("%d lines: %v", len(lines), lines)
		}
	})
}

// A shard that waits for a marker that no loader finds is a trouble, be anything loaded here or not.
func TestForeignMarkerIsATrouble(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.scanned()
		e := processors.AwaitingEvent{ShardID: "shard-1", Bucket: "b", Key: "old/m", Since: time.Now(), Foreign: true}
		w.m.DeliveryHooks().Awaiting(e)
		if _, body := get(w.t, w.m, "/readyz?verbose"); !strings.Contains(body, "not-loaded") || !strings.Contains(body, "s3://b/old/m") || !strings.Contains(body, "shard-1: its checkpoint has waited") {
			w.t.Errorf("it does not say so: %s", body)
		}
		w.m.DeliveryHooks().Awaiting(processors.AwaitingEvent{ShardID: "shard-1"})
		w.ready(http.StatusOK, yes)
	})
}
