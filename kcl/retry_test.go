package kcl_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// The pauses before a new processor grow while each panics at one place, and
// begin anew once one has got further.
func TestPausesAfterPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, panics := kcltest.NewStream(1), map[string]int{"a": 3, "c": 2}
		s.Page = 1
		s.Put(0, "a", "b", "c", "d")
		cfg := config(s, new(lease.Mem), "me")
		cfg.MaxAttempts = 10
		var begun []time.Time
		err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			begun = append(begun, time.Now())
			return &panicking{left: panics}
		})
		if err != nil {
			t.Error(err)
		}
		var got []time.Duration
		for i := range begun[1:] {
			got = append(got, begun[i+1].Sub(begun[i]))
		}
		if want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 500 * time.Millisecond, time.Second}; !slices.Equal(got, want) {
			t.Errorf("new processors came after %v, want %v", got, want)
		}
	})
}

// panicking panics at records, for each as often as left says.
type panicking struct {
	kcl.Defaults

	left map[string]int
}

func (p *panicking) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	for _, r := range in.Records {
		if p.left[string(r.Data)]--; p.left[string(r.Data)] >= 0 {
			panic("boom")
		}
	}
	return in.Checkpointer.Checkpoint(ctx)
}
