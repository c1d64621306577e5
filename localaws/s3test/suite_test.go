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

func TestInProcess(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		dir  string
		opts []func(*s3.Options)
	}{
		{name: "in memory, by virtual host"},
		{name: "on disk, by path", dir: t.TempDir(), opts: []func(*s3.Options){func(o *s3.Options) { o.UsePathStyle = true }}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stack, err := localaws.New(localaws.Options{Dir: row.dir})
			if err != nil {
				t.Fatal(err)
			}
			s3test.Run(t, s3.NewFromConfig(stack.AWSConfig(), row.opts...), s3test.All())
		})
	}
}

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
