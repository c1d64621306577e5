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

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// awaiting returns a shard whose first cut waits to be loaded.
func awaiting(t *testing.T, cfg processors.Config) *shard {
	t.Helper()
	s := begin(t, cfg, numbered(23))
	s.loader.every = 0
	s.put(5)
	if len(s.markers()) != 1 || s.row.checkpoint.IsRecord() {
		t.Fatalf("objects %v, row %+v", s.keys(), s.row)
	}
	return s
}

// onLoad is config whose checkpoints wait for a load, with small cuts.
func onLoad() processors.Config { return loading(processors.CommitOnLoad).WithSize(20) }

// TestASuccessorAwaitsToo: it puts nothing, begins at once, gathers what follows and
// nothing again, and commits when the marker is gone, whatever is configured.
func TestASuccessorAwaitsToo(t *testing.T) {
	t.Parallel()
	successors := map[string]processors.Config{
		"same": onLoad(), "on stage": loading(processors.CommitOnStage).WithSize(20), "no load": config().WithSize(35), // its cut has one object, which cannot be followed by another
		"at least once": with(onLoad(), atLeastOnce), "a transform": with(onLoad(), func(c *processors.Config) { c.Transform = transformed().Transform }).WithBatchSize(12),
	}
	each(t, successors, func(t *testing.T, cfg processors.Config) {
		t.Helper()
		s := awaiting(t, onLoad())
		s.put(2)
		before := s.counts["put"] + s.counts["seal"] + s.counts["mark"]
		s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		if len(s.bundles()) > 0 {
			t.Errorf("bundles %v are there though it is announced", s.bundles())
		}
		begun := time.Now()
		h, p, ctx := s.take(t.Context(), t, cfg, theShard())
		if err := h.begin(ctx, p); err != nil || time.Since(begun) > time.Second || h.read != 0 {
			t.Fatalf("after %v it begins at record %d: %v", time.Since(begun), h.read, err)
		}
		for range 4 { // the awaited cut's come again, and two more
			if err := h.deliver(ctx, p, 2); err != nil {
				t.Fatal(err)
			}
		}
		s.lapse(time.Minute)
		if after := s.counts["put"] + s.counts["seal"] + s.counts["mark"]; after != before || s.row.checkpoint.IsRecord() || s.row.pending == nil {
			t.Errorf("%d puts, %d before; the row is %+v", after, before, s.row)
		}
		if n := len(s.awaiting); n < 3 || s.awaiting[n-1].Since.IsZero() || !strings.HasSuffix(s.markers()[0], s.awaiting[n-1].Key) {
			t.Errorf("told %+v", s.awaiting)
		}
		for _, e := range s.awaiting { // of this holder's predecessor too
			if !e.Since.IsZero() && !e.Oldest.Equal(arrivalOf(0)) {
				t.Errorf("the oldest record arrived at %v, not %v", e.Oldest, arrivalOf(0))
			}
		}
		s.loader.every = 1
		if err := h.life(ctx, p, []int{3}); err != nil {
			t.Fatal(err)
		}
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
		for name, n := range s.loader.taken {
			if n != 1 {
				t.Errorf("marker %s was there %d times", name, n)
			}
		}
	})
}

// TestWhatEndsAWait: each way that ends a holding ends it at once, and leaves the
// announcement to the next holder.
func TestWhatEndsAWait(t *testing.T) {
	t.Parallel()
	for name, end := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := awaiting(t, onLoad())
				asked := s.counts["head"]
				s.lapse(time.Minute)
				if n := s.counts["head"] - asked; n < 9 || n > 16 {
					t.Errorf("the marker was asked for %d times in a minute", n)
				}
				begun := time.Now()
				end(t, s.processor, kcl.ProcessRecordsInput{Checkpointer: s.cp})
				synctest.Wait()
				if took := time.Since(begun); took > 0 {
					t.Errorf("it took %v", took)
				}
				asked = s.counts["head"]
				if last := s.awaiting[len(s.awaiting)-1]; !last.Since.IsZero() {
					t.Errorf("told %+v", last)
				}
				s.lapse(time.Minute)
				if _, isAnnounced := s.announced(); s.counts["head"] != asked || !isAnnounced {
					t.Errorf("asked for the marker %d times more; the row is %+v", s.counts["head"]-asked, s.row)
				}
			})
		})
	}
}

