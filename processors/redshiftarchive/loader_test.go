package redshiftarchive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// loads returns a plan by which the nth COPY goes as the nth answer says, and later ones well.
func loads(answers ...answer) func(int, string) answer {
	n := 0 // one COPY at a time
	return func(_ int, op string) answer {
		if op != "load" {
			return answer{}
		}
		if n++; n <= len(answers) {
			return answers[n-1]
		}
		return answer{}
	}
}

// always returns a plan by which each call of an operation goes so.
func always(op string, a answer) func(int, string) answer {
	return func(_ int, o string) answer {
		if o == op {
			return a
		}
		return answer{}
	}
}

// at returns how long after the first each COPY began, in minutes.
func (w *world) at() (minutes []int) {
	all := w.all()
	for _, t := range all {
		minutes = append(minutes, int(t.at.Sub(all[0].at).Round(time.Minute)/time.Minute))
	}
	return minutes
}

func within(d time.Duration) func(*redshiftarchive.Config) {
	return func(c *redshiftarchive.Config) { c.RetryDuration = &d }
}

// A batch is tried each five minutes from its first try on, with one manifest.
func TestTimesOfTries(t *testing.T) {
	t.Parallel()
	no, slow := answer{kind: refused}, func(d time.Duration) answer { return answer{kind: refused, after: d} }
	many := slices.Repeat([]answer{no}, 50)
	for _, row := range []struct {
		name    string
		retry   time.Duration
		answers []answer
		at      []int
		named   bool
	}{
		{"the first succeeds", time.Hour, nil, []int{0}, false},
		{"the third succeeds", time.Hour, many[:2], []int{0, 5, 10}, false},
		{"none does", time.Hour, many, []int{0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60}, true},
		{"one try", 0, many, []int{0}, true},
		{"less than five minutes", 299 * time.Second, many, []int{0}, true},
		{"the first outlasts all", time.Hour, []answer{slow(4000 * time.Second), no}, []int{0}, true},
		{"a try of seven minutes", time.Hour, []answer{slow(7 * time.Minute), no}, []int{0, 10, 15}, false},
		{"a try of an hour, of two", 2 * time.Hour, []answer{slow(61 * time.Minute), no}, []int{0, 65, 70}, false},
		{"no answer in doubt is another", time.Hour, []answer{{kind: lost}}, []int{0, 5}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := triesOfABatch(t, false, row.retry, row.answers)
				if got := w.at(); !slices.Equal(got, row.at) {
					t.Errorf("tried at %v, want %v", got, row.at)
				}
				for _, try := range w.all() {
					if try.manifest != w.all()[0].manifest {
						t.Errorf("another manifest: %s", try.manifest)
					}
				}
				w.settled(false)
				if named := w.below("logs/errors/"); (len(named) == 1) != row.named {
					t.Errorf("named under errors: %v", named)
				}
			})
		})
	}
}

// triesOfABatch is what has become of one batch five hours after it was staged.
func triesOfABatch(t *testing.T, ledger bool, retry time.Duration, answers []answer) *world {
	t.Helper()
	w := newWorld(t, ledger)
	w.stage("a", object(1, 1))
	r := w.load(changed(within(retry)), loads(answers...))
	time.Sleep(5 * time.Hour)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	return w
}

// A try that got no lock of the ledger counts for nothing: neither is a batch given up without a COPY
// that was asked, nor has it less time for its tries.
func TestTriesWithoutALockDoNotCount(t *testing.T) {
	t.Parallel()
	no := answer{kind: refused}
	lock := answer{kind: refused, after: time.Hour, fault: &redshiftarchive.Fault{Code: "Redshift.ConnectionFailed", Message: "no lock", Undone: true, NoLock: true}}
	for _, row := range []struct {
		name    string
		retry   time.Duration
		answers []answer
		at      []int
		named   bool
	}{
		{"one try, and it is loaded", 0, []answer{lock, lock}, []int{0, 65, 130}, false},
		{"one try, and it fails", 0, []answer{lock, lock, no}, []int{0, 65, 130}, true},
		{"before two tries", 5 * time.Minute, []answer{lock, no, no, no}, []int{0, 65, 70}, true},
		{"between two tries", 5 * time.Minute, []answer{no, lock, no, no}, []int{0, 5, 70}, true},
		{"after three tries", 10 * time.Minute, []answer{no, no, lock}, []int{0, 5, 10, 75}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := triesOfABatch(t, true, row.retry, row.answers)
				w.settled(true)
				if got := w.at(); !slices.Equal(got, row.at) || (len(w.named) > 0) != row.named {
					t.Errorf("tried at %v, want %v; named %v", got, row.at, w.named)
				}
			})
		})
	}
}

