package feed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/feed"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/localaws"
)

const half = "170141183460469231731687303715884105728" // the first hash key of the upper half

// packing returns a Feeder that packs for two shards, of which each has a half.
func packing(t *testing.T) (*localaws.Stack, *kinesis.Client, *feed.Feeder) {
	t.Helper()
	stack, f := open(t)
	api := kinesis.NewFromConfig(stack.AWSConfig())
	if _, err := api.SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: aws.String("orders"), ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String(half),
	}); err != nil {
		t.Fatal(err)
	}
	settle(t, api)
	if err := f.Pack([]string{half, "0"}); err != nil {
		t.Fatal(err)
	}
	return stack, api, f
}

// settle waits until the shards are what they were asked to be.
func settle(t *testing.T, api *kinesis.Client) {
	t.Helper()
	if err := kinesis.NewStreamExistsWaiter(api).Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: aws.String("orders")}, time.Hour); err != nil {
		t.Fatal(err)
	}
}

// stored is a record of the stream, and the hash keys of its shard.
type stored struct {
	types.Record

	shard string
	hash  kpl.HashRange
}

func records(t *testing.T, api *kinesis.Client) (out []stored) {
	t.Helper()
	shards, err := api.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shards.Shards {
		hash, err := kpl.ParseHashRange(*s.HashKeyRange.StartingHashKey, *s.HashKeyRange.EndingHashKey)
		if err != nil {
			t.Fatal(err)
		}
		from, err := api.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: aws.String("orders"), ShardId: s.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		for at := from.ShardIterator; at != nil; {
			page, err := api.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: at})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				out = append(out, stored{r, *s.ShardId, hash})
			}
			if at = page.NextShardIterator; aws.ToInt64(page.MillisBehindLatest) == 0 && len(page.Records) == 0 {
				break
			}
		}
	}
	return out
}

func addLines(t *testing.T, f *feed.Feeder, from, to int) (want []string) {
	t.Helper()
	for i := from; i < to; i++ {
		line := fmt.Sprintf("line %d\n", i)
		if err := f.Add(t.Context(), []byte(line)); err != nil {
			t.Fatal(err)
		}
		want = append(want, line)
	}
	return want
}

// What is added is packed into one record for each shard, with the keys that the
// lines would have by themselves, and in their order.
func TestPack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, api, f := packing(t)
		want := addLines(t, f, 0, 2000)
		if n, _ := f.Progress(); n != 0 {
			t.Errorf("%d lines were put before they were to be", n)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(t.Context()); err != nil { // there is nothing left
			t.Fatal(err)
		}
		var got []string
		all := records(t, api)
		for _, r := range all {
			s, err := kpl.NewSplitter(r.Data)
			if err != nil || !r.hash.ContainsAll(s) || s.IsKPL(*r.PartitionKey) {
				t.Fatalf("a record of %d user records, which are of its shard: %v; the KPL's: %v; %v", s.Len(), r.hash.ContainsAll(s), s.IsKPL(*r.PartitionKey), err)
			}
			last := 0
			for u, ok := s.Next(); ok; u, ok = s.Next() {
				n, err := strconv.Atoi(u.PartitionKey)
				if err != nil || n <= last || want[n-1] != string(u.Data) {
					t.Fatalf("user record %q has the key %q and comes after %d", u.Data, u.PartitionKey, last)
				}
				if u.HasExplicitHashKey = false; !r.hash.Contains(u) {
					t.Fatalf("user record %q is in another shard than by itself", u.Data)
				}
				last = n
				got = append(got, string(u.Data))
			}
		}
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) || len(all) != 2 {
			t.Errorf("%d user records in %d records, want %d in 2", len(got), len(all), len(want))
		}
		if n, size := f.Progress(); n != 2000 || size != int64(len(strings.Join(want, ""))) || f.Puts() != 2 {
			t.Errorf("%d lines of %d bytes in %d records were told", n, size, f.Puts())
		}
	})
}

// A line that no aggregated record has room for goes by itself; the others fill one
// record after another, and no call is too large, however many shards there are.
func TestPackInSizes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, api, f := packing(t)
		large := bytes.Repeat([]byte("x"), 1<<20-30)
		for i := range 100 {
			data := large
			if i != 50 {
				data = large[:100_000]
			}
			if err := f.Add(t.Context(), data); err != nil {
				t.Fatal(err)
			}
		}
		n, _ := f.Progress()
		if n < 40 {
			t.Errorf("%d lines were put before the flush: more than a call takes waits", n)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		users, plain := 0, 0
		for _, r := range records(t, api) {
			s, err := kpl.NewSplitter(r.Data)
			if err != nil {
				plain++
			}
			users += s.Len()
		}
		if users != 99 || plain != 1 || f.Puts() > 20 {
			t.Errorf("%d user records and %d plain ones, in %d records", users, plain, f.Puts())
		}
		if n, size := f.Progress(); n != 100 || size != int64(99*100_000+len(large)) {
			t.Errorf("%d lines of %d bytes were told", n, size)
		}
	})
}

