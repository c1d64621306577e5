package kcl_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// asking is a processor that passes on how many shards are open.
type asking struct {
	kcl.Defaults

	told func(int)
}

func (c asking) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	c.told(in.OpenShards)
	return nil
}

// A processor is told how many shards take records, which the closed ones among those that
// are listed do not.
func TestOpenShards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kcltest.NewStream(2)
		var mu sync.Mutex
		told := map[string]int{}
		w, err := kcl.New(kcl.Config{ApplicationName: "a", StreamName: "s", WorkerID: "w", Source: s, Leases: new(lease.Mem), TickInterval: time.Second}, func(shard kcl.ShardInfo) kcl.RecordProcessor {
			return asking{told: func(n int) {
				mu.Lock()
				defer mu.Unlock()
				told[shard.ShardID] = n
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(time.Minute)
			s.Split(0)
			time.Sleep(5 * time.Minute)
			stop(errors.New("enough"))
		}()
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		var counts []int
		for i := range 4 {
			counts = append(counts, told[s.Shard(i).ID])
		}
		if !slices.Equal(counts, []int{2, 3, 3, 3}) {
			t.Errorf("told %v", told)
		}
	})
}
