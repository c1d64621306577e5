package kinesissource_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
)

func TestNewChecksItsOptions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		o    kinesissource.Options
		want string // part of the error; "" for none
	}{
		{"a name is enough", kinesissource.Options{StreamName: streamName}, ""},
		{"so is an ARN", kinesissource.Options{StreamARN: streamARN}, ""},
		{"both, if they agree", kinesissource.Options{StreamName: streamName, StreamARN: streamARN}, ""},
		{"the shortest poll interval", kinesissource.Options{StreamName: streamName, PollInterval: 200 * time.Millisecond}, ""},
		{"no stream", kinesissource.Options{}, "StreamName or StreamARN is required"},
		{"names that differ", kinesissource.Options{StreamName: "bills", StreamARN: streamARN}, `StreamName is "bills" but StreamARN names "orders"`},
		{"an ARN of something else", kinesissource.Options{StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/orders/consumer/c:1"}, "must look like"},
		{"no ARN at all", kinesissource.Options{StreamARN: "orders"}, "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME"},
		{"an ARN of another service", kinesissource.Options{StreamARN: "arn:aws:firehose:us-east-1:000000000000:deliverystream/orders"}, "must look like"},
		{"too eager", kinesissource.Options{StreamName: streamName, PollInterval: 199 * time.Millisecond}, "PollInterval is 199ms; it must be at least 200ms"},
		{"too many", kinesissource.Options{StreamName: streamName, MaxRecords: 10_001}, "MaxRecords is 10001"},
		{"too few", kinesissource.Options{StreamName: streamName, MaxRecords: -1}, "MaxRecords is -1"},
		{"no time", kinesissource.Options{StreamName: streamName, RequestTimeout: -1}, "RequestTimeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := kinesissource.New(newScript(t), tt.o)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("New = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestListShards(t *testing.T) {
	t.Parallel()
	date := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	first := listing("", closedShard("a"), openShard("b", "a"), openShard("c", "a", "z"))
	first.ResultMetadata = dated(date)
	api := newScript(t, exchange{"ListShards name:orders", first})
	got, err := newSource(t, api, kinesissource.Options{}).ListShards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hashes := lease.HashRange{Start: "0", End: "9"}
	want := kcl.ShardList{At: date, Shards: []kcl.Shard{
		{ID: "a", Range: hashes, StartingSequenceNumber: "1", EndingSequenceNumber: "99"},
		{ID: "b", ParentIDs: []string{"a"}, Range: hashes, StartingSequenceNumber: "1"},
		{ID: "c", ParentIDs: []string{"a", "z"}, Range: hashes, StartingSequenceNumber: "1"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestListShardsOfAStreamNamedByItsARN(t *testing.T) {
	t.Parallel()
	api := newScript(t,
		exchange{"ListShards arn:orders", listing("t1", openShard("a"))},
		exchange{"ListShards token:t1", listing("", openShard("b"))},
	)
	list, err := newSource(t, api, kinesissource.Options{StreamARN: streamARN}).ListShards(t.Context())
	if err != nil || len(list.Shards) != 2 || !list.At.IsZero() {
		t.Errorf("ListShards = %+v, %v", list, err)
	}
}

// TestServerWithoutARNs has a server that knows streams by name only, as
// kinesalite does.
func TestServerWithoutARNs(t *testing.T) {
	t.Parallel()
	unknown := &smithy.GenericAPIError{Code: "InvalidArgumentException", Message: "Either NextToken or StreamName should be provided."}
	api := newScript(t,
		exchange{"ListShards arn:orders", unknown},
		exchange{"ListShards name:orders", listing("", openShard("a"))},
		exchange{"ListShards name:orders", listing("", openShard("a"))},
	)
	src := newSource(t, api, kinesissource.Options{StreamARN: streamARN, FallBackToName: true})
	for range 2 {
		if list, err := src.ListShards(t.Context()); err != nil || len(list.Shards) != 1 {
			t.Errorf("ListShards = %+v, %v", list, err)
		}
	}
	api = newScript(t, exchange{"ListShards arn:orders", unknown})
	_, err := newSource(t, api, kinesissource.Options{StreamARN: streamARN}).ListShards(t.Context())
	if err == nil || !strings.Contains(err.Error(), "knows streams by name only") {
		t.Errorf("without a fallback: %v", err)
	}
}

// Another consumer listed closed shards no more: stopped during a reshard, it
// never read what was left in the parents.
func TestPeer38ClosedShardsAreListed(t *testing.T) {
	t.Parallel()
	api := newScript(t, exchange{"ListShards name:orders", listing("", closedShard("a"), openShard("b", "a"))})
	list, err := newSource(t, api, kinesissource.Options{}).ListShards(t.Context())
	if err != nil || len(list.Shards) != 2 || list.Shards[0].EndingSequenceNumber == "" {
		t.Errorf("ListShards = %+v, %v", list, err)
	}
}

// Another consumer saw only the first 1,000 shards of a stream.
func TestPeer39AllPagesAreListed(t *testing.T) {
	t.Parallel()
	var exchanges []exchange
	call := "ListShards name:orders"
	for page := range 3 {
		var shards []types.Shard
		for i := range 1000 {
			shards = append(shards, openShard(fmt.Sprintf("shard-%d", page*1000+i)))
		}
		next := ""
		if page < 2 {
			next = fmt.Sprintf("t%d", page)
		}
		exchanges = append(exchanges, exchange{call, listing(next, shards...)})
		call = "ListShards token:" + next
	}
	list, err := newSource(t, newScript(t, exchanges...), kinesissource.Options{}).ListShards(t.Context())
	if err != nil || len(list.Shards) != 3000 || list.Shards[2999].ID != "shard-2999" {
		t.Errorf("%d shards, %v", len(list.Shards), err)
	}
}

// Another consumer sent the stream's name along with the token, which the
// service refuses, and skipped closed shards.
func TestPeer53TheTokenGoesAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		o    kinesissource.Options
		call string
	}{
		{"by name", kinesissource.Options{StreamName: streamName}, "ListShards name:orders"},
		{"by ARN", kinesissource.Options{StreamARN: streamARN}, "ListShards arn:orders"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := newScript(t,
				exchange{tt.call, listing("t1", closedShard("a"))},
				exchange{"ListShards token:t1", listing("", openShard("b", "a"))},
			)
			if list, err := newSource(t, api, tt.o).ListShards(t.Context()); err != nil || len(list.Shards) != 2 {
				t.Errorf("ListShards = %+v, %v", list, err)
			}
		})
	}
}

func TestListShardsErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer error
		want   string
	}{
		{"no such stream", refusal("ResourceNotFoundException"), "stream not found"},
		{"no permission", refusal("AccessDeniedException"), "access denied"},
		{"unknown credentials", refusal("UnrecognizedClientException"), "access denied"},
		{"expired credentials", refusal("ExpiredTokenException"), "access denied"},
		{"the stream is being changed", refusal("ResourceInUseException"), "error"},
		{"the service has a problem", refusal("InternalFailureException"), "error"},
		{"a token that is too old", refusal("ExpiredNextTokenException"), "error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := newScript(t, exchange{"ListShards name:orders", tt.answer})
			_, err := newSource(t, api, kinesissource.Options{}).ListShards(t.Context())
			if got := describeError(err); got != tt.want || !errors.Is(err, tt.answer) {
				t.Errorf("ListShards = %v (%s), want %s", err, got, tt.want)
			}
			if !strings.Contains(err.Error(), "listing the shards of stream orders") {
				t.Errorf("%q does not say what was done", err)
			}
		})
	}
}

func TestAccessDeniedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	api := newScript(t, exchange{"ListShards name:orders", refusal("AccessDeniedException")})
	_, err := newSource(t, api, kinesissource.Options{}).ListShards(t.Context())
	if err == nil || !strings.Contains(err.Error(), "permit kinesis:ListShards") {
		t.Errorf("ListShards = %v", err)
	}
}

func TestThrottledListingWaitsAndGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newScript(t,
			exchange{"ListShards name:orders", listing("t1", openShard("a"))},
			exchange{"ListShards token:t1", refusal("LimitExceededException")},
			exchange{"ListShards token:t1", refusal("ThrottlingException")},
			exchange{"ListShards token:t1", listing("", openShard("b"))},
		)
		var throttled []string
		o := kinesissource.Options{Throttled: func(operation, shardID string) { throttled = append(throttled, operation+shardID) }}
		list, err := newSource(t, api, o).ListShards(t.Context())
		if err != nil || len(list.Shards) != 2 {
			t.Errorf("ListShards = %+v, %v", list, err)
		}
		if want := []string{"ListShards", "ListShards"}; !slices.Equal(throttled, want) {
			t.Errorf("Throttled was called for %v, want %v", throttled, want)
		}
	})
}

