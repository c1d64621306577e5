//go:build conformance

package kinesistest_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/localaws/kinesistest"
)

// TestServer runs the suite against the server at $KINESIS_ENDPOINT.
// $KINESIS_SERVER=kinesis-mock leaves out what that server gets wrong.
func TestServer(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("KINESIS_ENDPOINT")
	if endpoint == "" {
		t.Fatal("KINESIS_ENDPOINT is not set")
	}
	var features kinesistest.Features
	switch server := os.Getenv("KINESIS_SERVER"); server {
	case "":
	case "kinesis-mock":
		features = kinesistest.KinesisMock()
	default:
		t.Fatalf("KINESIS_SERVER is %q, not empty or kinesis-mock", server)
	}
	kinesistest.Run(t, kinesis.New(kinesis.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("000000000000", "local", ""),
	}), features)
}
