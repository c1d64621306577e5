package s3archive_test

import (
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors/s3archive"
	"github.com/shardmill/shardmill/processors/sinktest"
)

func TestConforms(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(tb testing.TB) sinktest.Store {
		tb.Helper()
		stack, err := localaws.New(localaws.Options{StrictBuckets: true})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(stack.Close)
		client := s3.NewFromConfig(stack.AWSConfig(), stack.S3Options)
		for _, bucket := range []string{"bucket", "other"} {
			if _, err := client.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
				tb.Fatal(err)
			}
		}
		store, err := s3archive.New(client, s3archive.Options{PartBytes: partBytes})
		if err != nil {
			tb.Fatal(err)
		}
		return sinktest.Store{ObjectStore: store, Bucket: "bucket", Other: "other", Missing: "missing", Read: reads(client)}
	})
}

// reads returns how the suite sees what is stored.
func reads(client *s3.Client) func(tb testing.TB, bucket, key string) sinktest.Stored {
	return func(tb testing.TB, bucket, key string) sinktest.Stored {
		tb.Helper()
		out, err := client.GetObject(tb.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			tb.Fatal(err)
		}
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		if err != nil {
			tb.Fatal(err)
		}
		return sinktest.Stored{Body: body, ContentType: aws.ToString(out.ContentType), ContentEncoding: aws.ToString(out.ContentEncoding)}
	}
}
