package fleet_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// load is what the processors of a fleet do with their record every ten
// seconds.
type load int

const (
	idle        load = iota // there is none
	checkpoints             // checkpoint it
	exactlyOnce             // prepare and commit, as an archiver does
)

func (l load) String() string {
	return [...]string{"idle", "a checkpoint each 10 s", "an exactly-once object each 10 s"}[l]
}

// writes is how many writes a load makes in a minute beside renewals.
func (l load) writes() float64 { return [...]float64{0, 6, 12}[l] }

// eager is a processor that has done each record at once.
type eager struct {
	kcl.Defaults

	load load
}

func (e eager) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	if e.load != exactlyOnce || len(in.Records) == 0 {
		return in.Checkpointer.Checkpoint(ctx)
	}
	prepared, err := in.Checkpointer.Prepare(ctx, make([]byte, 300)) // a plan has about so many bytes
	if err != nil {
		return err
	}
	return prepared.Checkpoint(ctx)
}

// What the KCL 2.x costs in a minute with its defaults: each lease is renewed
// every 3.308 s, and each worker scans the table every 20 s.
const (
	javaRenewals = 60 / 3.308
	javaScans    = 60 / 20.0
)

// TestCostOfLeases counts requests and capacity of whole workers on a table,
// once they are settled, against what Java workers would take.
func TestCostOfLeases(t *testing.T) {
	t.Parallel()
	tests := []struct {
		leases, workers int
		window          time.Duration
		inMemory        bool // and only among the full sizes
	}{
		{1, 1, 5 * time.Minute, false},
		{100, 4, 30 * time.Second, false},
		{10_000, 1, 20 * time.Second, true},
	}
	for _, tt := range tests {
		for _, l := range []load{idle, checkpoints, exactlyOnce} {
			if tt.inMemory && !*full {
				continue
			}
			t.Run(fmt.Sprintf("%d leases of %d workers, %s", tt.leases, tt.workers, l), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := new(bill)
					b.reset()
					tables := b.inMemory()
					if !tt.inMemory {
						tables = b.onDynamo(t)
					}
					end := run(t, tables, tt.leases, tt.workers, l)
					time.Sleep(30 * time.Second)
					b.reset()
					time.Sleep(tt.window)
					b.judge(t, tt.leases, tt.workers, l, tt.window.Minutes())
					end()
				})
			})
		}
	}
}

// run starts a fleet and what it reads; end stops both.
func run(t *testing.T, tables func() lease.Table, leases, workers int, l load) (end func()) {
	t.Helper()
	stream := kcltest.NewStream(leases)
	if l == idle {
		stream.Poll = time.Hour // reads cost nothing here
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range workers {
		w, err := kcl.New(kcl.Config{
			ApplicationName: "leases", StreamName: "s", Source: stream, Leases: tables(), WorkerID: fmt.Sprintf("ip-10-0-0-%d:1:1", i),
		}, func(kcl.ShardInfo) kcl.RecordProcessor { return eager{load: l} })
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		// A tenth of the leases each second, so that no burst falls on an edge
		// of what is measured.
		for i := 0; l != idle && pause(ctx, time.Second) == nil; i++ {
			for shard := i % 10; shard < leases; shard += 10 {
				stream.Put(shard, "record")
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// judge compares what a settled fleet asked for in so many minutes with the
// formula.
func (b *bill) judge(t *testing.T, leases, workers int, l load, minutes float64) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	perLease := func(n float64) float64 { return n / minutes / float64(leases) }
	whole, requests := float64(b.whole), 0
	for _, n := range b.count {
		requests += n
	}
	writes := perLease(b.units["update"]) / (javaRenewals + l.writes())
	scans := whole / minutes / (javaScans * float64(workers))
	javaCost := (javaRenewals+l.writes())*float64(leases) + javaScans*float64(workers)*b.units["scan"]/whole/writePrice
	cost := (b.units["update"] + (b.units["scan"]+b.units["get"])/writePrice) / minutes

	name := fmt.Sprintf("cost, %d leases, %d workers, %s", leases, workers, l)
	figure(t, name, perLease(float64(requests)), "requests per lease per minute")
	figure(t, name, perLease(b.units["update"]), "write units per lease per minute")
	figure(t, name, perLease(b.units["scan"]+b.units["get"]), "read units per lease per minute")
	figure(t, name, writes, "of Java's write units")
	figure(t, name, scans, "of Java's scans")
	figure(t, name, cost/javaCost, "of Java's price")
	// A window may catch one write of each lease more than its length asks for,
	// and of all leases at once: those that were taken together stay together.
	onEdge := 1 / minutes / (javaRenewals + l.writes())
	if limit := [...]float64{1.2, 1.05, 1.05}[l]; writes > limit+onEdge { // a checkpoint puts the next renewal off
		t.Errorf("%v times the write units of Java", writes)
	}
	if onEdge := 1 / (javaScans * minutes); scans > 5+onEdge {
		t.Errorf("%v times the scans of Java", scans)
	}
	if got, want := b.units["scan"]/whole, max(0.5, float64(leases*rowBytes)/8192); got > want*1.2 || got < want*0.8 {
		t.Errorf("a scan takes %v units, not %v", got, want)
	}
	if cost/javaCost > 1.3+onEdge {
		t.Errorf("%v times the price of Java", cost/javaCost)
	}
}

// writePrice is the price of a write unit in read units, on demand.
const writePrice = 5
