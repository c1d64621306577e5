package processors_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
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
)

// archivingWorker is a worker of a stream that archives to a store.
func archivingWorker(t *testing.T, cfg processors.Config, s processors.ObjectStore, k kcl.Config) *kcl.Worker {
	t.Helper()
	archiver, err := processors.New(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	k.ApplicationName, k.StreamName, k.FailoverTime = "app", "clicks", 10*time.Second
	if err := archiver.Configure(&k); err != nil {
		t.Fatal(err)
	}
	w, err := kcl.New(k, archiver.Processor)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// running runs a worker. stop stops it and returns its error.
func running(t *testing.T, w *kcl.Worker) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

// TestReadingStopsAtTheBudget: a loader that loads nothing for an hour. Workers read on
// until their memory is used up, and no further; when it loads, all is delivered.
func TestReadingStopsAtTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const budget, shards, records, size = 1 << 20, 2, 1000, 4 << 10
		stream, table, s := kcltest.NewStream(shards), new(lease.Mem), new(shelf)
		for i := range records {
			for shard := range shards {
				stream.Put(shard, fmt.Sprintf("%d.%d%s ", shard, i, strings.Repeat("x", size)))
			}
		}
		var held [shards]int64
		cfg := with(loading(processors.CommitOnLoad), func(c *processors.Config) {
			c.Compression = processors.Uncompressed
			c.Hooks.Buffered = func(e processors.BufferedEvent) { held[shardNumber(e.ShardID)] = e.Held }
		}).WithSize(64 << 10)
		w := archivingWorker(t, cfg, s, kcl.Config{Source: stream, Leases: table, WorkerID: "one", MaxBytes: budget})
		stop := running(t, w)
		for range 3600 {
			time.Sleep(time.Second)
			if in := w.Snapshot().BytesInUse; in > budget+budget/2 { // a page may exceed
				t.Fatalf("%d bytes are in use", in)
			}
		}
		synctest.Wait()
		if held[0]+held[1] < budget/2 || held[0]+held[1] > budget+budget/4 {
			t.Errorf("after an hour %v are held, of a budget of %d", held, budget)
		}
		if n := s.markersTaken(); n != shards {
			t.Errorf("%d markers", n)
		}
		for range 600 {
			time.Sleep(time.Second)
			s.markersTaken()
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		seen := map[string]bool{}
		for _, word := range s.words() {
			seen[strings.TrimRight(word, "x")] = true
		}
		if n := len(seen); n != records*shards {
			t.Errorf("%d records are delivered, want %d", n, records*shards)
		}
	})
}

// TestWorkersComeAndGoWhileACutIsLoaded: each takes over what the one before awaits, goes on
// reading, and stops in time; when it is loaded at last each record is in one object, and each marker was there once.
func TestWorkersComeAndGoWhileACutIsLoaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stream, table, s := kcltest.NewStream(1), new(lease.Mem), new(shelf)
		const workers, each = 4, 25
		for i := range workers {
			isLast := i == workers-1
			w := archivingWorker(t, loading(processors.CommitOnLoad).WithSize(40), s, kcl.Config{Source: stream, Leases: table, WorkerID: strconv.Itoa(i)})
			stop := running(t, w)
			time.Sleep(time.Minute)
			stream.Put(0, numbers(each*i, each*(i+1))...)
			time.Sleep(10 * time.Minute)
			if n := s.marked(); n != 1 {
				t.Errorf("worker %d: %d markers", i, n)
			}
			if l := leaseOf(t, table); l.Pending == nil || l.Checkpoint.IsRecord() {
				t.Errorf("worker %d: %+v", i, l)
			}
			for n := 0; isLast && n < 60; n++ {
				s.markersTaken()
				time.Sleep(10 * time.Second)
			}
			begun := time.Now()
			if err := stop(); err != nil || time.Since(begun) > 27*time.Second {
				t.Errorf("worker %d ended after %v: %v", i, time.Since(begun), err)
			}
		}
		if l := leaseOf(t, table); l.Pending != nil || l.Checkpoint.SequenceNumber != stream.Records(0)[workers*each-1].SequenceNumber {
			t.Errorf("%+v", l)
		}
		var got []string
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, o := range s.objects {
			if isMarker(o.Key) || isBundle(o.Key) {
				t.Errorf("%s is left", o.Key)
				continue
			}
			body, err := stored{body: o.body, encoding: o.ContentEncoding}.inflated()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.Fields(body)...)
		}
		if want := strings.Fields(strings.Join(numbers(0, workers*each), "")); !slices.Equal(got, want) {
			t.Errorf("the objects have %q", got)
		}
	})
}

// marked returns how many markers there are.
func (s *shelf) marked() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if isMarker(o.Key) {
			n++
		}
	}
	return n
}

func shardNumber(id string) (n int) {
	_, _ = fmt.Sscanf(id, "shardId-%d", &n)
	return n
}

// markersTaken deletes the markers, and returns how many there were.
func (s *shelf) markersTaken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.objects)
	s.objects = slices.DeleteFunc(s.objects, func(o shelved) bool { return isMarker(o.Key) })
	return before - len(s.objects)
}

// TestAStopWhileNothingIsLoaded is not kept by a call that waits, be it since memory is short,
// since the cut can have no more objects, or at the shard's end: the lease is given back, and the
// next worker delivers each record.
func TestAStopWhileNothingIsLoaded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		records, size int
		budget        int64
		isEnded       bool
	}{
		"memory is short": {1000, 64 << 10, 1 << 20, false},
		"128 objects":     {1000, 16 << 10, 64 << 20, false},
		"the shard ended": {40, 16 << 10, 64 << 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stream, table, s := kcltest.NewStream(1), new(lease.Mem), new(shelf)
				for i := range c.records {
					stream.Put(0, fmt.Sprintf("%d%s ", i, strings.Repeat("x", 4<<10)))
				}
				if c.isEnded {
					stream.Split(0)
				}
				core, logs := observer.New(zapcore.WarnLevel)
				work := func(id string) (stop func() error) {
					cfg := with(loading(processors.CommitOnLoad), func(c *processors.Config) { c.Compression = processors.Uncompressed })
					w := archivingWorker(t, cfg.WithSize(int64(c.size)), s, kcl.Config{
						Source: stream, Leases: table, WorkerID: id, MaxBytes: c.budget, Logger: zap.New(core), MaxAttempts: 1,
					})
					return running(t, w)
				}
				stop := work("one")
				time.Sleep(time.Hour)
				begun := time.Now()
				if err := stop(); err != nil || time.Since(begun) > 2*time.Second {
					t.Errorf("it stopped after %v: %v", time.Since(begun), err)
				}
				if l := leaseOf(t, table); l.Owner != "" || l.Pending == nil || l.Checkpoint.IsRecord() {
					t.Errorf("the row is %+v", l)
				}
				if told := logs.FilterMessageSnippet("fail").All(); len(told) > 0 {
					t.Errorf("told %v", told)
				}
				stop = work("two")
				for range 120 {
					s.markersTaken()
					time.Sleep(10 * time.Second)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
				seen := map[string]int{}
				for _, word := range s.words() {
					seen[strings.TrimRight(word, "x")]++
				}
				if len(seen) != c.records || slices.Max(slices.Collect(maps.Values(seen))) > 1 {
					t.Errorf("%d records are delivered, want %d, each once", len(seen), c.records)
				}
			})
		})
	}
}
