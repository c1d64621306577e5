//go:build conformance

package leasedynamo_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasetest"
)

// local returns a client of the DynamoDB at $DYNAMODB_ENDPOINT, which is
// DynamoDB Local as a rule.
func local(tb testing.TB) *dynamodb.Client {
	tb.Helper()
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		tb.Fatal("DYNAMODB_ENDPOINT is not set; it is the URL of a DynamoDB to test against")
	}
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

func TestConformsOnDynamoDBLocal(t *testing.T) {
	t.Parallel()
	client := local(t)
	leasetest.Run(t, func(tb testing.TB) lease.Table {
		tb.Helper()
		return open(tb, client)
	})
}

func TestConformsOnDynamoDBLocalInAHandOff(t *testing.T) {
	t.Parallel()
	client := local(t)
	leasetest.RunPut(t, func(tb testing.TB) (lease.Table, func(lease.Lease)) {
		tb.Helper()
		return openPut(tb, client)
	})
}

func TestUnknownAttributesSurviveOnDynamoDBLocal(t *testing.T) {
	t.Parallel()
	unknownAttributesSurvive(t, local(t))
}

func TestOurWritesLeaveTheSameRowAsJavasOnDynamoDBLocal(t *testing.T) {
	t.Parallel()
	leaveTheSameRow(t, local(t))
}
