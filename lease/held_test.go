package lease_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

const failover = 10 * time.Second // trust lasts 9s, renewals come every 2.7-3s

var errNet = errors.New("connection reset")

// hold runs a coordinator over one lease until ctx is done, or hold returns.
func hold(t *testing.T, table lease.Table, d time.Duration, f func(*lease.Held)) {
	t.Helper()
	c := coordinator(t, table, "me")
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	c.Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
		f(h)
		cancel()
	})
}

func coordinator(t *testing.T, table lease.Table, id string) *lease.Coordinator {
	t.Helper()
	c, err := lease.NewCoordinator(lease.Config{Table: table, WorkerID: id, FailoverTime: failover, ScanInterval: time.Second}, id+"-1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newTable(t *testing.T, keys ...string) *lease.Mem {
	t.Helper()
	m := new(lease.Mem)
	for _, k := range keys {
		if err := m.Create(t.Context(), lease.Lease{Key: k, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestTrust: each row is one way a holder's renewals can fail, and says when
// the holding must end. The last good renewal before a fault at T begins
// between T-3s and T, and trust ends 9s after its start, so never after T+9s.
func TestTrust(t *testing.T) {
	t.Parallel()
	between := func(from, to time.Duration) func(time.Duration, bool) bool {
		return func(at time.Duration, _ bool) bool { return at >= from && at < to }
	}
	tests := []struct {
		name     string
		fault    func(at time.Duration, applied bool) bool // whether the call fails; applied: its answer is lost
		err      error
		slow     time.Duration // each call takes so long, before it is applied
		hang     time.Duration // from then on calls do not return, whatever their context says
		steal    time.Duration
		from, to time.Duration // when the holding ends; zero: it lasts the five minutes
	}{
		{name: "a healthy table"},
		{name: "another worker takes the lease", steal: 65 * time.Second, from: 65 * time.Second, to: 68 * time.Second},
		{name: "failures for five seconds are ridden out", fault: between(60*time.Second, 65*time.Second), err: errNet},
		{name: "so are lost answers", fault: func(at time.Duration, applied bool) bool {
			return applied && at >= 60*time.Second && at < 65*time.Second
		}, err: errNet},
		{name: "and throttling", fault: between(60*time.Second, 65*time.Second), err: lease.ErrThrottled},
		{name: "a table that cannot be reached", fault: between(time.Minute, time.Hour), err: errNet, from: 66 * time.Second, to: 69 * time.Second},
		{name: "a table that throttles for ever", fault: between(time.Minute, time.Hour), err: lease.ErrThrottled, from: 66 * time.Second, to: 69 * time.Second},
		{name: "answers that never come", fault: func(at time.Duration, applied bool) bool { return applied && at >= time.Minute }, err: errNet, from: 66 * time.Second, to: 72 * time.Second},
		{name: "calls that hang and do not heed their context", hang: time.Minute, from: 66 * time.Second, to: 69 * time.Second},
		{name: "a first renewal that hangs", hang: time.Nanosecond, from: 9 * time.Second, to: 9 * time.Second},
		{name: "slow answers count from the start of the call", slow: 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start, table := time.Now(), newTable(t, "a")
				table.Fault = func(ctx context.Context, op, _ string, applied bool) error {
					if !applied && tt.slow > 0 {
						select {
						case <-time.After(tt.slow):
						case <-ctx.Done():
							return ctx.Err()
						}
					}
					if tt.hang > 0 && time.Since(start) > tt.hang {
						time.Sleep(10 * time.Minute)
						return errNet
					}
					if op == "renew" && tt.fault != nil && tt.fault(time.Since(start), applied) {
						return tt.err
					}
					return nil
				}
				if tt.steal > 0 {
					time.AfterFunc(tt.steal, func() { take(t, table, "a", "thief") })
				}
				var ended time.Duration
				hold(t, table, 5*time.Minute, func(h *lease.Held) {
					select {
					case <-h.Context().Done():
						ended = time.Since(start)
						if cause := context.Cause(h.Context()); !errors.Is(cause, lease.ErrLost) || !errors.Is(h.CheckTrust(), lease.ErrLost) {
							t.Errorf("ended with %v, and CheckTrust = %v", cause, h.CheckTrust())
						}
					case <-time.After(4 * time.Minute):
						if err := h.CheckTrust(); err != nil {
							t.Errorf("CheckTrust = %v while it holds", err)
						}
					}
				})
				if ended < tt.from || ended > tt.to {
					t.Errorf("ended after %v, want %v to %v", ended, tt.from, tt.to)
				}
			})
		})
	}
}

func take(t *testing.T, table lease.Table, key, worker string) {
	t.Helper()
	l, err := table.Get(context.Background(), key)
	if err == nil {
		_, err = table.Take(context.Background(), l, lease.Claim{Owner: worker, Instance: worker + "-1", FailoverTime: failover})
	}
	if err != nil {
		t.Error(err)
	}
}

// TestDoubtBlocksEveryOtherWrite: the answer of a renewal is lost, and then the
// processor checkpoints. The renewal must be repeated first, also through
// throttling; a checkpoint on the old counter would fail and lose the lease.
func TestDoubtBlocksEveryOtherWrite(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"renew", "checkpoint", "prepare"} {
		t.Run("after a doubtful "+first, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := newTable(t, "a")
				var mu sync.Mutex
				var ops []string
				lost, throttled, settled := false, 0, ""
				table.Fault = func(_ context.Context, op, _ string, applied bool) error {
					mu.Lock()
					defer mu.Unlock()
					if !applied {
						ops = append(ops, op)
					}
					switch {
					case op == first && applied && !lost:
						lost = true
						return errNet
					case lost && !applied && throttled < 4:
						throttled++
						return lease.ErrThrottled
					case lost && !applied && settled == "":
						settled = op
					}
					return nil
				}
				hold(t, table, time.Minute, func(h *lease.Held) {
					ctx := h.Context()
					abandoned, cancel := context.WithTimeout(ctx, time.Millisecond) // the caller does not wait for the outcome
					defer cancel()
					switch first {
					case "checkpoint":
						_ = h.Checkpoint(abandoned, checkpoint.At("5", 0, time.Time{}))
					case "prepare":
						_ = h.Prepare(abandoned, checkpoint.Prepared{At: checkpoint.ExtendedSequenceNumber{SequenceNumber: "6"}})
					default:
						time.Sleep(3010 * time.Millisecond) // a renewal has been sent
					}
					// One that is given up while the table throttles does not end the doubt.
					brief, cancel2 := context.WithTimeout(ctx, 100*time.Millisecond)
					defer cancel2()
					if err := h.Prepare(brief, checkpoint.Prepared{At: checkpoint.ExtendedSequenceNumber{SequenceNumber: "8"}}); err == nil {
						t.Error("a write got past the one in doubt")
					}
					if err := h.Checkpoint(ctx, checkpoint.At("7", 0, time.Time{})); err != nil {
						t.Errorf("Checkpoint = %v", err)
					}
					if err := h.CheckTrust(); err != nil {
						t.Error(err)
					}
				})
				if settled != first {
					t.Errorf("after %v came %s, want %s again", ops, settled, first)
				}
				if l, _ := table.Get(t.Context(), "a"); l.Checkpoint.SequenceNumber != "7" || l.Counter != 3 {
					t.Errorf("row: %+v", l)
				}
			})
		})
	}
}

