package leasedynamo_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasetest"
	"github.com/shardmill/shardmill/localaws"
)

func TestEveryCallEndsByItself(t *testing.T) {
	t.Parallel()
	leasetest.RunUnanswered(t, func(tb testing.TB) (lease.Table, func() func()) {
		tb.Helper()
		stack, err := localaws.New(localaws.Options{})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(stack.Close)
		return open(tb, dynamodb.NewFromConfig(stack.AWSConfig())), func() func() {
			stack.Faults().Add(localaws.Fault{Service: localaws.DynamoDB, Kind: localaws.Stall(0)})
			return stack.Faults().Clear
		}
	})
}

// Whatever client it is given, no request goes out that does not end by itself,
// and net/http cannot strike upon the fault of the SDK's request bodies.
func TestNoRequestGoesOutWithoutADeadline(t *testing.T) {
	t.Parallel()
	f := &fleet{status: []string{""}}
	var seen operations
	client := dynamodb.New(dynamodb.Options{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
			_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			seen.add(operation)
			if !deadline.Bounded(r.Context()) {
				t.Errorf("%s has no deadline", operation)
			}
			if _, ok := r.Body.(io.WriterTo); ok {
				t.Errorf("%s has a body that can be cut", operation)
			}
			return answer(f.answer).do(r)
		}),
	})
	table := newTable(t, client)
	if err := table.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	writes, reads := calls(table)
	for _, group := range []map[string]func(context.Context) error{writes, reads} {
		for _, call := range group {
			_ = call(t.Context()) // the answers are of no matter
		}
	}
	seen.all(t)
}

// A client that is none of the SDK's gets a context that ends, too.
func TestNoCallOfAnAPIIsWithoutADeadline(t *testing.T) {
	t.Parallel()
	api := &bare{t: t}
	writes, reads := calls(newTable(t, api))
	for _, group := range []map[string]func(context.Context) error{writes, reads} {
		for _, call := range group {
			_ = call(t.Context())
		}
	}
	api.seen.all(t)
}

// operations are those that were asked for.
type operations struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (o *operations) add(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = map[string]bool{}
	}
	o.seen[name] = true
}

// all fails the test unless each operation of API was asked for.
func (o *operations) all(t *testing.T) {
	t.Helper()
	want := []string{"CreateTable", "DeleteItem", "DescribeTable", "GetItem", "PutItem", "Scan", "TransactWriteItems", "UpdateItem"}
	if got := slices.Sorted(maps.Keys(o.seen)); !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
}

// bare is an API without a client. It answers nothing but that there is a table.
type bare struct {
	t    *testing.T
	seen operations
}

var errBare = errors.New("no service")

func (b *bare) note(ctx context.Context, operation string) error {
	b.seen.add(operation)
	if !deadline.Bounded(ctx) {
		b.t.Errorf("%s has no deadline", operation)
	}
	return errBare
}

func (b *bare) DescribeTable(ctx context.Context, _ *dynamodb.DescribeTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	_ = b.note(ctx, "DescribeTable")
	return nil, &types.ResourceNotFoundException{}
}

func (b *bare) CreateTable(ctx context.Context, _ *dynamodb.CreateTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	return nil, b.note(ctx, "CreateTable")
}

func (b *bare) Scan(ctx context.Context, _ *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return nil, b.note(ctx, "Scan")
}

func (b *bare) GetItem(ctx context.Context, _ *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return nil, b.note(ctx, "GetItem")
}

func (b *bare) PutItem(ctx context.Context, _ *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return nil, b.note(ctx, "PutItem")
}

func (b *bare) UpdateItem(ctx context.Context, _ *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return nil, b.note(ctx, "UpdateItem")
}

func (b *bare) DeleteItem(ctx context.Context, _ *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return nil, b.note(ctx, "DeleteItem")
}

func (b *bare) TransactWriteItems(ctx context.Context, _ *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return nil, b.note(ctx, "TransactWriteItems")
}
