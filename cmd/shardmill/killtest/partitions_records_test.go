//go:build kill || search || redshift

package killtest_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/kcl/kpl"
)

const (
	customers         = 500 // each a partition
	partitionedShards = 3
)

// fate is what becomes of a record, by its number alone.
type fate string

const (
	isDelivered fate = "delivered"
	isDropped   fate = "dropped"             // the program says Dropped
	isFailed    fate = "failed"              // it says ProcessingFailed
	isLeftOut   fate = "left out"            // it says nothing
	isUnkeyed   fate = "without a customer"  // it makes something of it that has no partition
	isNoJSON    fate = "made something else" // it makes something of it that is no JSON
)

func fateOf(n int) fate {
	switch {
	case n%11 == 3:
		return isDropped
	case n%13 == 5:
		return isFailed
	case n%17 == 7:
		return isLeftOut
	case n%19 == 9:
		return isUnkeyed
	case n%23 == 1:
		return isNoJSON
	}
	return isDelivered
}

// entry is a record as it is put. Neighbours share a customer, and 1,500 have all.
type entry struct {
	N        int    `json:"n"`
	Customer string `json:"customer"`
	Text     string `json:"text"`
}

func entryOf(n int) entry {
	return entry{n, fmt.Sprintf("c%03d", n/3*7919%customers), strings.Repeat(strconv.Itoa(n)+" ", 100+n%100)}
}

func (e entry) data() []byte {
	return fmt.Appendf(nil, `{"n":%d,"customer":%q,"text":%q}`, e.N, e.Customer, e.Text)
}

// made is what the program makes of a record.
func (e entry) made() string {
	switch customer := ""; fateOf(e.N) {
	case isNoJSON:
		return fmt.Sprint("number ", e.N)
	case isDelivered:
		customer = fmt.Sprintf(`"customer":%q,`, e.Customer)
		fallthrough
	default:
		return fmt.Sprintf(`{"number":%d,%s"words":%d,"text":%q}`, e.N, customer, strings.Count(e.Text, " "), e.Text)
	}
}

// numbered puts numbered records: some by themselves, some as many in an aggregated one.
type numbered struct {
	api    *kinesis.Client
	rng    *rand.Rand
	put    atomic.Int64
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // read after ended is closed
}

const burst = 400 // records

// putNumbered puts a burst of records again and again.
func putNumbered(t *testing.T, s *services, rng *rand.Rand, each time.Duration) *numbered {
	t.Helper()
	if _, err := s.kinesis.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(streamName), ShardCount: aws.Int32(partitionedShards)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f := &numbered{api: s.kinesis, rng: rng, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for ctx.Err() == nil && f.err == nil {
			f.err = f.burst(context.WithoutCancel(ctx))
			select {
			case <-ctx.Done():
			case <-time.After(each):
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-f.ended
	})
	return f
}

// finish ends that, and puts what is left of so many records.
func (f *numbered) finish(t *testing.T, records int64) {
	t.Helper()
	f.cancel()
	<-f.ended
	for f.err == nil && f.put.Load() < records {
		f.err = f.burst(t.Context())
	}
	if f.err != nil {
		t.Fatal(f.err)
	}
}

func (f *numbered) burst(ctx context.Context) error {
	first := int(f.put.Load())
	if f.rng.IntN(3) == 0 {
		return f.aggregate(ctx, first)
	}
	in := &kinesis.PutRecordsInput{StreamName: aws.String(streamName)}
	for n := first; n < first+burst; n++ {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String(strconv.Itoa(n)), Data: entryOf(n).data()})
	}
	out, err := f.api.PutRecords(ctx, in)
	if err == nil && aws.ToInt32(out.FailedRecordCount) > 0 {
		err = fmt.Errorf("%d records were refused", *out.FailedRecordCount)
	}
	if err != nil {
		return fmt.Errorf("putting %d records: %w", burst, err)
	}
	f.put.Add(burst)
	return nil
}

// aggregate puts them as one record.
func (f *numbered) aggregate(ctx context.Context, first int) error {
	key := new(big.Int).Lsh(big.NewInt(int64(2*f.rng.IntN(partitionedShards)+1)), 127)
	key.Div(key, big.NewInt(partitionedShards))
	hash := key.String()
	var a kpl.Aggregator
	n := first
	for ; n < first+burst; n++ {
		if !a.Add(kpl.UserRecord{PartitionKey: "k", Data: entryOf(n).data(), HasExplicitHashKey: true, ExplicitHashKey: hash}) {
			break
		}
	}
	_, err := f.api.PutRecord(ctx, &kinesis.PutRecordInput{
		StreamName: aws.String(streamName), PartitionKey: aws.String(a.PartitionKey()), ExplicitHashKey: &hash, Data: a.Append(nil),
	})
	if err != nil {
		return fmt.Errorf("putting %d records as one: %w", a.Len(), err)
	}
	f.put.Store(int64(n))
	return nil
}
