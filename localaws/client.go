package localaws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// inProcessHost is the host that clients in this process name; no resolver
// sees it.
const inProcessHost = "localaws.internal"

// AWSConfig returns a configuration for clients in this process. Its
// HTTPClient calls the stack directly, without sockets; everything else is the
// SDK as it is in production, retries too. Its endpoint begins with https, so
// that the SDK sends what it sends to AWS.
//
// S3 works in virtual-host style; S3Options chooses path style.
func (s *Stack) AWSConfig() aws.Config {
	key, secret := s.credentials()
	return aws.Config{
		Region:       s.options.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(key, secret, ""),
		BaseEndpoint: aws.String("https://" + inProcessHost),
		HTTPClient:   client{s, s.serve},
		// As the SDK's own loader of configurations sets them; the zero values
		// would send bodies without a checksum.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
}

// credentials is one pair that the stack accepts: the smallest access key's.
func (s *Stack) credentials() (key, secret string) {
	for k, v := range s.options.Credentials {
		if key == "" || k < key {
			key, secret = k, v
		}
	}
	return key, secret
}

// S3Options makes an S3 client use path style, which a client needs whose
// endpoint is a name other than localhost.
func (s *Stack) S3Options(o *s3.Options) { o.UsePathStyle = true }

// client calls the stack as an HTTP client would.
type client struct {
	stack *Stack
	serve http.HandlerFunc
}

// Do implements aws.HTTPClient.
//
// The handler runs in a goroutine of the stack's, which ends by itself: an
// answer is kept for the reader up to windowBytes, and one that is larger or
// endless ends with the request's context or when its body is closed.
func (c client) Do(out *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(out.Context())
	in, err := serverRequest(ctx, out)
	if err != nil {
		cancel()
		return nil, err
	}
	body := in.Body // the handler may put another one into in
	x := &exchange{client: out.Context(), server: ctx, cancel: cancel, header: make(http.Header), ready: make(chan struct{})}
	c.stack.calls.Go(func() {
		defer cancel()
		x.run(c.serve, in)
		_ = body.Close() // the client's to report
	})
	select {
	case <-x.ready:
	case <-out.Context().Done():
		cancel()
		_ = body.Close() // no more is read of it
		return nil, out.Context().Err()
	}
	return x.response(out)
}

// serverRequest is a client's request as a server sees it.
func serverRequest(ctx context.Context, out *http.Request) (*http.Request, error) {
	uri := out.URL.RequestURI()
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, fmt.Errorf("calling the local services: %w", err)
	}
	in := out.Clone(ctx)
	in.URL, in.RequestURI, in.RemoteAddr = u, uri, "in-process"
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Header == nil {
		in.Header = make(http.Header)
	}
	if in.Host == "" {
		in.Host = out.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.ContentLength == 0 && in.Body != http.NoBody {
		in.ContentLength = -1 // unknown, to a client
	}
	if in.ContentLength > 0 || (in.ContentLength == 0 && (in.Method == http.MethodPut || in.Method == http.MethodPost)) {
		in.Header.Set("Content-Length", strconv.FormatInt(in.ContentLength, 10))
	}
	if in.ContentLength > 0 {
		in.Body = &exactBody{ReadCloser: in.Body, left: in.ContentLength}
	}
	return in, nil
}

// exactBody ends as a connection does: after the announced length, or with an
// error if there is less.
type exactBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *exactBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		err = nil // the next Read says io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// windowBytes is how much of an answer may wait for its reader.
const windowBytes = 16 << 20

// errCut is what a client sees of a connection that was cut.
var errCut = fmt.Errorf("the connection was cut: %w", io.ErrUnexpectedEOF)

// exchange is one call in this process: the ResponseWriter of its handler and
// the body of its response.
type exchange struct {
	client context.Context //nolint:containedctx // the exchange lives as long as its request
	server context.Context //nolint:containedctx // see client; ends when the response's body is closed
	cancel context.CancelFunc
	header http.Header

	ready chan struct{} // closed when the answer's head is known

	mu      sync.Mutex // guards what follows
	status  int        // 0 before WriteHeader
	sent    http.Header
	buffer  bytes.Buffer
	done    bool // the handler has ended
	err     error
	isReady bool
	changed chan struct{} // closed at the next change; nil if none waits
}

// run calls the handler.
func (x *exchange) run(h http.Handler, r *http.Request) {
	defer func() {
		cut := recover()
		x.mu.Lock()
		defer x.mu.Unlock()
		x.done = true
		if cut != nil {
			x.err = errCut
		}
		x.begin(http.StatusOK)
		x.show()
		x.change()
		if cut != nil && cut != http.ErrAbortHandler { //nolint:errorlint // the value itself, as net/http compares it
			panic(cut) // a defect is not to be hidden
		}
	}()
	h.ServeHTTP(x, r)
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.begin(status)
}

// begin fixes status and header. The caller holds mu.
func (x *exchange) begin(status int) {
	if x.status != 0 || status < http.StatusOK {
		return
	}
	x.status, x.sent = status, make(http.Header)
	for name, values := range x.header { // as over a connection: a name's case is lost
		x.sent[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if x.sent.Get("Date") == "" {
		x.sent.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.begin(http.StatusOK)
	for x.buffer.Len() > 0 && x.buffer.Len()+len(b) > windowBytes {
		x.show()
		if err := x.wait(x.server); err != nil {
			return 0, err
		}
	}
	x.change()
	return x.buffer.Write(b)
}

// Flush implements http.Flusher.
func (x *exchange) Flush() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.begin(http.StatusOK)
	x.show()
}

// show lets the client have the answer's head. The caller holds mu.
func (x *exchange) show() {
	if !x.isReady {
		x.isReady = true
		close(x.ready)
	}
}

// change wakes who waits. The caller holds mu.
func (x *exchange) change() {
	if x.changed != nil {
		close(x.changed)
		x.changed = nil
	}
}

// wait waits for a change, giving mu up meanwhile.
func (x *exchange) wait(ctx context.Context) error {
	if x.changed == nil {
		x.changed = make(chan struct{})
	}
	changed := x.changed
	x.mu.Unlock()
	defer x.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// response is the answer as the client sees it.
func (x *exchange) response(out *http.Request) (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil && x.buffer.Len() == 0 {
		return nil, x.err
	}
	length := int64(-1)
	if n, err := strconv.ParseInt(x.sent.Get("Content-Length"), 10, 64); err == nil {
		length = n
	} else if x.done {
		length = int64(x.buffer.Len())
	}
	if out.Method == http.MethodHead {
		x.buffer.Reset()
	}
	return &http.Response{
		Status: strconv.Itoa(x.status) + " " + http.StatusText(x.status), StatusCode: x.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: x.sent, ContentLength: length, Body: x, Request: out,
	}, nil
}

// Read implements io.Reader for the response's body.
func (x *exchange) Read(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.buffer.Len() == 0 {
		if x.err != nil {
			return 0, x.err
		}
		if x.done {
			return 0, io.EOF
		}
		if err := x.wait(x.client); err != nil {
			return 0, err
		}
	}
	x.change()
	return x.buffer.Read(b)
}

// Close implements io.Closer for the response's body: the handler is told that
// its client has gone.
func (x *exchange) Close() error {
	x.cancel()
	return nil
}
