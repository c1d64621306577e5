package processors_test

import (
	"testing"

	"github.com/shardmill/shardmill/processors"
)

// BenchmarkPartitions is what dynamic partitioning costs: cuts with an object for each
// partition against cuts with one object, all with GZIP. Partitions are 5 or 200, by
// plain paths, or 5 by an expression of jq's.
func BenchmarkPartitions(b *testing.B) {
	records, size := clicks(16_000)
	archiver := archiving(b, records)
	one := with(config(), gz)
	by := func(query, prefix string) processors.Config {
		return with(one, byQuery(query, prefix), func(c *processors.Config) { c.ParallelPuts = 0 })
	}
	const country, both = "c=!{partitionKeyFromQuery:c}/!{timestamp:yyyy/MM/dd/HH}/", "e=!{partitionKeyFromQuery:e}/b=!{partitionKeyFromQuery:b}/"
	best := takeTurns(b,
		archiver(one),
		archiver(by("{c:.country}", country)),
		archiver(by("{e:.experiment.id,b:.experiment.bucket}", both)),
		archiver(by("{c:(.country|ascii_downcase)}", country)),
	)
	b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "5-partitions-of-none")
	b.ReportMetric(best[0].Seconds()/best[2].Seconds(), "200-partitions-of-none")
	b.ReportMetric(best[0].Seconds()/best[3].Seconds(), "jq-expression-of-none")
	b.ReportMetric(float64(size)/1e6/best[1].Seconds(), "MB/CPU-s")
}
