package kinesissource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/localaws"
)

// A request that is never answered ends, is told, and the next one succeeds.
func TestNeverAnswered(t *testing.T) {
	t.Parallel()
	list := func(ctx context.Context, s *kinesissource.Source, _ kcl.ShardReader) error {
		_, err := s.ListShards(ctx)
		return err
	}
	next := func(ctx context.Context, _ *kinesissource.Source, r kcl.ShardReader) error {
		_, err := r.Next(ctx, kcl.Room{})
		return err
	}
	for _, tt := range []struct {
		operation string
		call      func(context.Context, *kinesissource.Source, kcl.ShardReader) error
		doing     string
	}{
		{"ListShards", list, "listing the shards of stream orders: "},
		{"GetShardIterator", next, "opening shard shardId-000000000000 of stream orders: "},
		{"GetRecords", next, "reading shard shardId-000000000000 of stream orders: "},
	} {
		t.Run(tt.operation, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStream(t, 1)
				s.putRecords(1)
				s.stack.Faults().Add(localaws.Fault{Service: localaws.Kinesis, Operation: tt.operation, Times: 2, Kind: localaws.Stall(0)})
				src := s.source(kinesissource.Options{RequestTimeout: 20 * time.Second})
				r := src.Open(shardID, trimHorizon())
				for n := range 3 {
					begun := time.Now()
					err := tt.call(t.Context(), src, r)
					took := time.Since(begun)
					if n == 2 {
						if err != nil {
							t.Errorf("once it is answered: %v", err)
						}
						return
					}
					late, ok := errors.AsType[*deadline.Error](err)
					if !ok || late.Body || took.Round(time.Second) != 20*time.Second {
						t.Fatalf("ended after %v with %v", took, err)
					}
					if want := tt.doing + "no answer within 20s: "; !strings.HasPrefix(err.Error(), want) {
						t.Errorf("%q does not begin with %q", err, want)
					}
					if describeError(err) != "error" {
						t.Errorf("%v has a class", err)
					}
				}
			})
		})
	}
}

// link is a Kinesis with endless records of 1,000 bytes at the end of a slow
// connection.
type link struct {
	bytesPerSecond int
	asked          []int // limits
}

// Do implements the SDK's HTTPClient.
func (l *link) Do(r *http.Request) (*http.Response, error) {
	body := []byte(`{"ShardIterator":"i"}`)
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetRecords") {
		var in struct{ Limit int }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		l.asked = append(l.asked, in.Limit)
		body = l.page(in.Limit)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, ContentLength: int64(len(body)),
		Body:   io.NopCloser(&slowly{r.Context(), bytes.NewReader(body), l.bytesPerSecond}),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
	}, nil
}

func (l *link) page(n int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"MillisBehindLatest":1000,"NextShardIterator":"i","Records":[`)
	data := strings.Repeat("QUJD", 1000/3)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"SequenceNumber":"%d","ApproximateArrivalTimestamp":%d,"Data":"%s","PartitionKey":"k"}`, i+1, time.Now().Unix(), data)
	}
	body.WriteString(`]}`)
	return body.Bytes()
}

type slowly struct {
	ctx            context.Context //nolint:containedctx // the request's
	r              io.Reader
	bytesPerSecond int
}

func (s *slowly) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), 1<<10)])
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(time.Duration(n) * time.Second / time.Duration(s.bytesPerSecond)):
		return n, err
	}
}

func TestAPageOnASlowLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &link{bytesPerSecond: 7 << 10}
		r := newSource(t, client(l, localKey()), kinesissource.Options{}).Open(shardID, trimHorizon())
		begun := time.Now()
		p, err := r.Next(t.Context(), kcl.Room{})
		if took := time.Since(begun); err != nil || len(p.Records) != 10_000 || took < 20*time.Minute {
			t.Errorf("%d records after %v, %v", len(p.Records), took, err)
		}
	})
}

// What a link cannot carry at once it is asked for in parts, and when the link
// is better, in larger ones.
func TestPagesShrinkAndGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		l := &link{bytesPerSecond: 5 << 10}
		o := kinesissource.Options{MaxRecords: 1000, Logger: zap.New(core), NoRateLimit: true}
		r := newSource(t, client(l, localKey()), o).Open(shardID, trimHorizon())
		for begun := time.Now(); ; begun = time.Now() {
			p, err := r.Next(t.Context(), kcl.Room{})
			if err == nil {
				if len(p.Records) != 31 {
					t.Errorf("%d records came", len(p.Records))
				}
				break
			}
			late, ok := errors.AsType[*deadline.Error](err)
			if took := time.Since(begun); !ok || len(l.asked) > 10 || !late.Body || took.Round(time.Second) != deadline.Within {
				t.Fatalf("after %v: %v", took, err)
			}
		}
		if want := []int{1000, 500, 250, 125, 62, 31}; !slices.Equal(l.asked, want) {
			t.Errorf("asked for %v, want %v", l.asked, want)
		}
		shrunk := logs.FilterMessage("a page came too slowly; asking for fewer records").All()
		if len(shrunk) != 5 || shrunk[4].ContextMap()["records"] != int64(31) || shrunk[4].Level != zap.WarnLevel {
			t.Errorf("the log tells %v", shrunk)
		}

		l.bytesPerSecond = 1 << 30
		for range 60 {
			if _, err := r.Next(t.Context(), kcl.Room{}); err != nil {
				t.Fatal(err)
			}
		}
		if got := slices.Compact(slices.Clone(l.asked[5:])); !slices.Equal(got, []int{31, 62, 124, 248, 496, 992, 1000}) {
			t.Errorf("asked for %v", got)
		}
		if n := slices.Index(l.asked[5:], 62); n != 8 {
			t.Errorf("asked for more after %d full pages", n)
		}
		if grown := logs.FilterMessage("pages come in time; asking for more records").Len(); grown != 6 {
			t.Errorf("the log tells %d times that pages grow", grown)
		}
	})
}

