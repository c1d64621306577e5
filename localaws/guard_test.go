package localaws_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/localaws"
)

// knock sends a request without a body, changed by change, and returns its
// status and what the answer says of the error.
func knock(t *testing.T, stack *localaws.Stack, method, target string, change func(*http.Request)) (status int, answer string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader("{}"))
	r.Host = "127.0.0.1:4566"
	change(r)
	w := httptest.NewRecorder()
	stack.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestHostsThatCall has the names by which the stack may be called, and others,
// which a page could have had resolve to this machine.
func TestHostsThatCall(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{SkipSignatures: true, Control: true, Hosts: []string{"Shardmill.", "aws.test"}})
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:4566": true, "[::1]:4566": true, "[::1]": true, "10.1.2.3:80": true, "[fe80::1%25eth0]:1": true,
		"localhost": true, "LOCALHOST:4566": true, "bucket.localhost:4566": true, "a.b.localhost": true, "localhost.:1": true,
		"shardmill:4566": true, "bucket.aws.test": true,
		"": false, "evil.example": false, "evil.example:4566": false, "localhost.evil.example": false, "notlocalhost": false,
		"127.0.0.1.evil.example": false, "test": false, "evilaws.test": false, "localaws.internal": false, "1.2.3": false,
	} {
		for _, row := range []struct{ target, header, value, code string }{
			{"/bucket/key", "X-Other", "", "<Code>AccessDenied</Code>"},
			{"/", "X-Amz-Target", "Kinesis_20131202.ListStreams", `"__type":"AccessDeniedException"`},
			{"/", "X-Amz-Target", "DynamoDB_20120810.ListTables", `#AccessDeniedException"`},
			{"/_localaws/faults", "X-Other", "", `{"error":"The host`},
		} {
			status, answer := knock(t, stack, http.MethodPost, row.target, func(r *http.Request) {
				r.Host = host
				r.Header.Set(row.header, row.value)
			})
			refused := status == http.StatusForbidden && strings.Contains(answer, "The host ") && strings.Contains(answer, row.code)
			if refused == want {
				t.Errorf("host %q, %s %s: %d %s; want it taken: %v", host, row.target, row.value, status, answer, want)
			}
		}
	}
}

// TestPagesThatCall has what browsers send for pages of here and elsewhere.
func TestPagesThatCall(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{SkipSignatures: true, Control: true})
	for _, row := range []struct {
		name, method, origin, site string
		want                       bool
	}{
		{"no browser", http.MethodPost, "", "", true},
		{"the same origin", http.MethodPost, "http://127.0.0.1:4566", "same-origin", true},
		{"an address typed by a person", http.MethodGet, "", "none", true},
		{"a page elsewhere", http.MethodPost, "http://evil.example", "", false},
		{"a page elsewhere reads", http.MethodGet, "http://evil.example", "", false},
		{"a page on another port", http.MethodPost, "http://127.0.0.1:80", "", false},
		{"a page without an origin", http.MethodPost, "null", "", false},
		{"an image in a page elsewhere", http.MethodGet, "", "cross-site", false},
		{"a page of a neighbour", http.MethodGet, "", "same-site", false},
	} {
		for _, target := range []string{"/_localaws/faults", "/bucket/key"} {
			status, answer := knock(t, stack, row.method, target, func(r *http.Request) {
				for name, value := range map[string]string{"Origin": row.origin, "Sec-Fetch-Site": row.site} {
					if value != "" {
						r.Header.Set(name, value)
					}
				}
			})
			if got := status != http.StatusForbidden; got != row.want {
				t.Errorf("%s, %s: %d %s; want it taken: %v", row.name, target, status, answer, row.want)
			}
		}
	}
}

// TestControlTakesJSON has what a form of a page can send without asking.
func TestControlTakesJSON(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{Control: true})
	for kind, want := range map[string]int{
		"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "application/jsonx": 415,
		"application/json": 400, "application/json; charset=utf-8": 400,
	} {
		status, answer := knock(t, stack, http.MethodPost, "/_localaws/faults", func(r *http.Request) { r.Header.Set("Content-Type", kind) })
		if status != want {
			t.Errorf("content type %q: %d %s, want %d", kind, status, answer, want)
		}
	}
}
