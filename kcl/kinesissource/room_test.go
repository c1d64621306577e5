package kinesissource_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
)

// An answer for which there is no room is let go of: it is no failure that the SDK
// repeats, nothing is skipped, and fewer records are asked for next.
func TestAnAnswerWithoutRoomIsAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 30_000))
		record := func(i int) string {
			return fmt.Sprintf(`{"SequenceNumber":"%d","PartitionKey":"k","Data":%q}`, i, data)
		}
		var many []string
		for i := range 100 {
			many = append(many, record(1000+i))
		}
		page := `{"Records":[%s],"MillisBehindLatest":7,"NextShardIterator":"i%d"}`
		w := &wire{answers: []wireAnswer{
			{200, `{"ShardIterator":"i1"}`, ""},
			{200, fmt.Sprintf(page, strings.Join(many, ","), 2), ""},
			{200, fmt.Sprintf(page, record(1000), 3), ""},
		}}
		r := newSource(t, client(w, localKey()), kinesissource.Options{}).Open("s0", trimHorizon())
		var asked []int64
		room := kcl.Room{Bytes: 200_000, More: func(_ context.Context, n int64) error {
			if asked = append(asked, n); n > 1<<20 {
				return &kcl.NoRoomError{Bytes: n}
			}
			return nil
		}}
		_, err := r.Next(t.Context(), room)
		no, ok := errors.AsType[*kcl.NoRoomError](err)
		if !ok || no.Bytes < 100*30_000*4/3 || len(w.requests) != 2 {
			t.Fatalf("Next = %v after %d requests", err, len(w.requests))
		}
		p, err := r.Next(t.Context(), room)
		if err != nil || len(p.Records) != 1 || p.Records[0].SequenceNumber != "1000" || len(p.Records[0].Data) != 30_000 {
			t.Fatalf("Next = %+v, %v", p, err)
		}
		if want := `GetRecords {"Limit":4,"ShardIterator":"i1"`; !strings.HasPrefix(w.requests[2], want) {
			t.Errorf("asked for %s, want %s", w.requests[2], want)
		}
		if p.Memory > asked[len(asked)-1] || p.Memory < 40_000 {
			t.Errorf("a page that takes %d, and %d were asked for", p.Memory, asked)
		}
	})
}

// pieces is a body of unknown length that comes in pieces.
type pieces struct {
	io.Reader

	size  int
	after time.Duration // each
}

func (p pieces) Read(b []byte) (int, error) {
	time.Sleep(p.after)
	return p.Reader.Read(b[:min(len(b), p.size)])
}

func (pieces) Close() error { return nil }

// coming answers with such bodies.
type coming struct {
	*wire

	pieces
}

func (c coming) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.wire.Do(r)
	c.Reader = resp.Body
	resp.Body, resp.ContentLength = c.pieces, -1
	return resp, err
}

// The time that an answer waits for memory is not counted against it: it comes as
// slowly as any other may.
func TestWaitingForRoomIsNoSlowness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 300_000))
		w := coming{&wire{answers: []wireAnswer{
			{200, `{"ShardIterator":"i1"}`, ""},
			{200, fmt.Sprintf(`{"Records":[{"SequenceNumber":"1","PartitionKey":"k","Data":%q}],"MillisBehindLatest":7,"NextShardIterator":"i2"}`, data), ""},
		}}, pieces{size: 8 << 10, after: time.Second}}
		r := newSource(t, client(w, localKey()), kinesissource.Options{}).Open("s0", trimHorizon())
		begun := time.Now()
		p, err := r.Next(t.Context(), kcl.Room{Bytes: 200_000, More: func(ctx context.Context, _ int64) error {
			for range 8 {
				time.Sleep(time.Second)
				deadline.Beat(ctx)
			}
			return context.Cause(ctx)
		}})
		if err != nil || len(p.Records) != 1 || len(w.requests) != 2 {
			t.Errorf("Next = %d records, %v, after %v and %d requests", len(p.Records), err, time.Since(begun), len(w.requests))
		}
	})
}

// With memory for a few records only, and records of many sizes, a worker reads
// all of several shards.
func TestLittleMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 4)
		const n = 60
		for i := range n {
			data := bytes.Repeat([]byte{byte(i)}, []int{10, 100_000, 1000, 400_000}[i%4])
			_, err := s.api.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String(streamName), PartitionKey: aws.String(fmt.Sprint("key-", i)), Data: data})
			s.check(err)
			time.Sleep(time.Second) // a shard takes 1 MiB in it
		}
		var mu sync.Mutex
		got := map[string]int{}
		w, err := kcl.New(kcl.Config{
			ApplicationName: "app", StreamName: streamName, WorkerID: "me", MaxBytes: 600_000, Leases: new(lease.Mem),
			Source: s.source(kinesissource.Options{}),
		}, kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, recs []kcl.Record) error {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			for _, r := range recs {
				if bytes.Count(r.Data, r.Data[:1]) != len(r.Data) {
					t.Errorf("%s has the data of several", r.PartitionKey)
				}
				got[r.PartitionKey] += len(r.Data)
			}
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		for i := range n {
			if want := []int{10, 100_000, 1000, 400_000}[i%4]; got[fmt.Sprint("key-", i)] != want {
				t.Errorf("key-%d has %d bytes, want %d", i, got[fmt.Sprint("key-", i)], want)
			}
		}
	})
}
