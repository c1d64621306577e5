package kcl_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// expired is a stream of which one shard cannot be read any more.
type expired struct {
	*outage

	gone string
}

func (e expired) Open(shardID string, from checkpoint.Position) kcl.ShardReader {
	if shardID == e.gone {
		return missing{e.outage}
	}
	return e.outage.Open(shardID, from)
}

type missing struct{ o *outage }

func (m missing) Next(ctx context.Context, _ kcl.Room) (kcl.Page, error) {
	return kcl.Page{}, errors.Join(kcl.ErrShardNotFound, m.o.meet(ctx, "read"))
}

func (missing) Close() {}

// No call of a stream or a table can wait for ever: not at the start, not of a
// sync, not of a shard.
func TestEveryCallHasALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(4)
		o.Split(1) // 4 and 5, of a parent that is gone
		o.Merge(4, 5)
		o.Mem.Put(lease.Lease{Key: o.Shard(1).ID, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		o.Mem.Put(lease.Lease{Key: o.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.Latest)})   // its instant must be asked for
		o.Mem.Put(lease.Lease{Key: o.Shard(2).ID, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd)}) // is in doubt, and read again
		for _, when := range []string{"at the start", "while running"} {
			clear(o.made)
			_, stop := running(t, config(expired{o, o.Shard(1).ID}, o, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
				return &replaying{recorder: recorder{j: new(journal)}, last: checkpoint.ExtendedSequenceNumber{SequenceNumber: "999999"}, got: new(string)}
			})
			if when != "at the start" {
				time.Sleep(30 * time.Second)
				o.set(func() { clear(o.made) })
				o.Split(3)
			}
			time.Sleep(time.Hour)
			if err := stop(); err != nil {
				t.Error(err)
			}
			for call, forEver := range o.made {
				if forEver {
					t.Errorf("%s: %s may wait for ever", when, call)
				}
			}
			if want := []string{"read", "shards", "list", "get", "ensure", "create", "createChild", "annotate", "delete"}; when == "at the start" {
				for _, call := range want {
					if _, ok := o.made[call]; !ok {
						t.Errorf("%s was not called", call)
					}
				}
			}
		}
	})
}

// AccessTimeout is the configuration's, and so is the time before access is told.
func TestTroubleLastsAsLongAsConfigured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(1)
		core, logs := observer.New(zapcore.ErrorLevel)
		cfg := config(o, o, "me")
		cfg.Logger, cfg.AccessTimeout, cfg.FailoverTime = zap.New(core), 5*time.Minute, 90*time.Second
		w, stop := running(t, cfg, recording(new(journal)))
		time.Sleep(time.Minute)
		o.set(func() { o.fails["read"] = denied("GetRecords") })
		told := func() int { return logs.FilterMessage("worker is in trouble").Len() }
		time.Sleep(85 * time.Second)
		if told() > 0 {
			t.Error("told before a failover time")
		}
		time.Sleep(45 * time.Second)
		if told() == 0 {
			t.Error("not told after a failover time")
		}
		time.Sleep(160 * time.Second)
		if got := w.Snapshot().Shards; len(got) != 1 {
			t.Errorf("before AccessTimeout: shards %+v", got)
		}
		time.Sleep(80 * time.Second) // a refusal that comes after it counts, and tries are up to 45 s apart
		if got := w.Snapshot().Shards; len(got) != 0 {
			t.Errorf("after AccessTimeout: shards %+v", got)
		}
		if err := stop(); !errors.Is(err, kcl.ErrAccessDenied) {
			t.Errorf("Run = %v", err)
		}
	})
}

// Refused credentials are no fault of the shard's: its processor goes on.
func TestRefusalsAreNoAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), &noting{Mem: new(lease.Mem)}, newJournals()
		_, stop := running(t, config(s, table, "me"), func(i kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j.shard(i.ShardID)} })
		time.Sleep(10 * time.Second)
		table.refuse(denied("TransactWriteItems"))
		s.Split(0)
		s.Put(1, "a")
		time.Sleep(5 * time.Minute)
		table.refuse(nil)
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := j.shard(s.Shard(0).ID).String(); strings.Count(got, "init") != 1 || !strings.HasSuffix(got, "end#1") {
			t.Errorf("calls of the parent: %s", got)
		}
		if got := j.shard(s.Shard(1).ID).words(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("processed %q", got)
		}
	})
}

// noting is a table that notes why leases are released, and refuses to create
// children in a way that no write of a lease repeats.
type noting struct {
	*lease.Mem

	mu       sync.Mutex
	refusal  error
	released []string // each as its key and why
}

func (r *noting) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusal = err
}

func (r *noting) CreateChild(ctx context.Context, parent, child lease.Lease) error {
	r.mu.Lock()
	err := r.refusal
	r.mu.Unlock()
	if err != nil {
		return errors.Join(err, lease.ErrInvalidState)
	}
	return r.Mem.CreateChild(ctx, parent, child)
}