// alwaysThrottled is a Kinesis that never gives way.
type alwaysThrottled struct {
	kinesissource.API
	times []time.Time
}

func (a *alwaysThrottled) ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	a.times = append(a.times, time.Now())
	return nil, refusal("LimitExceededException")
}

func TestBackOffGrowsToFiveSecondsWithFullJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shutdown := errors.New("shutdown")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Minute, func() { cancel(shutdown) })
		api := &alwaysThrottled{}
		_, err := newSource(t, api, kinesissource.Options{}).ListShards(ctx)
		if !errors.Is(err, shutdown) {
			t.Errorf("ListShards = %v, want the cause of the context's end", err)
		}
		limit, shorter, longer := 250*time.Millisecond, 0, 0
		for i := 1; i < len(api.times); i++ {
			wait := api.times[i].Sub(api.times[i-1])
			if wait > limit {
				t.Errorf("wait %d took %v, want at most %v", i, wait, limit)
			}
			if limit = min(2*limit, 5*time.Second); limit == 5*time.Second {
				if wait < 1250*time.Millisecond {
					shorter++
				} else if wait > 3750*time.Millisecond {
					longer++
				}
			}
		}
		// 10 minutes are about 240 waits of 2.5 s; 60 in each outer quarter.
		if n := len(api.times); n < 150 || n > 400 || shorter < 20 || longer < 20 {
			t.Errorf("%d calls, %d short and %d long waits", n, shorter, longer)
		}
	})
}

func TestNewRefusesNoClient(t *testing.T) {
	t.Parallel()
	if _, err := kinesissource.New(nil, kinesissource.Options{StreamName: streamName}); err == nil {
		t.Error("New(nil) = nil")
	}
}
