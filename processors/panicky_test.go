package processors_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// runStore has a worker archive to a store for a while.
func runStore(t *testing.T, d time.Duration, source kcl.Source, table lease.Table, c processors.Config, s processors.ObjectStore, change ...func(*kcl.Config)) {
	t.Helper()
	archiver, err := processors.New(c, s)
	if err != nil {
		t.Fatal(err)
	}
	cfg := kcl.Config{
		ApplicationName: "app", StreamName: "clicks", Source: source, Leases: table, WorkerID: "one",
		FailoverTime: 10 * time.Second, ScanInterval: 1700 * time.Millisecond, ShutdownTimeout: 30 * time.Second,
	}
	for _, f := range change {
		f(&cfg)
	}
	if err := archiver.Configure(&cfg); err != nil {
		t.Fatal(err)
	}
	w, err := kcl.New(cfg, archiver.Processor)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := w.Run(ctx); err != nil && !errors.Is(err, kcl.ErrShutdownTimeout) {
		t.Errorf("Run = %v", err)
	}
}

// panicky is a store whose every put panics.
type panicky struct {
	shelf

	puts atomic.Int64
}

func (p *panicky) Put(context.Context, processors.Object) error {
	p.puts.Add(1)
	panic("store")
}

// TestAStoreThatPanicsIsGivenUp, after as many tries as a worker makes, also if no
// records come with the calls that hear of it.
func TestAStoreThatPanicsIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, c := range kinds() {
		if name == "at least once too" {
			continue // each of several objects is tried again by itself
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.ErrorLevel)
				stream, table, s := kcltest.NewStream(1), new(lease.Mem), new(panicky)
				stream.Put(0, numbers(0, 9)...)
				runStore(t, 10*time.Minute, stream, table, c, s, func(k *kcl.Config) { k.Logger = zap.New(core) })
				if n, puts := logs.FilterMessage("shard given up").Len(), s.puts.Load(); n == 0 || puts > 50 {
					t.Errorf("the shard was given up %d times, after %d puts", n, puts)
				}
			})
		})
	}
}

// TestALateInitializeBeginsAgain: what would go on behind it has no context.
func TestALateInitializeBeginsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		stream, table, s := kcltest.NewStream(1), new(lease.Mem), new(shelf)
		stream.Put(0, numbers(0, 9)...)
		table.Put(lease.Lease{Key: stream.Shard(0).ID, Range: stream.Shard(0).Range, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon),
			Pending: &checkpoint.Prepared{At: checkpoint.ExtendedSequenceNumber{SequenceNumber: stream.Records(0)[1].SequenceNumber}, State: []byte("java")}})
		c := config().WithSize(17)
		c.Logger = zap.New(core)
		once := false
		c.Hooks.PendingFound = func(processors.PendingFoundEvent) {
			if !once {
				once = true
				time.Sleep(3 * time.Minute)
			}
		}
		runStore(t, 30*time.Minute, stream, table, c, s, func(k *kcl.Config) { k.Logger = zap.New(core) })
		if got := s.words(); len(got) != 9 {
			t.Errorf("%d records delivered; told %v", len(got), logs.All())
		}
	})
}
