package esarchive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// signedBy returns the names of the headers that an Authorization signs, and its scope.
func signedBy(tb testing.TB, r *http.Request) (headers []string, scope string) {
	tb.Helper()
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=")
	credential, rest, ok2 := strings.Cut(text, ", SignedHeaders=")
	list, _, ok3 := strings.Cut(rest, ", Signature=")
	if !ok || !ok2 || !ok3 {
		tb.Fatalf("it is not signed: %q", r.Header.Get("Authorization"))
	}
	return strings.Split(list, ";"), credential
}

// rotating are credentials that are others each time, with a token each second time.
type rotating struct{ n int }

func (p *rotating) Retrieve(context.Context) (aws.Credentials, error) {
	p.n++
	c := aws.Credentials{AccessKeyID: fmt.Sprint("AKID", p.n), SecretAccessKey: fmt.Sprint("SECRET", p.n)}
	if p.n%2 == 0 {
		c.SessionToken = fmt.Sprint("TOKEN", p.n)
	}
	return c, nil
}

// TestSigned: each try is signed anew, with fresh credentials, at its time, over its body
// as it is sent; x-amz-content-sha256 is there and signed, and no header of one hop is.
func TestSigned(t *testing.T) {
	t.Parallel()
	for _, service := range []esarchive.Service{esarchive.OpenSearchService, esarchive.Elasticsearch, esarchive.Serverless} {
		for _, isGzip := range []bool{false, true} {
			t.Run(fmt.Sprint(service, ", gzip ", isGzip), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					name := "es" // E25
					if service == esarchive.Serverless {
						name = "aoss"
					}
					n := 0
					var before string
					x := newClient(t, "https://search-x.eu-west-1.es.amazonaws.com:443", over(func(r *http.Request) (*http.Response, error) {
						n++
						body, err := io.ReadAll(r.Body)
						digest := sha256.Sum256(body)
						headers, scope := signedBy(t, r)
						want := []string{"content-type", "host", "x-amz-content-sha256", "x-amz-date"}
						if isGzip {
							want = slices.Insert(want, 0, "content-encoding")
						}
						if n%2 == 0 {
							want = append(want, "x-amz-security-token")
						}
						if err != nil || !slices.Equal(headers, want) {
							t.Errorf("signed are %v, want %v", headers, want)
						}
						if want := fmt.Sprintf("AKID%d/%s/eu-west-1/%s/aws4_request", n, time.Now().UTC().Format("20060102"), name); scope != want {
							t.Errorf("scope %s, want %s", scope, want)
						}
						for header, want := range map[string]string{
							"X-Amz-Content-Sha256": hex.EncodeToString(digest[:]), "X-Amz-Date": time.Now().UTC().Format("20060102T150405Z"),
							"X-Amz-Security-Token": map[bool]string{true: fmt.Sprint("TOKEN", n)}[n%2 == 0],
						} {
							if got := r.Header.Get(header); got != want {
								t.Errorf("%s: %q, want %q", header, got, want)
							}
						}
						if r.Host != "search-x.eu-west-1.es.amazonaws.com" || r.Header.Get("Authorization") == before {
							t.Errorf("host %s, signed %s", r.Host, r.Header.Get("Authorization"))
						}
						before = r.Header.Get("Authorization")
						return respond(200, strings.NewReader(accepted)), nil
					}), func(c *esarchive.Config) {
						c.Service, c.GZIP = service, isGzip
						c.Auth = esarchive.SigV4{Credentials: new(rotating), Region: "eu-west-1", Service: name}
					})
					for i := range 4 {
						if _, f := x.Bulk(t.Context(), bytes.Repeat([]byte(bulkBody), 1+i%2), 1); f != nil { // the second time with another body
							t.Error(f)
						}
						time.Sleep(9 * time.Hour)
					}
				})
			})
		}
	}
}

// What may change on its way does not change the signature, and what may not does.
func TestSignatureIsOfWhatArrives(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	keys := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}
	sign := func(url string, change func(*http.Request)) *http.Request {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		if err := (esarchive.SigV4{Region: "us-east-1", Service: "es"}).Sign(t.Context(), r, []byte("x"), keys, at); err != nil {
			t.Fatal(err)
		}
		return r
	}
	nothing := func(*http.Request) {}
	const url = "https://a.example/_bulk?filter_path=errors,items.*.status"
	want := sign(url, nothing).Header.Get("Authorization")
	for name, r := range map[string]*http.Request{
		"the default port": sign("https://a.example:443/_bulk?filter_path=errors,items.*.status", nothing),
		"headers of one hop": sign(url, func(r *http.Request) {
			for _, name := range []string{"Connection", "Transfer-Encoding", "Keep-Alive", "Proxy-Authorization", "Te", "Upgrade", "Expect", "Accept-Encoding", "User-Agent", "Via", "X-Forwarded-For"} {
				r.Header.Set(name, "x")
			}
		}),
		"the length":         sign(url, func(r *http.Request) { r.ContentLength = -1 }),
		"an older signature": sign(url, func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x") }),
		"an older token":     sign(url, func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "old") }),
		"a query, encoded":   sign("https://a.example/_bulk?filter_path=errors%2Citems.%2A.status", nothing),
	} {
		if got := r.Header.Get("Authorization"); got != want {
			t.Errorf("%s changes the signature:\n%s\n%s", name, got, want)
		}
		if r.URL.RawQuery != "filter_path=errors%2Citems.%2A.status" || r.Header.Get("X-Amz-Security-Token") != "" {
			t.Errorf("%s: sent is %s, with the token %q", name, r.URL, r.Header.Get("X-Amz-Security-Token"))
		}
	}
	for name, other := range map[string]string{
		"another port": "https://a.example:9200/_bulk?filter_path=errors,items.*.status", "http's port, by https": "https://a.example:80/_bulk?filter_path=errors,items.*.status", "another host": "https://b.example/_bulk?filter_path=errors,items.*.status",
		"another path": "https://a.example/_bulk/?filter_path=errors,items.*.status", "no query": "https://a.example/_bulk",
	} {
		if sign(other, nothing).Header.Get("Authorization") == want {
			t.Errorf("%s does not change the signature", name)
		}
	}
	if r := sign("https://[2001:db8::1]:443/_bulk", nothing); r.Host != "[2001:db8::1]" {
		t.Errorf("the host is %s", r.Host)
	}
}
