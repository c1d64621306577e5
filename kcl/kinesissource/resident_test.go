package kinesissource_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
)

// load is what a worker in a process of its own has to do.
type load struct {
	Way      transport
	Stream   string
	Shards   int
	MaxBytes int64 // 0: the default

	// Collect is what the collector keeps the process to, beside MaxBytes, as
	// Config.MaxBytes asks for; 0: it collects by itself.
	Collect int64

	// Records and Time are how much is processed at least, once each shard had some.
	Records int
	Time    time.Duration
	Pause   time.Duration // of each call of a processor
}

// alone is what a worker took in a process of its own.
type alone struct {
	Records int
	Allocs  uint64 // while they came
	PeakKiB int    // the most memory that was resident, 0 if the system does not tell
	Counted int64  // the most bytes in use that the worker told of
	Least   int    // calls of the processor of one shard
	Most    int
}

// patience is far longer than each shard waits for its turn.
const patience = 2 * time.Minute

// arrival is a call of a processor.
type arrival struct {
	shard   string
	records int
}

// arriving is a processor that takes its time, and tells of each call.
type arriving struct {
	kcl.Defaults

	shard string
	takes time.Duration
	to    chan<- arrival
}

// ProcessRecords implements kcl.RecordProcessor.
func (p arriving) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	if err := pause.For(ctx, p.takes); err != nil {
		return err
	}
	select {
	case p.to <- arrival{p.shard, len(in.Records)}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// workAlone has a worker bear the load that in tells, and tells out what it took.
func workAlone(in io.Reader, out io.Writer) error {
	var l load
	if err := json.NewDecoder(in).Decode(&l); err != nil {
		return err
	}
	if l.Collect > 0 {
		debug.SetMemoryLimit(l.MaxBytes + l.Collect)
	}
	arrivals := make(chan arrival)
	w, err := newWorker(kinesis.New(l.Way.options()), l.Stream, l.MaxBytes, func(i kcl.ShardInfo) kcl.RecordProcessor {
		return arriving{shard: i.ShardID, takes: l.Pause, to: arrivals}
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	took, err := l.bear(w, arrivals)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(took); err != nil {
		return err
	}
	cancel()
	go func() { // they may be with the last records
		for range arrivals {
		}
	}()
	return <-ended
}

// bear waits until the load is done, and returns what it took.
func (l load) bear(w *kcl.Worker, arrivals <-chan arrival) (took alone, err error) {
	calls := make(map[string]int)
	late := time.After(l.Time + patience)
	until := func(done func() bool) {
		for !done() && err == nil {
			select {
			case a := <-arrivals:
				calls[a.shard]++
				took.Records += a.records
				took.Counted = max(took.Counted, w.Snapshot().BytesInUse)
			case <-late:
				err = fmt.Errorf("%d of %d shards had records in %v, %d in all", len(calls), l.Shards, l.Time+patience, took.Records)
			}
		}
	}
	var before, after runtime.MemStats
	begun := time.Now()
	until(func() bool { return len(calls) == l.Shards }) // with the first pages come connections and buffers
	first := took.Records
	runtime.ReadMemStats(&before)
	until(func() bool { return took.Records >= first+l.Records && time.Since(begun) >= l.Time })
	runtime.ReadMemStats(&after)
	took.Records -= first
	took.Allocs, took.PeakKiB = after.Mallocs-before.Mallocs, peakKiB()
	for _, n := range calls {
		took.Least, took.Most = min(cmp.Or(took.Least, n), n), max(took.Most, n)
	}
	return took, err
}

// peakKiB returns the most memory that this process had resident. Linux tells it.
func peakKiB() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var kib int
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib
		}
	}
	return 0
}

// mostResident is far more than a worker with four shards takes. That is 170 MiB, two
// pages of each shard and as much again that the collector lets be, and more where
// the processor waits for a busy machine; with GOGC=50 it is 145.
const mostResident = 256 // MiB

// recordsAlone is how many records a worker has to itself: 120 pages of 10 MiB.
const recordsAlone = 120 * 10_000

// BenchmarkResident is the memory of a worker with four shards that are behind, in
// a process that does nothing else. The service heeds Limit, as Kinesis does, or
// brings 10 MiB in each answer.
func BenchmarkResident(b *testing.B) {
	way := startCanned(b)[0]
	for i, name := range []string{"limited", "10MB"} {
		b.Run(name, func(b *testing.B) {
			var most int
			var last alone
			l := load{Way: way, Stream: cannedStream(shapes()[0], cannedShards, i == 0), Shards: cannedShards, Records: recordsAlone}
			for b.Loop() {
				if err := process(b, "worker", l).Decode(&last); err != nil {
					b.Fatal(err)
				}
				most = max(most, last.PeakKiB>>10)
			}
			if most > mostResident {
				b.Errorf("%d MiB were resident, more than %d", most, mostResident)
			}
			b.ReportMetric(float64(most), "MiB")
			b.ReportMetric(float64(last.Allocs)/float64(last.Records), "heap-allocs/record")
		})
	}
}
