package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// leaseLog notes the changes of leases that workers tell their hooks.
type leaseLog struct {
	mu    sync.Mutex
	notes []leaseNote
}

type leaseNote struct {
	at                  time.Time
	worker, what, shard string
}

// watch has a worker's changes noted.
func (l *leaseLog) watch(cfg kcl.Config) kcl.Config {
	note := func(what string) func(kcl.LeaseEvent) {
		return func(e kcl.LeaseEvent) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.notes = append(l.notes, leaseNote{time.Now(), cfg.WorkerID, what, e.Lease.Key})
		}
	}
	cfg.Hooks.LeaseTaken, cfg.Hooks.LeaseLost, cfg.Hooks.LeaseReleased = note("taken"), note("lost"), note("released")
	return cfg
}

// since returns the changes of a kind after a time, "" for all kinds.
func (l *leaseLog) since(from time.Time, what string) (out []leaseNote) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.notes {
		if n.at.After(from) && (what == "" || n.what == what) {
			out = append(out, n)
		}
	}
	return out
}

// start runs a worker. The function stops it and returns how long that took.
func start(t *testing.T, cfg kcl.Config, f kcl.ProcessorFactory) (stop func() time.Duration) {
	t.Helper()
	w, err := kcl.New(cfg, f)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	return func() time.Duration {
		begun := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		return time.Since(begun)
	}
}

// unreadable is a table whose List does not show one row, and whose Get of it
// fails for as long as it is down.
type unreadable struct {
	staleTable

	down *atomic.Bool
}

func (u unreadable) Get(ctx context.Context, key string) (lease.Lease, error) {
	if key == u.hidden && u.down.Load() {
		return lease.Lease{}, errors.New("no answer")
	}
	return u.staleTable.Get(ctx, key)
}

// vmware-go-kcl neither renews a lease while it waits for the parent shard nor
// heeds a stop then (peers' bug 7). Here two workers wait for a parent whose row
// they cannot read.
func TestPeer7AShardThatWaitsForItsParentKeepsItsLeaseAndStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, mem, j, log := kcltest.NewStream(1), new(lease.Mem), new(journal), new(leaseLog)
		s.Split(0)
		s.Put(1, "left")
		s.Put(2, "right")
		mem.Put(lease.Lease{Key: s.Shard(0).ID, Range: s.Shard(0).Range, Owner: "other", Counter: 3, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		for i := 1; i <= 2; i++ {
			mem.Put(lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Parents: []string{s.Shard(0).ID}, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		}
		table := unreadable{staleTable{mem, s.Shard(0).ID}, new(atomic.Bool)}
		table.down.Store(true)
		processors := func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }
		stopOne := start(t, log.watch(config(s, table, "one")), processors)
		stopTwo := start(t, log.watch(config(s, table, "two")), processors)
		time.Sleep(time.Minute) // each has one of the children now
		settled := time.Now()
		time.Sleep(5 * time.Minute)
		if moved := log.since(settled, ""); len(moved) > 0 {
			t.Errorf("leases moved while they waited: %v", moved)
		}
		if owners := map[string]bool{row(t, table.Mem, 1).Owner: true, row(t, table.Mem, 2).Owner: true}; !owners["one"] || !owners["two"] {
			t.Errorf("owners %v", owners)
		}
		if took := stopOne(); took > time.Second {
			t.Errorf("stopping took %v", took)
		}
		if j.String() != "" {
			t.Errorf("a child was processed: %s", j)
		}
		ended := row(t, mem, 0)
		ended.Checkpoint = checkpoint.Sentinel(checkpoint.ShardEnd)
		mem.Put(ended)
		table.down.Store(false)
		time.Sleep(2 * time.Minute) // it is asked for at growing intervals
		if got := j.words(); len(got) != 2 {
			t.Errorf("processed %q", got)
		}
		stopTwo()
	})
}

// So it is with the other wait: at the end of a shard that is merged with one
// which has no lease yet (peers' bug 7).
func TestPeer7AShardEndThatWaitsKeepsItsLeaseAndStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j, log := kcltest.NewStream(2), new(lease.Mem), new(journal), new(leaseLog)
		s.Put(0, "zero")
		s.Split(1)    // 2 and 3
		s.Merge(0, 2) // 4
		for i, owner := range []string{"", "other"} {
			table.Put(lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Owner: owner, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		}
		renewed := make(chan struct{})
		over, stopOther := context.WithCancel(t.Context())
		go func() { // the other worker lives, and does not come to the end of its shard
			defer close(renewed)
			for over.Err() == nil {
				l := row(t, table, 1)
				l.Counter++
				table.Put(l)
				time.Sleep(3 * time.Second)
			}
		}()
		stop := start(t, log.watch(config(s, table, "me")), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} })
		time.Sleep(5 * time.Minute)
		if moved := log.since(time.Time{}, ""); len(moved) != 1 || row(t, table, 0).Owner != "me" {
			t.Errorf("lease changes %v, want that it was taken once", moved)
		}
		if took := stop(); took > time.Second || !strings.HasSuffix(j.String(), "stop lost") {
			t.Errorf("stopping took %v: %s", took, j)
		}
		stopOther()
		<-renewed
	})
}

