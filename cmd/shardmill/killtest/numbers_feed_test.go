//go:build search || redshift

package killtest_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/kcl/kpl"
)

const (
	numberedShards = 6
	numbersPerPut  = 500
	trickle        = 30 // records, when no more are allowed: no shard is quiet for long
)

// numbersFeed puts numbered records, one put in four as aggregated ones. It puts as many
// as were allowed, then hardly any, until it is ended.
type numbersFeed struct {
	api    *kinesis.Client
	rng    *rand.Rand
	dataOf func(n int) []byte // a record, by its number

	mu      sync.Mutex // guards what follows
	allowed int
	put     int

	cancel context.CancelFunc
	ended  chan struct{}
	err    error // read after ended is closed
}

func feedNumbers(t *testing.T, s *services, rng *rand.Rand, dataOf func(n int) []byte) *numbersFeed {
	t.Helper()
	if _, err := s.kinesis.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(streamName), ShardCount: aws.Int32(numberedShards)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f := &numbersFeed{api: s.kinesis, rng: rng, dataOf: dataOf, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		f.err = f.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-f.ended
	})
	return f
}

// allow raises what may be put to so many records in all.
func (f *numbersFeed) allow(records int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.allowed = records
}

// progress returns how many were put, and how many more are allowed.
func (f *numbersFeed) progress() (put, left int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.put, f.allowed - f.put
}

// finish ends the putting, once as many were put as are allowed.
func (f *numbersFeed) finish(t *testing.T) (put int) {
	t.Helper()
	eventually(t, "the rest to be put", patience, func() bool {
		_, left := f.progress()
		select {
		case <-f.ended:
			return true
		default:
			return left <= 0
		}
	})
	f.cancel()
	<-f.ended
	if f.err != nil {
		t.Fatal(f.err)
	}
	put, _ = f.progress()
	return put
}

func (f *numbersFeed) run(ctx context.Context) error {
	for ctx.Err() == nil {
		put, left := f.progress()
		n, pause := numbersPerPut, 50*time.Millisecond
		if left <= 0 {
			n, pause = trickle, 200*time.Millisecond
		}
		if err := f.batch(context.WithoutCancel(ctx), put, n); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// batch puts records from a number on.
func (f *numbersFeed) batch(ctx context.Context, first, n int) error {
	in := &kinesis.PutRecordsInput{StreamName: aws.String(streamName)}
	if f.rng.IntN(4) > 0 {
		for i := first; i < first+n; i++ {
			in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String(strconv.Itoa(i)), Data: f.dataOf(i)})
		}
	} else {
		in.Records = f.aggregates(first, n)
	}
	out, err := f.api.PutRecords(ctx, in)
	if err == nil && aws.ToInt32(out.FailedRecordCount) > 0 {
		err = fmt.Errorf("%d records were refused", *out.FailedRecordCount)
	}
	if err != nil {
		return fmt.Errorf("putting %d records: %w", n, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put += n
	return nil
}

// aggregates are records as some that are aggregated, each in the middle of a shard.
func (f *numbersFeed) aggregates(first, n int) (all []types.PutRecordsRequestEntry) {
	var a kpl.Aggregator
	hash := ""
	end := func() {
		all = append(all, types.PutRecordsRequestEntry{PartitionKey: aws.String(a.PartitionKey()), ExplicitHashKey: aws.String(hash), Data: a.Append(nil)})
		a.Reset()
	}
	for i := first; i < first+n; i++ {
		if a.Len() == 0 {
			key := new(big.Int).Lsh(big.NewInt(int64(2*f.rng.IntN(numberedShards)+1)), 127)
			hash = key.Div(key, big.NewInt(numberedShards)).String()
		}
		u := kpl.UserRecord{PartitionKey: "k", Data: f.dataOf(i), HasExplicitHashKey: true, ExplicitHashKey: hash}
		if !a.Add(u) {
			end()
			i-- // it begins the next one
			continue
		}
		if a.Len() == 40 {
			end()
		}
	}
	if a.Len() > 0 {
		end()
	}
	return all
}
