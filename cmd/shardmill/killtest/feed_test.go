//go:build kill || search || redshift

package killtest_test

import (
	"bytes"
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

	"github.com/shardmill/shardmill/kcl/kpl"
)

const (
	streamName = "killed"
	shardCount = 8
)

// flow is what a feeder puts.
type flow struct {
	rate    int64 // bytes a second up to what is allowed
	shards  int
	singles int64 // bytes that come as single records between bursts
}

func ordinary(rate int64) flow { return flow{rate: rate, shards: shardCount, singles: 1 << 20} }

// feeder puts numbered records: lines by `shardmill put`, and bursts of
// aggregated records that are larger than a buffer, so that cuts end within
// one. It puts as much as was allowed, then hardly anything, until it is ended.
type feeder struct {
	put   *process
	out   lockedBuffer // of put
	api   *kinesis.Client
	rng   *rand.Rand
	text  []byte
	flow  flow
	lines int64 // given to put

	mu      sync.Mutex // guards what follows
	allowed int64
	bytes   int64
	number  int64

	cancel context.CancelFunc
	ended  chan struct{}
	err    error // read after ended is closed
}

func startFeeder(t *testing.T, s *services, dir string, rng *rand.Rand, flow flow) *feeder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &feeder{api: s.kinesis, rng: rng, flow: flow, cancel: cancel, ended: make(chan struct{})}
	// Text compresses to about two fifths.
	f.text = make([]byte, 1<<20)
	for i := range f.text {
		f.text[i] = "etaoin shrdlu"[rng.IntN(13)]
	}
	f.put = start(t, dir, "put", s.env, &f.out, "put", "--stream", streamName, "--create-shards", strconv.Itoa(flow.shards), "--rate", "1000", "-")
	eventually(t, "the stream to be created", 20*time.Second, func() bool {
		_, err := s.kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(streamName)})
		return err == nil
	})
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

// allow raises what may be put to so many bytes in all.
func (f *feeder) allow(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.allowed = bytes
}

// progress returns what was put, and how much more is allowed.
func (f *feeder) progress() (records, bytes, left int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.number, f.bytes, f.allowed - f.bytes
}

// failed reports whether it puts no more, although nobody ended it.
func (f *feeder) failed() bool {
	select {
	case <-f.ended:
		return f.err != nil
	default:
		return false
	}
}

// finish ends the putting and waits until everything is in the stream.
func (f *feeder) finish(t *testing.T) {
	t.Helper()
	f.cancel()
	<-f.ended
	if f.err != nil {
		t.Fatal(f.err)
	}
	if err := f.put.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	f.put.finish(t, time.Minute, 0)
	var lines int64
	if _, err := fmt.Sscanf(f.out.String(), "put %d records", &lines); err != nil || lines != f.lines {
		t.Errorf("shardmill put was given %d lines and says %q", f.lines, f.out.String())
	}
}

func (f *feeder) run(ctx context.Context) error {
	var single int64 // bytes of single records since the last burst
	next := time.Now()
	for ctx.Err() == nil {
		_, before, left := f.progress()
		burst := left > 0 && single >= f.flow.singles
		var err error
		switch {
		case burst:
			err = f.putBurst(context.WithoutCancel(ctx))
		case left > 0:
			err = f.putLines(64)
		default: // enough that no shard is quiet for long
			err = f.putLines(4 * f.flow.shards)
		}
		if err != nil {
			return err
		}
		_, after, _ := f.progress()
		single += after - before
		if burst {
			single = 0
		}
		pause := time.Duration(after-before) * time.Second / time.Duration(f.flow.rate)
		if left <= 0 {
			pause = 300 * time.Millisecond
		}
		if next = next.Add(pause); time.Since(next) > time.Second {
			next = time.Now() // what was not put in time is not hurried
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(next)):
		}
	}
	return nil
}

// line makes the next record.
func (f *feeder) line(b []byte) []byte {
	size := 100 + f.rng.IntN(1400)
	if f.rng.IntN(200) == 0 {
		size = 30_000
	}
	at := f.rng.IntN(len(f.text) - size)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number++
	before := len(b)
	b = fmt.Appendf(b, "%012d ", f.number)
	b = append(append(b, f.text[at:at+size]...), '\n')
	f.bytes += int64(len(b) - before)
	return b
}

func (f *feeder) putLines(n int) error {
	var b bytes.Buffer
	for range n {
		b.Write(f.line(nil))
	}
	f.lines += int64(n)
	if _, err := f.put.stdin.Write(b.Bytes()); err != nil {
		return fmt.Errorf("giving lines to shardmill put: %w", err)
	}
	return nil
}

// putBurst puts aggregated records into one shard. The user records' hash keys
// are near each other and far from where shards can begin and end, so that all
// of a record's are the shard's, also after a split and a merge.
func (f *feeder) putBurst(ctx context.Context) error {
	base := new(big.Int).Lsh(big.NewInt(int64(2*f.rng.IntN(8*shardCount)+1)), 128)
	base.Div(base, big.NewInt(16*shardCount))
	for range 3 {
		var a kpl.Aggregator
		size := 2_000 + f.rng.IntN(900_000)
		for i := int64(0); a.Size() < size; i++ {
			user := kpl.UserRecord{PartitionKey: fmt.Sprint("k", i%5), Data: f.line(nil), HasExplicitHashKey: true}
			user.ExplicitHashKey = new(big.Int).Add(base, big.NewInt(i)).String()
			if !a.Add(user) {
				return fmt.Errorf("a record of %d bytes does not fit", len(user.Data))
			}
		}
		key, _ := a.ExplicitHashKey()
		_, err := f.api.PutRecord(ctx, &kinesis.PutRecordInput{
			StreamName: aws.String(streamName), PartitionKey: aws.String(a.PartitionKey()), ExplicitHashKey: &key, Data: a.Append(nil),
		})
		if err != nil {
			return fmt.Errorf("putting %d aggregated records: %w", a.Len(), err)
		}
	}
	return nil
}