// kinsumer renews the ownership of a shard with its checkpoints only, so that
// an idle one is taken away (peers' bug 24).
func TestPeer24AnIdleShardStaysWhereItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j, log := kcltest.NewStream(4), new(lease.Mem), new(journal), new(leaseLog)
		s.Poll = 10 * time.Second
		processors := func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }
		stopOne := start(t, log.watch(config(s, table, "one")), processors)
		stopTwo := start(t, log.watch(config(s, table, "two")), processors)
		time.Sleep(2 * time.Minute)
		settled := time.Now()
		time.Sleep(time.Hour)
		for i := range 4 {
			s.Put(i, fmt.Sprint("after", i))
		}
		time.Sleep(time.Minute)
		if moved := log.since(settled, ""); len(moved) > 0 || len(j.words()) != 4 {
			t.Errorf("leases moved: %v; processed %q", moved, j.words())
		}
		stopOne()
		stopTwo()
	})
}

// In harlow's kinesis-consumer a lost lease stops nothing: it was still
// delivering after fifteen lease durations (peers' bug 27).
func TestPeer27NothingIsDeliveredAfterTheLeaseWasTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j, log := kcltest.NewStream(1), new(lease.Mem), new(journal), new(leaseLog)
		stop := start(t, log.watch(config(s, table, "victim")), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j, keep: true} })
		put := func(d time.Duration) {
			for begun := time.Now(); time.Since(begun) < d; time.Sleep(200 * time.Millisecond) {
				s.Put(0, "x")
			}
		}
		put(20 * time.Second)
		l, err := table.Take(t.Context(), row(t, table, 0), lease.Claim{Owner: "thief", Instance: "thief-1", FailoverTime: 10 * time.Second})
		renewed := make(chan struct{})
		go func() {
			defer close(renewed)
			for range 60 {
				if err != nil {
					t.Errorf("the thief's write: %v", err)
				}
				time.Sleep(2500 * time.Millisecond)
				l, err = table.Renew(t.Context(), l)
			}
		}()
		put(3500 * time.Millisecond) // its next renewal tells it
		before := len(j.words())
		put(140 * time.Second)
		if after := len(j.words()); before == 0 || after != before || j.count("lost") != 1 {
			t.Errorf("%d records before the victim knew, %d after it: %d calls of LeaseLost", before, after-before, j.count("lost"))
		}
		if lost := log.since(time.Time{}, "lost"); len(lost) != 1 {
			t.Errorf("losses: %v", lost)
		}
		<-renewed
		stop()
	})
}

// harlow's kinesis-consumer panics when it is shut down twice (peers' bug 34).
func TestPeer34TwoRunsAndTwoStopsDoNoHarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "a")
		w, err := kcl.New(config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel() // once more
		results := make(chan error, 3)
		for range 3 {
			go func() { results <- w.Run(ctx) }()
		}
		time.Sleep(10 * time.Second)
		var stops sync.WaitGroup
		for range 3 {
			stops.Go(cancel)
		}
		stops.Wait()
		refused := 0
		for range 3 {
			if err := <-results; err != nil {
				refused++
			}
		}
		if refused != 2 || j.String() != "init a#1 ok:a stop lost" {
			t.Errorf("%d runs of three were refused; calls: %s", refused, j)
		}
	})
}

// The input of Redpanda Connect does not claim closed shards: what is left in
// them after a stop during a reshard is never read (peers' bug 38).
func TestPeer38TheTailOfAClosedShardIsReadAfterARestart(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]time.Duration{"that was begun before": 20 * time.Second, "that nobody had begun": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
				processors := func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }
				s.Put(0, "head")
				if before > 0 {
					if err := run(t, before, config(s, table, "first"), processors); err != nil {
						t.Error(err)
					}
				}
				s.Put(0, "tail", "end")
				s.Split(0)
				s.Put(2, "left")
				s.Put(3, "right")
				if err := run(t, time.Minute, config(s, table, "second"), processors); err != nil {
					t.Error(err)
				}
				checkOrder(t, s, j.words())
			})
		})
	}
}

