package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/feed"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/localaws"
)

// calm is a local Kinesis, and a client of it as the commands have.
func calm(t *testing.T) (*localaws.Stack, *kinesis.Client) {
	t.Helper()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	return stack, kinesis.NewFromConfig(stack.AWSConfig(), func(o *kinesis.Options) {
		o.HTTPClient = deadline.Client(deadlinetest.Bounded(t, o.HTTPClient), requestTimeout)
	})
}

// What is never answered ends, names what was done, and is told meanwhile.
func TestEnsureStreamIsNeverAnswered(t *testing.T) {
	t.Parallel()
	for operation, want := range map[string]struct{ err, note string }{
		"CreateStream":          {"creating stream orders: no answer within 1m0s: ", "still creating stream orders after 15s\n"},
		"DescribeStreamSummary": {"describing stream orders: no answer within 1m0s: ", "still waiting for stream orders to become active after 15s\n"},
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stack, api := calm(t)
				stack.Faults().Add(localaws.Fault{Operation: operation, Times: 1, Kind: localaws.Stall(0)})
				var notes bytes.Buffer
				begun := time.Now()
				_, err := ensureStream(t.Context(), api, "orders", 1, stdio{err: &notes})
				if err == nil || !strings.HasPrefix(err.Error(), want.err) || time.Since(begun) != time.Minute {
					t.Errorf("after %v: %v", time.Since(begun), err)
				}
				if !strings.HasPrefix(notes.String(), want.note) {
					t.Errorf("it says %q", notes.String())
				}
				if _, err := ensureStream(t.Context(), api, "orders", 1, stdio{err: &notes}); err != nil {
					t.Errorf("once it is answered: %v", err)
				}
			})
		})
	}
}

// A stream that does not become active is waited for aloud, until a signal.
func TestAStreamThatIsNeverActive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack, api := calm(t)
		stack.Faults().Add(localaws.Fault{Operation: "DescribeStreamSummary", Kind: localaws.Latency(50 * time.Second)})
		var notes bytes.Buffer
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(40*time.Second, func() { cancel(signalError{syscall.SIGTERM}) })
		begun := time.Now()
		_, err := ensureStream(ctx, api, "orders", 1, stdio{err: &notes})
		if err == nil || time.Since(begun) != 40*time.Second || strings.Count(notes.String(), "still waiting") != 2 {
			t.Errorf("after %v: %v; it says %q", time.Since(begun), err, notes.String())
		}
	})
}

// A put that is not answered, or refused for ever, ends soon after a signal,
// and is told meanwhile.
func TestPutEndsAfterASignal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind   localaws.Kind
		signal time.Duration
		ends   time.Duration
		err    string
		notes  int
	}{
		"never answered":            {localaws.Stall(0), 12 * time.Second, 32 * time.Second, "stopped by terminated, and not all was put 20s later", 2},
		"never answered, no signal": {localaws.Stall(0), time.Hour, time.Minute, "no answer within 1m0s", 3},
		"answered after the signal": {localaws.Stall(15 * time.Second), 5 * time.Second, 15 * time.Second, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stack, api := calm(t)
				var notes bytes.Buffer
				s := stdio{err: &notes}
				if _, err := ensureStream(t.Context(), api, "orders", 1, s); err != nil {
					t.Fatal(err)
				}
				notes.Reset()
				stack.Faults().Add(localaws.Fault{Operation: "PutRecords", Times: 1, Kind: tt.kind})
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				time.AfterFunc(tt.signal, func() { cancel(signalError{syscall.SIGTERM}) })
				begun := time.Now()
				feeder := feed.New(api, "orders", nil)
				err := putAll(ctx, feeder, lines.Input{Files: []string{"-"}, Stdin: strings.NewReader("a\nb\n")}, 0, s)
				if took := time.Since(begun); took != tt.ends || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("after %v: %v", took, err)
				}
				if n := strings.Count(notes.String(), "still putting records into the stream after "); n < tt.notes {
					t.Errorf("it says %q", notes.String())
				}
				if n, _ := feeder.Progress(); (n == 2) != (tt.err == "") {
					t.Errorf("%d records were put", n)
				}
			})
		})
	}
}

// A silence is not made up for: what comes after it is put at the rate.
func TestRateAfterASilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, api := calm(t)
		if _, err := ensureStream(t.Context(), api, "orders", 1, stdio{err: io.Discard}); err != nil {
			t.Fatal(err)
		}
		r, w := io.Pipe()
		defer func() { _ = r.Close() }()
		var spoke time.Time
		go func() {
			_, _ = io.WriteString(w, "first\n")
			time.Sleep(time.Hour)
			spoke = time.Now()
			_, _ = io.WriteString(w, strings.Repeat("line\n", 2000))
			_ = w.Close()
		}()
		feeder := feed.New(api, "orders", nil)
		if err := putRecords(t.Context(), t.Context(), feeder, lines.Input{Files: []string{"-"}, Stdin: r}, 500); err != nil {
			t.Error(err)
		}
		if took := time.Since(spoke); took < 3800*time.Millisecond || took > 5*time.Second {
			t.Errorf("2000 records at 500 a second took %v", took)
		}
	})
}

