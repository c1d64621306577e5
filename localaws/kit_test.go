package localaws_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/shardmill/shardmill/localaws"
)

func newStack(t *testing.T, o localaws.Options) *localaws.Stack {
	t.Helper()
	stack, err := localaws.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	return stack
}

// serve runs a stack on a port until the test ends.
func serve(t *testing.T, stack *localaws.Stack) (endpoint string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- stack.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

// eachWay runs a test against a new stack in this process and over TCP.
func eachWay(t *testing.T, test func(t *testing.T, stack *localaws.Stack, cfg aws.Config)) {
	t.Helper()
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		stack := newStack(t, localaws.Options{})
		test(t, stack, quick(stack.AWSConfig()))
	})
	t.Run("over TCP", func(t *testing.T) {
		t.Parallel()
		stack := newStack(t, localaws.Options{})
		cfg := quick(stack.AWSConfig())
		cfg.BaseEndpoint = aws.String(serve(t, stack))
		transport := new(http.Transport)
		t.Cleanup(transport.CloseIdleConnections)
		cfg.HTTPClient = &http.Client{Transport: transport}
		test(t, stack, cfg)
	})
}

// quick is the same configuration with a client that repeats without waiting.
func quick(cfg aws.Config) aws.Config {
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
	}
	return cfg
}

// once is the same configuration with a client that tries once.
func once(cfg aws.Config) aws.Config {
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return cfg
}

func put(ctx context.Context, cfg aws.Config, key, content string) error {
	_, err := s3.NewFromConfig(cfg).PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: &key, Body: strings.NewReader(content),
	})
	return err
}

// exists reports whether a key is an object.
func exists(t *testing.T, cfg aws.Config, key string) bool {
	t.Helper()
	_, err := s3.NewFromConfig(cfg).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: &key})
	if err != nil && statusOf(err) != http.StatusNotFound {
		t.Fatalf("heading %s: %v", key, err)
	}
	return err == nil
}

func listStreams(ctx context.Context, cfg aws.Config) error {
	_, err := kinesis.NewFromConfig(cfg).ListStreams(ctx, &kinesis.ListStreamsInput{})
	return err
}

func listTables(ctx context.Context, cfg aws.Config) error {
	_, err := dynamodb.NewFromConfig(cfg).ListTables(ctx, &dynamodb.ListTablesInput{})
	return err
}

// codeOf is the code of an API error; "" of any other error.
func codeOf(err error) string {
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return answer.ErrorCode()
	}
	return ""
}

// statusOf is the HTTP status of an answer that is an error; 0 without one.
func statusOf(err error) int {
	if answer, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}
