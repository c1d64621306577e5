package kinesissource_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// alone is what a worker took in a process of its own.
type alone struct {
	Records int
	Allocs  uint64 // while they came
	PeakKiB int    // the most memory that was resident, 0 if the system does not tell
}

// pagesAlone is how many pages a worker has to itself.
const pagesAlone = 120

// workAlone has a worker read from the way that in tells, as fast as it can, and
// tells out what it took.
func workAlone(in io.Reader, out io.Writer) error {
	var way transport
	if err := json.NewDecoder(in).Decode(&way); err != nil {
		return err
	}
	s := shapes()[0]
	w, processor, err := newWorker(kinesis.New(way.options()), s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	var before, after runtime.MemStats
	processor.wait(2 * cannedShards * s.count) // with the first pages come connections and buffers
	runtime.ReadMemStats(&before)
	processor.wait(pagesAlone * s.count)
	runtime.ReadMemStats(&after)
	if err := json.NewEncoder(out).Encode(alone{pagesAlone * s.count, after.Mallocs - before.Mallocs, peakKiB()}); err != nil {
		return err
	}
	cancel()
	go func() { // it may be with the last records
		for range processor.records {
		}
	}()
	return <-ended
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

// mostResident is far more than a worker with four shards takes. That is 140 MiB, a
// page of each shard and as much again that the collector lets be, and up to 180
// where the processor waits for a busy machine, while pages are read ahead of it.
const mostResident = 256 // MiB

// BenchmarkResident is the memory of a worker with four shards that are behind, in
// a process that does nothing else.
func BenchmarkResident(b *testing.B) {
	way := startCanned(b)[0]
	var most int
	var last alone
	for b.Loop() {
		if err := process(b, "worker", way).Decode(&last); err != nil {
			b.Fatal(err)
		}
		most = max(most, last.PeakKiB>>10)
	}
	if most > mostResident {
		b.Errorf("%d MiB were resident, more than %d", most, mostResident)
	}
	b.ReportMetric(float64(most), "MiB")
	b.ReportMetric(float64(last.Allocs)/float64(last.Records), "heap-allocs/record")
}
