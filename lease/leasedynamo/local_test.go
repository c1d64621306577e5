package leasedynamo_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasetest"
	"github.com/shardmill/shardmill/localaws"
)

// inProcess returns a client of a DynamoDB in this process.
func inProcess(tb testing.TB) *dynamodb.Client {
	tb.Helper()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(stack.Close)
	return dynamodb.NewFromConfig(stack.AWSConfig())
}

func TestConforms(t *testing.T) {
	t.Parallel()
	leasetest.Run(t, func(tb testing.TB) lease.Table {
		tb.Helper()
		return open(tb, inProcess(tb))
	})
}

func TestConformsInAHandOff(t *testing.T) {
	t.Parallel()
	leasetest.RunPut(t, func(tb testing.TB) (lease.Table, func(lease.Lease)) {
		tb.Helper()
		return openPut(tb, inProcess(tb))
	})
}

func TestUnknownAttributesSurvive(t *testing.T) {
	t.Parallel()
	unknownAttributesSurvive(t, inProcess(t))
}

func TestOurWritesLeaveTheSameRowAsJavas(t *testing.T) {
	t.Parallel()
	leaveTheSameRow(t, inProcess(t))
}
