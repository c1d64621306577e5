package esarchive

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
)

const (
	// defaultTimeout is Config.RequestTimeout's default.
	defaultTimeout = 60 * time.Second

	// perMiB is how much longer a request may take for each MiB of it.
	perMiB = time.Second

	// maxAnswer and maxAnswerItem bound an answer to a bulk request, decompressed: so much,
	// and so much for each document. Why a document was refused has some hundred bytes.
	maxAnswer     = 8 << 20
	maxAnswerItem = 1 << 10

	// asksFrom is from which size on a body may be asked for before it is sent, and asksFor
	// for how long that is done: see client.distrust.
	asksFrom = 64 << 10
	asksFor  = 10 * time.Minute

	// maxError bounds what is read of an answer without documents.
	maxError = 1 << 20
)

// filterPath leaves out of the answer to a bulk request what is not read, about nine
// tenths of it. Elasticsearch has it since 1.6, and OpenSearch always; what ignores it
// answers more. Serverless is not asked: which parameters a collection takes is not
// documented, and it refuses those that it does not know.
const filterPath = "filter_path=errors,items.*.status,items.*.error,error,status"

// client makes requests to the cluster, each of which ends by itself. It implements
// requester, and is safe for concurrent use.
type client struct {
	settings

	endpoints *endpoints
	transport http.RoundTripper
	http      deadline.Doer // through it
	buffers   buffers
	log       *zap.Logger
	known     *knowledge

	// asks is until when requests ask before they send their body: see distrust. In
	// nanoseconds since 1970.
	asks atomic.Int64
}

var _ requester = (*client)(nil)

// newClient returns a client. It does no I/O. The error names what is wrong with the
// Config's Endpoints, RootCAs, Transport and Auth; the rest of it is valid.
func newClient(s settings) (*client, error) {
	if s.RequestTimeout <= 0 {
		s.RequestTimeout = defaultTimeout
	}
	c := &client{settings: s, log: s.Logger, known: newKnowledge(s.Config)}
	if c.log == nil {
		c.log = zap.NewNop()
	}
	var err1 error
	c.endpoints, err1 = parseEndpoints(s.Config)
	transport, err2 := transportOf(s.Config)
	if err := errors.Join(err1, err2, checkAuth(s.Config)); err != nil {
		return nil, err
	}
	c.Auth = patient(c.Auth, c.log)
	c.transport, c.http = transport, deadline.Client(once{transport}, 0)
	return c, nil
}

// once makes a request, and follows no redirect: what is signed for one host, or has a
// password, is for that host alone.
type once struct{ http.RoundTripper }

// Do implements deadline.Doer.
func (o once) Do(r *http.Request) (*http.Response, error) { return o.RoundTrip(r) } //nolint:wrapcheck // it is a client

// checkAuth says what is wrong with an Auth of ours.
func checkAuth(c Config) error {
	switch a := c.Auth.(type) {
	case SigV4:
		want := "es"
		if c.Service == Serverless {
			want = "aoss"
		}
		return errors.Join(
			faultIf(a.Credentials == nil, "Auth.Credentials is nil; set a provider of credentials"),
			faultIf(a.Region == "", "Auth.Region is empty; set the region of the domain or collection"),
			faultIf(a.Service != want, fmt.Sprintf("Auth.Service is %q; it must be %q for %s", a.Service, want, c.Service)),
		)
	case Basic:
		return faultIf(a.Credentials == nil, "Auth.Credentials is nil; set a function")
	case APIKey:
		return faultIf(a.Key == nil, "Auth.Key is nil; set a function")
	}
	return nil
}

func faultIf(is bool, text string) error {
	if !is {
		return nil
	}
	return errors.New(text)
}

// transportOf returns what makes the connections.
func transportOf(c Config) (http.RoundTripper, error) {
	if c.Transport != nil {
		return c.Transport, faultIf(len(c.RootCAs) > 0, "RootCAs and Transport are both set; leave one out")
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.RootCAs) > 0 {
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(c.RootCAs) {
			return nil, errors.New("RootCAs has no certificate that can be read; it must be PEM, with BEGIN CERTIFICATE")
		}
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       secure,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}, // ends connections that died silently
		MaxIdleConnsPerHost:   max(64, 16*c.Parallel),                                                              // of as many shards as one process has
		IdleConnTimeout:       30 * time.Second,                                                                    // before those between here and there forget it
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        16 << 10,
		DisableCompression:    true, // answers are decompressed here, see buffers
	}, nil
}

// bulk implements requester.
func (c *client) bulk(ctx context.Context, body []byte, n int) (answer, *fault) {
	r := asked{method: http.MethodPost, path: "/_bulk", query: filterPath, body: body, contentType: "application/x-ndjson"}
	if c.Service == Serverless {
		r.query = ""
	}
	r.limit = maxAnswer + int64(n)*maxAnswerItem
	var a answer
	f := c.do(ctx, r, func(body []byte) (f *fault) {
		a, f = parseAnswer(body, n)
		return f
	})
	if f != nil {
		c.known.doubt()
	}
	return a, f
}

// asked is what is asked of the cluster.
type asked struct {
	method, path, query string // as they are sent
	body                []byte
	contentType         string
	limit               int64         // bytes of an answer of 2xx
	timeout             time.Duration // beside that for the body; 0: the Config's
	endpoint            int           // its number, from 1 on; 0: the next one in turn
}

