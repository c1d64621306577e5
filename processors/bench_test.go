package processors_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/cputime"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// nowhere is a store that drops what is put, after reading it.
type nowhere struct{}

func (nowhere) Put(_ context.Context, o processors.Object) error {
	_, err := io.Copy(io.Discard, o.Body)
	return err
}

func (nowhere) Head(context.Context, string, string) (map[string]string, bool, error) {
	return nil, false, nil
}

func (nowhere) Get(context.Context, string, string, int64, int64, io.Writer) error {
	return processors.ErrNotFound
}

func (nowhere) List(context.Context, string, string) ([]string, error) { return nil, nil }

func (nowhere) Delete(context.Context, string, string) error { return nil }

func (nowhere) Check(context.Context, string) error { return nil }

// noRow is a lease row to which writing costs nothing.
type noRow struct{}

func (noRow) Checkpoint(context.Context, checkpoint.Position) error { return nil }
func (noRow) Prepare(context.Context, checkpoint.Prepared) error    { return nil }

// clicks makes n records of about 660 bytes of JSON.
func clicks(n int) (records []kcl.Record, size int64) {
	r := rand.New(rand.NewPCG(1, 2))
	records = make([]kcl.Record, n)
	for i := range records {
		data := fmt.Appendf(nil, `{"ts":"2016-02-25T13:%02d:%02d.%03dZ","session":"%016x%016x","user":%d,"path":"/products/%d/reviews?page=%d",`,
			i/60%60, i%60, r.IntN(1000), r.Uint64(), r.Uint64(), r.IntN(100_000), r.IntN(5000), r.IntN(20))
		data = fmt.Appendf(data, `"agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36","ip":"10.%d.%d.%d",`,
			r.IntN(20)+90, r.IntN(256), r.IntN(256), r.IntN(256))
		data = fmt.Appendf(data, `"referrer":"https://www.example.com/search?q=%x","country":"%s","experiment":{"id":%d,"bucket":%d},"latency_ms":%d,`,
			r.Uint32(), []string{"US", "DE", "JP", "BR", "IN"}[r.IntN(5)], r.IntN(50), r.IntN(4), r.IntN(3000))
		data = fmt.Appendf(data, `"cart":[{"sku":"sku-%06d","qty":%d,"price":%d.%02d},{"sku":"sku-%06d","qty":%d,"price":%d.%02d}],"trace":"%016x"}`+"\n",
			r.IntN(1_000_000), r.IntN(5), r.IntN(500), r.IntN(100), r.IntN(1_000_000), r.IntN(5), r.IntN(500), r.IntN(100), r.Uint64())
		records[i] = record(3*i, string(data))
		size += int64(len(data))
	}
	return records, size
}

// BenchmarkArchive is the archiver from records in memory to an object that is
// dropped, in both deliveries, and the bare compressor over the same bytes in
// objects of the same size. They take turns; the best turn of each counts, by time
// of computing.
func BenchmarkArchive(b *testing.B) {
	records, size := clicks(16_000)
	z, err := gzip.NewWriterLevel(io.Discard, 5)
	if err != nil {
		b.Fatal(err)
	}
	archiver := func(d processors.Delivery) func() {
		return archiving(b, records)(processors.Config{DeliveryStreamName: "orders", Bucket: "b", Compression: processors.GZIP, Delivery: d})
	}
	best := takeTurns(b, archiver(processors.ExactlyOnce), archiver(processors.AtLeastOnce), func() { compress(z, records) })
	exactly, atLeast, alone := best[0].Seconds(), best[1].Seconds(), best[2].Seconds()
	b.ReportMetric(alone/exactly, "exactly-once-of-gzip-alone")
	b.ReportMetric(alone/atLeast, "at-least-once-of-gzip-alone")
	b.ReportMetric(atLeast/exactly, "exactly-once-of-at-least-once")
	b.ReportMetric(float64(size)/1e6/exactly, "MB/CPU-s")
}

