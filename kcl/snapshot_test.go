package kcl_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// immovable is a processor that does not hear when its lease ends: its first call
// returns only when it is let go.
type immovable struct {
	kcl.RecordProcessor

	letGo chan struct{}
}

func (d immovable) Initialize(context.Context, kcl.InitializationInput) error { <-d.letGo; return nil }
func (immovable) LeaseLost(context.Context, kcl.LeaseLostInput)               {}

// A snapshot tells a lease that is held from one that has gone while its
// processor is still in a call, by the clock that trust runs on, and when the
// shutdown must be over.
func TestSnapshotTellsAHeldLeaseFromALostOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stream, table := kcltest.NewStream(1), new(lease.Mem)
		letGo := make(chan struct{})
		w, err := kcl.New(kcl.Config{
			ApplicationName: "app", StreamName: "stream", Source: stream, Leases: table, WorkerID: "w",
			FailoverTime: 10 * time.Second, ShutdownTimeout: time.Minute,
		}, func(kcl.ShardInfo) kcl.RecordProcessor { return immovable{letGo: letGo} })
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = w.Run(ctx) })
		time.Sleep(time.Minute)
		s := w.Snapshot()
		if len(s.Shards) != 1 || s.Shards[0].Lost || !s.Shards[0].TrustedUntil.After(s.Now) || !s.Now.Equal(time.Now()) || !s.StopBy.IsZero() {
			t.Errorf("held: %+v", s)
		}

		rows, _, err := table.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.Take(t.Context(), rows[0], lease.Claim{Owner: "other", Instance: "i", FailoverTime: time.Hour}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s = w.Snapshot()
		if len(s.Shards) != 1 || !s.Shards[0].Lost || s.Shards[0].TrustedUntil.After(s.Now) {
			t.Errorf("lost: %+v", s)
		}

		stop()
		synctest.Wait()
		if s, want := w.Snapshot(), time.Now().Add(time.Minute); !s.StopBy.Equal(want) {
			t.Errorf("StopBy is %v, want %v", s.StopBy, want)
		}
		close(letGo)
		run.Wait()
		if s := w.Snapshot(); len(s.Shards) != 0 {
			t.Errorf("after Run: %+v", s)
		}
	})
}
