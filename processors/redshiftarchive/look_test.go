package redshiftarchive_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// shelf is a link whose reads go as a test says, by the name of the marker.
type shelf struct {
	*link

	goes func(ctx context.Context, name string) error

	mu          sync.Mutex // guards what follows
	atOnce      int
	most        int // reads at once
	reads       int
	lists       int
	readsOf     map[string]int
	lastWaiting redshiftarchive.WaitingEvent
	waitings    int
}

// Read implements redshiftarchive.Store.
func (s *shelf) Read(ctx context.Context, bucket, key string, most int64) ([]byte, error) {
	name := strings.TrimPrefix(key, markers)
	s.mu.Lock()
	s.reads++
	s.readsOf[name]++
	s.atOnce++
	s.most = max(s.most, s.atOnce)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.atOnce--
		s.mu.Unlock()
	}()
	if err := s.goes(ctx, name); err != nil {
		return nil, err
	}
	return s.link.Read(ctx, bucket, key, most)
}

// List implements redshiftarchive.Store.
func (s *shelf) List(ctx context.Context, bucket, prefix string) ([]string, error) {
	s.mu.Lock()
	s.lists++
	s.mu.Unlock()
	return s.link.List(ctx, bucket, prefix)
}

// last returns the last thing told of what waits, and how often something was.
func (s *shelf) last() (redshiftarchive.WaitingEvent, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastWaiting, s.waitings
}

// readsSoFar returns how often a marker was read.
func (s *shelf) readsSoFar(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readsOf[name]
}

// readBy has a loader with a log run over a world whose reads go so.
func (w *world) readBy(log *zap.Logger, goes func(ctx context.Context, name string) error) (*shelf, *running) {
	w.t.Helper()
	s := &shelf{link: &link{world: w}, goes: goes, readsOf: map[string]int{}}
	r := &running{link: s.link, done: make(chan error, 1)}
	l, err := redshiftarchive.New(changed(func(c *redshiftarchive.Config) {
		c.Logger = log
		c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.lastWaiting = e
			s.waitings++
		}
	}), s, s)
	if err != nil {
		w.t.Fatal(err)
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancelCause(w.t.Context())
	go func() { r.done <- l.Run(ctx, r.trusted) }()
	return s, r
}

