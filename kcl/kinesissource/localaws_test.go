package kinesissource_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/localaws"
)

// stream is a stream of a local Kinesis, with the real client.
type stream struct {
	t     *testing.T
	stack *localaws.Stack
	api   *kinesis.Client // what makes and fills the stream
	read  *kinesis.Client // what reads it, in requests that each have a deadline
	put   int
}

func newStream(t *testing.T, shards int32) *stream {
	t.Helper()
	stack, err := localaws.New(localaws.Options{Limits: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	s := &stream{t: t, stack: stack, api: kinesis.NewFromConfig(stack.AWSConfig())}
	s.read = kinesis.NewFromConfig(stack.AWSConfig(), func(o *kinesis.Options) { o.HTTPClient = deadlinetest.Bounded(t, o.HTTPClient) })
	_, err = s.api.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(streamName), ShardCount: aws.Int32(shards)})
	s.check(err)
	s.settle()
	return s
}

func (s *stream) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// settle waits until a change of the stream is done.
func (s *stream) settle() {
	s.t.Helper()
	w := kinesis.NewStreamExistsWaiter(s.api)
	s.check(w.Wait(s.t.Context(), &kinesis.DescribeStreamInput{StreamName: aws.String(streamName)}, time.Hour))
}

// putRecords puts n records with data 1, 2, 3…, each with another hash.
func (s *stream) putRecords(n int) {
	s.t.Helper()
	for range n {
		s.put++
		_, err := s.api.PutRecord(s.t.Context(), &kinesis.PutRecordInput{
			StreamName: aws.String(streamName), PartitionKey: aws.String(fmt.Sprint("key-", s.put)), Data: fmt.Append(nil, s.put),
		})
		s.check(err)
	}
}

func (s *stream) source(o kinesissource.Options) *kinesissource.Source {
	s.t.Helper()
	return newSource(s.t, s.read, o)
}

// drain reads a shard and what follows it until each shard ended or n records
// were read, retrying what may pass. It fails if a shard's order is broken.
func drain(t *testing.T, src *kinesissource.Source, shardID string, n int, between func()) []string {
	t.Helper()
	var got []string
	failures := 0
	open := []string{shardID}
	for len(open) > 0 && len(got) < n {
		r := src.Open(open[0], trimHorizon())
		open = open[1:]
		last := checkpoint.ExtendedSequenceNumber{}
		for len(got) < n {
			between()
			p, err := r.Next(t.Context(), kcl.Room{})
			if err != nil {
				if failures++; failures > 20 {
					t.Fatalf("reading ended with %d records: %v", len(got), err)
				}
				continue
			}
			for _, record := range p.Records {
				if now := record.Position().ExtendedSequenceNumber; now.Compare(last) <= 0 {
					t.Errorf("record %v after %v", now, last)
				} else {
					last = now
				}
				got = append(got, string(record.Data))
			}
			if p.End {
				for _, c := range p.Children {
					open = append(open, c.ID)
				}
				break
			}
		}
	}
	return got
}

func TestLocalKinesisIsReadWhole(t *testing.T) {
	t.Parallel()
	const records = "GetRecords"
	tests := []struct {
		name   string
		faults []localaws.Fault
		pause  time.Duration // by the reader, before each call
	}{
		{"undisturbed", nil, 0},
		{"with an iterator that expires before each page", nil, 10 * time.Minute},
		{"throttled now and then", []localaws.Fault{{Operation: records, After: 2, Times: 4, Kind: localaws.Throttle()}, {Operation: "GetShardIterator", Times: 3, Kind: localaws.Throttle()}}, 0},
		{"through a service with problems", []localaws.Fault{{Operation: records, After: 1, Times: 7, Kind: localaws.ServerError(500)}, {Operation: "GetShardIterator", Times: 4, Kind: localaws.ServerError(503)}}, 0},
		{"with answers that are lost", []localaws.Fault{{Operation: records, After: 1, Times: 8, Kind: localaws.LostAnswer()}}, 0},
		{"with answers that come too late", []localaws.Fault{{Operation: records, After: 1, Times: 5, Kind: localaws.Latency(50 * time.Second)}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
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
				_, err = s.api.MergeShards(t.Context(), &kinesis.MergeShardsInput{
					StreamName: aws.String(streamName), ShardToMerge: aws.String("shardId-000000000001"), AdjacentShardToMerge: aws.String("shardId-000000000002"),
				})
				s.check(err)
				s.settle()
				s.putRecords(25)
				for _, f := range tt.faults {
					f.Service = localaws.Kinesis
					s.stack.Faults().Add(f)
				}
				src := s.source(kinesissource.Options{MaxRecords: 7})
				// The merged shard is a child of both; a worker reads it once.
				got := drain(t, src, shardID, 75, func() { time.Sleep(tt.pause) })
				assertOnce(t, got, 75)
			})
		})
	}
}

func assertOnce(t *testing.T, got []string, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, data := range got {
		seen[data]++
	}
	for i := range n {
		if c := seen[strconv.Itoa(i+1)]; c != 1 {
			t.Errorf("record %d was read %d times", i+1, c)
		}
	}
}