// Shards that are split and merged after a Feeder learnt of them lose and repeat
// nothing, whatever rule a reader has for user records outside its shard.
func TestPackedRecordsSurviveReshards(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]kcl.HashRangeRule{"KPL": kcl.HashRangeKPL, "Java": kcl.HashRangeJava, "each": kcl.HashRangeEach, "off": kcl.HashRangeOff} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stack, api, f := packing(t)
				want := addLines(t, f, 0, 500)
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := api.SplitShard(t.Context(), &kinesis.SplitShardInput{
					StreamName: aws.String("orders"), ShardToSplit: aws.String("shardId-000000000001"), NewStartingHashKey: aws.String("85070591730234615865843651857942052864"),
				}); err != nil {
					t.Fatal(err)
				}
				settle(t, api)
				for i := 500; i < 1000; i += 50 {
					want = append(want, addLines(t, f, i, i+50)...)
					if err := f.Flush(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := api.MergeShards(t.Context(), &kinesis.MergeShardsInput{
					StreamName: aws.String("orders"), ShardToMerge: aws.String("shardId-000000000002"), AdjacentShardToMerge: aws.String("shardId-000000000004"),
				}); err != nil {
					t.Fatal(err)
				}
				settle(t, api)
				want = append(want, addLines(t, f, 1000, 1500)...)
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				in := map[string]int{}
				for _, r := range records(t, api) {
					in[r.shard]++
				}
				if len(in) != 5 { // that which was split at first has none
					t.Errorf("records are in the shards %v, want each of five to have some", in)
				}
				got := read(t, stack, rule)
				slices.Sort(got)
				if slices.Sort(want); !slices.Equal(got, want) {
					t.Errorf("%d lines were read, want %d", len(got), len(want))
				}
			})
		})
	}
}

// read returns what a worker reads of the stream.
func read(t *testing.T, stack *localaws.Stack, rule kcl.HashRangeRule) (lines []string) {
	t.Helper()
	source, err := kinesissource.New(kinesis.NewFromConfig(stack.AWSConfig()), kinesissource.Options{StreamName: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	w, err := kcl.New(kcl.Config{
		ApplicationName: "orders", StreamName: "orders", WorkerID: "me", Source: source, Leases: new(lease.Mem), HashRangeRule: rule,
	}, kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, records []kcl.Record) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range records {
			lines = append(lines, string(r.Data))
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
	return lines
}

// What was not answered counts by lines.
func TestDoubtOfPackedRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack, api, f := packing(t)
		stack.Faults().Add(localaws.Fault{Operation: "PutRecords", Kind: localaws.LostAnswer()})
		addLines(t, f, 0, 100)
		if err := f.Flush(t.Context()); err == nil {
			t.Error("a put whose answers are lost succeeded")
		}
		if n, _ := f.Progress(); n != 0 || f.Doubt() != 300 || f.Puts() != 0 {
			t.Errorf("%d lines in %d records are put, and %d lines may be", n, f.Puts(), f.Doubt())
		}
		stack.Faults().Clear()
		if n := len(records(t, api)); n != 6 { // three tries
			t.Errorf("%d records are there", n)
		}
	})
}

// However many shards there are, no more waits than a call takes.
func TestPackForManyShards(t *testing.T) {
	t.Parallel()
	f := feed.New(&halfRefusing{puts: make([][]types.PutRecordsRequestEntry, 1)}, "orders", nil)
	var starts []string
	for i := range 16 {
		starts = append(starts, new(big.Int).Lsh(big.NewInt(int64(i)), 124).String())
	}
	if err := f.Pack(starts); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := f.Add(t.Context(), make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		if n, _ := f.Progress(); int64(i)-n > 42 {
			t.Fatalf("%d lines wait", int64(i)-n)
		}
	}
}

// halfRefusing refuses the last record of the first call, and may not answer the
// second.
type halfRefusing struct {
	puts [][]types.PutRecordsRequestEntry
	lost bool
}

func (h *halfRefusing) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	h.puts = append(h.puts, slices.Clone(in.Records))
	if h.lost && len(h.puts) == 2 {
		return nil, errors.New("lost")
	}
	out := &kinesis.PutRecordsOutput{}
	for i := range in.Records {
		r := types.PutRecordsResultEntry{ShardId: aws.String("shardId-000000000000"), SequenceNumber: aws.String("1")}
		if len(h.puts) == 1 && i == len(in.Records)-1 {
			r = types.PutRecordsResultEntry{ErrorCode: aws.String("ProvisionedThroughputExceededException")}
		}
		out.Records = append(out.Records, r)
	}
	return out, nil
}

// What is refused is put again as it was, and counts when it is put.
func TestARefusedPackIsPutAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := new(halfRefusing)
		f := feed.New(h, "orders", nil)
		if err := f.Pack([]string{"0", half}); err != nil {
			t.Fatal(err)
		}
		want := addLines(t, f, 0, 11)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(h.puts) != 2 || len(h.puts[1]) != 1 || !bytes.Equal(h.puts[0][1].Data, h.puts[1][0].Data) || *h.puts[0][1].ExplicitHashKey != *h.puts[1][0].ExplicitHashKey {
			t.Errorf("put %v", h.puts)
		}
		if n, size := f.Progress(); n != 11 || size != int64(len(strings.Join(want, ""))) || f.Puts() != 2 {
			t.Errorf("%d lines of %d bytes in %d records were told", n, size, f.Puts())
		}
	})
}

// Of what was refused at first, and then not answered, only that is in doubt.
func TestDoubtOfARefusedPack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := feed.New(&halfRefusing{lost: true}, "orders", nil)
		if err := f.Pack([]string{"0", half}); err != nil {
			t.Fatal(err)
		}
		addLines(t, f, 0, 11)
		if err := f.Flush(t.Context()); err == nil {
			t.Error("a put whose answer is lost succeeded")
		}
		if n, _ := f.Progress(); n == 0 || n+f.Doubt() != 11 {
			t.Errorf("%d lines are put, and %d may be, of 11", n, f.Doubt())
		}
	})
}

// What no stream has is refused.
func TestPackRefusesShards(t *testing.T) {
	t.Parallel()
	f := feed.New(refusing{}, "orders", nil)
	for _, starts := range [][]string{nil, {"0", "x"}, {"-1"}, {"340282366920938463463374607431768211456"}} {
		if err := f.Pack(starts); err == nil {
			t.Errorf("%q are taken", starts)
		}
	}
}
