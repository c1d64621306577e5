package kinesissource_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/localaws"
)

// TestPolling holds the reader to what it promises, on our own Kinesis. With the
// build tag conformance it does so on the server at $KINESIS_ENDPOINT.
func TestPolling(t *testing.T) {
	t.Parallel()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	testPolling(t, kinesis.NewFromConfig(stack.AWSConfig()))
}

// testPolling runs the suite on a server, in real time.
func testPolling(t *testing.T, client *kinesis.Client) {
	t.Helper()
	for _, tt := range []struct {
		name string
		run  func(*polled)
	}{
		{"TRIM_HORIZON begins at the oldest record, and records come as they were put", (*polled).fromTheOldest},
		{"a page has no more records than are asked for, and tells that there are more", (*polled).inSmallPages},
		{"a position is read from at its record, and what was read is told by it", (*polled).fromARecord},
		{"an expired iterator is renewed behind the last record", (*polled).withExpiredIterators},
		{"LATEST without a record goes on where it began", (*polled).fromTheTip},
		{"AT_TIMESTAMP begins at the first record that arrived then or later", (*polled).fromAnInstant},
		{"the tip is an empty page, and records put later come", (*polled).atTheTip},
		{"a split shard ends behind its tail, with its two children", (*polled).throughASplit},
		{"merged shards end with the one child of both", (*polled).throughAMerge},
		{"a reader behind the last record of a closed shard is told of its end", (*polled).atTheEnd},
		{"a shard that is not there is told from a stream that is not there", (*polled).nothingThere},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &polled{T: t, client: client, stream: fmt.Sprintf("polling-%016x", rand.Uint64())}
			_, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &p.stream, ShardCount: aws.Int32(2)})
			p.must(err)
			p.settle()
			t.Cleanup(func() {
				_, _ = client.DeleteStream(context.WithoutCancel(t.Context()), &kinesis.DeleteStreamInput{StreamName: &p.stream})
			})
			tt.run(p)
		})
	}
}

// polled is a stream of two shards.
type polled struct {
	*testing.T

	client *kinesis.Client
	stream string
}

func (p *polled) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// settle waits until a change of the stream is done.
func (p *polled) settle() {
	p.Helper()
	for range 600 {
		out, err := p.client.DescribeStreamSummary(p.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &p.stream})
		if err == nil && out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.Fatal("the stream did not become ACTIVE")
}

const secondShard = "shardId-000000000001"

// put puts the numbers from first to last, one after the other, into the shard
// that has the lowest hash keys.
func (p *polled) put(first, last int) {
	p.Helper()
	for i := first; i <= last; i++ {
		_, err := p.client.PutRecord(p.Context(), &kinesis.PutRecordInput{
			StreamName: &p.stream, PartitionKey: aws.String("key-" + strconv.Itoa(i)), ExplicitHashKey: aws.String("0"), Data: []byte(strconv.Itoa(i)),
		})
		p.must(err)
	}
}

// open returns a reader that does not wait.
func (p *polled) open(api kinesissource.API, o kinesissource.Options, shard string, from checkpoint.Position) kcl.ShardReader {
	p.Helper()
	o.StreamName, o.NoRateLimit = p.stream, true
	s, err := kinesissource.New(api, o)
	p.must(err)
	r := s.Open(shard, from)
	p.Cleanup(r.Close)
	return r
}

func (p *polled) next(r kcl.ShardReader) kcl.Page {
	p.Helper()
	page, err := r.Next(p.Context(), kcl.Room{})
	p.must(err)
	return page
}

// read reads on until it has n records, or the shard's end.
func (p *polled) read(r kcl.ShardReader, n int) ([]kcl.Record, kcl.Page) {
	p.Helper()
	var got []kcl.Record
	for range 100 {
		page := p.next(r)
		for _, record := range page.Records {
			got = append(got, record.Clone())
		}
		if len(got) >= n || page.End {
			return got, page
		}
	}
	p.Fatalf("read %d of %d records", len(got), n)
	return nil, kcl.Page{}
}

