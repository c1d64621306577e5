package sim_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// fleet is some workers without trouble, so that what becomes of released leases
// can be timed. Each has a wire of its own to the table and the stream, which can
// be cut: then it is dead for the others.
type fleet struct {
	t      *testing.T
	seed   uint64
	stream *kcltest.Stream
	table  *lease.Mem
	wg     sync.WaitGroup

	mu        sync.Mutex
	delivered map[string]time.Time // by record
	taken     []taking
	visits    []taking // of the poisonous shard
}

type taking struct {
	shard, worker string
	at            time.Time
}

const (
	fleetFailover = 10 * time.Second
	fleetScan     = 1700 * time.Millisecond
)

func newFleet(t *testing.T, seed uint64, shards int) *fleet {
	t.Helper()
	return &fleet{t: t, seed: seed, stream: kcltest.NewStream(shards), table: new(lease.Mem), delivered: map[string]time.Time{}}
}

// wire is what one worker sees of table and stream.
type wire struct {
	lease.Table
	kcl.Source

	cut chan struct{} // closed when it is
}

func (w *wire) ok(ctx context.Context) error {
	select {
	case <-w.cut:
		<-ctx.Done()
		return context.Cause(ctx)
	default:
		return nil
	}
}

func (w *wire) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	if err := w.ok(ctx); err != nil {
		return nil, nil, err
	}
	return w.Table.List(ctx)
}

func (w *wire) Take(ctx context.Context, seen lease.Lease, by lease.Claim) (lease.Lease, error) {
	if err := w.ok(ctx); err != nil {
		return lease.Lease{}, err
	}
	return w.Table.Take(ctx, seen, by)
}

func (w *wire) Renew(ctx context.Context, held lease.Lease) (lease.Lease, error) {
	if err := w.ok(ctx); err != nil {
		return lease.Lease{}, err
	}
	return w.Table.Renew(ctx, held)
}

func (w *wire) Release(ctx context.Context, held lease.Lease, why lease.ReleaseReason) (lease.Lease, error) {
	if err := w.ok(ctx); err != nil {
		return lease.Lease{}, err
	}
	return w.Table.Release(ctx, held, why)
}