// A COPY that is not answered ends by its limit, and until then each minute is told.
func TestNeverAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		var waiting []redshiftarchive.WaitingEvent
		w := newWorld(t, true)
		w.stage("a", object(1, 1))
		r := w.load(changed(func(c *redshiftarchive.Config) {
			c.CopyTimeout, c.Logger = 10*time.Minute+time.Second, zap.New(core)
			c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) {
				if e.Oldest > 0 {
					waiting = append(waiting, e)
				}
			}
		}), loads(answer{kind: hangs}))
		time.Sleep(time.Hour)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		w.settled(true)
		if told := logs.FilterMessage("the try has not been answered yet").FilterField(zap.String("operation", "LOCK of the ledger")).FilterField(zap.Error(errNet)).Len(); told != 10 || !slices.Equal(w.at(), []int{0, 15}) {
			t.Errorf("told %d times, tried at %v", told, w.at())
		}
		failed := logs.FilterMessage("COPY failed").All()
		if len(failed) != 1 || !strings.Contains(fmt.Sprint(failed[0].ContextMap()), "no answer within 10m1s") || failed[0].ContextMap()["rows_may_be_there"] != true {
			t.Errorf("told %v", failed)
		}
		if len(waiting) < 14 || waiting[0].Tries != 0 || waiting[12].Tries != 1 || waiting[12].Err == nil {
			t.Errorf("%d signs: %+v", len(waiting), waiting)
		}
	})
}

// A batch that is tried is told to be, also if the age of its records is not known.
func TestTryingIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Pointer[redshiftarchive.WaitingEvent]
		w := newWorld(t, false)
		o := object(1, 1)
		o.Oldest = time.Time{}
		w.stage("a", o)
		r := w.load(changed(func(c *redshiftarchive.Config) {
			c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) { told.Store(&e) }
		}), loads(answer{after: 10 * time.Minute}))
		time.Sleep(5*time.Minute + time.Second)
		if last := told.Load(); !last.Trying || last.Oldest != 0 || last.Markers != 1 {
			t.Errorf("while it is tried: %+v", last)
		}
		time.Sleep(6 * time.Minute)
		if last := told.Load(); last.Trying || last.Markers != 0 {
			t.Errorf("after it: %+v", last)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// What the ledger has is left out, at once, and is no failure.
func TestKnown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name            string
		known           []int
		loaded, isKnown int
		tries           int
	}{
		{"some", []int{1, 3}, 1, 2, 2},
		{"all", []int{1, 2, 3}, 0, 3, 1},
		{"none", nil, 3, 0, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, true)
				w.stage("a", object(1, 1), object(2, 2))
				w.stage("b", object(3, 3))
				for _, n := range row.known {
					if err := w.commit([]string{object(n, 0).URL()}); err != nil {
						t.Fatal(err)
					}
				}
				var loaded []redshiftarchive.LoadedEvent
				var tried []redshiftarchive.TriedEvent
				r := w.load(changed(func(c *redshiftarchive.Config) {
					within(0)(c)
					c.Hooks.Loaded = func(e redshiftarchive.LoadedEvent) { loaded = append(loaded, e) }
					c.Hooks.Tried = func(e redshiftarchive.TriedEvent) { tried = append(tried, e) }
				}), nil)
				time.Sleep(10 * time.Second)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				w.settled(true)
				if len(w.named) > 0 || len(loaded) != 1 || loaded[0].Objects != row.loaded || loaded[0].Known != row.isKnown || loaded[0].Tries != row.tries || (loaded[0].Manifest != "") != (row.loaded > 0) {
					t.Errorf("%+v", loaded)
				}
				for _, e := range tried {
					if e.Err != nil {
						t.Errorf("%+v", e)
					}
				}
				if len(w.at()) != row.tries || len(tried) != row.tries || w.at()[row.tries-1] != 0 {
					t.Errorf("tried at %v, told %d", w.at(), len(tried))
				}
			})
		})
	}
}

