package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// crew is the workers of one application, and what their processors were told.
type crew struct {
	t      *testing.T
	source kcl.Source
	table  lease.Table

	mu    sync.Mutex
	calls []crewCall
}

// crewCall is one call of a processor. what is init, lost, end, or the data of
// a record.
type crewCall struct {
	at                  time.Time
	worker, shard, what string
}

// crewProcessor checkpoints each batch.
type crewProcessor struct {
	kcl.Defaults

	c     *crew
	shard kcl.ShardInfo
}

func (p *crewProcessor) note(what string) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.c.calls = append(p.c.calls, crewCall{time.Now(), p.shard.WorkerID, p.shard.ShardID, what})
}

func (p *crewProcessor) Initialize(context.Context, kcl.InitializationInput) error {
	p.note("init")
	return nil
}

func (p *crewProcessor) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	for _, r := range in.Records {
		p.note(string(r.Data))
	}
	return in.Checkpointer.Checkpoint(ctx)
}

func (p *crewProcessor) LeaseLost(context.Context, kcl.LeaseLostInput) { p.note("lost") }

func (p *crewProcessor) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	p.note("end")
	return in.Checkpointer.Checkpoint(ctx)
}

func (p *crewProcessor) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

// join starts a worker; leave stops it and returns when it has stopped.
func (c *crew) join(id string) (leave func()) {
	c.t.Helper()
	w, err := kcl.New(config(c.source, c.table, id), func(s kcl.ShardInfo) kcl.RecordProcessor { return &crewProcessor{c: c, shard: s} })
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("Run of %s = %v", id, err)
		}
	}
}

// since returns the calls from a time on.
func (c *crew) since(from time.Time) []crewCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.calls, func(k crewCall) bool { return !k.at.Before(from) })
	if i < 0 {
		return nil
	}
	return slices.Clone(c.calls[i:])
}

// owners returns who holds each lease.
func (c *crew) owners() map[string]string {
	c.t.Helper()
	list, _, err := c.table.List(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	out := make(map[string]string, len(list))
	for _, l := range list {
		out[l.Key] = l.Owner
	}
	return out
}

// putSteadily puts a record into each of the first n shards every second,
// until stop is called.
func putSteadily(s *kcltest.Stream, n int) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-quit:
				return
			case <-time.After(time.Second):
			}
			for shard := range n {
				s.Put(shard, fmt.Sprintf("%d.%d", shard, i))
			}
		}
	}()
	return func() { close(quit); <-done }
}

// vmware-go-kcl took one lease per loop of a minute: a lone worker needed
// about 200 minutes for 200 shards.
func TestPeer6ALoneWorkerTakesAllLeasesAtOnce(t *testing.T) {
	t.Parallel()
	const shards = 200
	tests := []struct {
		name  string
		owner string
		limit time.Duration
	}{
		{"that nobody owns, within one scan", "", 1700 * time.Millisecond},
		{"of a worker that died, within two scans after they ran out", "dead", 10*time.Second + 2*1700*time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := kcltest.NewStream(shards)
				table := &lease.Mem{Fault: func(ctx context.Context, _, _ string, applied bool) error {
					if !applied {
						time.Sleep(20 * time.Millisecond) // the way to the table
					}
					return ctx.Err()
				}}
				for i := range shards {
					l := lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}
					if tt.owner != "" {
						l.Owner, l.Instance, l.FailoverTime = tt.owner, tt.owner+"-1", 10*time.Second
					}
					table.Put(l)
				}
				c := &crew{t: t, source: s, table: table}
				start := time.Now()
				leave := c.join("me")
				time.Sleep(tt.limit)
				n := len(c.since(start))
				leave()
				if n != shards {
					t.Errorf("%d of %d shards begun after %v", n, shards, tt.limit)
				}
			})
		})
	}
}

// kinsumer stopped all consumers on all clients whenever one client joined or
// left.
func TestPeer20AJoinStopsOnlyTheShardsThatMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kcltest.NewStream(12)
		c := &crew{t: t, source: s, table: new(lease.Mem)}
		defer putSteadily(s, 12)()
		leave := make(map[string]func())
		steps := []struct {
			name  string
			do    func()
			moves int
		}{
			{"a second worker joins", func() { leave["b"] = c.join("b") }, 6},
			{"a third joins", func() { leave["c"] = c.join("c") }, 4},
			{"it leaves", func() { leave["c"]() }, 4},
			{"the first leaves", func() { leave["a"]() }, 6},
		}
		leave["a"] = c.join("a")
		time.Sleep(time.Minute)
		for _, step := range steps {
			before, from := c.owners(), time.Now()
			step.do()
			time.Sleep(45 * time.Second)
			moves := 0
			var disturbed []string
			for shard, owner := range c.owners() {
				if owner != before[shard] {
					moves++
				} else {
					disturbed = append(disturbed, c.disturbances(shard, from)...)
				}
			}
			if moves != step.moves {
				t.Errorf("when %s, %d shards moved, want %d", step.name, moves, step.moves)
			}
			if len(disturbed) > 0 {
				t.Errorf("when %s, of shards that stayed: %q", step.name, disturbed)
			}
		}
		leave["b"]()
	})
}

