package kcl_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// clinging is a processor that keeps what it has and says so in each call.
type clinging struct {
	kcl.Defaults

	calls *int
}

func (p clinging) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	if *p.calls++; *p.calls > 1000 {
		in.Hold(0)
		return nil
	}
	in.Hold(1 << 20)
	return nil
}

// A processor under pressure that cannot let go is not asked again at once.
func TestPressureIsNoBusyLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, calls := kcltest.NewStream(1), 0
		s.Put(0, "a", "b", "c", "d")
		cfg := config(s, new(lease.Mem), "me")
		cfg.MaxBytes = 1
		if err := run(t, 20*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return clinging{calls: &calls} }); err != nil {
			t.Error(err)
		}
		if calls > 100 {
			t.Errorf("called %d times in 20 s", calls)
		}
	})
}