// takeTurns measures ways to do something by the best turn of each.
func takeTurns(b *testing.B, ways ...func()) []time.Duration {
	b.Helper()
	best := make([]time.Duration, len(ways))
	for turn := 0; b.Loop(); turn++ {
		for i := range ways {
			i = (i + turn) % len(ways)
			begin := cputime.Used()
			ways[i]()
			if took := cputime.Used() - begin; best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	return best
}

// BenchmarkSealed is what a backup costs: cuts of several objects, whose bodies are made
// at the close and put twice, against cuts of one. The backup has one object a cut, or
// one of 16 KiB each.
func BenchmarkSealed(b *testing.B) {
	records, size := clicks(16_000)
	archiver := archiving(b, records)
	one := with(config(), gz)
	few := with(one, func(c *processors.Config) { c.Backup, c.ParallelPuts = &processors.Backup{Bucket: "backup"}, 0 })
	best := takeTurns(b, archiver(one), archiver(few), archiver(few.WithBackupSize(16<<10)))
	b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "sealed-of-one-object")
	b.ReportMetric(best[0].Seconds()/best[2].Seconds(), "sealed-in-many-of-one-object")
	b.ReportMetric(float64(size)/1e6/best[1].Seconds(), "MB/CPU-s")
}

// archiving returns what makes of a configuration an archiver that takes records through
// a whole holding each time.
func archiving(b *testing.B, records []kcl.Record) func(processors.Config) func() {
	b.Helper()
	return func(cfg processors.Config) func() {
		a, err := processors.New(cfg, nowhere{})
		if err != nil {
			b.Fatal(err)
		}
		return func() { archive(b, a.Processor(theShard()), records) }
	}
}

// archive takes records through a whole holding, 500 at a time.
func archive(b *testing.B, p kcl.RecordProcessor, records []kcl.Record) {
	b.Helper()
	cp := checkpoint.New(noRow{}, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
	err := p.Initialize(b.Context(), kcl.InitializationInput{Checkpointer: cp, Checkpoint: cp.Last(), CheckTrust: func() error { return nil }})
	if err != nil {
		b.Fatal(err)
	}
	for batch := range slices.Chunk(records, 500) {
		cp.Processed(batch[len(batch)-1].Position())
		if err := p.ProcessRecords(b.Context(), kcl.ProcessRecordsInput{Records: batch, Checkpointer: cp}); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.ShutdownRequested(b.Context(), kcl.ShutdownRequestedInput{Checkpointer: cp}); err != nil {
		b.Fatal(err)
	}
}

// compress is what any archiver has to do.
func compress(z *gzip.Writer, records []kcl.Record) {
	n := 0
	z.Reset(io.Discard)
	for i := range records {
		m, _ := z.Write(records[i].Data)
		if n += m; n >= 5<<20 {
			_ = z.Close()
			z.Reset(io.Discard)
			n = 0
		}
	}
	_ = z.Close()
}

// TestNoAllocationPerRecord: only opening and closing an object allocates.
func TestNoAllocationPerRecord(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	records, _ := clicks(2000)
	for _, compression := range []processors.Compression{processors.GZIP, processors.Uncompressed} {
		archiver, err := processors.New(with(config(), func(c *processors.Config) { c.Compression = compression }), nowhere{})
		if err != nil {
			t.Fatal(err)
		}
		p := archiver.Processor(theShard())
		cp := checkpoint.New(noRow{}, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
		if err := p.Initialize(t.Context(), kcl.InitializationInput{Checkpointer: cp, Checkpoint: cp.Last(), CheckTrust: func() error { return nil }}); err != nil {
			t.Fatal(err)
		}
		next := 0
		deliver := func(n int) {
			in := kcl.ProcessRecordsInput{Records: records[next : next+n], Checkpointer: cp}
			next += n
			cp.Processed(in.Records[n-1].Position())
			if err := p.ProcessRecords(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		deliver(500) // opens the object
		// One allocation now and then is a chunk of 64 KiB for the spool.
		if n := testing.AllocsPerRun(9, func() { deliver(100) }); n > 3 {
			t.Errorf("%s: %v allocations for 100 records", compression, n)
		}
		p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
	}
}
