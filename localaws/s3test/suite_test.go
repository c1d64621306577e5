package s3test_test

import (
	"context"
	"net"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/localaws/s3test"
)

// TestInProcess keeps objects in memory and names buckets in the host.
func TestInProcess(t *testing.T) {
	t.Parallel()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s3test.Run(t, s3.NewFromConfig(stack.AWSConfig()), s3test.All())
}

// TestOverTCP keeps objects on disk and names buckets in the path.
func TestOverTCP(t *testing.T) {
	t.Parallel()
	stack, err := localaws.New(localaws.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
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
	s3test.Run(t, clientOf("http://"+listener.Addr().String(), "local", "local"), s3test.All())
}

func clientOf(endpoint, key, secret string) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint), UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(key, secret, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
}
