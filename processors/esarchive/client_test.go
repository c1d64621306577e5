package esarchive_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/processors/esarchive"
)

const bulkBody = `{"index":{"_index":"a"}}` + "\n" + `{"secret":"document"}` + "\n"

const accepted = `{"errors":false,"items":[{"index":{"status":201}}]}`

// newClient returns a client of a server, with what change makes of its Config.
func newClient(tb testing.TB, url string, change ...func(*esarchive.Config)) esarchive.Client {
	tb.Helper()
	c := esarchive.Config{Service: esarchive.OpenSearchService, Endpoints: []string{url}, Parallel: 4, RequestTimeout: 60 * time.Second}
	for _, f := range change {
		f(&c)
	}
	if c.Transport != nil {
		c.Transport = roundTrip(deadlinetest.Bounded(tb, doer{c.Transport}).Do)
	}
	x, err := esarchive.NewClient(c)
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

// serve answers requests until the test ends.
func serve(tb testing.TB, h http.HandlerFunc) string {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return s.URL
}

// roundTrip is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func over(f roundTrip) func(*esarchive.Config) {
	return func(c *esarchive.Config) { c.Transport = f }
}

func respond(status int, body io.Reader, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body)}
}

func unzipped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func zipped(data string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(data))
	_ = w.Close()
	return b.Bytes()
}

// TestRequest: what goes over the wire.
func TestRequest(t *testing.T) {
	t.Parallel()
	for _, isGzip := range []bool{false, true} {
		for _, service := range []esarchive.Service{esarchive.OpenSearchService, esarchive.Elasticsearch, esarchive.Serverless} {
			t.Run(fmt.Sprint(service, ", gzip ", isGzip), func(t *testing.T) {
				t.Parallel()
				url := serve(t, func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					encoding := ""
					if isGzip {
						body, encoding = unzipped(t, body), "gzip"
					}
					query := "errors,items.*.status,items.*.error,error,status"
					if service == esarchive.Serverless {
						query = ""
					}
					if err != nil || string(body) != bulkBody || r.Method != http.MethodPost || r.URL.Path != "/_bulk" || r.URL.Query().Get("filter_path") != query || r.ContentLength <= 0 {
						t.Errorf("%s %s with %d bytes: %q, %v", r.Method, r.URL, r.ContentLength, body, err)
					}
					for name, want := range map[string]string{
						"Content-Type": "application/x-ndjson", "Content-Encoding": encoding, "Accept": "application/json", "Accept-Encoding": encoding, "User-Agent": "shardmill",
						"Authorization": "", "Transfer-Encoding": "", "Expect": "",
					} {
						if got := r.Header.Get(name); got != want {
							t.Errorf("%s: %q, want %q", name, got, want)
						}
					}
					w.Header().Set("Content-Encoding", "gzip") // asked for or not
					_, _ = w.Write(zipped(accepted))
				})
				x := newClient(t, url+"/", func(c *esarchive.Config) { c.GZIP, c.Service = isGzip, service })
				for range 3 { // with pooled buffers
					a, f := x.Bulk(t.Context(), []byte(bulkBody), 1)
					if f != nil || len(a.Items) != 1 || a.Items[0].Status != 201 {
						t.Errorf("%+v, %+v", a, f)
					}
				}
			})
		}
	}
}