// A doubtful write that did happen, found by its repeat, renews trust from the
// start of its first try, not of the repeat.
func TestTrustCountsFromTheFirstTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table, start := newTable(t, "a"), time.Now()
		var first time.Time
		tries, answered := 0, 0
		table.Fault = func(_ context.Context, op, _ string, applied bool) error {
			if op != "renew" {
				return nil
			}
			if !applied {
				tries++
			}
			switch now := time.Now(); {
			case first.IsZero():
				first = now
				return nil
			case now.Sub(first) >= 2*time.Second && answered == 0:
				answered = tries
			}
			if tries == answered {
				return nil
			}
			return errNet // the first try happens; no answer comes for two seconds, and then to one repeat only
		}
		hold(t, table, time.Minute, func(h *lease.Held) {
			for h.Lease().Counter < 2 && h.CheckTrust() == nil {
				time.Sleep(time.Millisecond)
			}
			if got, want := h.TrustedUntil().Sub(start), first.Add(9*time.Second).Sub(start); got != want {
				t.Errorf("trusted until %v, want %v", got, want)
			}
		})
	})
}

// lagging is a table whose lists show what was there some time ago.
type lagging struct {
	*lease.Mem

	shown []lease.Lease // what lists show until then
	until time.Time
}

func (l *lagging) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	if time.Now().Before(l.until) {
		return l.shown, nil, nil
	}
	return l.Mem.List(ctx)
}