// are checks that records are the numbers from first to last.
func (p *polled) are(got []kcl.Record, first, last int) {
	p.Helper()
	var data, want []string
	for _, r := range got {
		data = append(data, string(r.Data))
	}
	for i := first; i <= last; i++ {
		want = append(want, strconv.Itoa(i))
	}
	if !slices.Equal(data, want) {
		p.Errorf("read %q, want %q", data, want)
	}
}

func (p *polled) fromTheOldest() {
	begin := time.Now()
	p.put(1, 5)
	got, page := p.read(p.open(p.client, kinesissource.Options{}, shardID, trimHorizon()), 5)
	p.are(got, 1, 5)
	last := checkpoint.ExtendedSequenceNumber{}
	for i, r := range got {
		if now := r.Position().ExtendedSequenceNumber; now.Compare(last) <= 0 {
			p.Errorf("%v comes after %v", now, last)
		} else {
			last = now
		}
		if r.PartitionKey != "key-"+strconv.Itoa(i+1) {
			p.Errorf("record %d has the key %q", i+1, r.PartitionKey)
		}
		if at := r.ApproximateArrivalTimestamp; at.Sub(begin).Abs() > time.Minute || at.Nanosecond()%1e6 != 0 {
			p.Errorf("record %d arrived at %v; it was put after %v", i+1, at, begin)
		}
	}
	if page.BehindLatest != 0 || page.End {
		p.Errorf("at the tip: %+v", page)
	}
}

func (p *polled) inSmallPages() {
	p.put(1, 7)
	r := p.open(p.client, kinesissource.Options{MaxRecords: 3}, shardID, trimHorizon())
	for _, want := range [][2]int{{1, 3}, {4, 6}, {7, 7}} {
		page := p.next(r)
		p.are(page.Records, want[0], want[1])
	}
}

func (p *polled) fromARecord() {
	p.put(1, 5)
	all, _ := p.read(p.open(p.client, kinesissource.Options{}, shardID, trimHorizon()), 5)
	got, _ := p.read(p.open(p.client, kinesissource.Options{}, shardID, all[2].Position()), 3)
	p.are(got, 3, 5)
}

// forgetful lets iterators expire that come with a page.
type forgetful struct {
	*kinesis.Client

	fresh   string // the iterator that has not expired
	expired int
}

func (f *forgetful) GetShardIterator(ctx context.Context, in *kinesis.GetShardIteratorInput, opts ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	out, err := f.Client.GetShardIterator(ctx, in, opts...)
	if err == nil {
		f.fresh = *out.ShardIterator
	}
	return out, err
}

func (f *forgetful) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, opts ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	if *in.ShardIterator != f.fresh {
		f.expired++
		return nil, refusal("ExpiredIteratorException")
	}
	f.fresh = ""
	return f.Client.GetRecords(ctx, in, opts...)
}

func (p *polled) withExpiredIterators() {
	p.put(1, 7)
	api := &forgetful{Client: p.client}
	got, _ := p.read(p.open(api, kinesissource.Options{MaxRecords: 2}, shardID, trimHorizon()), 7)
	p.are(got, 1, 7)
	if api.expired != 3 {
		p.Errorf("%d iterators expired", api.expired)
	}
}

func (p *polled) fromTheTip() {
	p.put(1, 2)
	time.Sleep(2500 * time.Millisecond) // a LATEST that is renewed begins a second before it began
	r := p.open(&forgetful{Client: p.client}, kinesissource.Options{}, shardID, checkpoint.Sentinel(checkpoint.Latest))
	if page := p.next(r); len(page.Records) != 0 {
		p.Errorf("at the tip: %+v", page)
	}
	p.put(3, 4)
	got, _ := p.read(r, 2)
	p.are(got, 3, 4)
}

func (p *polled) fromAnInstant() {
	p.put(1, 2)
	time.Sleep(50 * time.Millisecond)
	p.put(3, 4)
	all, _ := p.read(p.open(p.client, kinesissource.Options{}, shardID, trimHorizon()), 4)
	from := checkpoint.Sentinel(checkpoint.AtTimestamp)
	from.Arrival = all[2].ApproximateArrivalTimestamp
	got, _ := p.read(p.open(p.client, kinesissource.Options{}, shardID, from), 2)
	p.are(got, 3, 4)
}