// TestAnAnnouncementInDoubt: while the row is not known to have it, nothing is given up
// that a successor needs, also if the call ends.
func TestAnAnnouncementInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, onLoad(), numbered(23))
		s.loader.every = 0
		s.fault = func(kind string, _, _ int) fault {
			if kind == "announce" {
				return fails
			}
			return noFault
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := s.deliver(ctx, s.processor, 5); !errors.Is(err, context.DeadlineExceeded) || s.counts["announce"] < 10 {
			t.Errorf("%v after %d tries", err, s.counts["announce"])
		}
		if n := len(s.bundles()); n != 1 || len(s.delivered)+len(s.awaiting) > 0 {
			t.Errorf("%d bundles, told %+v and %+v", n, s.delivered, s.awaiting)
		}
		s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		s.fault, s.loader.every = nil, 1
		if err := s.run(t.Context(), t, []int{3}, onLoad()); err != nil {
			t.Fatal(err)
		}
		if err := s.verdict(true); err != nil || len(s.bundlesLost) > 0 {
			t.Errorf("%v, lost %+v", err, s.bundlesLost)
		}
	})
}

// TestAShutdownLeavesALoad to the next holder, at once, and says so.
func TestAShutdownLeavesALoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		s := awaiting(t, with(onLoad(), func(c *processors.Config) { c.Logger = zap.New(core) }))
		s.put(3)
		begun := time.Now()
		err := s.processor.ShutdownRequested(t.Context(), kcl.ShutdownRequestedInput{Checkpointer: s.cp, Deadline: begun.Add(30 * time.Second)})
		if took := time.Since(begun); took > time.Second || err != nil {
			t.Errorf("after %v: %v", took, err)
		}
		told := logs.FilterMessageSnippet("a load is left to the next holder").All()
		if _, isAnnounced := s.announced(); !isAnnounced || len(told) != 1 || told[0].ContextMap()["records"].(int64) < 3 || "b/"+told[0].ContextMap()["marker"].(string) != s.markers()[0] {
			t.Errorf("the row is %+v; told %v", s.row, told)
		}
		s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		s.loader.every = 1
		if err := s.run(t.Context(), t, []int{3}, onLoad()); err != nil {
			t.Fatal(err)
		}
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

// TestAShutdownStagesWhatIsGathered and waits for no load: what it closes is announced, and what
// can be part of no cut then is read again. Nothing is staged twice.
func TestAShutdownStagesWhatIsGathered(t *testing.T) {
	t.Parallel()
	transforming := with(onLoad(), func(c *processors.Config) { c.Transform = transformed().Transform }).WithBatchSize(1 << 10)
	for name, cfg := range map[string]processors.Config{"one cut": loading(processors.CommitOnLoad), "what a transform has makes two": transforming} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, cfg, numbered(23))
				s.loader.every = 0
				s.put(20)
				begun := time.Now()
				if err := s.processor.ShutdownRequested(t.Context(), kcl.ShutdownRequestedInput{Checkpointer: s.cp, Deadline: begun.Add(30 * time.Second)}); err != nil || time.Since(begun) > time.Second {
					t.Errorf("after %v: %v", time.Since(begun), err)
				}
				s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
				if _, isAnnounced := s.announced(); !isAnnounced || len(s.markers()) != 1 {
					t.Errorf("the row is %+v, objects %v", s.row, s.keys())
				}
				s.loader.every = 1
				if err := s.run(t.Context(), t, []int{3}, cfg); err != nil {
					t.Fatal(err)
				}
				if err := s.verdict(true); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestAWaitIsTold: at once, and then once a minute, also if the marker cannot be asked
