package processors_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/transform"
)

// slowly is a transform that takes 20 s for a batch.
func slowly() *processors.Transform {
	return &processors.Transform{Function: transform.Each("slowly", func(ctx context.Context, r *transform.Record) transform.Result {
		select {
		case <-time.After(20 * time.Second):
		case <-ctx.Done():
		}
		return transform.Result{Status: transform.Ok, Data: r.Data}
	})}
}

// TestAStopInTheMiddleOfACall: a stop ends the call that waits for a slow store, or a slow
// transform, while its records are taken in. All of them are the processor's then: it delivers
// what it can in time, and the next worker the rest. Each record is delivered once, also
// without plans.
func TestAStopInTheMiddleOfACall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  processors.Config
		all  bool // are delivered in time
		slow time.Duration
	}{
		"exactly once":  {config().WithSize(40), true, 5 * time.Second},
		"at least once": {with(config(), atLeastOnce).WithSize(40), true, 5 * time.Second},
		"sealed":        {with(loading(processors.CommitOnStage), func(c *processors.Config) { c.Compression = processors.Uncompressed }).WithSize(40), true, 4 * time.Second},
		"a transform":   {with(config(), func(c *processors.Config) { c.Transform = slowly() }).WithBatchSize(10).WithSize(40), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stream, table, s := kcltest.NewStream(1), new(lease.Mem), &shelf{slow: c.slow}
				stream.Page = 40 // in one call
				stream.Put(0, numbers(0, 40)...)
				core, logs := observer.New(zapcore.WarnLevel)
				k := kcl.Config{Source: stream, Leases: table, WorkerID: "one", Logger: zap.New(core), MaxAttempts: 1}
				k.Hooks.Processed = func(e kcl.BatchEvent) {
					if e.Err != nil {
						t.Errorf("a call failed: %v", e.Err)
					}
				}
				stop := running(t, archivingWorker(t, c.cfg, s, k))
				time.Sleep(3 * time.Second)
				begun := time.Now()
				if err := stop(); err != nil || time.Since(begun) > 27*time.Second {
					t.Errorf("it stopped after %v: %v", time.Since(begun), err)
				}
				if l := leaseOf(t, table); l.Owner != "" || l.Pending != nil || c.all && l.Checkpoint.SequenceNumber != stream.Records(0)[39].SequenceNumber {
					t.Errorf("the row is %+v", l)
				}
				if told := logs.FilterMessageSnippet("fail").All(); c.all && len(told) > 0 {
					t.Errorf("told %v", told)
				}
				k.WorkerID, s.slow = "two", 0
				stop = running(t, archivingWorker(t, c.cfg, s, k))
				time.Sleep(10 * time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				s.markersTaken()
				seen := map[string]int{}
				for _, word := range s.words() {
					seen[word]++
				}
				if len(seen) != 40 || slices.Max(slices.Collect(maps.Values(seen))) > 1 {
					t.Errorf("delivered are %v", seen)
				}
			})
		})
	}
}

// TestAStopWhileAPlanIsFinished: a successor that cannot finish a plan, as the store is down,
// gives the lease back at once, and leaves the plan to the next one.
func TestAStopWhileAPlanIsFinished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stream, table := kcltest.NewStream(1), new(lease.Mem)
		var isDown atomic.Bool
		puts := 0
		s := &shelf{fail: func() error {
			if puts++; puts > 1 && isDown.Load() { // the bundle is there
				return errors.New("down")
			}
			return nil
		}}
		isDown.Store(true)
		stream.Put(0, numbers(0, 40)...)
		cfg := loading(processors.CommitOnStage).WithSize(40)
		for _, id := range []string{"one", "two", "three"} {
			isLast := id == "three"
			isDown.Store(!isLast)
			stop := running(t, archivingWorker(t, cfg, s, kcl.Config{Source: stream, Leases: table, WorkerID: id}))
			time.Sleep(10 * time.Minute)
			begun := time.Now()
			err := stop()
			if took := time.Since(begun); err != nil || id == "two" && took > time.Second {
				t.Errorf("%s stopped after %v: %v", id, took, err)
			}
			if l := leaseOf(t, table); l.Owner != "" || (l.Pending == nil) != isLast {
				t.Errorf("after %s the row is %+v", id, l)
			}
		}
		s.markersTaken()
		n := 0
		for _, o := range s.objects {
			body, err := stored{body: o.body, encoding: o.ContentEncoding}.inflated()
			if err != nil {
				t.Fatal(err)
			}
			n += len(strings.Fields(body))
		}
		if n != 40 {
			t.Errorf("%d records are delivered", n)
		}
	})
}
