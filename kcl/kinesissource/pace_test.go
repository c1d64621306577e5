package kinesissource_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

func TestPace(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	behind := func() *kinesis.GetRecordsOutput { return records("i", time.Minute, "1") }
	caughtUp := func() *kinesis.GetRecordsOutput { return records("i", 0, "1") }
	empty := func() *kinesis.GetRecordsOutput { return records("i", 0) }
	emptyBehind := func() *kinesis.GetRecordsOutput { return records("i", time.Hour) }
	megabytes := func(n int) *kinesis.GetRecordsOutput {
		out := behind()
		out.Records[0] = types.Record{Data: make([]byte, n*1_000_000), SequenceNumber: out.Records[0].SequenceNumber}
		return out
	}
	full := func() *kinesis.GetRecordsOutput { return records("i", 0, "1", "2", "3") }
	tests := []struct {
		name  string
		o     kinesissource.Options
		pages []*kinesis.GetRecordsOutput
		took  time.Duration   // by each answer, and again by the caller
		want  []time.Duration // when GetRecords is called
	}{
		{
			"a shard that is behind is read nearly five times a second",
			kinesissource.Options{},
			[]*kinesis.GetRecordsOutput{behind(), behind(), behind(), behind()},
			0,
			[]time.Duration{0, 210 * ms, 420 * ms, 630 * ms},
		},
		{
			"an empty page on the way does not slow it down",
			kinesissource.Options{},
			[]*kinesis.GetRecordsOutput{emptyBehind(), behind()},
			0,
			[]time.Duration{0, 210 * ms},
		},
		{
			"at the tip, records make others likely, and a quiet shard is polled every second",
			kinesissource.Options{},
			[]*kinesis.GetRecordsOutput{empty(), empty(), empty(), empty(), empty(), caughtUp(), caughtUp(), empty(), empty(), behind(), empty()},
			0,
			[]time.Duration{0, 250 * ms, 750 * ms, 1750 * ms, 2750 * ms, 3750 * ms, 4000 * ms, 4250 * ms, 4750 * ms, 5750 * ms, 5960 * ms},
		},
		{
			"empty pages on the way to the tip do not make it quiet",
			kinesissource.Options{},
			[]*kinesis.GetRecordsOutput{caughtUp(), empty(), empty(), emptyBehind(), emptyBehind(), empty(), empty()},
			0,
			[]time.Duration{0, 250 * ms, 750 * ms, 1750 * ms, 1960 * ms, 2170 * ms, 2670 * ms},
		},
		{
			"or as often as asked",
			kinesissource.Options{PollInterval: 300 * ms},
			[]*kinesis.GetRecordsOutput{caughtUp(), empty(), empty(), caughtUp()},
			0,
			[]time.Duration{0, 300 * ms, 600 * ms, 900 * ms},
		},
		{
			"and as seldom",
			kinesissource.Options{PollInterval: 10 * time.Second},
			[]*kinesis.GetRecordsOutput{caughtUp(), empty(), empty(), behind(), empty()},
			0,
			[]time.Duration{0, 10_000 * ms, 20_000 * ms, 30_000 * ms, 30_210 * ms},
		},
		{
			"a full page is followed by another, whatever the service says",
			kinesissource.Options{MaxRecords: 3},
			[]*kinesis.GetRecordsOutput{full(), full()},
			0,
			[]time.Duration{0, 210 * ms},
		},
		{
			"a page of 10 MB is all that a reader takes in five seconds",
			kinesissource.Options{},
			[]*kinesis.GetRecordsOutput{megabytes(10), behind()},
			0,
			[]time.Duration{0, 5000 * ms},
		},
		{
			"one of 1 MB takes half a second",
			kinesissource.Options{},
			[]*kinesis.GetRecordsOutput{megabytes(1), behind()},
			0,
			[]time.Duration{0, 500 * ms},
		},
		{
			"time that passes elsewhere counts",
			kinesissource.Options{PollInterval: time.Second},
			[]*kinesis.GetRecordsOutput{megabytes(1), megabytes(1), caughtUp(), behind()},
			200 * ms,
			[]time.Duration{0, 500 * ms, 1000 * ms, 2000 * ms},
		},
		{
			"without limits a shard that is behind is read at once",
			kinesissource.Options{NoRateLimit: true},
			[]*kinesis.GetRecordsOutput{megabytes(10), behind(), caughtUp(), behind()},
			0,
			[]time.Duration{0, 0, 0, 250 * ms},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				exchanges := []exchange{{"GetShardIterator TRIM_HORIZON name:orders", iterator("i")}}
				call := "GetRecords i"
				if tt.o.MaxRecords == 3 {
					call += " limit 3"
				}
				for _, p := range tt.pages {
					arriveNow(p)
					exchanges = append(exchanges, exchange{call, slow{tt.took, p}})
				}
				api := newScript(t, exchanges...)
				r := newSource(t, api, tt.o).Open(shardID, trimHorizon())
				for range tt.pages {
					if _, err := r.Next(t.Context(), kcl.Room{}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(tt.took)
				}
				if got := api.times[1:]; !slices.Equal(got, tt.want) {
					t.Errorf("called at %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestRetriesAfterThrottlingKeepToTheLimitOfCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		exchanges := []exchange{{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")}}
		for range 20 {
			exchanges = append(exchanges, exchange{"GetRecords i1", refusal("ProvisionedThroughputExceededException")})
		}
		api := newScript(t, append(exchanges, exchange{"GetRecords i1", records("i2", 0, "1")})...)
		var throttled int
		o := kinesissource.Options{Throttled: func(operation, shard string) {
			if operation != "GetRecords" || shard != shardID {
				t.Errorf("throttled %s of %s", operation, shard)
			}
			throttled++
		}}
		r := newSource(t, api, o).Open(shardID, trimHorizon())
		if got := describePage(r.Next(t.Context(), kcl.Room{})); got != "1" || throttled != 20 {
			t.Errorf("read %q, throttled %d times", got, throttled)
		}
		for i := 2; i < len(api.times); i++ {
			if gap := api.times[i] - api.times[i-1]; gap < 210*time.Millisecond || gap > time.Second {
				t.Errorf("call %d came %v after the one before", i, gap)
			}
		}
	})
}