// start starts a worker. stop asks it to end, kill cuts its wire.
func (f *fleet) start(name string, poison string) (stop, kill func()) {
	f.t.Helper()
	w := &wire{Table: f.table, Source: f.stream, cut: make(chan struct{})}
	worker, err := kcl.New(kcl.Config{
		ApplicationName: "app", StreamName: "s", WorkerID: name, Source: w, Leases: w,
		FailoverTime: fleetFailover, ScanInterval: fleetScan,
		Hooks: kcl.Hooks{LeaseTaken: func(e kcl.LeaseEvent) { f.note(&f.taken, e.Lease.Key, name) }},
	}, func(s kcl.ShardInfo) kcl.RecordProcessor {
		return kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, recs []kcl.Record) error {
			select {
			case <-w.cut:
				return errors.New("dead")
			default:
			}
			if s.ShardID == poison {
				f.note(&f.visits, s.ShardID, name)
				return kcl.GiveUp(errors.New("poison"))
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, r := range recs {
				f.delivered[string(r.Data)] = time.Now()
			}
			return nil
		})(s)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	d := dice(f.seed)
	ctx, cancel := context.WithCancel(pause.WithChance(f.t.Context(), func(what string) float64 { return d.throw(name+what, time.Now().UnixNano()) }))
	f.wg.Go(func() { _ = worker.Run(ctx) }) // a dead one may not end well
	return cancel, func() { close(w.cut) }
}

func (f *fleet) note(list *[]taking, shard, worker string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*list = append(*list, taking{shard, worker, time.Now()})
}

// heldBy returns the numbers of the shards that a worker holds.
func (f *fleet) heldBy(worker string) map[string]bool {
	f.t.Helper()
	list, _, err := f.table.List(f.t.Context())
	if err != nil {
		f.t.Error(err)
	}
	out := map[string]bool{}
	for _, l := range list {
		if l.Owner == worker {
			out[strconv.Itoa(number(l.Key))] = true
		}
	}
	return out
}

// A stop and a death at once: all is delivered within one failover time and a
// scan, and what was released within half a failover time and a scan, give or
// take the polls of the stream: then the dead one's share of it is kept no longer.
func TestAStopAndADeathAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, seed, 12)
			stopA, _ := f.start("a", "")
			stopB, killB := f.start("b", "")
			stopC, _ := f.start("c", "")
			rng := rand.New(rand.NewPCG(seed, 1))
			time.Sleep(2*time.Minute + time.Duration(rng.Int64N(int64(20*time.Second))))
			released := f.heldBy("a")
			begun := time.Now()
			stopA()
			killB()
			for shard := range 12 {
				f.stream.Put(shard, strconv.Itoa(shard))
			}
			time.Sleep(time.Minute)
			f.mu.Lock()
			var last, lastReleased time.Duration
			for record, at := range f.delivered {
				last = max(last, at.Sub(begun))
				if released[record] {
					lastReleased = max(lastReleased, at.Sub(begun))
				}
			}
			n := len(f.delivered)
			f.mu.Unlock()
			if limit := fleetFailover + fleetScan + 2*time.Second; n != 12 || last > limit {
				t.Errorf("seed %d: %d of 12 records after a minute, the last one after %v; want at most %v", seed, n, last, limit)
			}
			if limit := fleetFailover/2 + fleetScan + 1500*time.Millisecond; len(released) == 0 || lastReleased > limit {
				t.Errorf("seed %d: of the %d shards that were released the last one came after %v; want at most %v", seed, len(released), lastReleased, limit)
			}
			stopB()
			stopC()
			f.wg.Wait()
		})
	}
}

// A newcomer gets its share, and each lease moves once at most.
func TestANewcomerMovesEachLeaseOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, seed, 12)
			stopA, _ := f.start("a", "")
			stopB, _ := f.start("b", "")
			time.Sleep(2 * time.Minute)
			f.mu.Lock()
			f.taken = nil
			f.mu.Unlock()
			stopC, _ := f.start("c", "")
			time.Sleep(3 * time.Minute)
			f.mu.Lock()
			moves, mine := map[string]int{}, 0
			for _, k := range f.taken {
				moves[k.shard]++
				if k.worker == "c" {
					mine++
				}
			}
			f.mu.Unlock()
			if mine != 4 {
				t.Errorf("seed %d: the newcomer took %d leases of 12, of three workers", seed, mine)
			}
			for shard, n := range moves {
				if n > 1 {
					t.Errorf("seed %d: %s moved %d times", seed, shard, n)
				}
			}
			stopA()
			stopB()
			stopC()
			f.wg.Wait()
		})
	}
}

// A shard whose records no processor takes visits at most one worker in each
// failover time.
func TestAPoisonousShardTravelsSlowly(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, seed, 6)
			poison := f.stream.Shard(0).ID
			f.stream.Put(0, "poison")
			var stops []func()
			for _, name := range []string{"a", "b", "c"} {
				stop, _ := f.start(name, poison)
				stops = append(stops, stop)
			}
			time.Sleep(10 * time.Minute)
			f.mu.Lock()
			visits := f.visits
			f.mu.Unlock()
			if len(visits) < 3 {
				t.Errorf("seed %d: it was tried %d times in ten minutes", seed, len(visits))
			}
			for i := 1; i < len(visits); i++ {
				if gap := visits[i].at.Sub(visits[i-1].at); gap < fleetFailover {
					t.Errorf("seed %d: it went from %s to %s within %v", seed, visits[i-1].worker, visits[i].worker, gap)
				}
			}
			for _, stop := range stops {
				stop()
			}
			f.wg.Wait()
		})
	}
}
