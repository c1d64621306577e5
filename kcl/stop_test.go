package kcl_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// brokenSource is a stream whose shards may not be listed: list, if set, is
// asked first.
type brokenSource struct {
	*kcltest.Stream

	list func(context.Context) error
}

func (s *brokenSource) ListShards(ctx context.Context) (kcl.ShardList, error) {
	if s.list != nil {
		if err := s.list(ctx); err != nil {
			return kcl.ShardList{}, err
		}
	}
	return s.Stream.ListShards(ctx)
}

// brokenTable is a table that may not be readable: what is set is asked first.
type brokenTable struct {
	lease.Mem

	ensure, list func(context.Context) error
	get          func(context.Context) error
	hidden       string // a row that List does not show
}

func (b *brokenTable) Ensure(ctx context.Context) error {
	if b.ensure != nil {
		return b.ensure(ctx)
	}
	return nil
}

func (b *brokenTable) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	if b.list != nil {
		if err := b.list(ctx); err != nil {
			return nil, nil, err
		}
	}
	list, unreadable, err := b.Mem.List(ctx)
	return slices.DeleteFunc(list, func(l lease.Lease) bool { return l.Key == b.hidden }), unreadable, err
}

func (b *brokenTable) Get(ctx context.Context, key string) (lease.Lease, error) {
	if b.get != nil {
		if err := b.get(ctx); err != nil {
			return lease.Lease{}, err
		}
	}
	return b.Mem.Get(ctx, key)
}

// obstructed is one worker with something in its way.
type obstructed struct {
	s     *brokenSource
	table *brokenTable
	cfg   kcl.Config
	j     *journal
	w     *kcl.Worker
	p     func() kcl.RecordProcessor
	met   atomic.Int64 // how often what is in the way was met
}

var errObstacle = errors.New("in the way")

func newObstructed(shards int) *obstructed {
	o := &obstructed{s: &brokenSource{Stream: kcltest.NewStream(shards)}, table: new(brokenTable), j: new(journal)}
	o.cfg = config(o.s, o.table, "me")
	o.cfg.MaxAttempts = 1000
	o.p = func() kcl.RecordProcessor { return &recorder{j: o.j} }
	return o
}

func (o *obstructed) fails(context.Context) error {
	o.met.Add(1)
	return errObstacle
}

func (o *obstructed) hangs(ctx context.Context) error {
	o.met.Add(1)
	<-ctx.Done()
	return context.Cause(ctx)
}

// failing makes the processor fail in a call.
func (o *obstructed) failing(call string) {
	o.p = func() kcl.RecordProcessor {
		return &recorder{j: o.j, fail: func(c string, _ int) error {
			if c == call {
				return o.fails(context.Background())
			}
			return nil
		}}
	}
}

// refuse makes a kind of write of the table fail.
func (o *obstructed) refuse(op string, err error) {
	o.table.Fault = func(_ context.Context, o2, _ string, applied bool) error {
		if (op == "" || o2 == op) && !applied {
			o.met.Add(1)
			return err
		}
		return nil
	}
}