// unanswered returns a table with one lease. For as long as down the answers of
// takes are lost, though the first try happens; for as long as lag its lists show
// the lease free. first is when it was taken.
func unanswered(t *testing.T, down, lag time.Duration) (table *lagging, first *time.Time) {
	t.Helper()
	mem, start := newTable(t, "a"), time.Now()
	shown, _, err := mem.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first = new(time.Time)
	mem.Fault = func(_ context.Context, op, _ string, applied bool) error {
		if op == "take" && applied && first.IsZero() {
			*first = time.Now()
		}
		if op == "take" && applied && time.Since(start) < down {
			return errNet
		}
		return nil
	}
	return &lagging{Mem: mem, shown: shown, until: start.Add(lag)}, first
}

// A take whose answers are lost until it is given up, and that a list which
// lags lets succeed later, renews trust from its first try: others have seen
// the counter move then.
func TestTakeTriedAgainLaterCountsFromTheFirstTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table, first := unanswered(t, 6*time.Second, 7*time.Second)
		hold(t, table, time.Minute, func(h *lease.Held) {
			if h.Lease().Counter != 1 {
				t.Errorf("the counter is %d: the take was not the same", h.Lease().Counter)
			}
			if got, most := h.TrustedUntil().Sub(*first), 9*time.Second; got > most {
				t.Errorf("trusted until %v after the counter moved, at most %v is right", got, most)
			}
		})
		if first.IsZero() {
			t.Error("the take never happened")
		}
	})
}

// A take that failed for long, and never happened, is trusted as any other once
// it does.
func TestTakeAfterAnOutageIsTrusted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table, start := newTable(t, "a"), time.Now()
		table.Fault = func(_ context.Context, op, _ string, applied bool) error {
			if op == "take" && !applied && time.Since(start) < time.Minute {
				return errNet
			}
			return nil
		}
		hold(t, table, 2*time.Minute, func(h *lease.Held) {
			if since := time.Since(start); since > 66*time.Second || h.CheckTrust() != nil || time.Until(h.TrustedUntil()) < 3*time.Second {
				t.Errorf("held after %v, trusted for %v: %v", since, time.Until(h.TrustedUntil()), h.CheckTrust())
			}
		})
	})
}

// A lease that was lost, and whose processor has yet to return, is not taken
// again, although another worker had it in between and died.
func TestALeaseIsNotTakenWhileItsProcessorRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "a")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		running, most := 0, 0
		time.AfterFunc(5*time.Second, func() { take(t, table, "a", "thief") })
		coordinator(t, table, "me").Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
			running++
			most = max(most, running)
			time.Sleep(50 * time.Second) // whatever becomes of the lease
			running--
			h.Drop(errNet)
		})
		if most != 1 {
			t.Errorf("%d holdings at a time", most)
		}
	})
}

// One worker ID in two processes: the second waits for the failover time like
// anybody, and a write of the first is not taken for its own.
func TestOneWorkerIDInTwoProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table, start := newTable(t, "a"), time.Now()
		one := coordinator(t, table, "me")
		two, err := lease.NewCoordinator(lease.Config{Table: table, WorkerID: "me", FailoverTime: failover, ScanInterval: time.Second}, "me-2")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		hard := context.WithoutCancel(ctx)
		var wg sync.WaitGroup
		var holders atomic.Int32
		holding := func(name string, work time.Duration) func(*lease.Held) {
			return func(h *lease.Held) {
				if holders.Add(1) > 1 {
					t.Errorf("%s holds the lease too, after %v", name, time.Since(start))
				}
				select {
				case <-h.Context().Done():
				case <-time.After(work):
				}
				holders.Add(-1)
			}
		}
		wg.Go(func() { one.Run(ctx, hard, holding("one", 30*time.Second)) })
		wg.Go(func() {
			time.Sleep(1500 * time.Millisecond)
			two.Run(ctx, hard, holding("two", 30*time.Second))
		})
		wg.Wait()
		if n := holders.Load(); n != 0 {
			t.Errorf("%d holders at the end", n)
		}
	})
}