// do makes one try, and has an answer of 2xx read by parse, which must keep nothing of it.
func (c *client) do(ctx context.Context, r asked, parse func([]byte) *fault) *fault {
	timeout := r.timeout
	if timeout == 0 {
		timeout = c.RequestTimeout
	}
	ctx, call := deadline.StartWhole(ctx, timeout+time.Duration(int64(len(r.body))*int64(perMiB)>>20))
	defer call.End()
	begun := time.Now()
	at := r.endpoint - 1
	if at < 0 {
		at = c.endpoints.take(begun)
	}
	f := c.try(ctx, c.endpoints.urls[at], r, parse)
	if f != nil && (f.tooLarge || f.code == codeReset) {
		c.distrust(time.Now())
	}
	if f == nil || f.down || f.status != 0 { // what was never sent, or the caller ended, says nothing
		c.noteEndpoint(at, rests(f), begun)
	}
	return f
}

// distrust notes that a body was too large, or may have been. Elasticsearch and OpenSearch
// answer 413 while it still comes, and then take the rest of it for requests, or close
// the connection; the answer is lost with it then, time and again, and so may be the next
// one. So the connections that there are are used no more, and for a while large requests
// have the server say first that it takes their body (Expect: 100-continue), each on a
// connection of its own.
func (c *client) distrust(now time.Time) {
	c.asks.Store(now.Add(asksFor).UnixNano())
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// rests reports whether a fault is one because of which another endpoint is better.
func rests(f *fault) bool {
	return f != nil && (f.status == 0 || f.status == http.StatusBadGateway || f.status == http.StatusServiceUnavailable || f.status == http.StatusGatewayTimeout)
}

func (c *client) noteEndpoint(at int, isDown bool, begun time.Time) {
	if changed := c.endpoints.ended(at, !isDown, begun, time.Now()); !changed || len(c.endpoints.urls) == 1 {
		return
	}
	endpoint := zap.String("endpoint", c.endpoints.urls[at].Host)
	if isDown {
		c.log.Warn("endpoint rests, as it does not answer", endpoint)
		return
	}
	c.log.Info("endpoint answers again", endpoint)
}

// try makes a request to an endpoint. When it returns nothing reads the body any more.
func (c *client) try(ctx context.Context, at *url.URL, r asked, parse func([]byte) *fault) *fault {
	data, done, err := c.encoded(r.body)
	if err != nil {
		return &fault{code: codeInternal, message: "the request could not be compressed: " + err.Error()}
	}
	defer done()
	s := &sending{data: data}
	defer s.detach()
	hr, f := c.newRequest(ctx, at, r, s)
	if f != nil {
		return f
	}
	if len(data) > asksFrom && time.Now().UnixNano() < c.asks.Load() {
		hr.Header.Set("Expect", "100-continue")
		hr.Close = true
	}
	resp, err := c.http.Do(hr) //nolint:bodyclose // by receive
	if err != nil {
		return unanswered(ctx, err)
	}
	return c.receive(ctx, resp, r, parse)
}

// encoded is a body as it is sent.
func (c *client) encoded(body []byte) (data []byte, done func(), err error) {
	if !c.GZIP || len(body) == 0 {
		return body, func() {}, nil
	}
	b, err := c.buffers.compress(body)
	if err != nil {
		return nil, nil, err
	}
	return b.Bytes(), func() { give(&c.buffers.compressed, b) }, nil
}

// newRequest makes an authenticated request.
func (c *client) newRequest(ctx context.Context, at *url.URL, r asked, s *sending) (*http.Request, *fault) {
	u := &url.URL{Scheme: at.Scheme, Host: at.Host, RawQuery: r.query}
	if path, err := url.PathUnescape(r.path); err == nil {
		u.Path, u.RawPath = path, r.path
	}
	hr := (&http.Request{Method: r.method, URL: u, Host: at.Host, Header: http.Header{"User-Agent": {"shardmill"}, "Accept": {"application/json"}}}).WithContext(ctx)
	if n := len(s.data); n > 0 {
		hr.Body, hr.ContentLength = s.reader(), int64(n)
		hr.GetBody = func() (body io.ReadCloser, err error) { return s.reader(), nil } // for a connection that was closed before anything was sent
		hr.Header.Set("Content-Type", r.contentType)
		if c.GZIP {
			hr.Header.Set("Content-Encoding", "gzip")
		}
	}
	if c.GZIP {
		hr.Header.Set("Accept-Encoding", "gzip")
	}
	if c.Auth != nil {
		if err := c.Auth.Authenticate(ctx, hr, s.data); ctx.Err() != nil && err != nil {
			return nil, unanswered(ctx, err)
		} else if err != nil {
			return nil, &fault{code: codeAccessDenied, auth: true, message: "the request could not be authenticated: " + quoted(err.Error())}
		}
	}
	return hr, nil
}

// receive reads an answer.
func (c *client) receive(ctx context.Context, resp *http.Response, r asked, parse func([]byte) *fault) *fault {
	defer func() { _ = resp.Body.Close() }() // it is read, or of no use
	isOK := resp.StatusCode >= 200 && resp.StatusCode < 300
	limit := r.limit
	if !isOK {
		limit = maxError
	}
	b, err := c.buffers.read(resp.Body, strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") && !resp.Uncompressed, limit)
	defer give(&c.buffers.answers, b)
	switch {
	case !isOK: // the status is known, however much of the text came
		return judge(resp.StatusCode, readSaid(resp.Header.Get("Content-Type"), b.Bytes()), resp.Header.Get("Location"))
	case errors.Is(err, errTooLarge):
		return notParsed(fmt.Sprintf("it has more than %d MiB", limit>>20))
	case isCorrupt(err):
		return notParsed(quoted(err.Error()))
	case err != nil:
		return unanswered(ctx, err)
	}
	return parse(b.Bytes())
}
