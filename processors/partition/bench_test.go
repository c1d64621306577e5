package partition_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/shardmill/shardmill/internal/cputime"
	"github.com/shardmill/shardmill/processors/partition"
)

// records are clicks of about 666 bytes, each with what a query may look for.
func records(b *testing.B) [][]byte {
	b.Helper()
	sample, err := os.ReadFile("../../testdata/clickstream.ndjson")
	if err != nil {
		b.Fatal(err)
	}
	const per = 3 // lines of the sample in a record
	lines := bytes.Split(bytes.TrimSpace(sample), []byte("\n"))
	var list [][]byte
	for i := 0; i+per < 2000; i += per {
		list = append(list, fmt.Appendf(nil, `{"context":[%s,%s],"customer_id":"c%05d","event_timestamp":%d,"type":%s}`,
			lines[i], lines[i+1], i, 1767323045+i, lines[i+2]))
	}
	return list
}

func BenchmarkExtract(b *testing.B) {
	const plain = `{customer_id:.customer_id}`
	for _, row := range []struct {
		name  string
		rules partition.Rules
	}{
		{"plain-path", partition.Rules{Query: plain}},
		{"two-paths", partition.Rules{Query: `{customer_id:.customer_id,country:.type.country}`}},
		{"jq-expression", partition.Rules{Query: `{customer_id:.customer_id,year:.event_timestamp|strftime("%Y")}`}},
		{"event-time", partition.Rules{Query: plain, EventTime: ".type.at"}},
	} {
		b.Run(row.name, func(b *testing.B) {
			x, err := partition.New(row.rules)
			if err != nil {
				b.Fatal(err)
			}
			list, e, bytes := records(b), x.Open(), int64(0)
			for _, r := range list {
				bytes += int64(len(r))
			}
			b.SetBytes(bytes / int64(len(list)))
			b.ReportAllocs()
			begin, i := cputime.Used(), 0
			for b.Loop() {
				if _, _, err := e.Extract(b.Context(), list[i%len(list)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			used := cputime.Used() - begin
			b.ReportMetric(float64(bytes)/float64(len(list))*float64(i)/1e6/used.Seconds(), "MB/cpu-s")
		})
	}
}
