package container_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/shardmill/shardmill/processors/container"
)

// BenchmarkOpenBodies says how much memory a body of each format takes while it is
// open, what goes out apart.
func BenchmarkOpenBodies(b *testing.B) {
	var record []byte
	for i := range 10_000 {
		record = fmt.Appendf(record, `{"n":%d,"path":"/products/%d"}`+"\n", i, i%97)
	}
	for _, f := range container.Formats() {
		b.Run(f.Name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(held(b, f, record)/1024, "KiB/open-body")
			}
		})
	}
}

// held returns how many bytes of memory an open body keeps.
func held(b *testing.B, f container.Format, record []byte) float64 {
	b.Helper()
	const bodies = 20
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools kept is given up by the second
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	var pool container.Pool
	open := make([]*container.Body, bodies)
	for i := range open {
		var err error
		if open[i], err = pool.Open(f, "a body", io.Discard); err != nil {
			b.Fatal(err)
		}
		if _, err := open[i].Write(record); err != nil {
			b.Fatal(err)
		}
	}
	after := heap()
	for _, each := range open {
		each.Drop()
	}
	return (after - before) / bodies
}
