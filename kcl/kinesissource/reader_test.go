package kinesissource_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// The time in a bubble begins at 2000-01-01 00:00:00 UTC.

func TestReadingBeginsWhereAsked(t *testing.T) {
	t.Parallel()
	arrival := time.Date(2026, 11, 22, 10, 11, 12, 345_000_000, time.UTC)
	tests := []struct {
		name string
		from checkpoint.Position
		want string
	}{
		{"at the record itself", at("49590"), "GetShardIterator AT_SEQUENCE_NUMBER name:orders 49590"},
		{"at the record, whatever its sub-sequence number and arrival", checkpoint.At("49590", 7, arrival), "GetShardIterator AT_SEQUENCE_NUMBER name:orders 49590"},
		{"at the oldest", trimHorizon(), "GetShardIterator TRIM_HORIZON name:orders"},
		{"at the tip", checkpoint.Sentinel(checkpoint.Latest), "GetShardIterator LATEST name:orders"},
		{"at what was the tip", checkpoint.At(checkpoint.Latest, 0, arrival), "GetShardIterator AT_TIMESTAMP name:orders 2026-11-22T10:11:12.345"},
		{"at an instant", checkpoint.At(checkpoint.AtTimestamp, 0, arrival), "GetShardIterator AT_TIMESTAMP name:orders 2026-11-22T10:11:12.345"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := newScript(t, exchange{tt.want, iterator("i1")}, exchange{"GetRecords i1", records("i2", 0, "1")})
			if got := read(t, api, tt.from, 1); got[0] != "1" {
				t.Errorf("read %q", got)
			}
		})
	}
}

func TestReadingCannotBegin(t *testing.T) {
	t.Parallel()
	for _, from := range []checkpoint.Position{{}, checkpoint.Sentinel(checkpoint.ShardEnd), checkpoint.Sentinel(checkpoint.AtTimestamp)} {
		if got := read(t, newScript(t), from, 1); got[0] != "error" {
			t.Errorf("read %q from %v, without a call", got, from)
		}
	}
}

func TestStreamNamedByItsARN(t *testing.T) {
	t.Parallel()
	api := newScript(t,
		exchange{"GetShardIterator TRIM_HORIZON arn:orders", iterator("i1")},
		exchange{"GetRecords arn:orders i1 limit 500", records("i2", 0, "1")},
	)
	r := newSource(t, api, kinesissource.Options{StreamARN: streamARN, MaxRecords: 500}).Open(shardID, trimHorizon())
	if got := describePage(r.Next(t.Context(), kcl.Room{})); got != "1" {
		t.Errorf("read %q", got)
	}
}