// A database that names as known what it was not asked for, or knows without a ledger, has
// failed: nothing is left out.
func TestKnownOfSomethingElse(t *testing.T) {
	t.Parallel()
	for _, hasLedger := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, hasLedger)
			w.stage("a", object(1, 1))
			url := "s3://b/other"
			if !hasLedger {
				url = object(1, 1).URL()
			}
			l := &knowing{link: &link{world: w}, url: url}
			cfg := changed(within(0))
			if hasLedger {
				cfg.Ledger = "public.ledger"
			}
			loader, err := redshiftarchive.New(cfg, l, l)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			if err := loader.Run(ctx, nil); err != nil || l.tries != 1 || !w.named[object(1, 1).URL()] {
				t.Errorf("%v after %d tries, named %v", err, l.tries, w.named)
			}
		})
	}
}

type knowing struct {
	*link

	url   string
	tries int
}

func (k *knowing) Load(context.Context, redshiftarchive.Try) error {
	k.tries++
	return &redshiftarchive.KnownError{Objects: []string{k.url}}
}

// Markers that cannot be loaded are told, at once and each hour, and hold up nothing, however many
// there are.
func TestMarkersThatAreLeft(t *testing.T) {
	t.Parallel()
	other := processors.Marker{DeliveryStreamName: "payments", Objects: objects{object(9, 9)}}.Encode()
	backslash := object(8, 8)
	backslash.Key = `a\b`
	bucket, below := object(8, 8), object(8, 8)
	bucket.Bucket, below.Key = "other", "log/x"
	named := func(o processors.MarkedObject) string {
		return encoded(processors.Marker{Application: "app", Stream: theStream, Objects: objects{object(9, 9), o}})
	}
	for _, row := range []struct{ name, body, says string }{
		{"of another bucket", named(bucket), `is not in bucket b below "logs/"`},
		{"of another prefix", named(below), `is not in bucket b below "logs/"`},
		{"newer", `{"version":2}`, "marker of a newer version"},
		{"no JSON", "x", "not a marker"},
		{"of another delivery stream", string(other), `the delivery stream "payments", not "orders"`},
		{"of another application", encoded(processors.Marker{Application: "other", Stream: theStream}), `the application "other", not "app"`},
		{"of another account", encoded(processors.Marker{Application: "app", Stream: strings.Replace(theStream, "123456789012", "999999999999", 1)}), `clicks", not "arn`},
		{"of another stream", encoded(processors.Marker{Application: "app", Stream: "clacks"}), `the stream "clacks", not "arn`},
		{"a URL that is no SQL", encoded(processors.Marker{Application: "app", Stream: theStream, Objects: objects{backslash}}), "without control characters and backslashes"},
		{"too large", strings.Repeat(" ", 4<<20+1), "ends before"},
	} {
		for _, n := range []int{1, 1100} {
			if n > 1 && row.name != "newer" {
				continue
			}
			seen := min(n, 1000) // of those that begin alike
			times, wait := 2, 90*time.Minute
			if n > 1 {
				times, wait = 1, time.Minute
			}
			t.Run(fmt.Sprint(row.name, " ", n), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					core, logs := observer.New(zap.InfoLevel)
					w := newWorld(t, false)
					for i := range n {
						w.put(fmt.Sprintf("%s0-%d", markers, i), row.body)
					}
					w.stage("a", object(1, 1))
					var last redshiftarchive.WaitingEvent
					r := w.load(changed(func(c *redshiftarchive.Config) {
						c.Logger, c.Application, c.Stream = zap.New(core), "app", theStream
						c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) { last = e }
					}), nil)
					time.Sleep(wait)
					w.stage("b", object(2, 2))
					time.Sleep(30 * time.Second)
					if err := r.stop(); err != nil {
						t.Error(err)
					}
					if w.copies[object(1, 0).URL()] != 1 || w.copies[object(2, 0).URL()] != 1 || len(w.below(markers)) != n {
						t.Errorf("loaded %v, markers %d", w.copies, len(w.below(markers)))
					}
					told := logs.FilterMessage("marker cannot be loaded; its objects are left staged")
					if told.Len() != times*seen || !strings.Contains(fmt.Sprint(told.All()[0].ContextMap()["error"]), row.says) || last.Left != seen || last.Markers != seen {
						t.Errorf("told %d times, first %v; %+v", told.Len(), told.All()[0].ContextMap(), last)
					}
					isOthers, remedy := strings.Contains(row.says, ", not "), fmt.Sprint(told.All()[0].ContextMap()["remedy"])
					if strings.Contains(remedy, "leave it to the loader of those") != isOthers || strings.Contains(remedy, "if there is none any more") != isOthers {
						t.Errorf("the remedy is %q", remedy)
					}
				})
			})
		}
	}
}

