//go:build search

package searchtest_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/shardmill/shardmill/localaws/searchtest"
)

// TestReferee runs the suite against the server at $SEARCH_ENDPOINT, whose bodies may
// have 1 MiB; $SEARCH_SERVER is opensearch or elasticsearch.
func TestReferee(t *testing.T) {
	t.Parallel()
	value := func(name string) string {
		v := os.Getenv(name)
		if v == "" {
			t.Fatalf("$%s is not set", name)
		}
		return v
	}
	transport := &http.Transport{MaxConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	searchtest.Run(t, searchtest.Cluster{
		Endpoint: value("SEARCH_ENDPOINT"), Client: &http.Client{Transport: transport},
		Typed: value("SEARCH_SERVER") == "elasticsearch", MaxContentLength: limit,
	})
}