// stories are exchanges with the service, and what Next makes of them.
func TestStories(t *testing.T) {
	t.Parallel()
	const (
		fromStart = "GetShardIterator TRIM_HORIZON name:orders"
		list      = "ListShards name:orders"
	)
	tests := []struct {
		name      string
		from      checkpoint.Position
		exchanges []exchange
		want      []string
	}{
		{"pages follow each other", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("i2", time.Second, "1", "2")},
			{"GetRecords i2", records("i3", time.Second)},
			{"GetRecords i3", records("i4", 0, "3")},
		}, []string{"1 2", "", "3"}},

		{"an expired iterator is renewed after the last record", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("i2", time.Second, "1", "2")},
			{"GetRecords i2", refusal("ExpiredIteratorException")},
			{"GetShardIterator AFTER_SEQUENCE_NUMBER name:orders 2", iterator("j1")},
			{"GetRecords j1", records("j2", 0, "3")},
		}, []string{"1 2", "3"}},

		{"an iterator that expired before anything was read begins at the same record again", at("7"), []exchange{
			{"GetShardIterator AT_SEQUENCE_NUMBER name:orders 7", iterator("i1")},
			{"GetRecords i1", records("i2", time.Second)},
			{"GetRecords i2", refusal("ExpiredIteratorException")},
			{"GetShardIterator AT_SEQUENCE_NUMBER name:orders 7", iterator("j1")},
			{"GetRecords j1", records("j2", 0, "7")},
		}, []string{"", "7"}},

		{"an iterator that always expires is an error, not a loop", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", refusal("ExpiredIteratorException")},
			{fromStart, iterator("i2")},
			{"GetRecords i2", refusal("ExpiredIteratorException")},
			{fromStart, iterator("i3")},
			{"GetRecords i3", refusal("ExpiredIteratorException")},
			{fromStart, iterator("i4")},
			{"GetRecords i4", records("i5", 0, "1")},
		}, []string{"error", "1"}},

		{"an iterator that is refused is renewed", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("i2", time.Second, "1")},
			{"GetRecords i2", refusal("InvalidArgumentException")},
			{"GetShardIterator AFTER_SEQUENCE_NUMBER name:orders 1", iterator("j1")},
			{"GetRecords j1", records("j2", 0, "2")},
		}, []string{"1", "2"}},

		{"a transient error repeats the same call", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", refusal("InternalFailureException")},
			{"GetRecords i1", errors.New("connection reset")},
			{"GetRecords i1", records("i2", 0, "1")},
		}, []string{"error", "error", "1"}},

		{"a transient error of the iterator repeats it", trimHorizon(), []exchange{
			{fromStart, refusal("InternalFailureException")},
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("i2", 0, "1")},
		}, []string{"error", "1"}},

		{"an answer without an iterator is an error", trimHorizon(), []exchange{
			{fromStart, iterator("")},
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("i2", 0, "1")},
		}, []string{"error", "1"}},

		{"throttling is waited out", trimHorizon(), []exchange{
			{fromStart, refusal("ProvisionedThroughputExceededException")},
			{fromStart, iterator("i1")},
			{"GetRecords i1", refusal("ProvisionedThroughputExceededException")},
			{"GetRecords i1", refusal("LimitExceededException")},
			{"GetRecords i1", refusal("KMSThrottlingException")},
			{"GetRecords i1", records("i2", 0, "1")},
		}, []string{"1"}},

		{"a refused checkpoint has expired", at("7"), []exchange{
			{"GetShardIterator AT_SEQUENCE_NUMBER name:orders 7", refusal("InvalidArgumentException")},
		}, []string{"record at the checkpoint has expired"}},

		{"a checkpoint may be refused only when it is read", at("7"), []exchange{
			{"GetShardIterator AT_SEQUENCE_NUMBER name:orders 7", iterator("i1")},
			{"GetRecords i1", refusal("InvalidArgumentException")},
		}, []string{"record at the checkpoint has expired"}},

		{"so has the last record read, if the iterator after it is refused", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("i2", time.Second, "1")},
			{"GetRecords i2", refusal("InvalidArgumentException")},
			{"GetShardIterator AFTER_SEQUENCE_NUMBER name:orders 1", iterator("j1")},
			{"GetRecords j1", refusal("InvalidArgumentException")},
		}, []string{"1", "record at the checkpoint has expired"}},

		{"the other answer to an expired checkpoint is the oldest record, which is delivered", at("7"), []exchange{
			{"GetShardIterator AT_SEQUENCE_NUMBER name:orders 7", iterator("i1")},
			{"GetRecords i1", records("i2", 0, "9", "10")},
		}, []string{"9 10"}},

		{"an argument refused without a sequence number is an error like any other", trimHorizon(), []exchange{
			{fromStart, refusal("InvalidArgumentException")},
			{fromStart, iterator("i1")},
			{"GetRecords i1", refusal("InvalidArgumentException")},
		}, []string{"error", "error"}},

		{"the last page of a closed shard has its records", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", withChildren(records("", 0, "1", "2"), child("c1", shardID), child("c2", shardID))},
		}, []string{"1 2 end: c1<" + shardID + " c2<" + shardID, " end: c1<" + shardID + " c2<" + shardID}},

		{"a merge has one child with two parents", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", withChildren(records("", 0), child("c", "other", shardID))},
		}, []string{" end: c<other," + shardID}},

		{"an end without children is believed if the listing has them", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("", 0, "1")},
			{list, listing("", closedShard(shardID), openShard("x"), openShard("c1", shardID), openShard("c2", "x", shardID))},
		}, []string{"1 end: c1<" + shardID + " c2<x," + shardID}},

		{"a child without parents is looked up", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", withChildren(records("", 0, "1"), child("c1", shardID), child("c2"))},
			{list, listing("", closedShard(shardID), openShard("c1", shardID), openShard("c2", shardID))},
		}, []string{"1 end: c1<" + shardID + " c2<" + shardID}},

		{"children of another shard are looked up", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", withChildren(records("", 0, "1"), child("c1", "other"))},
			{list, listing("", closedShard(shardID), openShard("c1", shardID))},
		}, []string{"1 end: c1<" + shardID}},

		{"an end of a shard that is listed as open is an error, and its page comes again", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("", 0, "1")},
			{list, listing("", openShard(shardID), openShard("c1", shardID))},
			{"GetRecords i1", records("i2", 0, "1")},
		}, []string{"error", "1"}},

		{"an end of a shard without children anywhere is an error", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("", 0, "1")},
			{list, listing("", closedShard(shardID))},
		}, []string{"error"}},

		{"an end of a shard that expired meanwhile is believed", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("", 0)},
			{list, listing("", openShard("c1", shardID))},
		}, []string{" end: c1<" + shardID}},

		{"an end that cannot be verified is an error", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("", 0, "1")},
			{list, refusal("InternalFailureException")},
			{"GetRecords i1", withChildren(records("", 0, "1"), child("c1", shardID))},
		}, []string{"error", "1 end: c1<" + shardID}},

		{"not found and the stream is gone", trimHorizon(), []exchange{
			{fromStart, refusal("ResourceNotFoundException")},
			{list, refusal("ResourceNotFoundException")},
		}, []string{"stream not found"}},

		{"not found and the shard is not listed", trimHorizon(), []exchange{
			{fromStart, refusal("ResourceNotFoundException")},
			{list, listing("", openShard("other"))},
		}, []string{"shard not found"}},

		{"not found but the shard is listed: not its end, try again", trimHorizon(), []exchange{
			{fromStart, refusal("ResourceNotFoundException")},
			{list, listing("", openShard(shardID))},
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("i2", 0, "1")},
		}, []string{"error", "1"}},

		{"not found while reading and the stream is gone", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", refusal("ResourceNotFoundException")},
			{list, refusal("ResourceNotFoundException")},
		}, []string{"stream not found"}},

		{"not found while reading and the shard is not listed", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", refusal("ResourceNotFoundException")},
			{list, listing("", openShard("other"))},
		}, []string{"shard not found"}},

		{"not found while reading but the shard is listed: go on behind the last record", trimHorizon(), []exchange{
			{fromStart, iterator("i1")},
			{"GetRecords i1", records("i2", time.Second, "1")},
			{"GetRecords i2", refusal("ResourceNotFoundException")},
			{list, listing("", closedShard(shardID))},
			{"GetShardIterator AFTER_SEQUENCE_NUMBER name:orders 1", iterator("j1")},
			{"GetRecords j1", records("j2", 0, "2")},
		}, []string{"1", "error", "2"}},

		{"not found and the listing is forbidden", trimHorizon(), []exchange{
			{fromStart, refusal("ResourceNotFoundException")},
			{list, refusal("AccessDeniedException")},
		}, []string{"access denied"}},

		{"no permission for iterators", trimHorizon(), []exchange{{fromStart, refusal("AccessDeniedException")}}, []string{"access denied"}},
		{"no permission for records", trimHorizon(), []exchange{
			{fromStart, iterator("i1")}, {"GetRecords i1", refusal("AccessDeniedException")},
		}, []string{"access denied"}},
		{"no permission for the key", trimHorizon(), []exchange{
			{fromStart, iterator("i1")}, {"GetRecords i1", refusal("KMSAccessDeniedException")},
		}, []string{"access denied"}},
		{"credentials that expired are a matter of credentials; new ones go on", trimHorizon(), []exchange{
			{fromStart, iterator("i1")}, {"GetRecords i1", refusal("ExpiredTokenException")}, {"GetRecords i1", records("i2", 0, "1")},
		}, []string{"access denied", "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for i := range tt.exchanges { // arrivals are of the bubble
					arriveNow(tt.exchanges[i].answer)
				}
				if got := read(t, newScript(t, tt.exchanges...), tt.from, len(tt.want)); !slices.Equal(got, tt.want) {
					t.Errorf("\n got %q\nwant %q", got, tt.want)
				}
			})
		})
	}
}