func hanging(ctx context.Context, _ string) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// Markers whose reads are refused, or fail for long, are left and told, at once and each hour, and counted, while
// others are loaded; they are when they can be read.
func TestMarkersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	refused := fmt.Errorf("GetObject: %w: KMS.DisabledException", processors.ErrAccessDenied)
	for name, row := range map[string]struct {
		goes   func(context.Context, string) error
		within time.Duration // before it is left
	}{
		"refused": {func(context.Context, string) error { return refused }, 0},
		"failing": {func(context.Context, string) error { return errNet }, 5 * time.Minute},
		"hanging": {hanging, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.InfoLevel)
				w := newWorld(t, false)
				for i := range 3 {
					w.stage(fmt.Sprintf("bad-%d", i), object(100+i, 1))
				}
				var bad atomic.Bool
				bad.Store(true)
				s, r := w.readBy(zap.New(core), func(ctx context.Context, name string) error {
					if bad.Load() && strings.HasPrefix(name, "bad") {
						return row.goes(ctx, name)
					}
					return nil
				})
				n := 0
				goOn := func(d time.Duration) {
					for ; d > 0; d -= time.Minute {
						n++
						w.stage(fmt.Sprintf("good-%d", n), object(n, 2))
						time.Sleep(time.Minute)
						synctest.Wait()
					}
				}
				told := func() int { return logs.FilterMessageSnippet("marker cannot be loaded").Len() }
				if goOn(max(row.within-time.Minute, 0)); row.within > 0 {
					if e, _ := s.last(); told() > 0 || e.Left > 0 || e.StoreErr == nil || !strings.HasPrefix(e.StoreErr.Error(), "reading markers: ") {
						t.Errorf("told %d times after %v; %+v", told(), row.within-time.Minute, e)
					}
				}
				goOn(2 * time.Minute)
				if e, _ := s.last(); told() != 3 || e.Left != 3 || e.StoreErr != nil {
					t.Errorf("told %d times; %+v", told(), e)
				}
				goOn(time.Hour + 5*time.Minute)
				if told() != 6 {
					t.Errorf("told %d times in an hour", told())
				}
				if reads := s.readsSoFar("bad-0"); reads < 30 || reads > 72+int(row.within/(3*time.Second)) {
					t.Errorf("read %d times", reads)
				}
				for i := range n - 1 {
					if w.copies[object(i+1, 0).URL()] != 1 {
						t.Errorf("the %dth of the others is not loaded", i+1)
					}
				}
				bad.Store(false)
				time.Sleep(3 * time.Minute)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				w.settled(true)
				if e, _ := s.last(); e.Left != 0 || e.StoreErr != nil {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

// However many reads hang, or fail, a look ends within a minute, what is known is loaded, and what
// can be read is read in the end.
func TestALookEnds(t *testing.T) {
	t.Parallel()
	for name, goes := range map[string]func(context.Context, string) error{
		"hang": hanging,
		"slow": func(ctx context.Context, _ string) error {
			select {
			case <-time.After(15 * time.Second):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
		"fail":    func(context.Context, string) error { return errNet },
		"refused": func(context.Context, string) error { return processors.ErrAccessDenied },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.InfoLevel)
				w := newWorld(t, false)
				w.stage("0", object(0, 5))
				const n = 900
				for i := range n {
					w.stage(fmt.Sprintf("bad-%03d", i), object(100+i, 1))
				}
				w.stage("z", object(1, 1))
				var bad atomic.Bool
				bad.Store(true)
				s, r := w.readBy(zap.New(core), func(ctx context.Context, name string) error {
					if bad.Load() && strings.HasPrefix(name, "bad") {
						return goes(ctx, name)
					}
					return nil
				})
				time.Sleep(61 * time.Second)
				synctest.Wait()
				if w.copies[object(0, 0).URL()] != 1 {
					t.Error("what is known is not loaded within a minute")
				}
				if name == "refused" && w.copies[object(1, 0).URL()] != 1 {
					t.Error("what is refused holds up what is behind it")
				}
				before := 0
				for range 10 {
					e, told := s.last()
					if told == before || e.Markers == 0 || e.Left == 0 && e.StoreErr == nil {
						t.Errorf("told %d times, and nothing in a minute: %+v", told, e)
					}
					before = told
					time.Sleep(71 * time.Second)
				}
				if n := logs.FilterMessage("failed, will be repeated").Len(); n < 4 && name != "refused" {
					t.Errorf("%d lines in ten minutes", n)
				}
				s.mu.Lock()
				most, reads := s.most, s.reads
				s.mu.Unlock()
				if most > 16 {
					t.Errorf("%d reads at once", most)
				}
				if (name == "fail" || name == "refused") && reads > n+13*60/4*32 {
					t.Errorf("%d reads", reads)
				}
				bad.Store(false)
				time.Sleep(30 * time.Minute)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				w.settled(true)
			})
		})
	}
}

// Of many markers that cannot be read each has its turn, so that one which can be is loaded.
func TestUnreadMarkersTakeTurns(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"refused": processors.ErrAccessDenied, "failing": errNet} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, false)
				const n = 900
				for i := range n {
					w.stage(fmt.Sprintf("%03d", i), object(i, 1))
				}
				var isMended atomic.Bool
				_, r := w.readBy(zap.NewNop(), func(_ context.Context, name string) error {
					if isMended.Load() && name == "899" {
						return nil
					}
					return err
				})
				time.Sleep(10 * time.Minute)
				isMended.Store(true)
				time.Sleep(10 * time.Minute)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				if w.copies[object(n-1, 0).URL()] != 1 {
					t.Error("it is not loaded")
				}
			})
		})
	}
}

// A loader that is not trusted any more, and whose context nobody ends, reads nothing more.
func TestTrustIsAskedBeforeEachRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		for i := range 500 {
			w.stage(fmt.Sprintf("%03d", i), object(i, 1))
		}
		s, r := w.readBy(zap.NewNop(), func(context.Context, string) error { time.Sleep(10 * time.Second); return nil })
		time.Sleep(15 * time.Second)
		r.mu.Lock()
		r.trust = lease.ErrLost
		r.mu.Unlock()
		if err := <-r.done; err == nil {
			t.Error("it goes on")
		}
		if s.reads > 3*16 {
			t.Errorf("%d reads", s.reads)
		}
	})
}