// arriveNow gives the records of an answer the time of the bubble.
func arriveNow(answer any) {
	out, ok := answer.(*kinesis.GetRecordsOutput)
	if !ok {
		return
	}
	now := time.Now()
	for i := range out.Records {
		out.Records[i].ApproximateArrivalTimestamp = &now
	}
}

// How fast a shard is read is told when that is no longer what it may be, and
// when it is again.
func TestTheRateIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := refusal("ProvisionedThroughputExceededException")
		page := func() *kinesis.GetRecordsOutput { return records("i", time.Minute) }
		exchanges := []exchange{{"GetShardIterator TRIM_HORIZON name:orders", iterator("i")}}
		for _, answer := range []any{page(), refused, refused, page(), refused, page(), page(), page()} {
			exchanges = append(exchanges, exchange{"GetRecords i", answer})
		}
		core, logs := observer.New(zap.DebugLevel)
		r := newSource(t, newScript(t, exchanges...), kinesissource.Options{Logger: zap.New(core)}).Open(shardID, trimHorizon())
		for _, pause := range []time.Duration{0, 0, 0, 35 * time.Second, 4 * time.Minute} {
			time.Sleep(pause)
			if _, err := r.Next(t.Context(), kcl.Room{}); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, e := range logs.All() {
			f := e.ContextMap()
			got = append(got, fmt.Sprintf("%v: %s: %v %v %v", e.Level, e.Message, f["stream"], f["shard"], f["percent_of_limits"]))
		}
		want := []string{
			"info: a shard's limits are exceeded; reading it more slowly: orders " + shardID + " 50",
			"debug: a shard's limits are exceeded; reading it more slowly: orders " + shardID + " 25",
			"info: a shard is read at the full rate again: orders " + shardID + " 100",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