func (p *polled) atTheTip() {
	r := p.open(p.client, kinesissource.Options{}, shardID, trimHorizon())
	for range 3 {
		if page := p.next(r); len(page.Records) != 0 || page.BehindLatest != 0 || page.End {
			p.Errorf("of a new shard: %+v", page)
		}
	}
	p.put(1, 3)
	got, _ := p.read(r, 3)
	p.are(got, 1, 3)
}

// change makes and waits for a change of the shards, between records of the
// shards before and after it.
func (p *polled) change(f func() error) {
	p.Helper()
	p.put(1, 5)
	p.must(f())
	p.settle()
	p.put(6, 8)
}

func (p *polled) split() error {
	_, err := p.client.SplitShard(p.Context(), &kinesis.SplitShardInput{
		StreamName: &p.stream, ShardToSplit: aws.String(shardID), NewStartingHashKey: aws.String("85070591730234615865843651857942052864"),
	})
	return err
}

func (p *polled) throughASplit() {
	r := p.open(p.client, kinesissource.Options{MaxRecords: 2}, shardID, trimHorizon())
	p.change(p.split)
	got, page := p.read(r, 1<<30)
	p.are(got, 1, 5)
	if !page.End || len(page.Children) != 2 {
		p.Fatalf("the end: %+v", page)
	}
	for i, c := range page.Children {
		if want := fmt.Sprintf("shardId-%012d", i+2); c.ID != want || !slices.Equal(c.ParentIDs, []string{shardID}) || c.Range == (kcl.HashRange{}) {
			p.Errorf("child %+v, want %s", c, want)
		}
	}
	got, _ = p.read(p.open(p.client, kinesissource.Options{}, page.Children[0].ID, trimHorizon()), 3)
	p.are(got, 6, 8)
	if again := p.next(r); !again.End || len(again.Records) != 0 || len(again.Children) != 2 {
		p.Errorf("after the end: %+v", again)
	}
}

func (p *polled) throughAMerge() {
	p.change(func() error {
		_, err := p.client.MergeShards(p.Context(), &kinesis.MergeShardsInput{
			StreamName: &p.stream, ShardToMerge: aws.String(shardID), AdjacentShardToMerge: aws.String(secondShard),
		})
		return err
	})
	for shard, records := range map[string]int{shardID: 5, secondShard: 0} {
		got, page := p.read(p.open(p.client, kinesissource.Options{}, shard, trimHorizon()), 1<<30)
		p.are(got, 1, records)
		if !page.End || len(page.Children) != 1 {
			p.Fatalf("the end of %s: %+v", shard, page)
		}
		parents := slices.Clone(page.Children[0].ParentIDs)
		slices.Sort(parents)
		if !slices.Equal(parents, []string{shardID, secondShard}) {
			p.Errorf("parents %v", parents)
		}
		got, _ = p.read(p.open(p.client, kinesissource.Options{}, page.Children[0].ID, trimHorizon()), 3)
		p.are(got, 6, 8)
	}
}

func (p *polled) atTheEnd() {
	p.change(p.split)
	api := &forgetful{Client: p.client}
	r := p.open(api, kinesissource.Options{MaxRecords: 5}, shardID, trimHorizon())
	got, page := p.read(r, 5)
	p.are(got, 1, 5)
	if !page.End { // told with the last records, or by the next call
		if page = p.next(r); !page.End || len(page.Records) > 0 {
			p.Errorf("behind the last record: %+v", page)
		}
	}
}

func (p *polled) nothingThere() {
	_, err := p.open(p.client, kinesissource.Options{}, "shardId-000000000009", trimHorizon()).Next(p.Context(), kcl.Room{})
	if !errors.Is(err, kcl.ErrShardNotFound) {
		p.Errorf("no such shard: %v", err)
	}
	p.stream += "-not"
	_, err = p.open(p.client, kinesissource.Options{}, shardID, trimHorizon()).Next(p.Context(), kcl.Room{})
	if !errors.Is(err, kcl.ErrStreamNotFound) {
		p.Errorf("no such stream: %v", err)
	}
}