// for; and what the cut held is given back.
func TestAWaitIsTold(t *testing.T) {
	t.Parallel()
	for _, isDown := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			core, logs := observer.New(zapcore.InfoLevel)
			var last processors.BufferedEvent
			cfg := with(onLoad(), func(c *processors.Config) {
				c.Logger = zap.New(core, zap.WithClock(bubbleClock{}))
				c.Hooks.Buffered = func(e processors.BufferedEvent) { last = e }
			})
			s := awaiting(t, cfg)
			if isDown {
				s.downUntil = time.Now().Add(time.Hour)
			}
			s.tick(30 * time.Minute)
			told := logs.FilterMessage("staged, waiting to be loaded").Len()
			if want := map[bool]int{false: 29, true: 1}[isDown]; told < want || told > want+2 || gap(start(), logs) > 70*time.Second && !isDown {
				t.Errorf("told %d times that it waits, want %d", told, want)
			}
			if n := logs.FilterMessage("failed, will be repeated").Len(); isDown && (n < 29 || n > 31) {
				t.Errorf("told %d times that the marker cannot be asked for", n)
			}
			if last.Records != 0 || last.Bytes != 0 || last.Held != 0 || last.Freshness != 0 {
				t.Errorf("buffered %+v", last)
			}
			for _, e := range s.awaiting {
				if !e.Oldest.Equal(arrivalOf(0)) {
					t.Errorf("its oldest record arrived at %v, not %v", e.Oldest, arrivalOf(0))
				}
				if e.ShardID != theShard().ShardID || !e.Since.Equal(s.awaiting[0].Since) || e.Since.IsZero() {
					t.Errorf("told %+v", e)
				}
			}
			s.downUntil, s.loader.every = time.Time{}, 1
			s.tick(20 * time.Second)
			if s.index(s.row.checkpoint.ExtendedSequenceNumber) != 3 && !s.row.checkpoint.IsRecord() || !s.awaiting[len(s.awaiting)-1].Since.IsZero() {
				t.Errorf("the row is %+v, told %+v", s.row, s.awaiting)
			}
		})
	}
}

// TestSomebodyElsesMarker: an object that is not the cut's is under the marker's key. The
// shard stops, and says so.
func TestSomebodyElsesMarker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := awaiting(t, onLoad())
		s.objects[s.markers()[0]] = stored{body: []byte("{}")}
		s.lapse(10 * time.Second)
		for range 3 {
			if err := s.deliver(t.Context(), s.processor, 0); !errors.Is(err, processors.ErrKeyTaken) || s.row.checkpoint.IsRecord() {
				t.Errorf("%v, the row is %+v", err, s.row)
			}
			s.lapse(10 * time.Second)
		}
	})
}

// TestAMarkerOfAFormerConfiguration is waited for, and told as a fault at once and each minute.
func TestAMarkerOfAFormerConfiguration(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*processors.Config){
		"same": func(*processors.Config) {}, "no load": func(c *processors.Config) { c.Load = nil },
		"staging": func(c *processors.Config) { c.Staging = "s3://b/other/" }, "name": func(c *processors.Config) { c.DeliveryStreamName = "others" },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := awaiting(t, onLoad())
			s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{}) // it tells no more
			core, logs := observer.New(zapcore.ErrorLevel)
			_, p, ctx := s.take(t.Context(), t, with(onLoad(), change, func(c *processors.Config) { c.Logger = zap.New(core) }), theShard())
			h := s.now
			if err := h.begin(ctx, p); err != nil {
				t.Fatal(err)
			}
			if err := h.deliver(ctx, p, 0); err != nil {
				t.Fatal(err)
			}
			s.lapse(3*time.Minute + 30*time.Second)
			n, last := logs.FilterMessageSnippet("marker of a former configuration").Len(), s.awaiting[len(s.awaiting)-1]
			if isForeign := name != "same"; last.Foreign != isForeign || (n > 2) != isForeign || !isForeign && n > 0 {
				t.Errorf("%s: told %d times, %+v", name, n, last)
			}
		})
	}
}

// arrivalOf is when the ith record arrived.
func arrivalOf(i int) time.Time { return start().Add(time.Duration(i) * time.Millisecond) }
