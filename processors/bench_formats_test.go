package processors_test

import (
	"hash/crc32"
	"io"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// codec compresses what is in objects; put appends to the object that is open.
type codec struct {
	put func([]byte)
	end func()
}

// codecs returns what each format cannot do without: its compressor and, of what
// has none, a copy and the checksum that S3 asks for.
func codecs(b *testing.B) map[processors.Compression]codec {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	z, err := gzip.NewWriterLevel(io.Discard, 5)
	must(err)
	d, err := flate.NewWriter(io.Discard, 5)
	must(err)
	zs, err := zstd.NewWriter(io.Discard, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256<<10))
	must(err)
	snappy := func(size int) codec {
		var block []byte
		out := make([]byte, s2.MaxEncodedLen(size))
		flush := func() { s2.EncodeSnappy(out, block); block = block[:0] }
		return codec{func(p []byte) {
			if block = append(block, p...); len(block) >= size-len(p) {
				flush()
			}
		}, flush}
	}
	var copied []byte
	sum := crc32.NewIEEE()
	return map[processors.Compression]codec{
		processors.GZIP:         {func(p []byte) { _, _ = z.Write(p) }, func() { must(z.Close()); z.Reset(io.Discard) }},
		processors.ZIP:          {func(p []byte) { _, _ = d.Write(p); _, _ = sum.Write(p) }, func() { must(d.Close()); d.Reset(io.Discard) }},
		processors.ZSTD:         {func(p []byte) { _, _ = zs.Write(p) }, func() { must(zs.Close()); zs.Reset(io.Discard) }},
		processors.Snappy:       snappy(32 << 10),
		processors.HadoopSnappy: snappy(218_422),
		processors.Uncompressed: {func(p []byte) { copied = append(copied, p...); _, _ = sum.Write(p) }, func() { copied = copied[:0] }},
	}
}

// BenchmarkFormats is the archiver from records in memory to objects that are
// dropped, exactly once, of each format; and its codec and the digest of records
// over the same bytes, in objects of the same size. They take turns; the best turn
// of each counts, by time of computing.
func BenchmarkFormats(b *testing.B) {
	records, size := clicks(16_000)
	alone := codecs(b)
	for _, f := range formats() {
		b.Run(string(f), func(b *testing.B) {
			a, err := processors.New(processors.Config{DeliveryStreamName: "orders", Bucket: "b", Compression: f}, nowhere{})
			if err != nil {
				b.Fatal(err)
			}
			best := takeTurns(b, func() { archive(b, a.Processor(theShard()), records) }, func() { alone[f].run(records) })
			b.ReportMetric(best[1].Seconds()/best[0].Seconds(), "of-codec-and-digest")
			b.ReportMetric(float64(size)/1e6/best[0].Seconds(), "MB/CPU-s")
		})
	}
}

// run makes objects of 5 MiB.
func (c codec) run(records []kcl.Record) {
	d, n := exactlyonce.NewDigester(exactlyonce.XXH3), 0
	for i := range records {
		d.Add(records[i].Data)
		c.put(records[i].Data)
		if n += len(records[i].Data); n >= 5<<20 {
			c.end()
			d, n = exactlyonce.NewDigester(exactlyonce.XXH3), 0
		}
	}
	c.end()
	d.Digest()
}
