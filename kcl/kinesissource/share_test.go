package kinesissource_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
)

// sharedShard is a stream of one shard that is always far behind, with the
// limits of Kinesis: 5 calls and 2 MiB a second, no more of them at once than a
// second's, and none for five seconds after a full page.
type sharedShard struct {
	data []byte               // of each record
	took func() time.Duration // by a call on its way here, if not nil

	mu           sync.Mutex // guards what follows
	at           time.Time
	calls, bytes float64 // that may be read now
	blocked      time.Time
}

func (s *sharedShard) ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	shard := openShard(shardID)
	shard.HashKeyRange.EndingHashKey = aws.String("340282366920938463463374607431768211455")
	return listing("", shard), nil
}

func (s *sharedShard) GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	return iterator("1"), nil
}

const fullPage = 10 << 20

func (s *sharedShard) GetRecords(_ context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	if s.took != nil {
		time.Sleep(s.took())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	passed := now.Sub(s.at).Seconds()
	s.at = now
	s.calls, s.bytes = min(5, s.calls+5*passed), min(2<<20, s.bytes+2<<20*passed)
	if s.calls < 1 || s.bytes <= 0 || now.Before(s.blocked) {
		return nil, refusal("ProvisionedThroughputExceededException")
	}
	s.calls--
	first, err := strconv.Atoi(*in.ShardIterator)
	if err != nil {
		return nil, err
	}
	n := min(int(*in.Limit), fullPage/len(s.data))
	s.bytes -= float64(n * len(s.data))
	if n == fullPage/len(s.data) {
		s.blocked = now.Add(5 * time.Second)
	}
	out := &kinesis.GetRecordsOutput{NextShardIterator: aws.String(strconv.Itoa(first + n)), MillisBehindLatest: aws.Int64(3_600_000)}
	out.Records = make([]types.Record, n)
	for i := range out.Records {
		out.Records[i] = types.Record{
			Data: s.data, PartitionKey: aws.String("k"), SequenceNumber: aws.String(strconv.Itoa(first + i)), ApproximateArrivalTimestamp: &now,
		}
	}
	return out, nil
}

// A reader that is alone is never refused, though its calls take longer at one
// time than at another.
func TestAReaderAloneIsNotRefused(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100 << 10, 10} {
		synctest.Test(t, func(t *testing.T) {
			s := &sharedShard{data: make([]byte, size), took: func() time.Duration { return rand.N(8 * time.Millisecond) }}
			refused := 0
			s.read(t, kinesissource.Options{MaxRecords: 110, Throttled: func(string, string) { refused++ }}).run(3 * time.Minute)
			if refused > 0 {
				t.Errorf("refused %d times", refused)
			}
		})
	}
}

// A second application comes later, to a shard that the first one reads at the
// full rate. Both get about half of it then.
func TestTwoApplicationsShareAShard(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		recordSize int
		o          kinesissource.Options
	}{
		{"that gives as many bytes as it may", 100 << 10, kinesissource.Options{}},
		{"in smaller pages", 100 << 10, kinesissource.Options{MaxRecords: 8}},
		{"that gives as many calls as it may", 10, kinesissource.Options{MaxRecords: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &sharedShard{data: make([]byte, tt.recordSize)}
				core, logs := observer.New(zap.InfoLevel)
				tt.o.Logger = zap.New(core)
				first, second := s.read(t, tt.o), s.read(t, tt.o)
				var both sync.WaitGroup
				both.Go(func() { first.run(61 * time.Minute) })
				time.Sleep(time.Minute)
				alone := first.records.Load()
				both.Go(func() { second.run(time.Hour) })
				both.Wait()
				a, b := first.records.Load()-alone, second.records.Load()
				if share := 100 * a / (a + b); share < 40 || share > 60 {
					t.Errorf("the first read %d records, the second %d: %d %%, want 40 to 60", a, b, share)
				}
				if now := a + b; now < 24*alone {
					t.Errorf("together they read %d records in an hour, the first one alone %d in one", now, alone)
				}
				if slower := logs.FilterMessage("a shard's limits are exceeded; reading it more slowly").Len(); slower == 0 {
					t.Error("nothing was told")
				}
			})
		})
	}
}

// A reader that repeats refused calls at a fixed interval, however short, as the
// Java KCL does, leaves us some of the fifth that we never ask for less than.
func TestAnInsistentReaderLeavesUsSomething(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{200 * time.Millisecond, time.Second, 1500 * time.Millisecond} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &sharedShard{data: make([]byte, 20<<10)}
				ours := s.read(t, kinesissource.Options{})
				ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
				defer cancel()
				var other sync.WaitGroup
				other.Go(func() {
					const took = 37 * time.Millisecond // by a call
					for at := "1"; ctx.Err() == nil; time.Sleep(interval + took) {
						if out, err := s.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: &at, Limit: aws.Int32(10_000)}); err == nil {
							at = *out.NextShardIterator
						}
					}
				})
				ours.run(40 * time.Minute)
				other.Wait()
				if share := 100 * ours.records.Load() * int64(len(s.data)) / (2400 * 2 << 20); share < 6 {
					t.Errorf("read %d %% of what the shard gives", share)
				}
			})
		})
	}
}

// application is a worker that counts.
type application struct {
	t       *testing.T
	worker  kcl.Config
	records atomic.Int64
}

func (s *sharedShard) read(t *testing.T, o kinesissource.Options) *application {
	t.Helper()
	source := newSource(t, s, o)
	return &application{t: t, worker: kcl.Config{ApplicationName: "app", StreamName: streamName, WorkerID: "w", Source: source, Leases: new(lease.Mem)}}
}

// run works for a while.
func (a *application) run(d time.Duration) {
	a.t.Helper()
	w, err := kcl.New(a.worker, kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, recs []kcl.Record) error {
		a.records.Add(int64(len(recs)))
		return nil
	}))
	if err != nil {
		a.t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(a.t.Context(), d)
	defer cancel()
	if err := w.Run(ctx); err != nil {
		a.t.Errorf("Run = %v", err)
	}
}