// encoded returns what a marker says, of the delivery stream that is loaded.
func encoded(m processors.Marker) string {
	m.DeliveryStreamName = "orders"
	if m.Objects == nil {
		m.Objects = objects{object(9, 9)}
	}
	return string(m.Encode())
}

// What the store refuses is repeated until it goes, and told.
func TestTheStoreFails(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"list", "read", "put", "put error", "delete"} {
		for name, bad := range map[string]answer{"refuses": {kind: refused}, "denies": {kind: denied}, "hangs": {kind: hangs}, "loses answers": {kind: lost}} {
			t.Run(op+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					core, logs := observer.New(zap.InfoLevel)
					w := newWorld(t, false)
					w.stage("a", object(1, 1))
					begun := time.Now()
					troubled := 0
					r := w.load(changed(func(c *redshiftarchive.Config) {
						within(0)(c)
						c.Logger = zap.New(core)
						c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) {
							if says := map[string]string{"put": "putting ", "put error": "putting ", "delete": "deleting markers: ", "read": "reading markers: ", "list": "listing markers: "}[op]; e.StoreErr != nil && !strings.HasPrefix(e.StoreErr.Error(), says) {
								t.Errorf("does not say what failed: %v", e.StoreErr)
							}
							if e.StoreErr != nil {
								troubled++
							}
						}
					}), func(_ int, o string) answer {
						if o == op && time.Since(begun) < 10*time.Minute {
							return bad
						}
						if o == "load" && op == "put error" {
							return answer{kind: refused}
						}
						return answer{}
					})
					time.Sleep(9 * time.Minute)
					if op != "delete" || bad.kind != lost {
						if len(w.below(markers)) != 1 {
							t.Error("the marker is deleted")
						}
					}
					time.Sleep(3 * time.Minute)
					if err := r.stop(); err != nil {
						t.Error(err)
					}
					w.settled(true)
					told, least, most := logs.FilterMessage("failed, will be repeated").Len(), 5, 11
					lefts := logs.FilterMessageSnippet("marker cannot be loaded").Len()
					switch {
					case op == "read" && bad.kind == denied:
						least, most = 0, 0
					case op == "read": // after five minutes it is left
						least, most = 4, 6
					case lefts > 0:
						t.Errorf("left %d times", lefts)
					}
					if told < least || told > most || troubled < told || op == "read" && lefts != 1 {
						t.Errorf("told %d times, shown %d times, left %d times", told, troubled, lefts)
					}
				})
			})
		}
	}
}

// A loader that is not trusted any more does nothing more, and leaves the markers.
func TestTrust(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.stage("a", object(1, 1))
		r := w.load(config(), loads(answer{after: time.Hour}))
		time.Sleep(time.Minute)
		begun := time.Now()
		r.overtake()
		if err := <-r.done; !errors.Is(err, lease.ErrLost) || time.Since(begun) != 0 {
			t.Errorf("ended after %v with %v", time.Since(begun), err)
		}
		calls := r.calls
		time.Sleep(time.Hour)
		if len(w.below(markers)) != 1 || r.calls != calls {
			t.Errorf("markers %v, %d calls after the end", w.below(markers), r.calls-calls)
		}
	})
}

// Trust that ends while a COPY is tried again, or a manifest put, ends the loader before the next step.
func TestTrustIsAskedBeforeEachStep(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		op   string
		plan func(int, string) answer
	}{
		{"load", nil},
		{"delete", nil},
		{"put error", always("load", answer{kind: refused})},
		{"put", nil},
	} {
		t.Run(row.op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, false)
				w.stage("a", object(1, 1))
				before := map[string]string{"load": "put", "delete": "load", "put error": "load", "put": "read"}[row.op]
				var r *running
				made := make(chan struct{})
				r = w.load(changed(within(0)), func(n int, op string) answer {
					<-made
					if op == row.op {
						t.Errorf("%s after trust ended", op)
					}
					if op == before { // trust ends while it is answered, and ctx later
						r.mu.Lock()
						r.trust = lease.ErrLost
						r.mu.Unlock()
					}
					if row.plan != nil {
						return row.plan(n, op)
					}
					return answer{}
				})
				close(made)
				if err := <-r.done; !errors.Is(err, lease.ErrLost) {
					t.Error(err)
				}
			})
		})
	}
}

