package main

import (
	"slices"
	"testing"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
)

// TestFormerBucketsReachTheArchiver: from the file to what delivers.
func TestFormerBucketsReachTheArchiver(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load("archiver.yaml", []byte(`DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
ExtendedS3DestinationConfiguration: {BucketARN: "arn:aws:s3:::new"}
shardmill: {formerBuckets: [old, older]}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := optionsOf(cfg, configFlags{}, zap.NewNop()).Delivery
	if got.Bucket != "new" || !slices.Equal(got.FormerBuckets, []string{"old", "older"}) {
		t.Errorf("bucket %q, former ones %q", got.Bucket, got.FormerBuckets)
	}
}
