package kcl_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// stubborn is a processor whose calls at the end are as bad as can be.
type stubborn struct {
	recorder

	stop func(context.Context) error
	lost func()
}

func (p *stubborn) ShutdownRequested(ctx context.Context, _ kcl.ShutdownRequestedInput) error {
	p.j.note("stop")
	return p.stop(ctx)
}

func (p *stubborn) LeaseLost(context.Context, kcl.LeaseLostInput) {
	p.j.note("lost")
	p.lost()
}

// kinsumer had room for ten errors: a Stop during which an eleventh shard could
// not be released hung for ever.
func TestPeer22AStopWithManyErrorsEnds(t *testing.T) {
	t.Parallel()
	const shards = 40
	boom := errors.New("boom")
	fine := func(context.Context) error { return nil }
	refuse := func(err error, applied bool) func(op string, after bool) error {
		return func(op string, after bool) error {
			if op == "release" && after == applied {
				return err
			}
			return nil
		}
	}
	tests := []struct {
		name  string
		stop  func(context.Context) error
		lost  func()
		fault func(op string, applied bool) error
		limit time.Duration
		errs  int // that Run returns
	}{
		{"no lease can be released", fine, func() {}, refuse(boom, false), 10 * time.Second, 0},
		{"the answers to the releases are lost", fine, func() {}, refuse(boom, true), 10 * time.Second, 0},
		{"the releases are throttled", fine, func() {}, refuse(lease.ErrThrottled, false), 10 * time.Second, 0},
		{"the table is unusable", fine, func() {}, refuse(lease.ErrInvalidState, false), 0, 0},
		{"every processor fails to stop", func(context.Context) error { return boom }, func() {}, nil, 0, 0},
		{"every processor panics as it stops", func(context.Context) error { panic(boom) }, func() {}, nil, 0, 0},
		{"every processor panics as it goes", fine, func() { panic(boom) }, nil, 0, 0},
		{"no processor stops", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, func() {}, nil, 30 * time.Second, shards},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, j, stopping := kcltest.NewStream(shards), new(journal), new(atomic.Bool)
				table := &lease.Mem{Fault: func(_ context.Context, op, _ string, applied bool) error {
					if tt.fault == nil || !stopping.Load() {
						return nil
					}
					return tt.fault(op, applied)
				}}
				w, err := kcl.New(config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
					return &stubborn{recorder: recorder{j: j}, stop: tt.stop, lost: tt.lost}
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- w.Run(ctx) }()
				time.Sleep(8 * time.Second)
				start := time.Now()
				stopping.Store(true)
				cancel()
				err = <-done
				if took := time.Since(start); took > tt.limit {
					t.Errorf("Run returned after %v, want at most %v", took, tt.limit)
				}
				if n := len(strings.Split(errorText(err), "\n")); err != nil && n != tt.errs || err == nil && tt.errs > 0 {
					t.Errorf("Run = %v, want %d errors", err, tt.errs)
				}
				if n := j.count("stop"); n != shards {
					t.Errorf("%d of %d processors were asked to stop", n, shards)
				}
			})
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// harlow's Scan never returned when a callback's error met one of the group:
// there was room for one.
func TestPeer28ManyErrorsAtOnceEndRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const shards = 20
		boom := errors.New("boom")
		s, table := &brokenSource{Stream: kcltest.NewStream(shards)}, new(brokenTable)
		var down atomic.Bool
		broken := func(err error) func(context.Context) error {
			return func(context.Context) error {
				if down.Load() {
					return err
				}
				return nil
			}
		}
		s.list = broken(kcl.ErrAccessDenied)
		table.ensure, table.list = broken(lease.ErrInvalidState), broken(lease.ErrInvalidState)
		table.Fault = func(ctx context.Context, _, _ string, applied bool) error {
			if applied {
				return nil
			}
			return broken(lease.ErrInvalidState)(ctx)
		}
		j := new(journal)
		w, err := kcl.New(config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
			return &recorder{j: j, fail: func(c string, _ int) error {
				if c == "init" || !down.Load() {
					return nil
				}
				return kcl.GiveUp(boom)
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- w.Run(t.Context()) }()
		time.Sleep(20 * time.Second)
		down.Store(true)
		for i := range shards {
			s.Put(i, "poison")
		}
		select {
		case err := <-done:
			if !errors.Is(err, lease.ErrInvalidState) {
				t.Errorf("Run = %v, want %v", err, lease.ErrInvalidState)
			}
		case <-time.After(2 * time.Minute):
			t.Error("Run did not return")
		}
		if n := j.count("poison#1"); n != shards {
			t.Errorf("%d of %d processors failed", n, shards)
		}
	})
}

