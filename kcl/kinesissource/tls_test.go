package kinesissource_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// secure is Kinesis behind TLS, by HTTP/1.1 or HTTP/2 as clients like it.
type secure struct {
	*httptest.Server

	page []byte // the answer to GetRecords

	together int // so many requests wait for each other

	mu      sync.Mutex  // guards what follows
	spoke   map[int]int // requests by major version
	conns   map[string]bool
	waiting int
	all     chan struct{} // closed when all are there
}

func newSecure(tb testing.TB, page []byte) *secure {
	tb.Helper()
	s := &secure{page: page, together: 1, spoke: map[int]int{}, conns: map[string]bool{}, all: make(chan struct{})}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s
}

func (s *secure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	<-s.count(r)
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetRecords") {
		_, _ = w.Write(s.page)
		return
	}
	_, _ = io.WriteString(w, `{"ShardIterator":"i"}`)
}

// count notes a request, and returns what is closed when so many have come as
// are to be answered together.
func (s *secure) count(r *http.Request) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoke[r.ProtoMajor]++
	s.conns[r.RemoteAddr] = true
	all := s.all
	if s.waiting++; s.waiting == s.together {
		close(all)
		s.waiting, s.all = 0, make(chan struct{})
	}
	return all
}

// trusting is the SDK's client with the server's certificate.
func (s *secure) trusting() *awshttp.BuildableClient {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.TLSClientConfig = &tls.Config{RootCAs: roots} })
}

func (s *secure) client(c kinesis.HTTPClient) *kinesis.Client {
	return kinesis.New(kinesis.Options{Region: "us-east-1", Credentials: localKey(), HTTPClient: c, BaseEndpoint: aws.String(s.URL)})
}

func TestHTTP1(t *testing.T) {
	t.Parallel()
	type wrapped struct{ kinesis.HTTPClient }
	tests := []struct {
		name   string
		client func(*awshttp.BuildableClient) kinesis.HTTPClient
		major  int
	}{
		{"the SDK's own client", func(c *awshttp.BuildableClient) kinesis.HTTPClient { return c }, 1},
		{"one that has spoken HTTP/2 before", func(c *awshttp.BuildableClient) kinesis.HTTPClient { return c }, 1},
		{"another is used as it is", func(c *awshttp.BuildableClient) kinesis.HTTPClient { return wrapped{c} }, 2},
		{"unless it was made for it", func(c *awshttp.BuildableClient) kinesis.HTTPClient { return wrapped{kinesissource.HTTPClient(c)} }, 1},
		{"whose TLS is not the transport's agrees on what it likes", func(c *awshttp.BuildableClient) kinesis.HTTPClient {
			return c.WithTransportOptions(func(t *http.Transport) {
				own := &tls.Dialer{Config: t.TLSClientConfig.Clone()}
				own.Config.NextProtos = []string{"h2", "http/1.1"}
				t.DialTLSContext = own.DialContext
			})
		}, 2},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newSecure(t, noRecords)
			c := server.client(tt.client(server.trusting()))
			if i == 1 {
				if _, err := c.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{ShardId: aws.String("s"), ShardIteratorType: "LATEST"}); err != nil || server.spoke[2] != 1 {
					t.Fatalf("requests by version: %v, %v", server.spoke, err)
				}
				clear(server.spoke)
			}
			r := newSource(t, c, kinesissource.Options{NoRateLimit: true}).Open(shardID, trimHorizon())
			for range 3 {
				if _, err := r.Next(t.Context(), kcl.Room{}); err != nil {
					t.Fatal(err)
				}
			}
			if len(server.spoke) != 1 || server.spoke[tt.major] != 4 {
				t.Errorf("requests by version: %v, want 4 by HTTP/%d", server.spoke, tt.major)
			}
		})
	}
}

// Each shard's connection is kept for its next call.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	const shards = 50
	server := newSecure(t, noRecords)
	server.together = shards
	s := newSource(t, server.client(server.trusting()), kinesissource.Options{NoRateLimit: true})
	var readers [shards]kcl.ShardReader
	for i := range readers {
		readers[i] = s.Open(shardID, trimHorizon())
	}
	for range 3 {
		var calls sync.WaitGroup
		for _, r := range readers {
			calls.Go(func() {
				if _, err := r.Next(t.Context(), kcl.Room{}); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	}
	if n := len(server.conns); n != shards {
		t.Errorf("%d connections were made for %d shards", n, shards)
	}
}

// What a user's client says otherwise stays.
func TestHTTPClientKeepsTheRest(t *testing.T) {
	t.Parallel()
	proxy := &url.URL{Scheme: "http", Host: "proxy.internal"}
	c := kinesissource.HTTPClient(awshttp.NewBuildableClient().WithTimeout(7 * time.Second).WithTransportOptions(func(t *http.Transport) {
		t.Proxy = http.ProxyURL(proxy)
		t.TLSClientConfig.NextProtos = []string{"h2", "http/1.1"}
		t.MaxConnsPerHost, t.MaxIdleConnsPerHost, t.MaxIdleConns, t.IdleConnTimeout = 3000, 2000, 0, time.Minute
	}))
	got := c.GetTransport()
	if via, err := got.Proxy(new(http.Request)); via != proxy || err != nil {
		t.Errorf("proxy %v, %v", via, err)
	}
	if c.GetTimeout() != 7*time.Second || got.IdleConnTimeout != time.Minute || got.TLSClientConfig.MinVersion != tls.VersionTLS12 {
		t.Errorf("limits %v, %v, TLS %x", c.GetTimeout(), got.IdleConnTimeout, got.TLSClientConfig.MinVersion)
	}
	if got.MaxConnsPerHost != 3000 || got.MaxIdleConnsPerHost != 2000 || got.MaxIdleConns != 0 {
		t.Errorf("connections %d, idle %d of %d", got.MaxConnsPerHost, got.MaxIdleConnsPerHost, got.MaxIdleConns)
	}
	if p := got.TLSClientConfig.NextProtos; !slices.Equal(p, []string{"http/1.1"}) {
		t.Errorf("protocols %v", p)
	}
}

// BenchmarkTLS reads pages of 10 MB from a server that speaks TLS, by HTTP/1.1
// and by HTTP/2 in turns, and compares what of it is computing: of the server and
// of a client that drops what comes.
func BenchmarkTLS(b *testing.B) {
	const pages, pageRecords = 5, 10_000
	server := newSecure(b, bytes.Repeat([]byte("x"), 14<<20)) // as large as 10,000 records of 1 KB in JSON
	read := func(c kinesis.HTTPClient) func() {
		return func() {
			for range pages {
				r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL, http.NoBody)
				if err != nil {
					b.Fatal(err)
				}
				r.Header.Set("X-Amz-Target", "Kinesis_20131202.GetRecords")
				resp, err := c.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(struct{ io.Writer }{io.Discard}, resp.Body); err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
			}
		}
	}
	plain := server.trusting()
	byH1, byH2 := read(kinesissource.HTTPClient(plain)), read(plain)
	var h1, h2 turn
	for b.Loop() {
		h1, h2 = better(h1, measure(byH1)), better(h2, measure(byH2))
	}
	if server.spoke[1] == 0 || server.spoke[2] == 0 {
		b.Fatalf("requests by version: %v", server.spoke)
	}
	b.ReportMetric(float64(h1.time)/float64(h2.time), "h1-x-of-h2")
	b.ReportMetric(float64(h1.time.Nanoseconds())/(pages*pageRecords), "h1-ns/record")
	b.ReportMetric(float64(h2.time.Nanoseconds())/(pages*pageRecords), "h2-ns/record")
}
