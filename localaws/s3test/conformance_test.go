//go:build conformance

package s3test_test

import (
	"os"
	"testing"

	"github.com/shardmill/shardmill/localaws/s3test"
)

// TestServer runs the suite against the server at $S3_ENDPOINT, such as
// versitygw.
func TestServer(t *testing.T) {
	t.Parallel()
	value := func(name string) string {
		v := os.Getenv(name)
		if v == "" {
			t.Fatalf("$%s is not set", name)
		}
		return v
	}
	client := clientOf(value("S3_ENDPOINT"), value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"))
	features := s3test.All()
	features.RefusedBodies = false // versitygw closes the connection
	s3test.Run(t, client, features)
}