// A kinsumer shard that met an error of the service ended, and nothing began it
// again until a client came or went. Here nobody comes or goes.
func TestPeer21AShardThatFailedIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	tests := []struct {
		name string
		fail func(call string, n int) error // of the stream or a processor; n counts the failures so far
	}{
		{"after a read that failed", func(call string, n int) error {
			if call == "read" && n < 1 {
				return boom
			}
			return nil
		}},
		{"after a hundred reads that failed", func(call string, n int) error {
			if call == "read" && n < 100 {
				return boom
			}
			return nil
		}},
		{"after its records had expired", func(call string, n int) error {
			if call == "read" && n < 1 {
				return kcl.ErrTrimmed
			}
			return nil
		}},
		{"after access was denied for a while", func(call string, n int) error {
			if call == "read" && n < 3 {
				return kcl.ErrAccessDenied
			}
			return nil
		}},
		{"after a processor could not begin", func(call string, n int) error {
			if call == "init" && n < 6 {
				return boom
			}
			return nil
		}},
		{"after a processor gave up", func(call string, n int) error {
			if call == "b" && n < 1 {
				return kcl.GiveUp(boom)
			}
			return nil
		}},
		{"after its processors panicked", func(call string, n int) error {
			if call == "b" && n < 9 {
				panic(boom)
			}
			return nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, j := kcltest.NewStream(1), new(journal)
				s.Put(0, "a", "b", "c", "d")
				var mu sync.Mutex
				n := 0
				fail := func(call string) error {
					mu.Lock()
					defer mu.Unlock()
					n++ // for a call that panics
					err := tt.fail(call, n-1)
					if err == nil {
						n--
					}
					return err
				}
				s.Fail = func(context.Context, string) error { return fail("read") }
				if err := run(t, time.Hour, config(s, new(lease.Mem), "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
					return &recorder{j: j, fail: func(c string, _ int) error { return fail(c) }}
				}); err != nil {
					t.Errorf("Run = %v", err)
				}
				if got := strings.Join(j.words(), " "); got != "a b c d" {
					t.Errorf("processed %q", got)
				}
			})
		})
	}
}

// A kinsumer client that had no list of the shards yet panicked when it became
// the leader.
func TestPeer23AnEmptyListingHarmsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const blind = 20 * time.Second
		s, j := &emptyAtFirst{Stream: kcltest.NewStream(2)}, new(journal)
		s.Put(0, "a")
		s.until = time.Now().Add(blind)
		table := new(lease.Mem)
		start := time.Now()
		cfg := config(s, table, "me")
		read := make(chan time.Duration, 1)
		time.AfterFunc(2*time.Minute, func() { s.again() }) // empty once more while it runs, for two syncs
		if err := run(t, 5*time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			return &recorder{j: j, fail: func(c string, _ int) error {
				if c == "a" {
					read <- time.Since(start)
				}
				return nil
			}}
		}); err != nil {
			t.Errorf("Run = %v", err)
		}
		if got := strings.Join(j.words(), " "); got != "a" || j.count("init") != 2 {
			t.Errorf("calls: %s", j)
		}
		if took := <-read; took < blind || took > blind+45*time.Second { // the longest pause between tries
			t.Errorf("the record was read after %v", took)
		}
		if list, _, _ := table.List(t.Context()); len(list) != 2 {
			t.Errorf("%d leases, want 2", len(list))
		}
	})
}

// emptyAtFirst lists no shards until some time.
type emptyAtFirst struct {
	*kcltest.Stream

	until time.Time
	gone  atomic.Int64 // listings yet to be empty
}

func (e *emptyAtFirst) again() { e.gone.Store(2) }

func (e *emptyAtFirst) ListShards(ctx context.Context) (kcl.ShardList, error) {
	if time.Now().Before(e.until) || e.gone.Add(-1) >= 0 {
		return kcl.ShardList{At: time.Now()}, nil
	}
	return e.Stream.ListShards(ctx)
}

// Any passing error of DynamoDB or of ListShards ended harlow's consumer.
func TestPeer32PassingErrorsEndNothing(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, when := range []struct {
		name        string
		down, until time.Duration
	}{
		{"from the start", 0, 5 * time.Minute},
		{"later", time.Minute, 6 * time.Minute},
	} {
		for _, err := range []error{boom, lease.ErrThrottled, context.DeadlineExceeded} {
			t.Run(when.name+", "+err.Error(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, table, j := &brokenSource{Stream: kcltest.NewStream(3)}, new(brokenTable), new(journal)
					start, met := time.Now(), new(atomic.Int64)
					broken := func(context.Context) error {
						if now := time.Since(start); now >= when.down && now < when.until {
							met.Add(1)
							return err
						}
						return nil
					}
					s.list, s.Fail = broken, func(ctx context.Context, _ string) error { return broken(ctx) }
					table.ensure, table.list, table.get = broken, broken, broken
					table.Fault = func(ctx context.Context, _, _ string, _ bool) error { return broken(ctx) }
					stop := putSteadily(s.Stream, 3)
					time.AfterFunc(when.until, stop)
					if err := run(t, 10*time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
						t.Errorf("Run = %v", err)
					}
					if met.Load() < 10 {
						t.Errorf("only %d calls failed", met.Load())
					}
					seen := make(map[string]bool)
					for _, word := range j.words() {
						seen[word] = true
					}
					for i := range 3 {
						for _, rec := range s.Records(i) {
							if !seen[string(rec.Data)] {
								t.Errorf("%s was not processed", rec.Data)
							}
						}
					}
				})
			})
		}
	}
}
