package processors_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// archiveFor runs a worker whose archivers deliver to s.
func archiveFor(t *testing.T, d time.Duration, id string, source kcl.Source, table lease.Table, c processors.Config, s processors.ObjectStore, change ...func(*kcl.Config)) {
	t.Helper()
	archiver, err := processors.New(c, s)
	if err != nil {
		t.Fatal(err)
	}
	cfg := kcl.Config{
		ApplicationName: "app", StreamName: "clicks", Source: source, Leases: table, WorkerID: id,
		FailoverTime: 10 * time.Second, ScanInterval: 1700 * time.Millisecond, TickInterval: time.Second,
	}
	for _, f := range change {
		f(&cfg)
	}
	w, err := kcl.New(cfg, archiver.Processor)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := w.Run(ctx); err != nil && !errors.Is(err, kcl.ErrShutdownTimeout) {
		t.Errorf("Run of %s = %v", id, err)
	}
}

// numbers returns "from " to "to-1 ".
func numbers(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i)+" ")
	}
	return out
}

// A record that the worker presents whole, as it cannot be split, at a checkpoint
// that stands within it, has no place that a plan could name after the checkpoint.
// That it is left out is told.
func TestARecordThatIsLeftOutIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stream, table, s := kcltest.NewStream(1), new(lease.Mem), new(shelf)
		stream.Put(0, "\xf3\x89\x9a\xc2 cannot be split, although it looks so", "after ")
		first := stream.Records(0)[0]
		table.Put(lease.Lease{Key: stream.Shard(0).ID, Range: stream.Shard(0).Range, Checkpoint: checkpoint.At(first.SequenceNumber, 3, first.ApproximateArrivalTimestamp)})
		core, logs := observer.New(zap.ErrorLevel)
		archiveFor(t, 2*time.Minute, "one", stream, table, with(config(), func(c *processors.Config) { c.Logger = zap.New(core) }), s)
		if got := s.words(); !slices.Equal(got, []string{"after"}) {
			t.Errorf("archived %q", got)
		}
		told := logs.FilterMessageSnippet("is not archived").All()
		if len(told) != 1 || told[0].ContextMap()["sequence_number"] != first.SequenceNumber+"/0" && told[0].ContextMap()["sequence_number"] != first.SequenceNumber {
			t.Errorf("told %v", told)
		}
	})
}

// harlow's ScanBatch completed the lease of a closed shard while its tail was
// still in the buffer: a crash there lost the tail.
func TestPeer29AShardEndsAfterItsLastObject(t *testing.T) {
	t.Parallel()
	for _, delivery := range []processors.Delivery{processors.ExactlyOnce, processors.AtLeastOnce} {
		t.Run(string(delivery), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const tail = 50
				stream, down := kcltest.NewStream(1), true
				stream.Put(0, numbers(0, tail)...)
				stream.Split(0)
				stream.Put(1, "child ")
				s := &shelf{fail: func() error {
					if down {
						return errFault
					}
					return nil
				}}
				table := new(lease.Mem)
				table.Fault = func(ctx context.Context, op, _ string, _ bool) error {
					l, err := table.Get(ctx, stream.Shard(0).ID)
					if n := len(s.words()); err == nil && l.Finished() && n < tail {
						t.Errorf("at %s the shard counts as done, with %d of %d records delivered", op, n, tail)
					}
					return nil
				}
				c := with(config(), func(c *processors.Config) { c.Delivery = delivery })
				archiveFor(t, time.Minute, "one", stream, table, c, s)
				s.mu.Lock()
				down = false
				s.mu.Unlock()
				archiveFor(t, 2*time.Minute, "two", stream, table, c, s)
				want := strings.Fields(strings.Join(append(numbers(0, tail), "child"), ""))
				if got := s.words(); !slices.Equal(got, want) {
					t.Errorf("delivered %q", got)
				}
			})
		})
	}
}

