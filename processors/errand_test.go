package processors_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// kinds are configurations whose cuts close at 20 bytes, of each kind of cut.
func kinds() map[string]processors.Config {
	return map[string]processors.Config{
		"one object":        config().WithSize(20),
		"sealed":            backedUp().WithSize(20),
		"at least once":     with(config(), atLeastOnce).WithSize(20),
		"at least once too": with(backedUp(), atLeastOnce).WithSize(20),
		"staged":            loading(processors.CommitOnStage).WithSize(20),
	}
}

func atLeastOnce(c *processors.Config) { c.Delivery = processors.AtLeastOnce }

// eachKind runs a test for each of them.
func eachKind(t *testing.T, f func(t *testing.T, cfg processors.Config)) {
	t.Helper()
	each(t, kinds(), f)
}

// ofAnyDestination runs a test for each of them, and for documents, in a world.
func ofAnyDestination(t *testing.T, f func(t *testing.T, cfg processors.Config)) {
	t.Helper()
	all := kinds()
	all["loaded"] = loading(processors.CommitOnLoad).WithSize(20)
	all["loaded at least once"] = with(loading(processors.CommitOnLoad), atLeastOnce).WithSize(20)
	all["documents"] = indexed().WithSize(20)
	all["documents too"] = with(indexed(), func(c *processors.Config) { c.Backup = backedUp().Backup }).WithSize(20)
	each(t, all, f)
}

func each(t *testing.T, kinds map[string]processors.Config, f func(t *testing.T, cfg processors.Config)) {
	t.Helper()
	for name, cfg := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { f(t, cfg) })
		})
	}
}

