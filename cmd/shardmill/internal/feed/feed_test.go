package feed_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/feed"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/localaws"
)

func open(t *testing.T) (*localaws.Stack, *feed.Feeder) {
	t.Helper()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	api := kinesis.NewFromConfig(stack.AWSConfig())
	if _, err := api.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if err := kinesis.NewStreamExistsWaiter(api).Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: aws.String("orders")}, time.Hour); err != nil {
		t.Fatal(err)
	}
	return stack, feed.New(kinesis.NewFromConfig(stack.AWSConfig(), func(o *kinesis.Options) {
		o.HTTPClient = deadline.Client(deadlinetest.Bounded(t, o.HTTPClient), 0)
	}), "orders", nil)
}

func add(t *testing.T, f *feed.Feeder, n int) {
	t.Helper()
	for range n {
		if err := f.Add(t.Context(), []byte("record")); err != nil {
			t.Fatal(err)
		}
	}
}

// A put that is never answered ends, is made once, and says how much is known.
func TestAPutThatIsNeverAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack, f := open(t)
		add(t, f, 3)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		stall := stack.Faults().Add(localaws.Fault{Operation: "PutRecords", Kind: localaws.Stall(0)})
		add(t, f, 2)
		begun := time.Now()
		go func() {
			time.Sleep(40 * time.Second)
			if d, why := f.Waits(); d != 40*time.Second || why != "there is no answer" {
				t.Errorf("it waits %v: %s", d, why)
			}
		}()
		err := f.Flush(t.Context())
		const want = "putting 2 records into stream orders, of which some may be there: no answer within 1m0s: "
		if _, ok := errors.AsType[*deadline.Error](err); !ok || !strings.HasPrefix(err.Error(), want) || time.Since(begun) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		if records, bytes := f.Progress(); records != 3 || bytes != 18 || stall.Hits() != 1 {
			t.Errorf("%d records, %d bytes, %d tries", records, bytes, stall.Hits())
		}
		if d, _ := f.Waits(); d != 0 {
			t.Errorf("it waits %v after its end", d)
		}
	})
}

// refusing is a stream that takes nothing.
type refusing struct{}

func (refusing) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	out := &kinesis.PutRecordsOutput{}
	for range in.Records {
		out.Records = append(out.Records, types.PutRecordsResultEntry{ErrorCode: aws.String("ProvisionedThroughputExceededException")})
	}
	return out, nil
}

// What is refused for ever ends with its context, and why is known meanwhile.
func TestRefusedUntilTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := feed.New(refusing{}, "orders", nil)
		add(t, f, 2)
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		go func() {
			time.Sleep(time.Hour)
			if d, why := f.Waits(); d != time.Hour || why != "the stream refuses them: ProvisionedThroughputExceededException" {
				t.Errorf("it waits %v: %s", d, why)
			}
			cancel(stopped)
		}()
		if err := f.Flush(ctx); !errors.Is(err, stopped) {
			t.Errorf("Flush = %v", err)
		}
		_ = pause.For(t.Context(), time.Second)
	})
}

// telling is a stream that tells of so many records, whatever it is given.
type telling int

func (n telling) PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	return &kinesis.PutRecordsOutput{Records: make([]types.PutRecordsResultEntry, n)}, nil
}

// An answer that does not tell of each record, such as that of something in place
// of the service, is none: nothing counts as put, and all is in doubt.
func TestAnAnswerAboutOtherRecords(t *testing.T) {
	t.Parallel()
	for _, n := range []telling{0, 1, 3} {
		f := feed.New(n, "orders", nil)
		add(t, f, 2)
		err := f.Flush(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "putting 2 records into stream orders, of which some may be there: ") {
			t.Errorf("with %d: Flush = %v", n, err)
		}
		if records, _ := f.Progress(); records != 0 || f.Doubt() != 2 {
			t.Errorf("with %d: %d are put, and %d may be", n, records, f.Doubt())
		}
	}
}