// disturbances returns how often a shard's processor was begun anew, or got
// nothing for long, since from.
func (c *crew) disturbances(shard string, from time.Time) (out []string) {
	last := from
	for _, k := range c.since(from) {
		if k.shard != shard {
			continue
		}
		if gap := k.at.Sub(last); k.what == "init" || gap > 3*time.Second {
			out = append(out, fmt.Sprintf("%s of %s by %s at %v, %v after the call before", k.what, shard, k.worker, k.at.Sub(from), gap))
		}
		last = k.at
	}
	return out
}

// opens counts how often each shard is opened for reading.
type opens struct {
	*kcltest.Stream

	mu sync.Mutex
	n  map[string]int
}

func (o *opens) Open(shardID string, from checkpoint.Position) kcl.ShardReader {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n[shardID]++
	return o.Stream.Open(shardID, from)
}

// opened returns how often shards were opened for reading so far, of those that
// worker holds now.
func (o *opens) opened(owners map[string]string, worker string) map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[string]int)
	for shard, owner := range owners {
		if owner == worker {
			out[shard] = o.n[shard]
		}
	}
	return out
}

// gosoline restarted all shard readers at every change among the clients.
func TestPeer56AReaderOutlivesItsNeighbours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &opens{Stream: kcltest.NewStream(8), n: make(map[string]int)}
		c := &crew{t: t, source: s, table: new(lease.Mem)}
		defer putSteadily(s.Stream, 8)()
		leave := c.join("a")
		var leaveB func()
		time.Sleep(20 * time.Second)
		for _, step := range []struct {
			name string
			do   func()
		}{
			{"a neighbour comes", func() { leaveB = c.join("b") }},
			{"it goes", func() { leaveB() }},
		} {
			before := s.opened(c.owners(), "a")
			step.do()
			time.Sleep(30 * time.Second)
			stayed, again := 0, 0
			for shard, n := range s.opened(c.owners(), "a") {
				if before[shard] > 0 {
					stayed++
					again += n - before[shard]
				}
			}
			if stayed != 4 || again > 0 {
				t.Errorf("when %s, of %d shards that stayed %d were opened again", step.name, stayed, again)
			}
		}
		leave()
	})
}

// With the Java KCL other workers took on the shards of one that had shut down
// well only some 20 to 30 seconds later.
func TestPeer79AShutdownHandsOverWithinAScan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const shards, rounds = 10, 5
		s := kcltest.NewStream(shards)
		cfg := config(s, new(lease.Mem), "a")
		c := &crew{t: t, source: s, table: cfg.Leases}
		defer putSteadily(s, shards)()
		leaveB := c.join("b")
		var took []time.Duration
		for range rounds {
			leaveA := c.join("a")
			time.Sleep(40*time.Second + rand.N(10*time.Second))
			before, stopped := c.owners(), time.Now()
			leaveA()
			time.Sleep(20 * time.Second)
			n := 0
			for shard, owner := range before {
				if owner == "a" {
					n++
					took = append(took, c.resumed(shard, stopped))
				}
			}
			if n != shards/2 {
				t.Errorf("the worker that left had %d of %d shards", n, shards)
			}
		}
		leaveB()
		slices.Sort(took)
		t.Logf("%d shards went on elsewhere after %v (median), %v (longest); failover time %v, scan interval %v",
			len(took), took[len(took)/2], took[len(took)-1], cfg.FailoverTime, cfg.ScanInterval)
		if limit := cfg.ScanInterval + time.Second; took[len(took)-1] > limit {
			t.Errorf("a shard went on only after %v, want a scan and the wait for a record: %v", took[len(took)-1], limit)
		}
	})
}

// resumed returns how long after stopped another worker than a got a record of
// a shard.
func (c *crew) resumed(shard string, stopped time.Time) time.Duration {
	c.t.Helper()
	for _, k := range c.since(stopped) {
		if k.shard == shard && k.worker != "a" && k.what != "init" {
			return k.at.Sub(stopped)
		}
	}
	c.t.Errorf("%s never went on", shard)
	return time.Hour
}

// lagging lists the shards as they were some time ago.
type lagging struct {
	*kcltest.Stream

	lag time.Duration

	mu      sync.Mutex
	history []kcl.ShardList
}