// foreignMarkers puts so many of another application, with names as plans have them.
func (w *world) foreignMarkers(n int, begin string) {
	random := rand.New(rand.NewPCG(1, 2))
	body := encoded(processors.Marker{Application: "other", Stream: theStream})
	for range n {
		w.put(markers+begin+fmt.Sprintf("%016x", random.Uint64())[len(begin):], body)
	}
}

// However many markers of others are there, one's own behind them are loaded; and if that cannot be,
// it is told.
func TestMarkersOfOthersHideNone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, begin string
		n           int
		isHidden    bool
	}{
		{"under each digit", "", 20_000, false},
		{"under one", "f", 3000, false},
		{"under three", "abc", 1500, false},
		{"under four", "abcd", 1500, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				w := newWorld(t, false)
				w.foreignMarkers(row.n, row.begin)
				var own []string
				for i, digit := range "0123456789abcdef" {
					own = append(own, strings.Repeat(string(digit), 3)+"ffff")
					w.stage(own[i], object(i, 1))
				}
				w.stage("abcdffff", object(99, 1))
				var last redshiftarchive.WaitingEvent
				r := w.load(changed(func(c *redshiftarchive.Config) {
					c.Logger, c.Application, c.Stream = zap.New(core), "app", theStream
					c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) { last = e }
				}), nil)
				time.Sleep(20 * time.Second)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				for _, name := range own {
					if slices.Contains(w.below(markers+name), markers+name) {
						t.Errorf("%s is not loaded", name)
					}
				}
				isThere := len(w.below(markers+"abcdffff")) > 0
				if isTold := logs.FilterMessage("failed, will be repeated").Len() > 0; isThere != row.isHidden || isTold != row.isHidden || (last.StoreErr != nil) != row.isHidden {
					t.Errorf("it is there: %v, told: %v, %+v", isThere, isTold, last)
				}
				if row.isHidden && !strings.Contains(fmt.Sprint(last.StoreErr), "listing markers: so many are there that cannot be loaded here") {
					t.Errorf("%v", last.StoreErr)
				}
			})
		})
	}
}

// What the store did not do is not told any more once it does, also while a COPY is not answered; and a batch
// that a run leaves is not told of by the next one.
func TestWhatIsMendedIsNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.stage("a", object(1, 1))
		var last redshiftarchive.WaitingEvent
		var isBroken atomic.Bool
		isBroken.Store(true)
		l := &link{world: w, plan: func(_ int, op string) answer {
			switch {
			case op == "put" && isBroken.Load(), op == "load" && !isBroken.Load():
				return answer{kind: refused}
			}
			return answer{}
		}}
		loader, err := redshiftarchive.New(changed(func(c *redshiftarchive.Config) {
			c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) { last = e }
		}), l, l)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- loader.Run(ctx, nil) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if last.StoreErr == nil || last.Err != nil {
			t.Errorf("no manifest can be put: %+v", last)
		}
		isBroken.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if last.StoreErr != nil || last.Err == nil || last.Tries != 1 {
			t.Errorf("COPY fails: %+v", last)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		delete(w.bucket, markers+"a")
		w.mu.Unlock()
		ctx, stop = context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := loader.Run(ctx, nil); err != nil || last.Err != nil || last.Tries != 0 || last.Markers != 0 {
			t.Errorf("%v, the next run: %+v", err, last)
		}
	})
}

// That a manifest is put at last is told at once, while the COPY that follows is not answered.
func TestAManifestThatIsPutAtLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.stage("a", object(1, 1))
		var last redshiftarchive.WaitingEvent
		begun := time.Now()
		r := w.load(changed(func(c *redshiftarchive.Config) {
			c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) { last = e }
		}), func(_ int, op string) answer {
			switch {
			case op == "put" && time.Since(begun) < time.Minute:
				return answer{kind: refused}
			case op == "load":
				return answer{after: time.Hour}
			}
			return answer{}
		})
		time.Sleep(70 * time.Second)
		synctest.Wait()
		if last.StoreErr != nil || last.Markers != 1 {
			t.Errorf("%+v", last)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