// split closes the first shard, whose lease is another worker's.
func (o *obstructed) split() {
	o.s.Split(0)
	parent := o.s.Shard(0)
	o.table.Put(lease.Lease{Key: parent.ID, Range: parent.Range, Owner: "other", Counter: 7, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
	for i := 1; i <= 2; i++ {
		child := o.s.Shard(i)
		o.table.Put(lease.Lease{Key: child.ID, Range: child.Range, Parents: []string{parent.ID}, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
	}
}

func metOften(n int64) func(*obstructed) bool {
	return func(o *obstructed) bool { return o.met.Load() >= n }
}

// holds reports whether leases of shards in these states are held.
func holds(states ...kcl.ShardState) func(*obstructed) bool {
	return func(o *obstructed) bool {
		var got []kcl.ShardState
		for _, s := range o.w.Snapshot().Shards {
			got = append(got, s.State)
		}
		return slices.Equal(got, states)
	}
}

// hoarder is a processor that keeps all in memory and lets go of nothing.
type hoarder struct {
	recorder

	held int64
}

func (h *hoarder) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	if len(in.Records) > 0 {
		h.held += 1 << 20
		in.Hold(h.held)
	}
	h.j.note("%d", len(in.Records))
	return nil
}

// deaf is a processor that heeds its context and nothing else.
type deaf struct{ recorder }

func (d *deaf) ProcessRecords(ctx context.Context, _ kcl.ProcessRecordsInput) error {
	d.j.note("called")
	<-ctx.Done()
	return context.Cause(ctx)
}

// obstacles are all the states that a worker may wait in. reached is asked
// right before the stop.
func obstacles() []obstacle {
	return []obstacle{
		{name: "the stream cannot be listed", set: func(o *obstructed) { o.s.list = o.fails }, reached: metOften(3)},
		{name: "the listing hangs", set: func(o *obstructed) { o.s.list = o.hangs }, reached: metOften(1)},
		{name: "the table cannot be made ready", set: func(o *obstructed) { o.table.ensure = o.fails }, reached: metOften(3)},
		{name: "making the table ready hangs", set: func(o *obstructed) { o.table.ensure = o.hangs }, reached: metOften(1)},
		{name: "the table cannot be read", set: func(o *obstructed) { o.table.list = o.fails }, reached: metOften(3)},
		{name: "leases cannot be created", set: func(o *obstructed) { o.refuse("create", lease.ErrThrottled) }, reached: metOften(3)},
		{name: "taking a lease is throttled", set: func(o *obstructed) { o.refuse("take", lease.ErrThrottled) }, reached: metOften(3)},
		{name: "taking a lease hangs", set: func(o *obstructed) {
			o.table.Fault = func(ctx context.Context, op, _ string, _ bool) error {
				if op == "take" {
					return o.hangs(ctx)
				}
				return nil
			}
		}, reached: metOften(1)},
		{name: "the parent is another worker's", set: (*obstructed).split, reached: holds()},
		{name: "the parent's lease cannot be read", set: func(o *obstructed) {
			o.split()
			o.table.hidden = o.s.Shard(0).ID
			o.table.get = o.fails
		}, reached: func(o *obstructed) bool { return o.met.Load() >= 4 && holds(kcl.ShardWaiting, kcl.ShardWaiting)(o) }},
		{name: "a lease was stolen and its former holder may not know", set: func(o *obstructed) {
			for i := range 2 {
				o.table.Put(lease.Lease{Key: o.s.Shard(i).ID, Range: o.s.Shard(i).Range, Owner: "other", Counter: 7, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
			}
		}, shards: 2, reached: holds(kcl.ShardWaiting)},
		{name: "the processor cannot begin", set: func(o *obstructed) { o.failing("init") }, reached: metOften(3)},
		{name: "the records cannot be processed", set: func(o *obstructed) { o.failing("b") }, reached: metOften(3)},
		{name: "every processor panics", set: func(o *obstructed) {
			o.p = func() kcl.RecordProcessor {
				return &recorder{j: o.j, fail: func(string, int) error { panic(o.fails(context.Background())) }}
			}
		}, reached: metOften(3)},
		{name: "the shard was given up", set: func(o *obstructed) { o.failing("b"); o.cfg.MaxAttempts = 1 }, reached: holds()},
		{name: "the shard cannot be read", set: func(o *obstructed) { o.s.Fail = func(ctx context.Context, _ string) error { return o.fails(ctx) } }, reached: metOften(3)},
		{name: "the read hangs", set: func(o *obstructed) { o.s.Fail = func(ctx context.Context, _ string) error { return o.hangs(ctx) } }, reached: metOften(1)},
		{name: "there is nothing to read", set: func(*obstructed) {}, reached: holds(kcl.ShardProcessing)},
		{name: "the memory is used up", set: func(o *obstructed) {
			o.cfg.MaxBytes = 1
			o.p = func() kcl.RecordProcessor { return &hoarder{recorder: recorder{j: o.j}} }
		}, reached: func(o *obstructed) bool {
			return strings.HasPrefix(o.j.String(), "init 1 0") && holds(kcl.ShardProcessing)(o)
		}},
		{name: "the shard cannot be ended", set: func(o *obstructed) { o.s.Split(0); o.failing("end") }, reached: metOften(3)},
		{name: "the children's leases are refused", set: func(o *obstructed) { o.s.Split(0); o.refuse("createChild", lease.ErrInvalidState) }, reached: metOften(3)},
		{name: "the other parent has no lease", shards: 2, set: func(o *obstructed) {
			o.s.Split(1)    // 2 and 3
			o.s.Merge(0, 2) // 4
			for i, owner := range []string{"", "other"} {
				o.table.Put(lease.Lease{Key: o.s.Shard(i).ID, Range: o.s.Shard(i).Range, Owner: owner, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
			}
		}, reached: holds(kcl.ShardEnding)},

		// What follows has a limit of its own: until then it might succeed.
		{name: "the children's leases are throttled", set: func(o *obstructed) { o.s.Split(0); o.refuse("createChild", lease.ErrThrottled) }, reached: metOften(3), limit: 10 * time.Second},
		{name: "the table refuses every write from 5 s on", set: func(o *obstructed) {
			start := time.Now()
			o.refuse("", lease.ErrThrottled)
			refuse := o.table.Fault
			o.table.Fault = func(ctx context.Context, op, key string, applied bool) error {
				if time.Since(start) < 5*time.Second {
					return nil
				}
				return refuse(ctx, op, key, applied)
			}
		}, reached: metOften(3), limit: 10 * time.Second},
		{name: "the processor does not return", set: func(o *obstructed) {
			o.p = func() kcl.RecordProcessor { return &deaf{recorder{j: o.j}} }
		}, reached: holds(kcl.ShardProcessing), limit: 30 * time.Second, err: kcl.ErrShutdownTimeout},
	}
}

// obstacle is something that a worker may wait for.
type obstacle struct {
	name    string
	shards  int // default 1
	set     func(*obstructed)
	reached func(*obstructed) bool
	limit   time.Duration // for Run to return; 0 is at once
	err     error         // of Run
}

// run runs the worker, stops it after a while and returns how long Run took to
// return.
func (o *obstructed) run(t *testing.T, b obstacle) time.Duration {
	t.Helper()
	var err error
	if o.w, err = kcl.New(o.cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return o.p() }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.w.Run(ctx) }()
	time.Sleep(8300 * time.Millisecond)
	synctest.Wait()
	if !b.reached(o) {
		t.Errorf("not reached: met %d times, holds %+v, calls %s", o.met.Load(), o.w.Snapshot().Shards, o.j)
	}
	start := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, b.err) {
		t.Errorf("Run = %v, want %v", err, b.err)
	}
	return time.Since(start)
}

// vmware-go-kcl sleeps and waits for parents without heeding a stop, and hangs
// in Shutdown.
func TestPeer16AStopIsHeededInEveryState(t *testing.T) {
	t.Parallel()
	for _, b := range obstacles() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newObstructed(max(1, b.shards))
				o.s.Put(0, "a", "b", "c", "d")
				b.set(o)
				if took := o.run(t, b); took > b.limit {
					t.Errorf("Run returned %v after the stop, want at most %v", took, b.limit)
				}
			})
		})
	}
}