// TestFaults: whatever a server or a proxy answers that is none to a bulk request is a
// fault of all of it.
func TestFaults(t *testing.T) {
	t.Parallel()
	const parse = "OS.AmazonOpenSearchServiceParseException"
	hijacked := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}
	}
	write := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, row := range map[string]struct {
		serve http.HandlerFunc
		want  esarchive.ClientFault // without its message
		says  string
	}{
		"an empty answer":        {write(200, ""), esarchive.ClientFault{Code: parse, Status: 200, Down: true}, "cut off"},
		"204":                    {write(204, ""), esarchive.ClientFault{Code: parse, Status: 200, Down: true}, "cut off"},
		"HTML":                   {write(200, "<html>hi</html>"), esarchive.ClientFault{Code: parse, Status: 200, Down: true}, "no object of JSON"},
		"half an answer":         {hijacked("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + accepted[:20]), esarchive.ClientFault{Code: "OS.ConnectionReset", Down: true}, "broke before all"},
		"a chunk that is cut":    {hijacked("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"it"), esarchive.ClientFault{Code: "OS.ConnectionReset", Down: true}, "broke before all"},
		"the connection closes":  {hijacked(""), esarchive.ClientFault{Code: "OS.ConnectionReset", Down: true}, "broke before all"},
		"no HTTP":                {hijacked("SSH-2.0-OpenSSH_9.2\r\n\r\n"), esarchive.ClientFault{Code: "OS.ConnectionReset", Down: true}, "malformed HTTP"},
		"half an answer, zipped": {write(200, string(zipped(accepted)[:30]), "Content-Encoding", "gzip"), esarchive.ClientFault{Code: "OS.ConnectionReset", Down: true}, "unexpected EOF"},
		"no gzip":                {write(200, accepted, "Content-Encoding", "gzip"), esarchive.ClientFault{Code: parse, Status: 200, Down: true}, "gzip: invalid header"},
		"items are missing":      {write(200, `{"items":[]}`), esarchive.ClientFault{Code: "OS.ResponseEntryCountMismatch", Status: 200, Mismatch: true}, "answered for 0 documents, and was sent 1"},
		"an error with 200":      {write(200, `{"error":"no handler"}`), esarchive.ClientFault{Code: parse, Status: 200, Down: true}, "no handler"},
		"403":                    {write(403, `{"Message":"User: anonymous is not authorized to perform: es:ESHttpPost"}`, "Content-Type", "application/json"), esarchive.ClientFault{Code: "OS.AccessDenied", Status: 403, Auth: true}, "403 Forbidden: User: anonymous is not authorized"},
		"503 that is cut off":    {hijacked("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\nbu"), esarchive.ClientFault{Code: "OS.ServiceException", Status: 503, Down: true}, "503 Service Unavailable: bu"},
		"413":                    {write(413, ""), esarchive.ClientFault{Code: "413", Status: 413, TooLarge: true}, "413 Request Entity Too Large"},
		"429, zipped": {
			write(429, string(zipped(`{"error":{"type":"es_rejected_execution_exception","reason":"full"},"status":429}`)), "Content-Encoding", "gzip"),
			esarchive.ClientFault{Code: "429", Status: 429, Rejected: true},
			"429 Too Many Requests: es_rejected_execution_exception: full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newClient(t, serve(t, row.serve), func(c *esarchive.Config) {
				c.Transport = &http.Transport{DisableKeepAlives: true, DisableCompression: true}
			})
			a, f := x.Bulk(t.Context(), []byte(bulkBody), 1)
			if f == nil || !strings.Contains(f.Message, row.says) || len(a.Items) > 0 {
				t.Fatalf("%+v, %+v; want …%s…", a, f, row.says)
			}
			if strings.Contains(f.Message, "secret") {
				t.Errorf("it quotes the document: %s", f.Message)
			}
			row.want.Message = f.Message
			if *f != row.want {
				t.Errorf("%+v, want %+v", *f, row.want)
			}
		})
	}
}

// No redirect is followed: what authenticates a request is for one host.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var followed atomic.Int64
	other := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		followed.Add(1)
		_, _ = io.WriteString(w, accepted)
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", strings.Replace(other, "://", "://me:pass@", 1)+"/login?token=abc#d")
			w.WriteHeader(status)
		})
		_, f := newClient(t, url).Bulk(t.Context(), []byte(bulkBody), 1)
		if f == nil || f.Status != status || f.Code != strconv.Itoa(status) || !f.Down || !strings.HasSuffix(f.Message, "it points to "+other+"/login") {
			t.Errorf("%d: %+v", status, f)
		}
	}
	if followed.Load() > 0 {
		t.Error("it was followed")
	}
}