func TestLocalKinesisShardsAreDescribed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 2)
		_, err := s.api.MergeShards(t.Context(), &kinesis.MergeShardsInput{
			StreamName: aws.String(streamName), ShardToMerge: aws.String(shardID), AdjacentShardToMerge: aws.String("shardId-000000000001"),
		})
		s.check(err)
		s.settle()
		src := s.source(kinesissource.Options{})
		list, err := src.ListShards(t.Context())
		if err != nil || len(list.Shards) != 3 || time.Since(list.At).Abs() > time.Second {
			t.Fatalf("ListShards = %+v, %v", list, err)
		}
		p, err := src.Open(shardID, trimHorizon()).Next(t.Context(), kcl.Room{})
		if err != nil || !p.End || len(p.Children) != 1 {
			t.Fatalf("Next = %+v, %v", p, err)
		}
		listed, child := list.Shards[2], p.Children[0]
		slices.Sort(listed.ParentIDs)
		slices.Sort(child.ParentIDs)
		if child.ID != listed.ID || child.Range != listed.Range || !slices.Equal(child.ParentIDs, listed.ParentIDs) || len(child.ParentIDs) != 2 {
			t.Errorf("child %+v, listed %+v", child, listed)
		}
	})
}

func TestLocalKinesisTrimsARecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		s.putRecords(3)
		src := s.source(kinesissource.Options{MaxRecords: 2})
		r := src.Open(shardID, trimHorizon())
		first, err := r.Next(t.Context(), kcl.Room{})
		if err != nil || len(first.Records) != 2 {
			t.Fatalf("Next = %+v, %v", first, err)
		}
		time.Sleep(25 * time.Hour)
		s.putRecords(1)

		// The reader knows that record 3 was lost to it.
		if p, err := r.Next(t.Context(), kcl.Room{}); !errors.Is(err, kcl.ErrTrimmed) {
			t.Errorf("Next = %+v, %v, want ErrTrimmed", p, err)
		}
		// A new reader is told, or given a record that is not the one it asked for.
		p, err := src.Open(shardID, first.Records[1].Position()).Next(t.Context(), kcl.Room{})
		if !errors.Is(err, kcl.ErrTrimmed) && (err != nil || len(p.Records) != 1 || string(p.Records[0].Data) != "4") {
			t.Errorf("Next = %+v, %v", p, err)
		}
	})
}

func TestLocalKinesisLatestKeepsItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		s.putRecords(1)
		time.Sleep(time.Minute)
		r := s.source(kinesissource.Options{}).Open(shardID, checkpoint.Sentinel(checkpoint.Latest))
		if p, err := r.Next(t.Context(), kcl.Room{}); err != nil || len(p.Records) != 0 {
			t.Errorf("Next = %+v, %v", p, err)
		}
		s.putRecords(1)
		time.Sleep(10 * time.Minute) // the iterator expires
		if p, err := r.Next(t.Context(), kcl.Room{}); err != nil || len(p.Records) != 1 || string(p.Records[0].Data) != "2" {
			t.Errorf("Next = %+v, %v", p, err)
		}
	})
}

func TestLocalKinesisHasNoSuchThing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		src := s.source(kinesissource.Options{})
		if _, err := src.Open("shardId-000000000009", trimHorizon()).Next(t.Context(), kcl.Room{}); !errors.Is(err, kcl.ErrShardNotFound) {
			t.Errorf("Next = %v, want ErrShardNotFound", err)
		}
		r := src.Open(shardID, trimHorizon())
		if _, err := r.Next(t.Context(), kcl.Room{}); err != nil {
			t.Error(err)
		}
		_, err := s.api.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: aws.String(streamName)})
		s.check(err)
		time.Sleep(time.Minute)
		if _, err := r.Next(t.Context(), kcl.Room{}); !errors.Is(err, kcl.ErrStreamNotFound) {
			t.Errorf("Next = %v, want ErrStreamNotFound", err)
		}
		if _, err := src.ListShards(t.Context()); !errors.Is(err, kcl.ErrStreamNotFound) {
			t.Errorf("ListShards = %v, want ErrStreamNotFound", err)
		}
	})
}

func TestLocalKinesisByARN(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		s.putRecords(1)
		src := s.source(kinesissource.Options{StreamARN: strings.Replace(streamARN, "us-east-1", s.stack.AWSConfig().Region, 1)})
		list, err := src.ListShards(t.Context())
		if err != nil || len(list.Shards) != 1 {
			t.Errorf("ListShards = %+v, %v", list, err)
		}
		if p, err := src.Open(shardID, trimHorizon()).Next(t.Context(), kcl.Room{}); err != nil || len(p.Records) != 1 {
			t.Errorf("Next = %+v, %v", p, err)
		}
	})
}

// However many quiet shards a worker reads, a record is processed soon after it
// was put.
func TestQuietShardsAreReadInTime(t *testing.T) {
	t.Parallel()
	for _, poll := range []time.Duration{0, 3 * time.Second} { // by default at most a second
		synctest.Test(t, func(t *testing.T) {
			const shards, puts = 200, 10
			s := newStream(t, shards)
			latency := make(chan time.Duration, puts)
			w, err := kcl.New(kcl.Config{
				ApplicationName: "app", StreamName: streamName, WorkerID: "w", Leases: new(lease.Mem), Source: s.source(kinesissource.Options{PollInterval: poll}),
			}, kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, recs []kcl.Record) error {
				for _, r := range recs {
					latency <- time.Since(r.ApproximateArrivalTimestamp)
				}
				return nil
			}))
			s.check(err)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			time.Sleep(5 * time.Second) // it has all leases, and the shards are quiet
			for range puts {
				time.Sleep(rand.N(time.Second))
				s.putRecords(1)
			}
			for range puts {
				if got, most := <-latency, cmp.Or(poll, time.Second)+200*time.Millisecond; got > most {
					t.Errorf("a record was processed %v after it was put, want %v at most", got, most)
				}
			}
			cancel()
			s.check(<-ended)
		})
	}
}
