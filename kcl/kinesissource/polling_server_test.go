//go:build conformance

package kinesissource_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// TestPollingOfAServer is TestPolling on the server at $KINESIS_ENDPOINT.
func TestPollingOfAServer(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("KINESIS_ENDPOINT")
	if endpoint == "" {
		t.Fatal("KINESIS_ENDPOINT is not set")
	}
	testPolling(t, kinesis.New(kinesis.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("000000000000", "local", ""),
	}))
}