// TestNeverAnswered: a try ends with its limit, whether nothing comes, or ever a little.
func TestNeverAnswered(t *testing.T) {
	t.Parallel()
	drips := func(r *http.Request) io.Reader { return drip{r.Context()} }
	for name, answer := range map[string]roundTrip{
		"nothing": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"a byte a second":     func(r *http.Request) (*http.Response, error) { return respond(200, drips(r)), nil },
		"an error that drips": func(r *http.Request) (*http.Response, error) { return respond(400, drips(r)), nil },
	} {
		for mib, want := range map[int]time.Duration{0: 20 * time.Second, 30: 50 * time.Second} {
			t.Run(fmt.Sprint(name, ", ", mib, " MiB"), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					x := newClient(t, "https://cluster.example", over(answer), func(c *esarchive.Config) { c.RequestTimeout = 20 * time.Second })
					begun := time.Now()
					_, f := x.Bulk(t.Context(), make([]byte, mib<<20), 1)
					if took := time.Since(begun); took != want || f == nil {
						t.Fatalf("it took %v and ended with %+v; want %v", took, f, want)
					}
					if f.Status == 0 && (f.Code != "OS.RequestTimeout" || !f.Down || !strings.Contains(f.Message, "did not answer within "+want.String())) {
						t.Errorf("%+v", *f)
					}
				})
			})
		}
	}
}

// drip is a body that never ends.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	}
}

// What its caller ends says nothing of the cluster.
func TestCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		core, logs := observer.New(zapcore.DebugLevel)
		x := newClient(t, "https://a.example", over(answer), func(c *esarchive.Config) {
			c.Endpoints, c.Logger = []string{"https://a.example", "https://b.example"}, zap.New(core)
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(errors.New("the lease was lost")) })
		begun := time.Now()
		_, f := x.Bulk(ctx, []byte(bulkBody), 1)
		if took := time.Since(begun); took != 3*time.Second || f == nil || f.Down || f.Auth || f.Status != 0 || !strings.Contains(f.Message, "the lease was lost") {
			t.Errorf("after %v: %+v", took, f)
		}
		if logs.Len() > 0 {
			t.Errorf("logged: %v", logs.All())
		}
	})
}

// TestAnswerIsBounded: neither memory nor patience is without end.
func TestAnswerIsBounded(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][]string{"plain": nil, "a bomb": {"Content-Encoding", "gzip"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endless := func(*http.Request) (*http.Response, error) {
				if header == nil {
					return respond(200, blanks{}), nil
				}
				r, w := io.Pipe()
				go func() { // ends with the pipe
					z := gzip.NewWriter(w)
					_, err := io.Copy(z, blanks{})
					_ = w.CloseWithError(err)
				}()
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: r}, nil
			}
			_, f := newClient(t, "https://cluster.example", over(endless)).Bulk(t.Context(), []byte(bulkBody), 1)
			if f == nil || !strings.Contains(f.Message, "more than 8 MiB") || !f.Down {
				t.Errorf("%+v", f)
			}
		})
	}
}

type blanks struct{}

func (blanks) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), 32<<10)), nil }

