//go:build conformance

package s3archive_test

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
	"github.com/shardmill/shardmill/processors/sinktest"
)

// server returns a client of the server at $S3_ENDPOINT, such as versitygw.
func server(tb testing.TB) *s3.Client {
	tb.Helper()
	value := func(name string) string {
		v := os.Getenv(name)
		if v == "" {
			tb.Fatalf("$%s is not set", name)
		}
		return v
	}
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(value("S3_ENDPOINT")), UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"), ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
}

// newBucket makes a bucket that nobody else has.
func newBucket(tb testing.TB, client *s3.Client, ownership types.ObjectOwnership) string {
	tb.Helper()
	name := "archive-" + strings.ToLower(rand.Text())
	if _, err := client.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &name, ObjectOwnership: ownership}); err != nil {
		tb.Fatal(err)
	}
	return name
}

// TestServerConforms: a store is one on a server that others wrote, too, whoever owns
// what is in its buckets.
func TestServerConforms(t *testing.T) {
	t.Parallel()
	for _, ownership := range []types.ObjectOwnership{types.ObjectOwnershipBucketOwnerEnforced, types.ObjectOwnershipBucketOwnerPreferred} {
		t.Run(string(ownership), func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(tb testing.TB) sinktest.Store {
				tb.Helper()
				client := server(tb)
				store, err := s3archive.New(client, s3archive.Options{PartBytes: partBytes})
				if err != nil {
					tb.Fatal(err)
				}
				return sinktest.Store{
					ObjectStore: store, Bucket: newBucket(tb, client, ownership), Other: newBucket(tb, client, ownership),
					OnFiles: true, Missing: "missing-" + strings.ToLower(rand.Text()),
					Read: reads(client),
				}
			})
		})
	}
}

// TestServerKeepsVersions: in a bucket that keeps versions, each object is the only
// version of its key, and bundles are none that is current.
func TestServerKeepsVersions(t *testing.T) {
	t.Parallel()
	client := server(t)
	a := &archive{bucket: newBucket(t, client, ""), backup: newBucket(t, client, ""), all: client}
	for _, bucket := range []string{a.bucket, a.backup} {
		if _, err := client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
			Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		}); err != nil {
			t.Fatal(err)
		}
	}
	a.archiveAs(t, client, func(c *processors.Config) { c.RetryInterval = time.Millisecond })
	a.begin(t)
	for range 3 {
		a.deliver(t)
	}
	a.whole(t, "us-east-1", "")
	bundles := a.versions(t, a.bucket, "_shardmill/", "us-east-1")
	for _, v := range bundles {
		if aws.ToBool(v.IsLatest) {
			t.Errorf("%s is current", *v.Key)
		}
	}
	if len(bundles) != 3 {
		t.Errorf("%d bundles", len(bundles))
	}
}