// TestCoordinatorsShare runs workers that come and go, and checks that no lease
// has two holders, that all are held again within the failover time and two
// scans, and that the loads end even.
func TestCoordinatorsShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var keys []string
		for i := range 20 {
			keys = append(keys, fmt.Sprintf("shard-%02d", i))
		}
		table := newTable(t, keys...)
		var mu sync.Mutex
		holder := map[string]string{}
		start := func(id string, life time.Duration, crash bool) {
			c := coordinator(t, table, id)
			ctx, cancel := context.WithTimeout(t.Context(), life)
			defer cancel()
			hard, kill := context.WithCancelCause(context.WithoutCancel(ctx))
			c.Run(ctx, hard, func(h *lease.Held) {
				key := h.Lease().Key
				time.Sleep(h.UntilProcessing()) // a stolen lease
				if h.CheckTrust() != nil {
					return
				}
				mu.Lock()
				if other := holder[key]; other != "" {
					t.Errorf("%s holds %s while %s does", id, key, other)
				}
				holder[key] = id
				mu.Unlock()
				select {
				case <-h.Context().Done():
				case <-ctx.Done():
				case <-h.Surplus():
				}
				mu.Lock()
				holder[key] = ""
				mu.Unlock()
				if crash && ctx.Err() != nil {
					kill(errors.New("crash"))
					return
				}
				_ = h.Release(h.Context(), lease.Plain)
			})
		}
		var wg sync.WaitGroup
		wg.Go(func() { start("A", 2*time.Minute, false) })
		wg.Go(func() { time.Sleep(20 * time.Second); start("B", 40*time.Second, true) })
		wg.Go(func() { time.Sleep(30 * time.Second); start("C", 4*time.Minute, false) })
		check := func(at time.Duration, want map[string]int) {
			time.Sleep(at)
			mu.Lock()
			defer mu.Unlock()
			got := map[string]int{}
			for _, k := range keys {
				got[holder[k]]++
			}
			for id, n := range want {
				if got[id] != n {
					t.Errorf("loads %v, want %v", got, want)
				}
			}
		}
		wg.Go(func() { check(5*time.Second, map[string]int{"A": 20}) })
		wg.Go(func() { check(58*time.Second, map[string]int{"": 0}) })            // B has crashed by now or soon
		wg.Go(func() { check(75*time.Second, map[string]int{"A": 10, "C": 10}) }) // B's expired
		wg.Go(func() { check(125*time.Second, map[string]int{"A": 0, "C": 20}) }) // A released on shutdown
		wg.Wait()
	})
}

// A thief that gives the lease up at once must not free it: whoever took it
// then would not know that the victim still trusts it.
func TestThiefDoesNotReleaseEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table, start := newTable(t, "a", "b"), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		held := func(id string, f func(*lease.Held)) {
			c := coordinator(t, table, id)
			wg.Go(func() { c.Run(ctx, context.WithoutCancel(ctx), f) })
		}
		var mu sync.Mutex
		trusting := map[string]*lease.Held{}
		enter := func(id string) func(*lease.Held) {
			return func(h *lease.Held) {
				time.Sleep(h.UntilProcessing())
				mu.Lock()
				key := h.Lease().Key
				if other := trusting[key]; other != nil && other.CheckTrust() == nil && h.CheckTrust() == nil {
					t.Errorf("after %v %s holds %s while another trusts it", time.Since(start), id, key)
				}
				trusting[key] = h
				mu.Unlock()
				select {
				case <-h.Context().Done():
				case <-ctx.Done():
				}
			}
		}
		held("victim", enter("victim"))
		time.Sleep(1500 * time.Millisecond)
		stolen := false
		held("thief", func(h *lease.Held) { // it holds nothing, so it steals one; and gives it up
			stolen = stolen || h.UntilProcessing() > 0
			_ = h.Release(h.Context(), lease.Plain)
		})
		time.Sleep(time.Second)
		held("third", enter("third"))
		wg.Wait()
		if !stolen {
			t.Error("nothing was stolen")
		}
	})
}

// A failover time that cannot be is not also a fault of what follows from it.
func TestNewCoordinatorReportsAFaultOnce(t *testing.T) {
	t.Parallel()
	_, err := lease.NewCoordinator(lease.Config{Table: new(lease.Mem), WorkerID: "me", FailoverTime: -1}, "me-1")
	if want := "FailoverTime is -1ns; it must be at least 500ms"; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// An instance that no claim may have would fail at every take.
func TestNewCoordinatorRefusesASlash(t *testing.T) {
	t.Parallel()
	_, err := lease.NewCoordinator(lease.Config{Table: new(lease.Mem), WorkerID: "me"}, "a/b")
	if want := `the instance is "a/b"; it must have no slash`; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNewCoordinatorReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := lease.NewCoordinator(lease.Config{FailoverTime: time.Millisecond, ScanInterval: -1, MaxLeases: -1, MaxSteal: -1}, "")
	got := strings.Split(fmt.Sprint(err), "\n")
	want := []string{
		"Table is required", "WorkerID is required", "the instance is required", "FailoverTime is 1ms; it must be at least 500ms",
		"ScanInterval is -1ns; it must be positive", "MaxLeases is -1; it must be positive, or 0 for no limit", "MaxSteal is -1; it must be positive, or 0 for the default",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
