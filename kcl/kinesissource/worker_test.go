package kinesissource_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/localaws"
)

// vmware-go-kcl makes its calls with a context that nobody can cancel and
// sleeps between them, so a stop waits for the service.
func TestPeer16AReadStopsAtOnce(t *testing.T) {
	t.Parallel()
	errStop := errors.New("stop")
	tests := []struct {
		name  string
		fault *localaws.Fault
	}{
		{"between two polls", nil},
		{"throttled", &localaws.Fault{Operation: "GetRecords", Kind: localaws.Throttle()}},
		{"throttled before it began", &localaws.Fault{Operation: "GetShardIterator", Kind: localaws.Throttle()}},
		{"while the service is slow", &localaws.Fault{Operation: "GetRecords", Kind: localaws.Latency(time.Hour)}},
		{"while the SDK tries again", &localaws.Fault{Operation: "GetRecords", Kind: localaws.ServerError(500)}},
		{"while connections are refused", &localaws.Fault{Operation: "GetShardIterator", Kind: localaws.Refuse()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStream(t, 1)
				if tt.fault != nil {
					tt.fault.Service = localaws.Kinesis
					s.stack.Faults().Add(*tt.fault)
				}
				r := s.source(kinesissource.Options{PollInterval: time.Hour}).Open(shardID, trimHorizon())
				ctx, cancel := context.WithCancelCause(t.Context())
				done := make(chan error, 1)
				go func() {
					for { // what a fetcher does
						if _, err := r.Next(ctx, kcl.Room{}); ctx.Err() != nil {
							done <- err
							return
						} else if err != nil { // it waits: once its quota of retries is spent, the SDK returns at once
							_ = pause.For(ctx, time.Second)
						}
					}
				}()
				time.Sleep(4321 * time.Millisecond)
				start := time.Now()
				cancel(errStop)
				if err := <-done; !errors.Is(err, errStop) {
					t.Errorf("Next = %v, want the cause of the stop", err)
				}
				if took := time.Since(start); took > 0 {
					t.Errorf("Next returned %v after the stop", took)
				}
			})
		})
	}
}

// A kinsumer client gets bytes, without the key, the place or the time.
func TestPeer26ARecordComesWithItsKeyAndPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		put, err := s.api.PutRecord(t.Context(), &kinesis.PutRecordInput{
			StreamName: aws.String(streamName), PartitionKey: aws.String("ключ"), Data: []byte("data"),
		})
		s.check(err)
		arrived := time.Now()
		time.Sleep(time.Minute)
		got := make(chan kcl.Record, 1)
		s.work(t, 30*time.Second, func(_ context.Context, _ kcl.ShardInfo, recs []kcl.Record) error {
			got <- recs[0].Clone()
			return nil
		})
		r := <-got
		if r.PartitionKey != "ключ" || string(r.Data) != "data" || r.SequenceNumber != *put.SequenceNumber || !r.ApproximateArrivalTimestamp.Equal(arrived.Round(time.Millisecond)) {
			t.Errorf("got %+v, put as %s at %v", r, *put.SequenceNumber, arrived)
		}
	})
}

// work runs a worker on the stream for a while.
func (s *stream) work(t *testing.T, d time.Duration, f func(context.Context, kcl.ShardInfo, []kcl.Record) error) {
	t.Helper()
	w, err := kcl.New(kcl.Config{
		ApplicationName: "app", StreamName: streamName, Source: s.source(kinesissource.Options{MaxRecords: 7, PollInterval: 10 * time.Second}), Leases: new(lease.Mem), WorkerID: "me",
	}, kcl.Handle(f))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := w.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// telegraf and go-kinesis lost the tail of every closed shard, and telegraf went
// back to where it had started when an iterator expired. Here each batch takes
// longer than an iterator lives, and the stream is resharded.
func TestPeer55ATailIsReadOnceBySlowProcessors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		s.putRecords(25)
		_, err := s.api.SplitShard(t.Context(), &kinesis.SplitShardInput{
			StreamName: aws.String(streamName), ShardToSplit: aws.String(shardID), NewStartingHashKey: aws.String("170141183460469231731687303715884105728"),
		})
		s.check(err)
		s.settle()
		s.putRecords(25)
		var mu sync.Mutex
		var got []string
		s.work(t, 100*time.Minute, func(_ context.Context, _ kcl.ShardInfo, recs []kcl.Record) error {
			time.Sleep(10 * time.Minute)
			mu.Lock()
			defer mu.Unlock()
			for _, r := range recs {
				got = append(got, string(r.Data))
			}
			return nil
		})
		assertOnce(t, got, 50)
		for i, data := range got[:min(25, len(got))] {
			if data != strconv.Itoa(i+1) {
				t.Errorf("number %d is record %s", i+1, data)
			}
		}
	})
}

// harlow tells an expired checkpoint by the text of the error. The service may
// change its texts.
func TestPeer35TheClassOfAnErrorCountsNotItsText(t *testing.T) {
	t.Parallel()
	const peers = "StartingSequenceNumber 7 used in GetShardIterator on shard is invalid because it is trimmed"
	expired := func(text string) error {
		return fmt.Errorf("operation error: %w", &types.InvalidArgumentException{Message: aws.String(text)})
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"in the service's words", expired(peers), kcl.ErrTrimmed.Error()},
		{"in other words", expired("Not there any more"), kcl.ErrTrimmed.Error()},
		{"without any", &types.InvalidArgumentException{}, kcl.ErrTrimmed.Error()},
		{"another error in these words", errors.New(peers), "error"},
		{"an internal one in these words", &types.InternalFailureException{Message: aws.String(peers)}, "error"},
		{"denied in these words", &types.AccessDeniedException{Message: aws.String(peers)}, kcl.ErrAccessDenied.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := newScript(t, exchange{"GetShardIterator AT_SEQUENCE_NUMBER name:orders 7", tt.err})
			if got := read(t, api, at("7"), 1); !slices.Equal(got, []string{tt.want}) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