func (r *noting) Release(ctx context.Context, held lease.Lease, why lease.ReleaseReason) (lease.Lease, error) {
	r.mu.Lock()
	r.released = append(r.released, held.Key[len(held.Key)-1:]+string(why))
	r.mu.Unlock()
	return r.Mem.Release(ctx, held, why)
}

// Whoever takes a lease next is told why it was given back.
func TestReleasesSayWhy(t *testing.T) {
	t.Parallel()
	gives := func(call string) kcl.ProcessorFactory {
		return func(kcl.ShardInfo) kcl.RecordProcessor {
			return &recorder{j: new(journal), fail: func(c string, _ int) error {
				if c == call {
					return kcl.GiveUp(errors.New("boom"))
				}
				return nil
			}}
		}
	}
	for _, tt := range []struct {
		name string
		f    kcl.ProcessorFactory
		set  func(*kcltest.Stream, *lease.Mem) kcl.Source // what is there before
		want string
	}{
		{"the worker stops", gives(""), nil, "0"},
		{"the shard ends", gives(""), func(s *kcltest.Stream, m *lease.Mem) kcl.Source {
			s.Split(0)
			for _, child := range []int{1, 2} { // that others have
				m.Put(lease.Lease{Key: s.Shard(child).ID, Parents: []string{s.Shard(0).ID}, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon), Counter: math.MaxInt64})
			}
			m.Put(lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
			return s
		}, "0"},
		{"the processor gives up", gives("a"), nil, "0given-up"},
		{"the checkpoint is refuted", gives(""), func(s *kcltest.Stream, m *lease.Mem) kcl.Source {
			s.Put(0, "b", "c")
			m.Put(lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.At(s.Records(0)[1].SequenceNumber, 0, time.Time{})})
			return &foreignSource{Stream: s, refusals: 1000}
		}, "0given-up"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table := kcltest.NewStream(1), &noting{Mem: new(lease.Mem)}
				s.Put(0, "a")
				source := kcl.Source(s)
				if tt.set != nil {
					source = tt.set(s, table.Mem)
				}
				if err := run(t, 8*time.Second, config(source, table, "me"), tt.f); err != nil {
					t.Error(err)
				}
				if got := table.whys(); len(got) == 0 || got[0] != tt.want {
					t.Errorf("released %q, want %q first", got, tt.want)
				}
			})
		})
	}
}

// A lease that another worker is to have is released as surplus.
func TestSurplusIsReleasedAsSuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(6), &noting{Mem: new(lease.Mem)}
		_, stop := running(t, config(s, table, "me"), recording(new(journal)))
		time.Sleep(time.Minute)
		_, stopOther := running(t, config(s, table, "other"), recording(new(journal)))
		time.Sleep(time.Minute)
		got := table.whys()
		if len(got) == 0 || slices.ContainsFunc(got, func(why string) bool { return why[1:] != "surplus" }) {
			t.Errorf("released %q, want some, all as surplus", got)
		}
		for _, f := range []func() error{stop, stopOther} {
			if err := f(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A lease whose parent has not ended is released as blocked.
func TestABlockedShardIsReleasedAsSuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), &noting{Mem: new(lease.Mem)}
		s.Split(0)
		table.Put(lease.Lease{Key: s.Shard(0).ID, Owner: "other", Counter: math.MaxInt64, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		table.Put(lease.Lease{Key: s.Shard(1).ID, Parents: []string{s.Shard(0).ID}, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		cfg := config(s, hides{table, s.Shard(0).ID}, "me")
		if err := run(t, 5*time.Second, cfg, recording(new(journal))); err != nil {
			t.Error(err)
		}
		if got := table.whys(); len(got) == 0 || got[0][1:] != "blocked" {
			t.Errorf("released %q, want the first as blocked", got)
		}
	})
}

// hides is a table whose List does not show one row.
type hides struct {
	*noting

	hidden string
}

func (h hides) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list, unreadable, err := h.noting.List(ctx)
	return slices.DeleteFunc(list, func(l lease.Lease) bool { return l.Key == h.hidden }), unreadable, err
}

func (r *noting) whys() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.released)
}

// A worker that may not use its stream or its table does not begin, and says so
// at once.
func TestRunDoesNotBegin(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]error{
		"shards": kcl.ErrStreamNotFound, "ensure": lease.ErrTableNotFound, "list": kcl.ErrAccessDenied, "create": kcl.ErrAccessDenied,
	} {
		synctest.Test(t, func(t *testing.T) {
			o, start := newOutage(1), time.Now()
			o.fails[call] = want
			err := run(t, time.Hour, config(o, o, "me"), recording(new(journal)))
			if took := time.Since(start); !errors.Is(err, want) || took > 10*time.Second {
				t.Errorf("%s: Run = %v after %v", call, err, took)
			}
		})
	}
}