// TestBodyIsNotReadAfterwards: the loop uses the memory of a body again as soon as bulk
// has returned, while net/http may go on to read. The race detector is the judge.
func TestBodyIsNotReadAfterwards(t *testing.T) {
	t.Parallel()
	for _, isGzip := range []bool{false, true} {
		t.Run(fmt.Sprint("gzip ", isGzip), func(t *testing.T) {
			t.Parallel()
			goOn, ended := make(chan struct{}), make(chan error)
			late := func(r *http.Request) (*http.Response, error) {
				again, err := r.GetBody()
				if err != nil {
					return nil, err
				}
				first := make([]byte, 10)
				if _, err := io.ReadFull(r.Body, first); err != nil {
					return nil, err
				}
				go func() {
					<-goOn
					_, err1 := io.ReadAll(r.Body)
					_, err2 := io.ReadAll(again)
					if err1 == nil || err2 == nil {
						ended <- fmt.Errorf("all of the body can be read: %w, %w", err1, err2)
					}
					ended <- nil
				}()
				return nil, errors.New("broken")
			}
			x := newClient(t, "https://cluster.example", over(late), func(c *esarchive.Config) { c.GZIP = isGzip })
			body := bytes.Repeat([]byte(bulkBody), 1000)
			if _, f := x.Bulk(t.Context(), body, 1000); f == nil {
				t.Fatal("it did not fail")
			}
			close(goOn)
			clear(body)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// The same over connections: a server that answers before it has read a large body.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) })
	x := newClient(t, url)
	body := make([]byte, 8<<20)
	for i := range 5 {
		_, f := x.Bulk(t.Context(), body, 1)
		if f == nil || !f.TooLarge && f.Code != "OS.ConnectionReset" { // what of the answer comes depends on the network
			t.Errorf("%+v", f)
		}
		for j := range body {
			body[j] = byte(i)
		}
	}
}

// Connections are kept, after answers that succeeded and others, one for each request that
// is under way.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var made, asked atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if asked.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		_, _ = io.WriteString(w, accepted)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	x := newClient(t, s.URL)
	const parallel = 32
	for range 10 {
		var all sync.WaitGroup
		for range parallel {
			all.Go(func() {
				if _, f := x.Bulk(t.Context(), []byte(bulkBody), 1); f != nil && !f.Rejected {
					t.Error(f)
				}
			})
		}
		all.Wait()
	}
	if n := made.Load(); n > 2*parallel { // one may be made while another one becomes free
		t.Errorf("%d connections for %d requests", n, asked.Load())
	}
}

// TestTLS: certificates of an authority of one's own, and what to do without.
func TestTLS(t *testing.T) {
	t.Parallel()
	protocol := ""
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol = r.Proto
		_, _ = io.WriteString(w, accepted)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	trusting := func(c *esarchive.Config) { c.RootCAs = ca }
	if _, f := newClient(t, s.URL, trusting).Bulk(t.Context(), []byte(bulkBody), 1); f != nil || protocol != "HTTP/2.0" {
		t.Errorf("%+v over %s", f, protocol)
	}
	for name, row := range map[string]struct {
		url    string
		change func(*esarchive.Config)
		says   string
	}{
		"an authority that is not known": {s.URL, func(*esarchive.Config) {}, "set RootCAs"},
		"another name":                   {strings.Replace(s.URL, "127.0.0.1", "localhost", 1), trusting, "name the cluster in Endpoints as its certificate does"},
		"http":                           {strings.Replace(serve(t, func(http.ResponseWriter, *http.Request) {}), "http:", "https:", 1), trusting, "does not speak TLS"},
		"nobody listens":                 {"https://" + closedPort(t), trusting, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, f := newClient(t, row.url, row.change).Bulk(t.Context(), []byte(bulkBody), 1)
			if f == nil || f.Code != "OS.ConnectionFailed" || !f.Down || f.Status != 0 || !strings.Contains(f.Message, row.says) {
				t.Errorf("%+v; want …%s…", f, row.says)
			}
		})
	}
}

// closedPort is an address at which nobody listens.
func closedPort(tb testing.TB) string {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestConfig: all that is wrong is told at once, by name, with what to do.
func TestClientConfig(t *testing.T) {
	t.Parallel()
	keys := credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")
	for name, row := range map[string]struct {
		c    esarchive.Config
		want string // "" for none
	}{
		"https":                 {esarchive.Config{Endpoints: []string{"https://a.example", "https://b.example:9200/"}}, ""},
		"http on loopback":      {esarchive.Config{Endpoints: []string{"http://127.0.0.1:9200", "http://localhost:9200", "http://[::1]:9200"}}, ""},
		"http elsewhere":        {esarchive.Config{Endpoints: []string{"http://a.example"}}, `Endpoints[0] is "http://a.example", which sends documents and passwords readable; use https://, or set InsecureHTTP`},
		"http, as is wanted":    {esarchive.Config{Endpoints: []string{"http://a.example"}, InsecureHTTP: true}, ""},
		"none":                  {esarchive.Config{}, "Endpoints is empty; set at least one. Firehose says: Provide either the Elasticsearch cluster endpoint or domain arn."},
		"none for a collection": {esarchive.Config{Service: esarchive.Serverless}, "Endpoints is empty; set at least one. Firehose says: Must specify collection endpoint for delivery to OpenSearch serverless."},
		"several faults": {
			esarchive.Config{Endpoints: []string{"a.example", "https://me:secret@a.example", "https://a.example/path?x=secret", "https://", "://secret@x"}, RootCAs: []byte("x")},
			`Endpoints[0] is "a.example"; it must be a URL, such as https://HOST or https://HOST:PORT
Endpoints[1] is a.example with a user name; leave it out, and set Auth
Endpoints[2] is "https://a.example/path"; leave out what is behind the host and the port
Endpoints[3] is "https://"; it must be a URL, such as https://HOST or https://HOST:PORT
Endpoints[4] is "://…@x"; it must be a URL, such as https://HOST or https://HOST:PORT
RootCAs has no certificate that can be read; it must be PEM, with BEGIN CERTIFICATE`,
		},
		"two transports": {
			esarchive.Config{Endpoints: []string{"https://a.example"}, RootCAs: []byte("x"), Transport: roundTrip(nil)},
			"RootCAs and Transport are both set; leave one out",
		},
		"SigV4":                  {esarchive.Config{Endpoints: []string{"https://a.example"}, Auth: esarchive.SigV4{Credentials: keys, Region: "us-east-1", Service: "es"}}, ""},
		"SigV4 for a collection": {esarchive.Config{Service: esarchive.Serverless, Endpoints: []string{"https://a.example"}, Auth: esarchive.SigV4{Credentials: keys, Region: "us-east-1", Service: "aoss"}}, ""},
		"SigV4 of nobody": {
			esarchive.Config{Service: esarchive.Elasticsearch, Endpoints: []string{"https://a.example"}, Auth: esarchive.SigV4{Service: "aoss"}},
			"Auth.Credentials is nil; set a provider of credentials\nAuth.Region is empty; set the region of the domain or collection\nAuth.Service is \"aoss\"; it must be \"es\" for Elasticsearch",
		},
		"Basic of nobody":  {esarchive.Config{Endpoints: []string{"https://a.example"}, Auth: esarchive.Basic{}}, "Auth.Credentials is nil; set a function"},
		"APIKey of nobody": {esarchive.Config{Endpoints: []string{"https://a.example"}, Auth: esarchive.APIKey{}}, "Auth.Key is nil; set a function"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := esarchive.NewClient(row.c)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != row.want {
				t.Errorf("%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// TestAuthentication: credentials are asked for each time, and if there are none nothing
// is sent, and no secret is told.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	var seen []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, accepted)
	})
	asked := 0
	x := newClient(t, url, func(c *esarchive.Config) {
		c.Auth = esarchive.Basic{Credentials: func(context.Context) (string, string, error) {
			asked++
			return "user", fmt.Sprint("password:", asked), nil
		}}
	})
	y := newClient(t, url, func(c *esarchive.Config) {
		c.Auth = esarchive.APIKey{Key: func(context.Context) (string, error) { return "aWQ6a2V5", nil }}
	})
	for _, c := range []esarchive.Client{x, x, y} {
		if _, f := c.Bulk(t.Context(), []byte(bulkBody), 1); f != nil {
			t.Error(f)
		}
	}
	want := "[Basic dXNlcjpwYXNzd29yZDox Basic dXNlcjpwYXNzd29yZDoy ApiKey aWQ6a2V5]"
	if fmt.Sprint(seen) != want {
		t.Errorf("%v, want %s", seen, want)
	}
	pair := func(user, password string, err error) esarchive.Auth {
		return esarchive.Basic{Credentials: func(context.Context) (string, string, error) { return user, password, err }}
	}
	key := func(key string, err error) esarchive.Auth {
		return esarchive.APIKey{Key: func(context.Context) (string, error) { return key, err }}
	}
	signed := func(c aws.Credentials, err error) esarchive.Auth {
		return esarchive.SigV4{Region: "us-east-1", Service: "es", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, err })}
	}
	failed := errors.New("no such file")
	for name, row := range map[string]struct {
		auth esarchive.Auth
		says string
	}{
		"Basic, failed":       {pair("", "", failed), "the user name and password could not be had: no such file"},
		"Basic, no password":  {pair("user", "", nil), "the user name or the password is empty"},
		"Basic, no user":      {pair("", "SECRET", nil), "the user name or the password is empty"},
		"Basic, a colon":      {pair("us:er", "SECRET", nil), "has a colon"},
		"APIKey, failed":      {key("", failed), "the API key could not be had: no such file"},
		"APIKey, empty":       {key("", nil), "the API key is empty"},
		"APIKey, with a line": {key("SECRET\n", nil), "has spaces"},
		"SigV4, failed":       {signed(aws.Credentials{}, failed), "the credentials could not be had: no such file"},
		"SigV4, empty":        {signed(aws.Credentials{AccessKeyID: "SECRET"}, nil), "the credentials are empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newClient(t, "https://cluster.example", over(func(*http.Request) (*http.Response, error) {
				t.Error("a request was sent")
				return nil, failed
			}), func(c *esarchive.Config) { c.Auth = row.auth })
			_, f := x.Bulk(t.Context(), []byte(bulkBody), 1)
			if f == nil || !f.Auth || f.Code != "OS.AccessDenied" || f.Status != 0 || f.Down || !strings.Contains(f.Message, row.says) || strings.Contains(f.Message, "SECRET") {
				t.Errorf("%+v; want …%s…", f, row.says)
			}
		})
	}
}