// A limit of 1 stays 1, and what was not answered at all is no reason to ask
// for less.
func TestPagesShrinkForBodiesOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, 1)
		s.putRecords(3)
		s.stack.Faults().Add(localaws.Fault{Service: localaws.Kinesis, Operation: "GetRecords", Times: 1, Kind: localaws.Stall(0)})
		r := s.source(kinesissource.Options{MaxRecords: 3}).Open(shardID, trimHorizon())
		if _, err := r.Next(t.Context(), kcl.Room{}); err == nil {
			t.Fatal("a stalled request succeeded")
		}
		if p, err := r.Next(t.Context(), kcl.Room{}); err != nil || len(p.Records) != 3 {
			t.Errorf("%d records, %v", len(p.Records), err)
		}
		l := &link{bytesPerSecond: 5}
		r = newSource(t, client(l, localKey()), kinesissource.Options{MaxRecords: 2}).Open(shardID, trimHorizon())
		for range 3 {
			if _, err := r.Next(t.Context(), kcl.Room{}); err == nil {
				t.Fatal("a page came at five bytes a second")
			}
		}
		if want := []int{2, 1, 1}; !slices.Equal(l.asked, want) {
			t.Errorf("asked for %v, want %v", l.asked, want)
		}
	})
}

// Who waits on purpose is alive: a step around Next with a limit of its own
// does not end.
func TestWaitingOnPurposeIsNoSilence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		o    kinesissource.Options
		api  func(*testing.T) kinesissource.API
	}{
		{"for an hour, which is the poll interval", kinesissource.Options{PollInterval: time.Hour}, func(t *testing.T) kinesissource.API {
			t.Helper()
			return newScript(t, exchange{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")},
				exchange{"GetRecords i1", records("i2", 0)}, exchange{"GetRecords i2", records("i3", 0, "1")})
		}},
		{"while it is throttled", kinesissource.Options{}, func(t *testing.T) kinesissource.API {
			t.Helper()
			exchanges := []exchange{{"GetShardIterator TRIM_HORIZON name:orders", iterator("i1")}}
			for range 500 {
				exchanges = append(exchanges, exchange{"GetRecords i1", refusal("ProvisionedThroughputExceededException")})
			}
			return newScript(t, append(exchanges, exchange{"GetRecords i1", records("i2", 0)}, exchange{"GetRecords i2", records("i3", 0, "1")})...)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				step, call := deadline.Start(t.Context(), 35*time.Second)
				defer call.End()
				r := newSource(t, tt.api(t), tt.o).Open(shardID, trimHorizon())
				for range 2 {
					if _, err := r.Next(step, kcl.Room{}); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// Throttling that lasts is told each minute.
func TestLastingThrottlingIsToldAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		_, err := newSource(t, &alwaysThrottled{}, kinesissource.Options{Logger: zap.New(core)}).ListShards(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ListShards = %v", err)
		}
		told := logs.FilterMessage("throttled").All()
		if len(told) < 9 || len(told) > 10 {
			t.Errorf("told %d times in ten minutes", len(told))
		}
		for i := 1; i < len(told); i++ {
			if gap := told[i].Time.Sub(told[i-1].Time); gap < time.Minute || gap > 66*time.Second {
				t.Errorf("told again after %v", gap)
			}
		}
	})
}

// When the SDK's quota of retries is spent it returns at once. Then nothing is
// called again here, and the error keeps its class.
func TestSpentQuotaOfRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []wireAnswer{{}}}
		s := newSource(t, client(w, localKey()), kinesissource.Options{})
		for range 40 {
			if _, err := s.ListShards(t.Context()); err == nil || describeError(err) != "error" {
				t.Fatalf("ListShards = %v", err)
			}
		}
		requests, begun := len(w.requests), time.Now()
		_, err := s.ListShards(t.Context())
		if err == nil || describeError(err) != "error" || time.Since(begun) != 0 {
			t.Errorf("ListShards = %v after %v", err, time.Since(begun))
		}
		if n := len(w.requests) - requests; n != 1 {
			t.Errorf("%d requests of one call; is the quota not spent?", n)
		}
		w.answers = []wireAnswer{{400, failure("LimitExceededException"), ""}, {400, failure("LimitExceededException"), ""}, {200, `{"Shards":[]}`, ""}}
		begun = time.Now()
		if _, err := s.ListShards(t.Context()); err != nil || time.Since(begun) == 0 {
			t.Errorf("throttled without a pause: %v after %v", err, time.Since(begun))
		}
	})
}

// What the service says of a sequence number that it refuses is told: it may be
// of another stream.
func TestARefusedSequenceNumberIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const says = "StartingSequenceNumber 495 used in GetShardIterator on shard s0 in stream orders did not come from this stream."
		w := &wire{answers: []wireAnswer{{400, fmt.Sprintf(`{"__type":"InvalidArgumentException","message":%q}`, says), ""}}}
		_, err := newSource(t, client(w, localKey()), kinesissource.Options{}).Open("s0", at("495")).Next(t.Context(), kcl.Room{})
		if !errors.Is(err, kcl.ErrTrimmed) || !strings.Contains(err.Error(), says) {
			t.Errorf("Next = %v", err)
		}
	})
}

var _ kinesis.HTTPClient = (*link)(nil)
