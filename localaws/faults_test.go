package localaws_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/shardmill/shardmill/localaws"
)

// TestFaultAnswers has what the client and the store see of each fault that
// strikes once, of a client that tries once and of one that repeats.
func TestFaultAnswers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		kind    localaws.Kind
		codes   map[string]string // by service; "" is no answer at all
		status  map[string]int
		applied bool // by the one try
	}{
		{
			"a throttled request is refused as by the service", localaws.Throttle(),
			map[string]string{
				localaws.Kinesis: "LimitExceededException", localaws.DynamoDB: "ProvisionedThroughputExceededException", localaws.S3: "SlowDown",
			},
			map[string]int{localaws.Kinesis: 400, localaws.DynamoDB: 400, localaws.S3: 503},
			false,
		},
		{
			"a server error is answered", localaws.ServerError(500),
			map[string]string{localaws.Kinesis: "InternalFailure", localaws.DynamoDB: "InternalServerError", localaws.S3: "InternalError"},
			map[string]int{localaws.Kinesis: 500, localaws.DynamoDB: 500, localaws.S3: 500},
			false,
		},
		{
			"an error of a code is answered", localaws.Error(503, "Whatever"),
			map[string]string{localaws.Kinesis: "Whatever", localaws.DynamoDB: "Whatever", localaws.S3: "Whatever"},
			map[string]int{localaws.Kinesis: 503, localaws.DynamoDB: 503, localaws.S3: 503},
			false,
		},
		{"a refused connection has no effect", localaws.Refuse(), nil, nil, false},
		{"a lost answer comes after the effect", localaws.LostAnswer(), nil, nil, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, stack *localaws.Stack, cfg aws.Config) {
				t.Helper()
				calls := map[string]func(context.Context, aws.Config) error{
					localaws.Kinesis: listStreams, localaws.DynamoDB: listTables,
					localaws.S3: func(ctx context.Context, cfg aws.Config) error { return put(ctx, cfg, "key", "content") },
				}
				for service, call := range calls {
					fault := stack.Faults().Add(localaws.Fault{Service: service, Times: 1, Kind: row.kind})
					err := call(t.Context(), once(cfg))
					if err == nil || codeOf(err) != row.codes[service] || statusOf(err) != row.status[service] {
						t.Errorf("%s answered %v; want code %q, status %d", service, err, row.codes[service], row.status[service])
					}
					if fault.Hits() != 1 {
						t.Errorf("%s: the fault hit %d times, want once", service, fault.Hits())
					}
				}
				if got := exists(t, cfg, "key"); got != row.applied {
					t.Errorf("after the one try the object exists: %v, want %v", got, row.applied)
				}
				fault := stack.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "PutObject", Times: 1, Kind: row.kind})
				if err := put(t.Context(), cfg, "key", "content"); err != nil {
					t.Errorf("the SDK's repetition failed: %v", err)
				}
				if fault.Hits() != 1 || !exists(t, cfg, "key") {
					t.Errorf("the fault hit %d times, the object exists: %v", fault.Hits(), exists(t, cfg, "key"))
				}
			})
		})
	}
}

// TestStall has a client that gives up, and a request that takes effect after.
func TestStall(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, stack *localaws.Stack, cfg aws.Config) {
		t.Helper()
		stall := stack.Faults().Add(localaws.Fault{Operation: "PutObject", Times: 1, Kind: localaws.Stall(0)})
		ctx, giveUp := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() { failed <- put(ctx, cfg, "key", "late") }()
		<-stall.Struck()
		giveUp()
		if err := <-failed; err == nil {
			t.Error("the client that gave up had an answer")
		}
		if exists(t, cfg, "key") {
			t.Error("the object exists before the release")
		}
		// The late write of this key is held until the object is there.
		stall.Release()
		for !exists(t, cfg, "key") {
			if t.Context().Err() != nil {
				t.Fatal("the object never came")
			}
		}
		stack.Faults().Add(localaws.Fault{Operation: "PutObject", Times: 1, Kind: localaws.Stall(time.Millisecond)})
		if err := put(t.Context(), cfg, "other", "after a while"); err != nil || !exists(t, cfg, "other") {
			t.Errorf("the put that was held for a while: %v", err)
		}
	})
}

