package memory_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// One shard whose processor takes long, and little memory for all: the others have
// their turns, each as much as the next one, whether their records fit into their
// shares of it or not.
func TestFairness(t *testing.T) {
	t.Parallel()
	const (
		shards = 8
		mib    = 1 << 20
	)
	for _, tt := range []struct {
		name     string
		record   int // its size
		maxBytes int64
		time     time.Duration
		least    int64 // bytes that each shard gets in it
		hoards   bool  // processors keep what they got until they are asked to let go
	}{
		{"records that are small", 1 << 10, 4 * mib, 2 * time.Minute, 20 * mib, false},
		{"pages beyond the shares", 600 << 10, 4 * mib, 2 * time.Minute, 20 * mib, false},
		{"records of as much as all the memory", mib, mib, time.Hour, 50 * mib, false},
		{"processors that hold all the memory", 1 << 10, 4 * mib, 2 * time.Minute, 10 * mib, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := kcltest.NewStream(shards)
				s.Page = 10_000
				f := &fair{slow: s.Shard(3).ID, hoards: tt.hoards, got: map[string]int64{}}
				cfg := kcl.Config{ApplicationName: "a", StreamName: "s", WorkerID: "w", Source: endless{s, strings.Repeat("x", tt.record)}, Leases: new(lease.Mem), MaxBytes: tt.maxBytes, ShutdownTimeout: time.Hour}
				w, err := kcl.New(cfg, func(i kcl.ShardInfo) kcl.RecordProcessor { return &fairly{f: f, shard: i.ShardID} })
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.time)
				defer cancel()
				if err := w.Run(ctx); err != nil {
					t.Error(err)
				}
				least, most := int64(1<<62), int64(0)
				for id, n := range f.got {
					if id != f.slow {
						least, most = min(least, n), max(most, n)
					}
				}
				t.Logf("%d to %d KiB of a shard, %d KiB of the slow one", least>>10, most>>10, f.got[f.slow]>>10)
				if len(f.got) != shards || least < tt.least || most > 2*least {
					t.Errorf("%d to %d bytes of each of %d shards; want %d, and no more than twice as much of one as of another", least, most, len(f.got), tt.least)
				}
			})
		})
	}
}

// endless is a stream of shards without end, whose records have the same data. A page
// takes 100 ms to come, and half a second for each MiB.
type endless struct {
	*kcltest.Stream

	data string
}

func (s endless) Open(string, checkpoint.Position) kcl.ShardReader {
	return &endlessReader{data: []byte(s.data)}
}

type endlessReader struct {
	data []byte
	next int
}

func (r *endlessReader) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	takes := int64(len(r.data)) + 200
	n := min(10_000, max(1, room.Bytes/takes))
	if err := room.Grow(ctx, n*takes); err != nil {
		return kcl.Page{}, err
	}
	if err := pause.For(ctx, 100*time.Millisecond+time.Duration(n*takes)*time.Second/2/(1<<20)); err != nil {
		return kcl.Page{}, err
	}
	p := kcl.Page{Memory: n * takes, At: time.Now(), BehindLatest: time.Minute}
	for range n {
		r.next++
		p.Records = append(p.Records, kcl.Record{SequenceNumber: strconv.Itoa(1_000_000 + r.next), Data: r.data, ApproximateArrivalTimestamp: p.At})
	}
	return p, nil
}

func (*endlessReader) Close() {}

// fair is what the processors of a test share.
type fair struct {
	slow   string // the shard whose processor is
	hoards bool

	mu  sync.Mutex // guards got
	got map[string]int64
}

type fairly struct {
	kcl.Defaults

	f     *fair
	shard string
	held  int64
}

func (p *fairly) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	took := 50 * time.Millisecond
	if p.shard == p.f.slow && len(in.Records) > 0 {
		took = 40 * time.Second
	}
	if err := pause.For(ctx, took); err != nil {
		return err
	}
	p.f.mu.Lock()
	defer p.f.mu.Unlock()
	for _, r := range in.Records {
		p.f.got[p.shard] += int64(len(r.Data))
		p.held += int64(len(r.Data))
	}
	if in.Pressure {
		p.held = 0
	}
	if p.f.hoards {
		in.Hold(p.held)
	}
	return nil
}