// javaFleet has a Java worker hold the first leases of a stream, none of which
// was ever checkpointed, for as long as it lives.
func javaFleet(t *testing.T, s *kcltest.Stream, table *lease.Mem, at string, life time.Duration) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), life)
	var renewals sync.WaitGroup
	for i := range s.Len() {
		l := lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Owner: "java", Counter: 5, Checkpoint: checkpoint.Sentinel(at)}
		table.Put(l)
		renewals.Go(func() {
			var err error
			for err == nil {
				select {
				case <-ctx.Done():
					return
				case <-time.After(3 * time.Second):
					l, err = table.Renew(t.Context(), l)
				}
			}
		})
	}
	return func() { cancel(); renewals.Wait() }
}

// In Redpanda Connect the theft of a shard that was never checkpointed fails
// after the claim was written: nobody reads it for a while (peers' bug 42).
func TestPeer42AStolenShardWithoutACheckpointIsRead(t *testing.T) {
	t.Parallel()
	for _, at := range []string{checkpoint.TrimHorizon, checkpoint.Latest, checkpoint.AtTimestamp} {
		for owner, tt := range map[string]struct {
			life  time.Duration
			reads int // shards
		}{
			"a Java worker that lives": {time.Hour, 1},
			"one that died":            {time.Nanosecond, 2}, // which does not show at first
		} {
			t.Run(at+" of "+owner, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, table := kcltest.NewStream(2), new(lease.Mem)
					stopJava := javaFleet(t, s, table, at, tt.life)
					var mu sync.Mutex
					claimed, read := map[string]time.Time{}, map[string]time.Time{}
					table.Fault = func(_ context.Context, op, key string, applied bool) error {
						mu.Lock()
						defer mu.Unlock()
						if op == "take" && applied {
							if !claimed[key].IsZero() {
								t.Errorf("%s was claimed before, %v ago", key, time.Since(claimed[key]))
							}
							claimed[key] = time.Now()
						}
						return nil
					}
					stop := start(t, config(s, table, "me"), kcl.Handle(func(_ context.Context, shard kcl.ShardInfo, _ []kcl.Record) error {
						mu.Lock()
						defer mu.Unlock()
						if read[shard.ShardID].IsZero() {
							read[shard.ShardID] = time.Now()
						}
						return nil
					}))
					for range 60 {
						s.Put(0, "zero")
						s.Put(1, "one")
						time.Sleep(time.Second)
					}
					mu.Lock()
					for key, at := range claimed {
						// What is stolen may not be delivered before the failover time.
						if waited := read[key].Sub(at); waited < 0 || waited > 12*time.Second {
							t.Errorf("%s was read %v after its claim", key, waited)
						}
					}
					if len(read) != tt.reads {
						t.Errorf("%d shards are read, want %d", len(read), tt.reads)
					}
					mu.Unlock()
					stopJava()
					stop()
				})
			})
		}
	}
}

// blocker is a processor whose call ends with its context.
type blocker struct {
	kcl.Defaults

	ended func(cause error)
}

func (b *blocker) ProcessRecords(ctx context.Context, _ kcl.ProcessRecordsInput) error {
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Minute):
	}
	b.ended(context.Cause(ctx))
	return ctx.Err()
}

// The Java KCL tells of a lost lease between batches only (peers' bug 81). Here
// the running call's context ends.
func TestPeer81ALostLeaseEndsTheRunningCall(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		strike   func(t *testing.T, table *lease.Mem, down *atomic.Bool)
		from, to time.Duration // after the strike
	}{
		"it is taken": {func(t *testing.T, table *lease.Mem, _ *atomic.Bool) {
			t.Helper()
			if _, err := table.Take(t.Context(), row(t, table, 0), lease.Claim{Owner: "thief", Instance: "thief-1"}); err != nil {
				t.Error(err)
			}
		}, 0, 3 * time.Second},
		"its table is gone": {func(_ *testing.T, _ *lease.Mem, down *atomic.Bool) { down.Store(true) }, 6 * time.Second, 9 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, down := kcltest.NewStream(1), new(lease.Mem), new(atomic.Bool)
				s.Put(0, "a")
				table.Fault = func(context.Context, string, string, bool) error {
					if down.Load() {
						return errors.New("no answer")
					}
					return nil
				}
				ended := make(chan error, 1)
				stop := start(t, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
					return &blocker{ended: func(cause error) { ended <- cause }}
				})
				time.Sleep(40 * time.Second)
				tt.strike(t, table, down)
				struck := time.Now()
				if cause := <-ended; !errors.Is(cause, kcl.ErrLeaseLost) {
					t.Errorf("the call ended with %v", cause)
				}
				if took := time.Since(struck); took < tt.from || took > tt.to {
					t.Errorf("the call ended after %v, want %v to %v", took, tt.from, tt.to)
				}
				down.Store(false)
				s.Trim(0, 1) // so that no other call blocks
				stop()
			})
		})
	}
}