// ending is an Access that is asked while trust ends.
type ending struct {
	redshiftarchive.RoleAccess

	end func()
}

func (e ending) Credentials(ctx context.Context) (text string, isSecret bool, err error) {
	e.end()
	return e.RoleAccess.Credentials(ctx)
}

// Credentials may take their time: no COPY is begun if trust ends meanwhile.
func TestTrustIsAskedAfterCredentials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.stage("a", object(1, 1))
		var r *running
		made := make(chan struct{})
		r = w.load(changed(func(c *redshiftarchive.Config) {
			c.Access = ending{redshiftarchive.RoleAccess{ARN: roleR}, func() {
				<-made
				r.mu.Lock()
				defer r.mu.Unlock()
				r.trust = lease.ErrLost
			}}
		}), nil)
		close(made)
		if err := <-r.done; !errors.Is(err, lease.ErrLost) || len(w.all()) != 0 {
			t.Errorf("%v after %d COPYs", err, len(w.all()))
		}
	})
}

// Trust that ends among the deletions of a batch ends them.
func TestTrustIsAskedBeforeEachDeletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		for i := range 100 {
			w.stage(strconv.Itoa(i), object(i, 0))
		}
		deleted := 0
		var r *running
		made := make(chan struct{})
		r = w.load(config(), func(_ int, op string) answer {
			<-made
			if op != "delete" {
				return answer{}
			}
			if deleted++; deleted == 20 {
				r.mu.Lock()
				r.trust = lease.ErrLost
				r.mu.Unlock()
			}
			return answer{after: time.Second}
		})
		close(made)
		if err := <-r.done; !errors.Is(err, lease.ErrLost) {
			t.Error(err)
		}
		if left := len(w.below(markers)); deleted > 20+16 || left != 100-deleted {
			t.Errorf("%d deletions were begun, %d markers are left", deleted, left)
		}
	})
}

// A marker that could not be loaded, and is put anew, is loaded.
func TestAMarkerThatIsMended(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.put(markers+"a", "x")
		var lefts []int
		r := w.load(changed(func(c *redshiftarchive.Config) {
			c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) { lefts = append(lefts, e.Left) }
		}), nil)
		time.Sleep(10 * time.Minute)
		w.stage("a", object(1, 1))
		time.Sleep(time.Hour)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		w.settled(true)
		if i := slices.Index(lefts, 0); lefts[0] != 1 || i < 0 || slices.Contains(lefts[i:], 1) || len(w.all()) != 1 {
			t.Errorf("left %v, %d COPYs", lefts, len(w.all()))
		}
	})
}

// A loader that is to stop waits somewhat for its COPY, and deletes the markers then.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		plan  func(int, string) answer
		after time.Duration
		left  int
	}{
		{"COPY is answered in time", loads(answer{after: 19 * time.Second}), 9 * time.Second, 0},
		{"COPY is not", loads(answer{after: time.Hour}), 10 * time.Second, 1},
		{"COPY fails", loads(answer{after: 19 * time.Second, kind: refused}), 9 * time.Second, 1},
		{"between two tries", loads(answer{kind: refused}), 0, 1},
		{"markers cannot be deleted", always("delete", answer{kind: refused}), 10 * time.Second, 1},
		{"no manifest can be put", always("put", answer{kind: hangs}), 0, 1},
		{"nothing to do", always("list", answer{kind: refused}), 0, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, false)
				w.stage("a", object(1, 1))
				r := w.load(config(), row.plan)
				time.Sleep(10 * time.Second)
				begun := time.Now()
				if err := r.stop(); err != nil || time.Since(begun) != row.after || len(w.below(markers)) != row.left {
					t.Errorf("ended after %v with %v, markers %v", time.Since(begun), err, w.below(markers))
				}
				if n := len(w.all()); n > 1 {
					t.Errorf("%d COPYs", n)
				}
			})
		})
	}
}

// What a run has loaded, and could not unmark, the next run of the same loader only unmarks.
func TestWhatIsLoadedIsNotLoadedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.stage("a", object(1, 1))
		broken := true
		l := &link{world: w, plan: func(_ int, op string) answer {
			if op == "delete" && broken {
				return answer{kind: refused}
			}
			return answer{}
		}}
		loader, err := redshiftarchive.New(config(), l, l)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			if err := loader.Run(ctx, nil); err != nil {
				t.Error(err)
			}
			stop()
		}
		broken = false
		for _, more := range []int{0, 2} {
			if more > 0 {
				w.stage("b", object(more, more))
			}
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			if err := loader.Run(ctx, nil); err != nil {
				t.Error(err)
			}
			stop()
			w.settled(true)
		}
	})
}

