package sim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

const (
	failover = 10 * time.Second
	workers  = 3
	trouble  = 20 * time.Minute // then the faults end
	calm     = 10 * time.Minute // and in so long all must be done
)

var (
	errNet  = errors.New("connection reset")
	errDead = errors.New("the machine is gone")
)

// world is everything that the workers of one seed share.
type world struct {
	t      *testing.T
	seed   uint64
	begun  time.Time
	stream *kcltest.Stream
	table  *lease.Mem

	mu       sync.Mutex                              // guards what follows
	calls    map[string]map[*machine]context.Context // running calls, by shard
	accepted map[string]map[string]bool              // records that a processor took, by shard
	at       map[string]checkpoint.Position          // the checkpoint of each shard
	objects  map[string]object
	early    map[string]time.Time // stolen leases that were given up too early to be released
	log      []string
	counts   map[string]int

	// done tells which records of a shard are done; mu is held.
	done func(shard string) map[string]bool
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{
		t: t, seed: seed, begun: time.Now(), stream: kcltest.NewStream(3), table: new(lease.Mem),
		calls: map[string]map[*machine]context.Context{}, accepted: map[string]map[string]bool{},
		at: map[string]checkpoint.Position{}, objects: map[string]object{}, early: map[string]time.Time{}, counts: map[string]int{},
	}
	w.done = func(shard string) map[string]bool { return w.accepted[shard] }
	w.stream.Page = 20
	w.stream.Fail = func(ctx context.Context, _ string) error { return machineOf(ctx).hop(ctx, "read") }
	w.table.Fault = w.onTable
	return w
}

// violate reports a broken promise with the world's last events.
func (w *world) violate(format string, a ...any) {
	w.t.Helper()
	w.t.Errorf("seed %d, after %v: %s\n%s", w.seed, time.Since(w.begun).Round(time.Millisecond), fmt.Sprintf(format, a...), w.timeline())
}

// note appends to the timeline.
func (w *world) note(format string, a ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf("%10v  ", time.Since(w.begun).Round(time.Millisecond))+fmt.Sprintf(format, a...))
}

// timeline returns the latest events, for a person to read.
func (w *world) timeline() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.log[max(0, len(w.log)-60):], "\n")
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

func (w *world) calmed() bool { return time.Since(w.begun) > trouble }

// machine is the computer that one worker runs on. Each draws from a generator
// of its own, so that no draw depends on how goroutines are scheduled.
type machine struct {
	w    *world
	name string

	mu      sync.Mutex // guards rng, stalled and dead
	rng     *rand.Rand
	stalled time.Time // until then nothing of it moves
	dead    bool
}

type machineKey struct{}

func machineOf(ctx context.Context) *machine {
	m, _ := ctx.Value(machineKey{}).(*machine)
	return m
}

// draw returns a number below n.
func (m *machine) draw(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rng.IntN(n)
}

func (m *machine) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// wait passes the time that the machine is stalled, whatever ctx says: a
// stopped process does not hear it.
func (m *machine) wait() {
	m.mu.Lock()
	until := m.stalled
	m.mu.Unlock()
	time.Sleep(time.Until(until))
}

