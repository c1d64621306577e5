package kinesissource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// wire answers the requests of a real client with the given statuses and
// bodies, the last one again and again.
type wire struct {
	answers  []wireAnswer
	requests []string // operation and body
}

type wireAnswer struct {
	status int // 0: the connection breaks
	body   string
	date   string
}

// Do implements the SDK's HTTPClient.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.requests = append(w.requests, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "Kinesis_20131202.")+" "+string(body))
	a := w.answers[0]
	if len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	if a.status == 0 {
		return nil, errors.New("connection reset by peer")
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}}
	if a.date != "" {
		header.Set("Date", a.date)
	}
	return &http.Response{
		StatusCode: a.status, Header: header, Request: r, ContentLength: int64(len(a.body)),
		Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

func client(w kinesis.HTTPClient, provider aws.CredentialsProvider) *kinesis.Client {
	return kinesis.New(kinesis.Options{
		Region: "us-east-1", Credentials: provider, HTTPClient: w, BaseEndpoint: aws.String("http://kinesis.invalid"),
	})
}

func localKey() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("local", "local", "")
}

func failure(code string) string { return fmt.Sprintf(`{"__type":%q,"message":"refused"}`, code) }

func TestThroughTheSDK(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().UTC().Add(3 * time.Second)
		dateHeader := date.Format(http.TimeFormat)
		w := &wire{answers: []wireAnswer{
			{200, `{"Shards":[{"ShardId":"s0","HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"9"},"SequenceNumberRange":{"StartingSequenceNumber":"1"}}]}`, dateHeader},
			{200, `{"ShardIterator":"i1"}`, dateHeader},
			{200, `{"Records":[{"SequenceNumber":"495","PartitionKey":"k","Data":"eA==","ApproximateArrivalTimestamp":1459799926.480}],"MillisBehindLatest":7,"NextShardIterator":"i2"}`, dateHeader},
		}}
		s := newSource(t, client(w, localKey()), kinesissource.Options{})
		list, err := s.ListShards(t.Context())
		if err != nil || !list.At.Equal(date) || len(list.Shards) != 1 {
			t.Errorf("ListShards = %+v, %v, want the Date %v", list, err, date)
		}
		page, err := s.Open("s0", at("495")).Next(t.Context(), kcl.Room{})
		if err != nil || !page.At.Equal(date) || page.BehindLatest != 7*time.Millisecond || len(page.Records) != 1 {
			t.Fatalf("Next = %+v, %v", page, err)
		}
		r := page.Records[0]
		if got := r.ApproximateArrivalTimestamp; got.UnixNano() != 1459799926480*int64(time.Millisecond) {
			t.Errorf("arrival = %v, want whole milliseconds", got)
		}
		if r.SequenceNumber != "495" || r.PartitionKey != "k" || string(r.Data) != "x" {
			t.Errorf("record = %+v", r)
		}
		page.Release()
		if r.SequenceNumber != "495" || r.PartitionKey != "k" || string(r.Data) != "\xdb" {
			t.Errorf("record = %+v after its page was released: its data should be overwritten, and nothing else", r)
		}
		if got, want := w.requests[1], `{"ShardId":"s0","ShardIteratorType":"AT_SEQUENCE_NUMBER","StartingSequenceNumber":"495","StreamName":"orders"}`; got != "GetShardIterator "+want {
			t.Errorf("request\n got %s\nwant %s", got, want)
		}
	})
}

// One layer retries each kind of error: throttling here, with a hook and
// longer waits, all else the SDK.
func TestRetriesAreNotMultiplied(t *testing.T) {
	t.Parallel()
	ok := wireAnswer{200, `{"Shards":[]}`, ""}
	throttled := wireAnswer{400, failure("LimitExceededException"), ""}
	tests := []struct {
		name              string
		answers           []wireAnswer
		requests, counted int
		want              string
	}{
		{"each throttled request is counted and repeated here", []wireAnswer{throttled, throttled, throttled, throttled, throttled, ok}, 6, 5, ""},
		{"429 is throttling too", []wireAnswer{{429, `{}`, ""}, ok}, 2, 1, ""},
		{"a server's error is repeated by the SDK, three times in all", []wireAnswer{{500, failure("InternalFailure"), ""}}, 3, 0, "error"},
		{"so is a broken connection", []wireAnswer{{}}, 3, 0, "error"},
		{"that may heal", []wireAnswer{{}, {503, "", ""}, ok}, 3, 0, ""},
		{"a refusal is not repeated at all", []wireAnswer{{400, failure("AccessDeniedException"), ""}}, 1, 0, "access denied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answers: tt.answers}
				counted := 0
				o := kinesissource.Options{Throttled: func(string, string) { counted++ }}
				_, err := newSource(t, client(w, localKey()), o).ListShards(t.Context())
				if err == nil && tt.want != "" || err != nil && describeError(err) != tt.want {
					t.Errorf("ListShards = %v, want %q", err, tt.want)
				}
				if len(w.requests) != tt.requests || counted != tt.counted {
					t.Errorf("%d requests, %d counted as throttled, want %d, %d", len(w.requests), counted, tt.requests, tt.counted)
				}
			})
		})
	}
}

func TestMissingCredentials(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		provider aws.CredentialsProvider
		want     string
	}{
		{"none were configured", nil, "access denied"},
		{"they are empty", credentials.NewStaticCredentialsProvider("", "", ""), "access denied"},
		{"their source cannot be reached now", aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, &smithy.OperationError{ServiceID: "STS", OperationName: "AssumeRole", Err: &smithyhttp.RequestSendError{Err: errors.New("timeout")}}
		}), "error"},
		{"the machine has no role", aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, &smithy.OperationError{ServiceID: "ec2imds", OperationName: "GetMetadata", Err: &smithyhttp.RequestSendError{Err: errors.New("no route")}}
		}), "access denied"},
		{"no provider has any", aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("no provider has credentials")
		})), "access denied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answers: []wireAnswer{{400, failure("MissingAuthenticationTokenException"), ""}}}
				_, err := newSource(t, client(w, tt.provider), kinesissource.Options{}).ListShards(t.Context())
				if describeError(err) != tt.want {
					t.Errorf("ListShards = %v, want %s", err, tt.want)
				}
			})
		})
	}
}