// TestTheNextCutFillsBehind: while the store is down the next cut is gathered, and only
// when it is complete too nothing more is taken in.
func TestTheNextCutFillsBehind(t *testing.T) {
	t.Parallel()
	ofAnyDestination(t, func(t *testing.T, cfg processors.Config) {
		t.Helper()
		const outage = 10 * time.Minute
		s := begin(t, cfg, numbered(9)) // of 3 to 9 bytes
		begun := time.Now()
		s.downUntil = begun.Add(outage)
		s.put(4) // 18 bytes
		s.put(1) // 25 bytes: complete
		s.put(2) // 17 bytes of the next
		if took := time.Since(begun); took > 0 {
			t.Fatalf("the next cut did not fill for %v", took)
		}
		if s.puts = nil; len(s.objects) > 0 || s.row.checkpoint.IsRecord() {
			t.Fatalf("objects %v, checkpoint %v", s.keys(), s.row.checkpoint)
		}
		if err := s.pass(t.Context(), s.processor, 1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < outage || took > outage+time.Minute {
			t.Errorf("with two cuts complete the call took %v", took)
		}
		if err := s.deliver(t.Context(), s.processor, 1); err != nil {
			t.Fatal(err)
		}
		s.stop()
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

// TestPressureWaits for the cut that is under way, also if none is open.
func TestPressureWaits(t *testing.T) {
	t.Parallel()
	ofAnyDestination(t, func(t *testing.T, cfg processors.Config) {
		t.Helper()
		s := begin(t, cfg, numbered(5))
		begun := time.Now()
		s.downUntil = begun.Add(time.Minute)
		s.put(5)
		held := int64(-1)
		in := kcl.ProcessRecordsInput{Checkpointer: s.cp, Pressure: true, Hold: func(n int64) { held = n }}
		if err := s.processor.ProcessRecords(t.Context(), in); err != nil || held != 0 || time.Since(begun) < time.Minute {
			t.Errorf("after %v: %v, %d bytes are held", time.Since(begun), err, held)
		}
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

// TestAShutdownEndsInTime: five seconds before its deadline, or when half of the time
// is over; what is prepared is left to the next holder.
func TestAShutdownEndsInTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ deadline, want time.Duration }{{time.Minute, 55 * time.Second}, {4 * time.Second, 2 * time.Second}} {
		t.Run(row.deadline.String(), func(t *testing.T) {
			t.Parallel()
			ofAnyDestination(t, func(t *testing.T, cfg processors.Config) {
				t.Helper()
				s := begin(t, cfg, numbered(11))
				s.put(5)
				s.downUntil = time.Now().Add(time.Hour)
				s.put(6) // a cut that is complete, and the next one
				begun := time.Now()
				ctx, cancel := context.WithDeadline(t.Context(), begun.Add(row.deadline))
				defer cancel()
				err := s.processor.ShutdownRequested(ctx, kcl.ShutdownRequestedInput{Checkpointer: s.cp, Deadline: begun.Add(row.deadline)})
				if took := time.Since(begun); took != row.want || err == nil || !strings.Contains(err.Error(), "the next holder") {
					t.Errorf("after %v: %v", took, err)
				}
				s.processor.LeaseLost(ctx, kcl.LeaseLostInput{})
				s.downUntil = time.Time{}
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

// busy is a store that is slow, and knows how many puts are under way.
type busy struct {
	slowStore

	under  atomic.Int32
	sealed atomic.Int32 // bundles that were put
	wreck  func()       // instead of the first put, unless nil
}

func (b *busy) Put(ctx context.Context, o processors.Object) error {
	b.under.Add(1)
	defer b.under.Add(-1)
	if wreck := b.wreck; wreck != nil {
		b.wreck = nil
		wreck()
	}
	select {
	case <-time.After(time.Minute / 2):
		err := b.slowStore.Put(ctx, o)
		if err == nil && isBundle(o.Key) {
			b.sealed.Add(1)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// calledWith has a processor begin, and returns what it is to be called with.
func calledWith(t *testing.T, p kcl.RecordProcessor, records []kcl.Record) (kcl.RecordProcessor, kcl.ProcessRecordsInput) {
	t.Helper()
	cp := checkpoint.New(noRow{}, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
	cp.Processed(records[len(records)-1].Position())
	if err := p.Initialize(t.Context(), kcl.InitializationInput{Checkpointer: cp, Checkpoint: cp.Last(), CheckTrust: func() error { return nil }}); err != nil {
		t.Fatal(err)
	}
	return p, kcl.ProcessRecordsInput{Records: records, Checkpointer: cp}
}

// underWay returns a processor whose cut is under way to the store, and what it is
// called with.
func underWay(t *testing.T, cfg processors.Config, b *busy) (kcl.RecordProcessor, kcl.ProcessRecordsInput) {
	t.Helper()
	archiver, err := processors.New(cfg, b)
	if err != nil {
		t.Fatal(err)
	}
	p, in := calledWith(t, archiver.Processor(theShard()), numbered(5))
	if err := p.ProcessRecords(t.Context(), in); err != nil && b.wreck == nil { // it may hear of what it has begun
		t.Log(err)
	}
	synctest.Wait()
	in.Records = nil
	return p, in
}

// TestNothingIsLeftBehind: whatever ends a processor ends what it has under way, at
// once.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	for name, end := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachKind(t, func(t *testing.T, cfg processors.Config) {
				t.Helper()
				b := &busy{}
				p, in := underWay(t, cfg, b)
				if n := b.under.Load(); n == 0 {
					t.Fatal("nothing is under way")
				}
				begun := time.Now()
				end(t, p, in)
				if n, took := b.under.Load(), time.Since(begun); n != 0 || took > 0 {
					t.Errorf("after %v %d puts are under way", took, n)
				}
			})
		})
	}
}

// TestWhatIsBehindDoesNotReturn: a store that panics, or ends its goroutine, has failed.
// The next call says so, and the put is repeated.
func TestWhatIsBehindDoesNotReturn(t *testing.T) {
	t.Parallel()
	for name, wreck := range map[string]func(){"panic": func() { panic("store") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachKind(t, func(t *testing.T, cfg processors.Config) {
				t.Helper()
				b := &busy{wreck: wreck}
				p, in := underWay(t, cfg, b)
				var errs []error
				for range 5 {
					in.Pressure = true
					if err := p.ProcessRecords(t.Context(), in); err != nil {
						errs = append(errs, err)
					}
				}
				if len(errs) > 1 || len(errs) == 1 && !strings.Contains(errs[0].Error(), "did not return") {
					t.Errorf("calls failed: %v", errs)
				}
				if cp := fmt.Sprint(in.Checkpointer.Last()); cp != fmt.Sprint(numbered(5)[4].Position()) {
					t.Errorf("the checkpoint is %s", cp)
				}
				if isSealed := cfg.Backup != nil && cfg.Delivery != processors.AtLeastOnce; len(b.objects) == 0 || isSealed && b.sealed.Load() == 0 {
					t.Errorf("%d objects and %d bundles were put", len(b.objects), b.sealed.Load())
				}
				p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
			})
		})
	}
}