// A stream that refuses all is no reason not to end.
func TestARefusedPutEndsAfterASignal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := kinesis.New(kinesis.Options{Region: "us-east-1", HTTPClient: refusal{}, BaseEndpoint: aws.String("http://kinesis.invalid")})
		var notes bytes.Buffer
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Hour, func() { cancel(signalError{syscall.SIGTERM}) })
		begun := time.Now()
		err := putAll(ctx, feed.New(api, "orders", nil), lines.Input{Files: []string{"-"}, Stdin: strings.NewReader("a\n")}, 0, stdio{err: &notes})
		if took := time.Since(begun); err == nil || took != time.Hour+flushTimeout || !strings.Contains(err.Error(), "stopped by terminated") {
			t.Errorf("after %v: %v", took, err)
		}
		if n := strings.Count(notes.String(), "the stream refuses them: ProvisionedThroughputExceededException\n"); n < 200 {
			t.Errorf("it says so %d times in an hour", n)
		}
	})
}

// A rate is kept however much was put, and overflows nowhere.
func TestDue(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		n    int64
		rate int
		want time.Duration
	}{
		{0, 500, 0},
		{50, 500, 100 * time.Millisecond},
		{3, 2, 1500 * time.Millisecond},
		{10_000_000_001, 1_000_000, 10_000*time.Second + time.Microsecond},
		{1_000_000_000_000, maxRate, 1000 * time.Second},
		{maxRate - 1, maxRate, time.Second - 1},
	} {
		if got := due(row.n, row.rate); got != row.want {
			t.Errorf("%d at %d a second: after %v, want %v", row.n, row.rate, got, row.want)
		}
	}
}

// refusal is a Kinesis that takes no record.
type refusal struct{}

// Do implements the SDK's HTTPClient.
func (refusal) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, ContentLength: -1, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(strings.NewReader(`{"FailedRecordCount":1,"Records":[{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"slow down"}]}`)),
	}, nil
}

// Credentials that are asked for and never given end the asking, whoever hid
// the context's end from it.
func TestCredentialsAreNeverGiven(t *testing.T) { //nolint:paralleltest // it sets the environment
	asked := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	home := t.TempDir()
	for name, value := range map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.URL, "AWS_EC2_METADATA_DISABLED": "true", "HOME": home,
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": home + "/config", "AWS_SHARED_CREDENTIALS_FILE": home + "/credentials",
	} {
		t.Setenv(name, value)
	}
	cfg, reading, err := loadConfig(t.Context(), 50*time.Millisecond, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.Credentials.Retrieve(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Retrieve = %v", err)
	}
	if len(asked) == 0 {
		t.Error("nobody was asked")
	}
	for _, c := range []aws.HTTPClient{cfg.HTTPClient, reading} {
		if deadline.Client(c, time.Hour) != c {
			t.Errorf("a %T sends the requests of the services, without a limit", c)
		}
	}
}

// Credentials that do not come within a minute are no fault of usage.
func TestCredentialsThatDoNotCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			<-ctx.Done()
			return aws.Credentials{}, ctx.Err()
		})
		err := checkCredentials(t.Context(), never)
		if _, usage := errors.AsType[usageError](err); err == nil || usage || !strings.HasPrefix(err.Error(), "getting AWS credentials: no answer within 1m0s: ") {
			t.Errorf("it says %v", err)
		}
	})
}

// slowTable answers a List after a while.
type slowTable struct{ lease.Mem }

func (t *slowTable) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	time.Sleep(40 * time.Second)
	return t.Mem.List(ctx)
}

func (*slowTable) Rewrite(context.Context, lease.Lease, lease.Lease) (lease.Lease, error) {
	return lease.Lease{}, errors.ErrUnsupported
}

// A table that takes long to read is told of, whatever the rows are for.
func TestReadingTheTableIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var notes bytes.Buffer
		f := newLeaseFlags("list", "")
		f.table = "orders"
		if _, _, err := f.rows(t.Context(), new(slowTable), stdio{err: &notes}); err != nil {
			t.Error(err)
		}
		if got, want := notes.String(), "still listing the leases of table orders after 15s\nstill listing the leases of table orders after 30s\n"; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	})
}
