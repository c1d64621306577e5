package kinesissource_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// A reader that is a day behind may be overtaken by the end of the retention
// period between two pages of an iterator that is still good. What it would jump
// over is not jumped over without a word.
func TestAReaderIsNotOvertakenWithoutAWord(t *testing.T) {
	t.Parallel()
	const again, gone = "GetShardIterator AT_SEQUENCE_NUMBER name:orders 2", "record at the checkpoint has expired"
	later := func(hours int, out *kinesis.GetRecordsOutput) *kinesis.GetRecordsOutput {
		at := time.Now().Add(time.Duration(hours) * time.Hour)
		out.ResultMetadata = dated(at)
		for i := range out.Records {
			out.Records[i].ApproximateArrivalTimestamp = &at
		}
		return out
	}
	lagging := func(out *kinesis.GetRecordsOutput) *kinesis.GetRecordsOutput { // by 23 hours and a half
		out.ResultMetadata = dated(time.Now().Add(23*time.Hour + 30*time.Minute))
		return out
	}
	tests := []struct {
		name   string
		pages  func() []exchange // in the bubble
		wanted []string
	}{
		{"the last record is read again, and dropped", func() []exchange {
			return []exchange{
				{"GetRecords i1", lagging(records("i2", time.Hour, "1", "2"))},
				{again, iterator("j1")},
				{"GetRecords j1", lagging(records("j2", time.Hour, "2", "3"))},
				{"GetShardIterator AT_SEQUENCE_NUMBER name:orders 3", iterator("k1")},
				{"GetRecords k1", lagging(records("k2", time.Hour, "3"))},
				{"GetRecords k2", lagging(records("k3", time.Hour))},
			}
		}, []string{"1 2", "3", "", ""}},
		{"and if it is gone, so may be those after it", func() []exchange {
			return []exchange{
				{"GetRecords i1", lagging(records("i2", time.Hour, "1", "2"))},
				{again, iterator("j1")},
				{"GetRecords j1", lagging(records("j2", time.Hour, "8", "9"))},
			}
		}, []string{"1 2", gone}},
		{"a page that came too late is not believed", func() []exchange {
			return []exchange{
				{"GetRecords i1", later(0, records("i2", 0, "1", "2"))},
				{"GetRecords i2", later(25, records("i3", 0, "8", "9"))},
				{again, iterator("j1")},
				{"GetRecords j1 limit 1", later(25, records("j2", 0, "8", "9"))},
			}
		}, []string{"1 2", gone}},
		{"unless the last record is still there", func() []exchange {
			return []exchange{
				{"GetRecords i1", later(0, records("i2", 0, "1", "2"))},
				{"GetRecords i2", later(25, records("i3", 0, "8", "9"))},
				{again, iterator("j1")},
				{"GetRecords j1 limit 1", later(25, records("j2", 0))},
				{"GetRecords j2 limit 1", later(25, records("j3", 0, "2"))},
				{"GetRecords i3", later(25, records("i4", 0, "10"))},
			}
		}, []string{"1 2", "8 9", "10"}},
		{"pages that hold a single record do not stop it", func() []exchange {
			return []exchange{
				{"GetRecords i1", lagging(records("i2", time.Hour, "1", "2"))},
				{again, iterator("j1")},
				{"GetRecords j1", lagging(records("j2", time.Hour, "2"))},
				{"GetRecords j2", lagging(records("j3", time.Hour, "3"))},
				{again, iterator("k1")},
				{"GetRecords k1 limit 1", lagging(records("k2", time.Hour, "2"))},
				{"GetShardIterator AT_SEQUENCE_NUMBER name:orders 3", iterator("l1")},
				{"GetRecords l1", lagging(records("l2", time.Hour, "3"))},
			}
		}, []string{"1 2", "", "3", ""}},
		{"nor the end of the shard", func() []exchange {
			return []exchange{
				{"GetRecords i1", later(0, records("i2", 0, "1", "2"))},
				{"GetRecords i2", later(25, withChildren(records("", 0), child("c1", shardID)))},
				{again, iterator("j1")},
				{"GetRecords j1 limit 1", later(25, withChildren(records("", 0), child("c1", shardID)))},
			}
		}, []string{"1 2", gone}},
		{"a quiet shard costs no iterators", func() []exchange {
			return []exchange{
				{"GetRecords i1", later(0, records("i2", 0, "1", "2"))},
				{"GetRecords i2", later(25, records("i3", 0))},
				{"GetRecords i3", later(26, records("i4", 0))},
			}
		}, []string{"1 2", "", ""}},
		{"nor do records without an arrival time, which Kinesis has not", func() []exchange {
			first := later(0, records("i2", 0, "1", "2"))
			for i := range first.Records {
				first.Records[i].ApproximateArrivalTimestamp = nil
			}
			return []exchange{{"GetRecords i1", first}, {"GetRecords i2", later(25, records("i3", 0, "8", "9"))}}
		}, []string{"1 2", "8 9"}},
		{"nor does one whose records are younger", func() []exchange {
			return []exchange{
				{"GetRecords i1", later(0, records("i2", 0, "1", "2"))},
				{"GetRecords i2", later(22, records("i3", 0, "3"))},
				{"GetRecords i3", later(44, records("i4", 0, "4"))},
			}
		}, []string{"1 2", "3", "4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := newScript(t, append([]exchange{{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")}}, tt.pages()...)...)
				r := newSource(t, api, kinesissource.Options{}).Open(shardID, trimHorizon())
				var got []string
				for range tt.wanted {
					got = append(got, describePage(r.Next(t.Context(), kcl.Room{})))
				}
				if !slices.Equal(got, tt.wanted) {
					t.Errorf("\n got %q\nwant %q", got, tt.wanted)
				}
			})
		})
	}
}