// harlow's ScanBatch flushed by time and by size from two goroutines: batches
// and checkpoints overtook each other.
func TestPeer30ObjectsAndCheckpointsDoNotOvertakeEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const shards = 16
		stream, n := kcltest.NewStream(shards), 0
		s := &shelf{slow: 150 * time.Millisecond, fail: func() error { // slower than ticks come
			if n++; n%5 == 0 {
				return errFault
			}
			return nil
		}}
		quit := make(chan struct{})
		go func() {
			for i := 0; ; i++ {
				select {
				case <-quit:
					return
				case <-time.After(20 * time.Millisecond):
					stream.Put(i%shards, fmt.Sprintf("%d.%d ", i%shards, i))
				}
			}
		}()
		var mu sync.Mutex
		at, reasons := make(map[string]checkpoint.Position), make(map[string]int)
		c := with(config().WithSize(20), func(c *processors.Config) {
			c.Hints = processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 1}
			c.RetryInterval = time.Second / 2
			c.Hooks.Delivered = func(e processors.DeliveredEvent) {
				mu.Lock()
				defer mu.Unlock()
				reasons[e.Reason]++
			}
		})
		archiveFor(t, 30*time.Second, "me", stream, new(lease.Mem), c, s, func(k *kcl.Config) {
			k.TickInterval = 100 * time.Millisecond
			k.Hooks.Checkpointed = func(e kcl.CheckpointEvent) {
				mu.Lock()
				defer mu.Unlock()
				if e.Checkpoint.Compare(at[e.ShardID].ExtendedSequenceNumber) < 0 {
					t.Errorf("the checkpoint of %s went from %v back to %v", e.ShardID, at[e.ShardID], e.Checkpoint)
				}
				at[e.ShardID] = e.Checkpoint
			}
		})
		close(quit)
		if s.twice {
			t.Error("two objects of a shard were put at once")
		}
		last := make(map[string]int)
		for _, word := range s.words() {
			shard, number, _ := strings.Cut(word, ".")
			i, err := strconv.Atoi(number)
			if before, ok := last[shard]; err != nil || ok && i != before+shards {
				t.Errorf("of shard %s, %d came after %d", shard, i, before)
			}
			last[shard] = i
		}
		if reasons["size"] < 10 || reasons["interval"] < 10 {
			t.Errorf("objects were closed for %v, want both size and interval", reasons)
		}
	})
}

// Consumers without sub-sequence numbers (harlow, and many that wrap others)
// lose the rest of an aggregated record, or repeat it, when they stop within.
func TestPeer36AnObjectEndsWithinAnAggregatedRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stream := kcltest.NewStream(1)
		want := numbers(0, 60)
		for i := 0; i < len(want); i += 10 {
			var a kpl.Aggregator
			for _, w := range want[i : i+10] {
				a.Add(kpl.UserRecord{PartitionKey: "k", Data: []byte(w)})
			}
			stream.Put(0, string(a.Append(nil)))
		}
		s, lives := new(shelf), 0
		table := &lease.Mem{Fault: func(_ context.Context, op, _ string, applied bool) error {
			if op == "checkpoint" && applied {
				lives++ // each second object is the last one of its worker
			}
			if op == "prepare" && lives%2 == 1 {
				return lease.ErrInvalidState
			}
			return nil
		}}
		for i := range 30 {
			archiveFor(t, 12*time.Second, fmt.Sprintf("worker-%d", i), stream, table, config().WithSize(9), s)
			if lives%2 == 1 {
				lives++
			}
		}
		if got := s.words(); !slices.Equal(got, strings.Fields(strings.Join(want, ""))) {
			t.Errorf("delivered %q", got)
		}
	})
}

// The Java KCL goes on with the next batch when processRecords throws, so a sink
// that is down loses what it refused.
func TestPeer78WhatTheStoreRefusedIsDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stream := kcltest.NewStream(1)
		start := time.Now()
		s := &shelf{fail: func() error {
			if up := time.Since(start); up > 10*time.Second && up < 20*time.Minute {
				return errFault
			}
			return nil
		}}
		go func() {
			for _, w := range numbers(0, 300) {
				stream.Put(0, w)
				time.Sleep(5 * time.Second)
			}
		}()
		archiveFor(t, 40*time.Minute, "me", stream, new(lease.Mem), config().WithSize(20), s)
		if got := s.words(); !slices.Equal(got, strings.Fields(strings.Join(numbers(0, 300), ""))) {
			t.Errorf("delivered %q", got)
		}
	})
}

// With the Java KCL a clean shutdown took others some 27 s to take over from:
// its leases had to run out. An archiver delivers what it holds first.
func TestPeer79AnArchiverHandsOverWithinAScan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const shards = 4
		stream, table, s := kcltest.NewStream(shards), new(lease.Mem), new(shelf)
		for i := range shards {
			stream.Put(i, fmt.Sprintf("%d.before ", i))
		}
		c := with(config(), func(c *processors.Config) {
			c.Hints = processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 900}
		})
		var wg sync.WaitGroup
		wg.Go(func() { archiveFor(t, time.Minute, "one", stream, table, c, s) })
		time.Sleep(50 * time.Second)
		took := make(chan time.Duration, 100)
		stopped := time.Now().Add(10 * time.Second)
		wg.Go(func() {
			archiveFor(t, time.Minute, "two", stream, table, c, s, func(k *kcl.Config) {
				k.MaxLeases = shards
				k.Hooks.LeaseTaken = func(e kcl.LeaseEvent) {
					if !e.Stolen {
						took <- time.Since(stopped)
					}
				}
			})
		})
		time.Sleep(20 * time.Second)
		for i := range shards {
			stream.Put(i, fmt.Sprintf("%d.after ", i))
		}
		wg.Wait()
		close(took)
		for d := range took {
			if d > 1700*time.Millisecond {
				t.Errorf("a lease was taken %v after the shutdown began, want within a scan", d)
			}
		}
		got := s.words()
		if slices.Sort(got); len(got) != 2*shards || len(slices.Compact(got)) != 2*shards {
			t.Errorf("delivered %q", got)
		}
	})
}