// The reason of a line is logged, and what cannot be loaded is told with numbers.
func TestTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		w := newWorld(t, false)
		w.stage("a", object(1, 1), object(2, 2))
		f := &redshiftarchive.Fault{Code: "Redshift.DataLoadFailed", Message: "Check STL_LOAD_ERRORS", SQLState: "XX000", Undone: true}
		for i := range 25 {
			f.Reasons = append(f.Reasons, redshiftarchive.LineReason{Object: object(1, 1).URL(), Line: int64(i), Column: "ts", Code: 1206, Reason: "Invalid timestamp format"})
		}
		var tried []redshiftarchive.TriedEvent
		var given []redshiftarchive.GivenUpEvent
		r := w.load(changed(func(c *redshiftarchive.Config) {
			within(5 * time.Minute)(c)
			c.Logger = zap.New(core)
			c.Hooks.Tried = func(e redshiftarchive.TriedEvent) { tried = append(tried, e) }
			c.Hooks.GivenUp = func(e redshiftarchive.GivenUpEvent) { given = append(given, e) }
		}), loads(answer{kind: refused, after: 3 * time.Second, fault: f}, answer{kind: refused, fault: f}))
		time.Sleep(10 * time.Minute)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if len(tried) != 2 || tried[0].Objects != 2 || tried[0].Duration != 3*time.Second || !errors.Is(tried[0].Err, error(f)) {
			t.Errorf("%+v", tried)
		}
		keys := w.below("logs/errors/")
		if len(given) != 1 || given[0].Objects != 2 || given[0].Records != 3 || given[0].Bytes != 200 || given[0].Tries != 2 || given[0].Manifest != "s3://b/"+keys[0] || given[0].Err == nil {
			t.Errorf("%+v", given)
		}
		lines := logs.FilterMessage("line not loaded").All()
		if len(lines) != 40 || fmt.Sprint(lines[0].ContextMap()) != "map[code:1206 column:ts delivery_stream:orders line:0 object:"+object(1, 1).URL()+" reason:Invalid timestamp format]" {
			t.Errorf("%d lines, first %v", len(lines), lines[0].ContextMap())
		}
		if logs.FilterMessageSnippet("more lines").Len() != 2 {
			t.Error("that there are more was not told")
		}
	})
}

// Credentials are asked for before each try; those that cannot be had fail it. No secret
// is told.
func TestCredentialsOfEachTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		w := newWorld(t, false)
		w.stage("a", object(1, 1))
		n := 0
		r := w.load(changed(func(c *redshiftarchive.Config) {
			c.Logger = zap.New(core)
			c.Access = redshiftarchive.SessionAccess{Provider: provide(func(ctx context.Context) (aws.Credentials, error) {
				switch n++; n {
				case 2:
					return aws.Credentials{}, fmt.Errorf("%w: %w", errNet, errPrinted)
				case 3:
					<-ctx.Done()
					return aws.Credentials{}, ctx.Err()
				case 4:
					return aws.Credentials{AccessKeyID: "A4", SecretAccessKey: "CANARY"}, nil
				}
				return aws.Credentials{AccessKeyID: fmt.Sprint("A", n), SecretAccessKey: "CANARY", SessionToken: "CANARY"}, nil
			})}
		}), loads(answer{kind: refused}, answer{kind: refused}))
		time.Sleep(time.Hour)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		w.settled(true)
		all := w.all()
		if !slices.Equal(w.at(), []int{0, 15, 20}) || !strings.Contains(all[0].sql, "aws_access_key_id=A1;") || !strings.Contains(all[1].sql, "aws_access_key_id=A4;") || !strings.Contains(all[2].sql, "aws_access_key_id=A5;") {
			t.Errorf("tried at %v: %v", w.at(), all)
		}
		var text strings.Builder
		for _, e := range logs.All() {
			fmt.Fprintln(&text, e.Message, e.ContextMap())
		}
		for _, want := range []string{"the keys for COPY could not be had: connection reset", "no answer within 30s", "COPY is given keys without a token"} {
			if strings.Count(text.String(), want) == 0 {
				t.Errorf("not told: %s", want)
			}
		}
		if strings.Contains(text.String(), "CANARY") {
			t.Errorf("a secret is told: %s", &text)
		}
	})
}