// Credentials that never come have a limit of their own.
func TestCredentialsThatNeverCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newClient(t, "https://cluster.example", over(func(*http.Request) (*http.Response, error) { return nil, errors.New("sent") }), func(c *esarchive.Config) {
			c.Auth = esarchive.Basic{Credentials: func(ctx context.Context) (string, string, error) {
				<-ctx.Done()
				return "", "", ctx.Err()
			}}
		})
		begun := time.Now()
		_, f := x.Bulk(t.Context(), []byte(bulkBody), 1)
		if took := time.Since(begun); took != 30*time.Second || f == nil || !f.Auth || !strings.Contains(f.Message, "not within 30s") {
			t.Errorf("after %v: %+v", took, f)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	var body []byte
	for i := range 500 {
		body = fmt.Appendf(body, `{"index":{"_index":"orders-2026-11-29","_id":"49657%052d.%d"}}`+"\n", i, i)
		body = fmt.Appendf(body, `{"event":"view","customer":"c-%06d","path":"/products/%d","price":%d.99,"note":%q}`+"\n", i*7919%100000, i%97, i%500, strings.Repeat("lorem ", 70))
	}
	answer := clean(500, false)
	for _, isGzip := range []bool{false, true} {
		b.Run(fmt.Sprint("gzip=", isGzip), func(b *testing.B) {
			url := serve(b, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = w.Write(answer)
			})
			x := newClient(b, url, func(c *esarchive.Config) { c.GZIP = isGzip })
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, f := x.Bulk(b.Context(), body, 500); f != nil {
					b.Fatal(f)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/document")
		})
	}
}
