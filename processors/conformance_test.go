package processors_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// The rows of this file are statements about what Firehose does; the names of
// the tests are those of the list they come from.

const uuidPattern = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`

// arrived returns records with given data, the ith at the ith instant.
func arrived(data []string, at ...time.Time) []kcl.Record {
	records := make([]kcl.Record, len(data))
	for i, d := range data {
		records[i] = record(3*i, d)
		if i < len(at) {
			records[i].ApproximateArrivalTimestamp = at[i]
		}
	}
	return records
}

// shard is a world in which nothing fails, and its only holder.
type shard struct {
	*world
	*holding
	tb        testing.TB
	processor kcl.RecordProcessor
}

func begin(t *testing.T, cfg processors.Config, records []kcl.Record) *shard {
	t.Helper()
	w := newWorld(records)
	h, p, ctx := w.take(t.Context(), t, cfg, theShard())
	if err := h.begin(ctx, p); err != nil {
		t.Fatal(err)
	}
	return &shard{w, h, t, p}
}

// put delivers the next n records, or a tick.
func (s *shard) put(n int) {
	s.tb.Helper()
	if err := s.deliver(s.tb.Context(), s.processor, n); err != nil {
		s.tb.Fatal(err)
	}
}

// tick lets d pass, with a tick each second.
func (s *shard) tick(d time.Duration) {
	s.tb.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Second, time.Until(end)))
		s.put(0)
	}
}

func (s *shard) stop() {
	s.tb.Helper()
	if err := s.processor.ShutdownRequested(s.tb.Context(), kcl.ShutdownRequestedInput{Checkpointer: s.cp}); err != nil {
		s.tb.Fatal(err)
	}
	s.processor.LeaseLost(s.tb.Context(), kcl.LeaseLostInput{})
}

// one returns the only object.
func (s *shard) one() (string, stored) {
	s.tb.Helper()
	if len(s.objects) != 1 {
		s.tb.Fatalf("%d objects, want 1: %v", len(s.objects), s.keys())
	}
	name := s.keys()[0]
	return strings.TrimPrefix(name, "b/"), s.objects[name]
}

func TestB1TheIntervalClosesAnObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config(), arrived([]string{"0123456789"}))
		s.put(1)
		s.tick(299 * time.Second)
		if len(s.objects) > 0 {
			t.Fatal("an object after 299 s")
		}
		s.tick(time.Second)
		s.one()
	})
}

func TestB2TheRecordThatReachesTheSizeJoins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		million := strings.Repeat("x", 1_000_000)
		s := begin(t, config(), arrived([]string{million, million, million, million, million, million, "rest"}))
		for range 5 {
			s.put(1)
		}
		if len(s.objects) > 0 {
			t.Fatal("an object after 5,000,000 bytes")
		}
		s.put(2)
		if _, o := s.one(); len(o.body) != 6_000_000 {
			t.Errorf("object of %d bytes, want 6,000,000", len(o.body))
		}
	})
}

func TestB2ExactlyTheSizeIsEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config(), arrived([]string{strings.Repeat("x", 5<<20-1), "y", "z"}))
		s.put(1)
		if len(s.objects) > 0 {
			t.Fatal("an object one byte early")
		}
		s.put(1)
		s.one()
	})
}

// TestB2WithinABatch: one batch may complete several objects.
func TestB2WithinABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		data := make([]string, 11)
		for i := range data {
			data[i] = strings.Repeat("x", 1<<20)
		}
		s := begin(t, with(config(), gz), arrived(data))
		s.put(11)
		s.stop()
		var sizes []int64
		for _, e := range s.delivered {
			sizes = append(sizes, e.Bytes>>20)
		}
		if !slices.Equal(sizes, []int64{5, 5, 1}) {
			t.Errorf("objects of %v MiB", sizes)
		}
	})
}

func TestB3AnEmptyBufferMakesNoObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config(), nil)
		s.tick(time.Hour)
		s.stop()
		if len(s.objects) > 0 || s.counts["prepare"]+s.counts["commit"] > 0 {
			t.Errorf("objects %v, writes %v", s.keys(), s.counts)
		}
	})
}

func TestB4TheSizeIsThatBeforeCompression(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, with(config(), gz), arrived([]string{strings.Repeat("0123456789", 1<<19)}))
		s.put(1)
		if _, o := s.one(); len(o.body) > 1<<20 {
			t.Errorf("object of %d bytes", len(o.body))
		}
	})
}

func TestB5TheIntervalBeginsWithTheFirstRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config(), arrived([]string{"a", "b", "c"}))
		s.tick(299 * time.Second)
		s.put(1)
		first := time.Now()
		s.tick(100 * time.Second)
		s.put(1) // does not begin it anew
		s.tick(300 * time.Second)
		_, o := s.one()
		if got := o.at.Sub(first); got != 300*time.Second {
			t.Errorf("delivered %v after the first record", got)
		}
		s.put(1)
		s.tick(300 * time.Second)
		if len(s.objects) != 2 {
			t.Errorf("%d objects", len(s.objects))
		}
	})
}

func TestB10EachShardHasItsBuffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(arrived([]string{"a"}))
		h, _, ctx := w.take(t.Context(), t, config(), theShard())
		archiver, err := processors.New(config(), store{w, h})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			shard := theShard()
			shard.ShardID = fmt.Sprintf("shardId-%012d", i)
			w.row = newWorld(nil).row
			h, _, _ = w.take(ctx, t, config(), shard)
			p := archiver.Processor(shard)
			w.now = h
			if err := h.begin(ctx, p); err != nil {
				t.Fatal(err)
			}
			w.now.asked = true
			if err := h.deliver(ctx, p, 1); err != nil {
				t.Fatal(err)
			}
			if err := p.ShutdownRequested(ctx, kcl.ShutdownRequestedInput{Checkpointer: h.cp}); err != nil {
				t.Fatal(err)
			}
		}
		if len(w.objects) != 4 {
			t.Errorf("%d objects, want 4", len(w.objects))
		}
	})
}

func TestB15NothingIsLostWhenDeliveryIsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config().WithSize(30), numbered(100))
		s.downUntil = time.Now().Add(10 * time.Minute)
		s.put(100)
		s.stop()
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
	})
}
