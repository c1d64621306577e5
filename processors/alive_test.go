package processors_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// watched is a call as a worker with a CallTimeout makes it: a limit that each
// sign of life begins anew. It returns the longest silence.
func watched(t *testing.T, limit time.Duration, f func(context.Context) error) (silent time.Duration, err error) {
	t.Helper()
	ctx, call := deadline.Start(t.Context(), limit)
	defer call.Keep() // as of Initialize, whose context goes on
	stop := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Second / 2):
				silent = max(silent, call.Silent())
			}
		}
	}()
	err = f(ctx)
	close(stop)
	<-over
	return silent, err
}

// gap returns the longest time without a line, from a time until now.
func gap(from time.Time, logs *observer.ObservedLogs) (longest time.Duration) {
	for _, e := range logs.All() {
		longest = max(longest, e.Time.Sub(from))
		from = e.Time
	}
	return max(longest, time.Since(from))
}

// bubbleClock gives a logger the bubble's time.
type bubbleClock struct{}

func (bubbleClock) Now() time.Time                         { return time.Now() }
func (bubbleClock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

// TestWhoWaitsIsAlive: a store or a table that is down, or never answers, is no
// processor that hangs, and it is told each minute.
func TestWhoWaitsIsAlive(t *testing.T) {
	t.Parallel()
	const outage = 30 * time.Minute
	for _, row := range []struct {
		name   string
		change func(*processors.Config)
		limit  time.Duration
		down   func(*world)
		gap    time.Duration // between two warnings
	}{
		{"the store fails", nil, 8 * time.Second, func(w *world) { w.downUntil = time.Now().Add(outage) }, 67 * time.Second},
		{"the store never answers", nil, 3 * time.Second, func(w *world) { w.deafUntil = time.Now().Add(outage) }, 72 * time.Second},
		{"the next try is far", func(c *processors.Config) { c.RetryInterval = 5 * time.Minute }, 3 * time.Second, func(w *world) { w.downUntil = time.Now().Add(outage) }, 6 * time.Minute},
		{"the table fails", nil, 3 * time.Second, func(w *world) {
			until := time.Now().Add(outage)
			w.fault = func(kind string, _, _ int) fault {
				if kind == "prepare" && time.Now().Before(until) {
					return fails
				}
				return noFault
			}
		}, 62 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.WarnLevel)
				cfg := with(config(), func(c *processors.Config) {
					c.Logger = zap.New(core, zap.WithClock(bubbleClock{}))
					if row.change != nil {
						row.change(c)
					}
				}).WithSize(1)
				w := newWorld(numbered(1))
				begun := time.Now()
				row.down(w)
				h, p, _ := w.take(t.Context(), t, cfg, theShard())
				if _, err := watched(t, row.limit, func(ctx context.Context) error { return h.begin(ctx, p) }); err != nil {
					t.Fatal(err)
				}
				silent, err := watched(t, row.limit, func(ctx context.Context) error { return h.deliverAll(ctx, p, 1) })
				if took := time.Since(begun); err != nil || took < outage || took > outage+7*time.Minute {
					t.Fatalf("%v after %v", err, took)
				}
				if silent > time.Second {
					t.Errorf("it was silent for %v", silent)
				}
				if got := gap(begun, logs); got > row.gap || logs.Len() > int(outage/time.Minute)+3 {
					t.Errorf("no warning for %v, %d altogether", got, logs.Len())
				}
				if err := w.verdict(true); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestEveryTryHasALimit: also those of a successor, and the bucket's check.
func TestEveryTryHasALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := prepared(t, 9, 5, config(), theShard())
		w.deafUntil = time.Now().Add(10 * time.Minute)
		core, logs := observer.New(zapcore.WarnLevel)
		h, p, _ := w.take(t.Context(), t, with(config(), func(c *processors.Config) { c.Logger = zap.New(core) }), theShard())
		begun := time.Now()
		silent, err := watched(t, 3*time.Second, func(ctx context.Context) error { return h.begin(ctx, p) })
		if took := time.Since(begun); err != nil || took < 10*time.Minute || took > 12*time.Minute || silent > time.Second {
			t.Errorf("%v after %v, silent for %v", err, took, silent)
		}
		for message, least := range map[string]int{"bucket cannot be used; delivery will be tried until it can": 1, "failed, will be repeated": 7} {
			found := logs.FilterMessage(message).All()
			if len(found) < least || !strings.Contains(found[0].ContextMap()["error"].(string), "no answer within 1m0s") {
				t.Errorf("%q was logged %d times: %v", message, len(found), found)
			}
		}
		if len(w.objects) != 1 || w.row.pending != nil {
			t.Errorf("objects %v, row %+v", w.keys(), w.row)
		}
	})
}

// TestALongPutIsToldEachMinute: its limit is longer, the silence is not.
func TestALongPutIsToldEachMinute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.WarnLevel)
		records := numbered(1)
		records[0].Data = append(records[0].Data, make([]byte, 2<<20)...)
		w := newWorld(records)
		h, p, ctx := w.take(t.Context(), t, with(config(), func(c *processors.Config) {
			c.Logger, c.SpoolDir = zap.New(core, zap.WithClock(bubbleClock{})), dir
		}).WithSize(1), theShard())
		if err := h.begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		w.deafUntil = begun.Add(63 * time.Second)
		if err := h.deliverAll(ctx, p, 1); err != nil || len(w.failures) != 1 {
			t.Fatalf("%v, failures %v", err, w.failures)
		}
		if got := gap(begun, logs); got > time.Minute || logs.FilterMessage("no answer yet").Len() != 1 || !strings.Contains(w.failures[0].Err.Error(), "no answer within 1m2s") {
			t.Errorf("no warning for %v: %v", got, logs.All())
		}
	})
}

// TestAStoreThatIgnoresItsContext is found: its signs of life end with the
// try's limit.
func TestAStoreThatIgnoresItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(numbered(1))
		h, p, _ := w.take(t.Context(), t, config().WithSize(1), theShard())
		if err := h.begin(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		w.deafUntil, w.stuck = time.Now().Add(time.Hour), true
		begun, ended := time.Now(), time.Duration(0)
		_, err := watched(t, 5*time.Second, func(ctx context.Context) error {
			context.AfterFunc(ctx, func() { ended = time.Since(begun) })
			return h.deliverAll(ctx, p, 1)
		})
		synctest.Wait()
		late, ok := errors.AsType[*deadline.Error](err)
		if !ok || late.Limit != 5*time.Second || ended < time.Minute || ended > 66*time.Second {
			t.Errorf("its context ended after %v, and it returned %v", ended, err)
		}
		p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		if took := time.Since(begun); took < time.Hour {
			t.Errorf("after %v nobody waits any more for what goes on behind", took)
		}
	})
}