func TestErrorsNameOperationAndShard(t *testing.T) {
	t.Parallel()
	api := newScript(t,
		exchange{"GetShardIterator TRIM_HORIZON name:orders", refusal("InternalFailureException")},
		exchange{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")},
		exchange{"GetRecords i1", refusal("AccessDeniedException")},
	)
	r := newSource(t, api, kinesissource.Options{}).Open(shardID, trimHorizon())
	for _, want := range []string{
		"opening shard " + shardID + " of stream orders: ",
		"reading shard " + shardID + " of stream orders: access denied: permit kinesis:GetRecords: ",
	} {
		if _, err := r.Next(t.Context(), kcl.Room{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Next = %v, want %q…", err, want)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	arrival := time.Date(2026, 11, 22, 10, 0, 0, 123_000_000, time.UTC)
	date := time.Date(2026, 11, 22, 10, 0, 7, 0, time.UTC)
	out := records("i2", 1500*time.Millisecond, "1", "2")
	out.ResultMetadata = dated(date)
	out.Records[0].ApproximateArrivalTimestamp = aws.Time(arrival.Add(-80 * time.Nanosecond)) // what a fraction in a float leaves
	out.Records[1].PartitionKey, out.Records[1].ApproximateArrivalTimestamp = nil, nil
	api := newScript(t, exchange{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")}, exchange{"GetRecords i1", out})
	got, err := newSource(t, api, kinesissource.Options{}).Open(shardID, trimHorizon()).Next(t.Context(), kcl.Room{})
	if err != nil {
		t.Fatal(err)
	}
	want := kcl.Page{BehindLatest: 1500 * time.Millisecond, At: date, Records: []kcl.Record{
		{SequenceNumber: "1", PartitionKey: "key-1", Data: []byte("data 1"), ApproximateArrivalTimestamp: arrival},
		{SequenceNumber: "2", Data: []byte("data 2")},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A consumer that was told no iterator forgot the page that came with it: the
// tail of every closed shard. It also went back to its start-up position when
// an iterator expired.
func TestPeer55NothingIsLostWithTheLastIterator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newScript(t,
			exchange{"GetShardIterator AT_SEQUENCE_NUMBER name:orders 1", iterator("i1")},
			exchange{"GetRecords i1", records("i2", time.Second, "1", "2")},
			exchange{"GetRecords i2", refusal("ExpiredIteratorException")},
			exchange{"GetShardIterator AFTER_SEQUENCE_NUMBER name:orders 2", iterator("j1")},
			exchange{"GetRecords j1", withChildren(records("", 0, "3", "4"), child("c1", shardID))},
		)
		want := []string{"1 2", "3 4 end: c1<" + shardID}
		if got := read(t, api, at("1"), 2); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A consumer resubscribed at LATEST, and lost what came in between.
func TestPeer54ARenewedLatestDoesNotJump(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		first any
		renew string
	}{
		{"it begins where the service's clock stood at first, a second earlier", iteratorAt("i1", time.Date(2000, 1, 1, 0, 5, 30, 0, time.UTC)), "GetShardIterator AT_TIMESTAMP name:orders 2000-01-01T00:05:29.000"},
		{"without the service's clock ours has to do", iterator("i1"), "GetShardIterator AT_TIMESTAMP name:orders 1999-12-31T23:59:59.000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := newScript(t,
					exchange{"GetShardIterator LATEST name:orders", tt.first},
					exchange{"GetRecords i1", records("i2", 0)},
					exchange{"GetRecords i2", refusal("ExpiredIteratorException")},
					exchange{tt.renew, iterator("j1")},
					exchange{"GetRecords j1", refusal("ExpiredIteratorException")},
					exchange{tt.renew, iterator("k1")},
					exchange{"GetRecords k1", records("k2", 0, "5")},
				)
				if got := read(t, api, checkpoint.Sentinel(checkpoint.Latest), 2); !slices.Equal(got, []string{"", "5"}) {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

// A consumer stored its iterator, which lives for five minutes. Here a
// processor takes ten.
func TestPeer56ASlowProcessorLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newScript(t,
			exchange{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")},
			exchange{"GetRecords i1", records("i2", time.Second, "1", "2")},
			exchange{"GetRecords i2", refusal("ExpiredIteratorException")},
			exchange{"GetShardIterator AFTER_SEQUENCE_NUMBER name:orders 2", iterator("j1")},
			exchange{"GetRecords j1", records("j2", time.Second, "3")},
		)
		r := newSource(t, api, kinesissource.Options{}).Open(shardID, trimHorizon())
		first := describePage(r.Next(t.Context(), kcl.Room{}))
		time.Sleep(10 * time.Minute)
		second := describePage(r.Next(t.Context(), kcl.Room{}))
		if first != "1 2" || second != "3" {
			t.Errorf("read %q, %q", first, second)
		}
	})
}

// A consumer registered itself anew each time it started, until the stream's
// limit of consumers was reached. Polling needs no registration: the source
// has no such call, and this makes sure that it makes no other either.
func TestPeer57StartingLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 25 {
			api := newScript(t,
				exchange{"ListShards name:orders", listing("", openShard(shardID))},
				exchange{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")},
				exchange{"GetRecords i1", records("i2", 0, "1")},
			)
			s := newSource(t, api, kinesissource.Options{})
			if _, err := s.ListShards(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := describePage(s.Open(shardID, trimHorizon()).Next(t.Context(), kcl.Room{})); got != "1" {
				t.Errorf("read %q", got)
			}
		}
	})
}

// A destination that is down for a day stops reading for so long that the last
// record read may have expired, and others after it. Then an iterator AFTER it
// would begin at the oldest record without a word.
func TestARenewedIteratorDoesNotJumpOverTrimmedRecords(t *testing.T) {
	t.Parallel()
	const again = "GetShardIterator AT_SEQUENCE_NUMBER name:orders 2"
	aDayLater := iteratorAt("i3", time.Date(2000, 1, 2, 1, 0, 0, 0, time.UTC)) // a bubble's clock begins with 2000
	tests := []struct {
		name   string
		pause  time.Duration
		after  []exchange
		wanted []string
	}{
		{"our clock stood still for a day, as that of a suspended machine does", 10 * time.Minute, []exchange{
			{"GetShardIterator AFTER_SEQUENCE_NUMBER name:orders 2", aDayLater},
			{again, iterator("j1")},
			{"GetRecords j1", records("j2", time.Hour, "8", "9")},
		}, []string{"record at the checkpoint has expired"}},
		{"after 22 hours nothing can have expired", 22 * time.Hour, []exchange{
			{"GetShardIterator AFTER_SEQUENCE_NUMBER name:orders 2", iterator("j1")},
			{"GetRecords j1", records("j2", 0, "3")},
		}, []string{"3"}},
		{"after a day the last record is read again, and dropped", 24 * time.Hour, []exchange{
			{again, iterator("j1")},
			{"GetRecords j1", records("j2", time.Hour)},
			{"GetRecords j2", records("j3", time.Hour, "2", "3")},
			{"GetRecords j3", records("j4", time.Hour, "4")},
		}, []string{"", "3", "4"}},
		{"if it is gone, so may be those after it", 24 * time.Hour, []exchange{
			{again, iterator("j1")},
			{"GetRecords j1", records("j2", time.Hour, "8", "9")},
			{again, refusal("InvalidArgumentException")},
		}, []string{"record at the checkpoint has expired", "record at the checkpoint has expired"}},
		{"also if nothing else is left of the shard", 24 * time.Hour, []exchange{
			{again, iterator("j1")},
			{"GetRecords j1", withChildren(records("", 0), child("c1", shardID))},
		}, []string{"record at the checkpoint has expired"}},
		{"if it is the very last, the shard ends", 24 * time.Hour, []exchange{
			{again, iterator("j1")},
			{"GetRecords j1", withChildren(records("", 0, "2"), child("c1", shardID))},
		}, []string{" end: c1<" + shardID}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				first := records("i2", time.Second, "1", "2")
				first.ResultMetadata = dated(time.Now())
				arriveNow(first)
				api := newScript(t, append([]exchange{
					{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")},
					{"GetRecords i1", first},
					{"GetRecords i2", refusal("ExpiredIteratorException")},
				}, tt.after...)...)
				r := newSource(t, api, kinesissource.Options{}).Open(shardID, trimHorizon())
				if got := describePage(r.Next(t.Context(), kcl.Room{})); got != "1 2" {
					t.Errorf("read %q", got)
				}
				time.Sleep(tt.pause)
				var got []string
				for range tt.wanted {
					got = append(got, describePage(r.Next(t.Context(), kcl.Room{})))
				}
				if !slices.Equal(got, tt.wanted) {
					t.Errorf("\n got %q\nwant %q", got, tt.wanted)
				}
			})
		})
	}
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	tests := []struct {
		name      string
		exchanges []exchange
	}{
		{"before the first call", []exchange{}},
		{"while the service does not answer", []exchange{
			{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")},
			{"GetRecords i1", 20 * time.Second},
		}},
		{"while waiting to poll again", []exchange{
			{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")},
			{"GetRecords i1", records("i2", 0)},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(150*time.Millisecond, func() { cancel(lost) })
				if len(tt.exchanges) == 0 {
					cancel(lost)
				}
				r := newSource(t, newScript(t, tt.exchanges...), kinesissource.Options{}).Open(shardID, trimHorizon())
				began := time.Now()
				_, err := r.Next(ctx, kcl.Room{})
				if err == nil {
					_, err = r.Next(ctx, kcl.Room{})
				}
				if !errors.Is(err, lost) || time.Since(began) > 150*time.Millisecond {
					t.Errorf("Next = %v after %v, want the cause at once", err, time.Since(began))
				}
			})
		})
	}
}

func TestRequestTimeoutIsAnErrorThatMayPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newScript(t,
			exchange{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")},
			exchange{"GetRecords i1", time.Hour},
			exchange{"GetRecords i1", records("i2", 0, "1")},
		)
		if got := read(t, api, trimHorizon(), 2); !slices.Equal(got, []string{"error", "1"}) {
			t.Errorf("got %q", got)
		}
		if want := []time.Duration{0, 0, 30 * time.Second}; !slices.Equal(api.times, want) {
			t.Errorf("calls at %v, want %v", api.times, want)
		}
	})
}

// A reader asks for as many records as there is room for, and passes on that there
// is none for the answer.
func TestAskingWithinTheRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newScript(t,
			exchange{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")},
			exchange{"GetRecords i1 limit 100", &kcl.NoRoomError{Bytes: 100_000_000}},
			exchange{"GetRecords i1 limit 7", records("i2", time.Second, "1", "2")},
			exchange{"GetRecords i2 limit 13", records("i3", time.Second, "3")},
		)
		r := newSource(t, api, kinesissource.Options{StreamName: streamName}).Open(shardID, trimHorizon())
		room := kcl.Room{Bytes: 7_000_000}
		_, err := r.Next(t.Context(), room)
		if no, ok := errors.AsType[*kcl.NoRoomError](err); !ok || no.Bytes != 100_000_000 {
			t.Errorf("%v is not that of the room", err)
		}
		for _, want := range []string{"1 2", "3"} {
			if got := describePage(r.Next(t.Context(), room)); got != want {
				t.Errorf("%q came, want %q", got, want)
			}
		}
	})
}
