//go:build conformance

package dynamodbtest_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/shardmill/shardmill/localaws/dynamodbtest"
)

// TestEndpointConforms runs the suite against the server at $DYNAMODB_ENDPOINT,
// such as DynamoDB Local.
func TestEndpointConforms(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Fatal("DYNAMODB_ENDPOINT is not set")
	}
	dynamodbtest.Run(t, client(endpoint, http.DefaultClient))
}
