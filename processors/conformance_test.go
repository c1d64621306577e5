package processors_test

import (
	"strings"
	"testing"
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
		s.lapse(min(time.Second, time.Until(end)))
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
