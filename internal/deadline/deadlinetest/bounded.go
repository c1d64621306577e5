// Package deadlinetest is for tests of what makes requests: it fails for those
// that may never end, and serves the connections on which net/http and a body
// that was closed early get into each other's way.
package deadlinetest

import (
	"net/http"
	"testing"

	"github.com/shardmill/shardmill/internal/deadline"
)

// Bounded returns a Doer that sends requests with d, and fails the test for one
// whose context does not end by itself.
func Bounded(tb testing.TB, d deadline.Doer) deadline.Doer {
	tb.Helper()
	return bounded{tb, d}
}

type bounded struct {
	tb testing.TB

	deadline.Doer
}

// Do implements deadline.Doer.
func (b bounded) Do(r *http.Request) (*http.Response, error) {
	if !deadline.Bounded(r.Context()) {
		b.tb.Errorf("%s %s %s goes out without a deadline", r.Method, r.URL.Path, r.Header.Get("X-Amz-Target"))
	}
	return b.Doer.Do(r)
}