// remember notes the listing of now, before it changes. At is until when it
// was right.
func (l *lagging) remember() {
	list, _ := l.Stream.ListShards(context.Background())
	list.At = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history = append(l.history, list)
}

func (l *lagging) ListShards(ctx context.Context) (kcl.ShardList, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	asOf := time.Now().Add(-l.lag)
	for _, old := range l.history {
		if old.At.After(asOf) {
			old.At = time.Now()
			return old, nil
		}
	}
	return l.Stream.ListShards(ctx)
}

// With the Java KCL shards were left unread after a reshard (5 of 435 in one
// report) until the workers were restarted.
func TestPeer80EveryNewShardIsReadWithoutARestart(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	tests := []struct {
		name  string
		lag   time.Duration
		fault func(rng *rand.Rand, op string, applied bool, sinceReshard time.Duration) error
	}{
		{"undisturbed", 0, nil},
		{"with a listing that is twenty seconds behind", 20 * time.Second, nil},
		{"with child leases that cannot be created at first", 0, func(_ *rand.Rand, op string, _ bool, since time.Duration) error {
			if op == "createChild" && since < 15*time.Second {
				return lease.ErrThrottled
			}
			return nil
		}},
		{"with a table that refuses child leases at first", 0, func(_ *rand.Rand, op string, _ bool, since time.Duration) error {
			if op == "createChild" && since < 5*time.Second {
				return lease.ErrInvalidState
			}
			return nil
		}},
		{"with writes that fail or lose their answers, and a listing that is behind", 12 * time.Second, func(rng *rand.Rand, _ string, _ bool, _ time.Duration) error {
			if rng.IntN(4) == 0 {
				return boom
			}
			return nil
		}},
	}
	for _, tt := range tests {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s, seed %d", tt.name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := &resharder{s: &lagging{Stream: kcltest.NewStream(4), lag: tt.lag}, rng: rand.New(rand.NewPCG(seed, 80)), open: []int{0, 1, 2, 3}}
					table := new(lease.Mem)
					if tt.fault != nil {
						table.Fault = func(_ context.Context, op, _ string, applied bool) error { return r.fault(tt.fault, op, applied) }
					}
					c := &crew{t: t, source: r.s, table: table}
					leaves := []func(){c.join("a"), c.join("b"), c.join("c")}
					time.Sleep(time.Minute)
					for range 12 {
						r.reshard()
						time.Sleep(20*time.Second + r.rand(20*time.Second))
					}
					time.Sleep(2 * time.Minute)
					for _, leave := range leaves {
						leave()
					}
					r.check(c)
				})
			})
		}
	}
}

// resharder changes a stream at random.
type resharder struct {
	s    *lagging
	open []int // the open shards, in the order of their hash keys

	mu   sync.Mutex
	rng  *rand.Rand
	born []time.Time // of the shards from the fifth on
}

func (r *resharder) rand(d time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.rng.Int64N(int64(d)))
}

func (r *resharder) fault(f func(*rand.Rand, string, bool, time.Duration) error, op string, applied bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := time.Hour
	if len(r.born) > 0 {
		since = time.Since(r.born[len(r.born)-1])
	}
	return f(r.rng, op, applied, since)
}

// reshard splits or merges at random, and puts one record into each new shard:
// its number.
func (r *resharder) reshard() {
	r.s.remember()
	i, before := int(r.rand(time.Duration(len(r.open)))), r.s.Len()
	if len(r.open) > 2 && i+1 < len(r.open) && r.rand(2) == 0 {
		r.s.Merge(r.open[i], r.open[i+1])
		r.open = slices.Replace(r.open, i, i+2, before)
	} else {
		r.s.Split(r.open[i])
		r.open = slices.Replace(r.open, i, i+1, before, before+1)
	}
	for shard := before; shard < r.s.Len(); shard++ {
		r.s.Put(shard, fmt.Sprintf("shard-%d", shard))
		r.mu.Lock()
		r.born = append(r.born, time.Now())
		r.mu.Unlock()
	}
}

// check checks that each new shard was read in time.
func (r *resharder) check(c *crew) {
	c.t.Helper()
	read := make(map[string]time.Time)
	for _, k := range c.calls {
		if _, ok := read[k.what]; !ok {
			read[k.what] = k.at
		}
	}
	limit, longest := 2*config(nil, nil, "").ShardSyncInterval, time.Duration(0)
	for i, born := range r.born {
		at, ok := read[fmt.Sprintf("shard-%d", i+4)]
		if !ok {
			c.t.Errorf("shard %d was never read", i+4)
			continue
		}
		longest = max(longest, at.Sub(born))
	}
	if longest > limit {
		c.t.Errorf("a new shard was read only after %v, want two shard syncs: %v", longest, limit)
	}
	c.t.Logf("%d new shards read, the last one after %v", len(r.born), longest)
}