// TestNoAnswer has requests that are never answered, with and without effect,
// and answers that drip.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		kind    localaws.Kind
		applied bool
	}{
		{"a request that takes effect", localaws.NoAnswer(), true},
		{"one that does not", localaws.Swallow(), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, stack *localaws.Stack, cfg aws.Config) {
				t.Helper()
				fault := stack.Faults().Add(localaws.Fault{Operation: "PutObject", Times: 1, Kind: row.kind})
				ctx, giveUp := context.WithCancel(t.Context())
				failed := make(chan error, 1)
				go func() { failed <- put(ctx, cfg, "key", "content") }()
				<-fault.Struck()
				stack.Faults().Clear()
				for exists(t, cfg, "key") != row.applied {
					if t.Context().Err() != nil {
						t.Fatal("the object never came")
					}
				}
				select {
				case err := <-failed:
					t.Errorf("it was answered: %v", err)
				default:
				}
				giveUp()
				if err := <-failed; err == nil {
					t.Error("the client that gave up had an answer")
				}
			})
		})
	}
	t.Run("an answer that drips comes in the end", func(t *testing.T) {
		t.Parallel()
		eachWay(t, func(t *testing.T, stack *localaws.Stack, cfg aws.Config) {
			t.Helper()
			fault := stack.Faults().Add(localaws.Fault{Service: localaws.DynamoDB, Kind: localaws.Drip(time.Microsecond)})
			if err := listTables(t.Context(), cfg); err != nil || fault.Hits() != 1 {
				t.Errorf("%v after %d hits", err, fault.Hits())
			}
		})
	})
}

// TestFaultChoice has which requests a fault strikes.
func TestFaultChoice(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		fault localaws.Fault
		want  []bool // of three puts, which are struck
	}{
		{"all of an operation", localaws.Fault{Operation: "PutObject"}, []bool{true, true, true}},
		{"none of another operation", localaws.Fault{Operation: "GetObject"}, []bool{false, false, false}},
		{"none of another service", localaws.Fault{Service: localaws.Kinesis}, []bool{false, false, false}},
		{"as often as told", localaws.Fault{Times: 2}, []bool{true, true, false}},
		{"after some", localaws.Fault{After: 1, Times: 1}, []bool{false, true, false}},
		{
			"those that match",
			localaws.Fault{Match: func(r *http.Request, _ []byte) bool { return r.URL.Path == "/c" }},
			[]bool{false, false, true},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stack := newStack(t, localaws.Options{})
			row.fault.Kind = localaws.ServerError(500)
			fault := stack.Faults().Add(row.fault)
			hits := 0
			for i, key := range []string{"a", "b", "c"} {
				err := put(t.Context(), once(stack.AWSConfig()), key, "content")
				if struck := err != nil; struck != row.want[i] {
					t.Errorf("put of %s: %v, want struck %v", key, err, row.want[i])
				}
				if row.want[i] {
					hits++
				}
			}
			if fault.Hits() != hits {
				t.Errorf("%d hits, want %d", fault.Hits(), hits)
			}
			fault.Remove()
			if err := put(t.Context(), once(stack.AWSConfig()), "c", "content"); err != nil {
				t.Errorf("put after the fault was removed: %v", err)
			}
		})
	}
}

func TestMatchSeesJSONBodies(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	var seen string
	stack.Faults().Add(localaws.Fault{Service: localaws.Kinesis, Kind: localaws.Throttle(), Match: func(_ *http.Request, body []byte) bool {
		seen = string(body)
		return false
	}})
	if err := listStreams(t.Context(), stack.AWSConfig()); err != nil || seen != "{}" {
		t.Errorf("Match saw %q, the call gave %v; want {} and nil", seen, err)
	}
}