// hop is one way over the network.
func (m *machine) hop(ctx context.Context, what string) error {
	m.wait()
	if m.isDead() {
		return errDead
	}
	if m.w.calmed() {
		return nil
	}
	if m.draw(20) == 0 {
		m.w.count("slow " + what)
		if err := pause(ctx, time.Duration(m.draw(int(3*failover/2)))); err != nil {
			return err
		}
		m.wait()
	}
	if m.draw(30) == 0 {
		m.w.count("failed " + what)
		return errNet
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// onTable is the network between a machine and the table, and the judge of what
// is written there.
func (w *world) onTable(ctx context.Context, op, key string, applied bool) error {
	m := machineOf(ctx)
	if m == nil {
		return nil // the judge itself
	}
	if applied {
		w.check(op, key)
	}
	if err := m.hop(ctx, op); err != nil {
		return err
	}
	if !applied && !w.calmed() && m.draw(40) == 0 {
		w.count("throttled " + op)
		return lease.ErrThrottled
	}
	return nil
}

// check looks at a row that was just written.
func (w *world) check(op, key string) {
	l, err := w.table.Get(context.Background(), key)
	if err != nil {
		return // deleted meanwhile
	}
	w.mu.Lock()
	old, known := w.at[key]
	w.at[key] = l.Checkpoint
	w.counts[op]++
	w.mu.Unlock()
	if known && l.Checkpoint.Compare(old.ExtendedSequenceNumber) < 0 {
		w.violate("the checkpoint of %s went back from %v to %v", key, old, l.Checkpoint)
	}
	if op == "checkpoint" && l.Finished() && !old.IsShardEnd() {
		w.note("%s finished", key)
		if n := w.unaccepted(key); n > 0 {
			w.violate("%s is at SHARD_END and %d of its records were not accepted", key, n)
		}
	}
}

// unaccepted counts the records of a shard that are not done.
func (w *world) unaccepted(key string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := w.done(key)
	for _, r := range w.stream.Records(shardNumber(key)) {
		if !done[string(r.Data)] {
			n++
		}
	}
	return n
}

// short is a shard's number.
func short(key string) string { return strconv.Itoa(shardNumber(key)) }

func shardNumber(key string) int {
	n, err := strconv.Atoi(strings.TrimLeft(strings.TrimPrefix(key, "shardId-"), "0") + "")
	if err != nil {
		return 0
	}
	return n
}

// produce puts records until the trouble ends, and reshards now and then.
func (w *world) produce() {
	rng := rand.New(rand.NewPCG(w.seed, 1))
	for n := 0; !w.calmed(); n++ {
		time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
		open := w.open()
		shard := open[rng.IntN(len(open))]
		for i := range 1 + rng.IntN(5) {
			w.stream.Put(shard, fmt.Sprintf("%d.%d.%d|", shard, n, i))
		}
		if rng.IntN(80) != 0 {
			continue
		}
		if a, b, ok := w.neighbours(open); ok && len(open) > 4 {
			w.note("shards %d and %d are merged", a, b)
			w.stream.Merge(a, b)
		} else {
			w.note("shard %d is split", shard)
			w.stream.Split(shard)
		}
	}
}

func (w *world) open() []int {
	var out []int
	for i := range w.stream.Len() {
		if w.stream.Shard(i).EndingSequenceNumber == "" {
			out = append(out, i)
		}
	}
	return out
}

// neighbours returns two open shards of which one's hash keys follow the
// other's.
func (w *world) neighbours(open []int) (a, b int, ok bool) {
	for _, a := range open {
		for _, b := range open {
			if follows(w.stream.Shard(a).Range.End, w.stream.Shard(b).Range.Start) {
				return a, b, true
			}
		}
	}
	return 0, 0, false
}

// live runs one machine after the other in a slot until the world ends: each
// works for a while, stalls now and then, and ends by a shutdown or a crash.
func (w *world) live(ctx context.Context, slot int, factory func(*machine) kcl.ProcessorFactory, tick time.Duration) {
	rng := rand.New(rand.NewPCG(w.seed, uint64(100+slot)))
	for life := 0; ctx.Err() == nil; life++ {
		id := fmt.Sprintf("worker-%d", slot)
		if rng.IntN(3) > 0 { // else the ID of the one before
			id += fmt.Sprintf(".%d", life)
		}
		m := &machine{w: w, name: id, rng: rand.New(rand.NewPCG(w.seed, uint64(1000*slot+life)))}
		span := time.Duration(rng.IntN(int(10 * time.Minute)))
		if w.calmed() || time.Since(w.begun)+span > trouble {
			span = time.Hour
		}
		crash := rng.IntN(2) == 0
		w.run(ctx, m, span, crash, factory(m), tick)
	}
}

func (w *world) run(ctx context.Context, m *machine, span time.Duration, crash bool, f kcl.ProcessorFactory, tick time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, machineKey{}, m), span)
	defer cancel()
	worker, err := kcl.New(kcl.Config{
		ApplicationName: "app", StreamName: "s", Source: w.stream, Leases: w.table, WorkerID: m.name,
		FailoverTime: failover, ScanInterval: failover / 3, ShardSyncInterval: 40 * time.Second,
		ShutdownTimeout: 2 * failover, MaxAttempts: 6, TickInterval: tick,
		Hooks: kcl.Hooks{
			LeaseTaken: func(e kcl.LeaseEvent) {
				w.note("%s takes %s, counter %d, stolen %v", m.name, short(e.Lease.Key), e.Lease.Counter, e.Stolen)
			},
			LeaseLost: func(e kcl.LeaseEvent) {
				if strings.Contains(e.Reason, "runs out") {
					w.mu.Lock()
					w.early[e.Lease.Key] = time.Now()
					w.mu.Unlock()
				}
				w.note("%s loses %s, counter %d: %s", m.name, short(e.Lease.Key), e.Lease.Counter, e.Reason)
			},
			LeaseReleased: func(e kcl.LeaseEvent) {
				w.note("%s releases %s, counter %d", m.name, short(e.Lease.Key), e.Lease.Counter)
			},
		},
	}, f)
	if err != nil {
		w.t.Error(err)
		return
	}
	w.note("%s starts", m.name)
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { m.stall(over) })
	if crash {
		timer := time.AfterFunc(max(0, span-time.Second), func() {
			if w.calmed() {
				return
			}
			m.mu.Lock()
			m.dead = true
			m.mu.Unlock()
			w.count("crashes")
			w.note("%s crashes", m.name)
			cancel()
		})
		defer timer.Stop()
	}
	err = worker.Run(ctx)
	close(over)
	wg.Wait()
	w.note("%s ends: %v", m.name, err)
}

// stall stops the machine now and then, as SIGSTOP or a virtual machine's host
// would.
func (m *machine) stall(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(m.draw(int(4 * time.Minute)))):
		}
		if m.w.calmed() {
			return
		}
		d := time.Duration(m.draw(int(3 * failover)))
		m.w.count("stalls")
		m.w.note("%s stalls for %v", m.name, d)
		m.mu.Lock()
		m.stalled = time.Now().Add(d)
		m.mu.Unlock()
	}
}
