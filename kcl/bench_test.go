package kcl_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

// pages is a stream of one shard that has its pages ready.
type pages struct {
	list []kcl.Page
	next int
}

// newPages makes pages of 500 records. Each record holds so many user records,
// or is plain if that is 0.
func newPages(n, users int) *pages {
	p := &pages{list: make([]kcl.Page, n)}
	data := make([]byte, 500)
	if users > 0 {
		var a kpl.Aggregator
		for i := range users {
			a.Add(kpl.UserRecord{PartitionKey: fmt.Sprintf("customer-%d", i), Data: make([]byte, 100)})
		}
		data = a.Append(nil)
	}
	for i := range p.list {
		p.list[i] = kcl.Page{At: time.Now(), BehindLatest: time.Minute, Records: make([]kcl.Record, 500)}
		for j := range p.list[i].Records {
			p.list[i].Records[j] = kcl.Record{
				SequenceNumber: fmt.Sprintf("495903382714902566085596925383615710959%017d", 500*i+j),
				PartitionKey:   "key", Data: data, ApproximateArrivalTimestamp: time.Now(),
			}
		}
	}
	return p
}

func (p *pages) ListShards(context.Context) (kcl.ShardList, error) {
	shard := kcl.Shard{ID: "shardId-000000000000", Range: lease.HashRange{Start: "0", End: "340282366920938463463374607431768211455"}, StartingSequenceNumber: "1"}
	return kcl.ShardList{At: time.Now(), Shards: []kcl.Shard{shard}}, nil
}

func (p *pages) Open(string, checkpoint.Position) kcl.ShardReader { return p }

func (p *pages) Next(ctx context.Context, _ kcl.Room) (kcl.Page, error) {
	if p.next == len(p.list) {
		<-ctx.Done()
		return kcl.Page{}, context.Cause(ctx)
	}
	p.next++
	return p.list[p.next-1], nil
}

func (*pages) Close() {}

// meter is a processor that counts what the process allocates from its first
// call after warmUp records until all have come.
type meter struct {
	kcl.Defaults

	warmUp, all int
	seen        int // records
	counted     int // records, since the first count of allocations
	before      runtime.MemStats
	after       runtime.MemStats
	done        chan struct{}
}

func (m *meter) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	if m.seen >= m.warmUp {
		if m.counted == 0 {
			runtime.ReadMemStats(&m.before)
		}
		m.counted += len(in.Records)
	}
	if m.seen += len(in.Records); m.seen == m.all {
		runtime.ReadMemStats(&m.after)
		close(m.done)
	}
	return nil
}

// TestDeliveryAllocatesNothingPerRecord takes records that are decoded through
// a whole worker: what it allocates is for pages.
func TestDeliveryAllocatesNothingPerRecord(t *testing.T) { //nolint:paralleltest // it counts what the whole process allocates
	const n = 60 // pages of 500 records
	for _, users := range []int{0, 20} {
		m := &meter{warmUp: n / 3 * 500 * max(1, users), all: n * 500 * max(1, users), done: make(chan struct{})}
		w, err := kcl.New(kcl.Config{
			ApplicationName: "a", StreamName: "s", WorkerID: "w", Source: newPages(n, users), Leases: new(lease.Mem),
		}, func(kcl.ShardInfo) kcl.RecordProcessor { return m })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		<-m.done
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		perRecord := float64(m.after.Mallocs-m.before.Mallocs) / float64(m.counted)
		t.Logf("figure delivery, %d user records in a record = %.4f allocations per record", users, perRecord)
		if limit := 0.1; users == 0 && perRecord > limit {
			t.Errorf("%.3f allocations per record", perRecord)
		} else if perRecord > 2.0/20+limit { // two for an aggregated record: its keys
			t.Errorf("%.3f allocations per user record", perRecord)
		}
	}
}
