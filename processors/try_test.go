package processors_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/processors"
)

// What would become of records is what becomes of them: the same data under the same
// prefixes, and nothing is put.
func TestTry(t *testing.T) {
	t.Parallel()
	deAggregated := func(c *processors.Config) {
		c.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.Delimited, Delimiter: ","}
	}
	for name, row := range map[string]struct {
		cfg  processors.Config
		data []string
		want []string // record.part prefix data, of what is delivered
	}{
		"plain":         {with(config(), func(c *processors.Config) { c.Prefix = "p/" }), []string{"a", "b"}, []string{"0.0 p/2016/02/25/13/ a", "1.0 p/2016/02/25/13/ b"}},
		"inflated":      {with(config(), func(c *processors.Config) { c.Decompression = true }), []string{zipped(t, "a"), "b"}, []string{"0.0 2016/02/25/13/ a", "1.0 decompression-failed/2016/02/25/13/ b"}},
		"partitions":    {with(divided(), deAggregated), []string{"1:a,2:b", ":c", "1:d"}, []string{"0.0 k=1/ 1:a", "0.1 k=2/ 2:b", "1.0 errors/metadata-extraction-failed/ :c", "2.0 k=1/ 1:d"}},
		"one partition": {divided(func(d *processors.DynamicPartitioning) { d.ActivePartitions = 1 }), []string{"1:a", "2:b", "1:c"}, []string{"0.0 k=1/ 1:a", "1.0 errors/activePartitionExceeded/ 2:b", "2.0 k=1/ 1:c"}},
		"nothing":       {config(), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := new(shelf)
				archiver, err := processors.New(row.cfg, s)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				if err := archiver.Try(t.Context(), recordsOf(row.data...), func(f processors.Fate) {
					data := string(f.Data)
					if f.ErrorOutputType != "" {
						data = strings.Join(rawData(t, data), "")
					}
					if (f.ErrorOutputType == "") != (f.ErrorCode == "") || f.Dropped || f.Nothing {
						t.Errorf("told %+v", f)
					}
					got = append(got, fmt.Sprintf("%d.%d %s %s", f.Record, f.Part, f.Prefix, data))
				}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(row.want, got); diff != "" || len(s.objects) > 0 {
					t.Errorf("%d objects (-want +got):\n%s", len(s.objects), diff)
				}
			})
		})
	}
}
