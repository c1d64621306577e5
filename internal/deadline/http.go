package deadline

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Doer sends requests: an *http.Client, or what the AWS SDK calls HTTPClient.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Client returns a Doer that sends requests with d and keeps the limits of the
// calls in their contexts. A request without one gets fallback, if that is not
// 0. It returns nil if d is nil.
//
// It also mends a fault of smithy-go up to v1.28.9, see docs/smithy-go-body.md:
// the SDK closes the request's body when the answer begins to come, while
// net/http may still be asking it for more bytes than it announced, to see that
// there are none. A closed body there answers WriteTo with io.EOF, which
// net/http takes for a failed write: it cuts the connection, the answer is lost,
// and the SDK repeats a request that has taken effect. Therefore a body does not
// show here that it has a WriteTo.
func Client(d Doer, fallback time.Duration) Doer {
	if d == nil {
		return nil
	}
	if c, ok := d.(client); ok {
		if fallback == 0 || c.fallback != 0 {
			return c
		}
		d = c.Doer
	}
	return client{d, fallback}
}

type client struct {
	Doer

	fallback time.Duration
}

// Do implements Doer.
func (c client) Do(r *http.Request) (*http.Response, error) {
	call, own := of(r.Context()), false
	if c.fallback != 0 && !Bounded(r.Context()) {
		var ctx context.Context
		ctx, call = Start(r.Context(), c.fallback)
		r, own = r.WithContext(ctx), true
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = onlyReader{r.Body}
	}
	resp, err := c.Doer.Do(r)
	switch {
	case err != nil && own:
		err = Explain(r.Context(), err)
		call.End()
	case err == nil && call != nil && resp != nil:
		call.answered()
		resp.Body = &body{ReadCloser: resp.Body, ctx: r.Context(), call: call, own: own}
	}
	return resp, err
}

// onlyReader hides every method of a body but its Read and Close.
type onlyReader struct{ io.ReadCloser }

// body tells its call what comes of it.
type body struct {
	io.ReadCloser

	ctx  context.Context //nolint:containedctx // the request's
	call *Call
	own  bool // the call ends with the body, and nobody else knows of it
	over bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.over {
		b.over = err != nil
		b.call.received(n, b.over)
	}
	if b.own && err != nil && !errors.Is(err, io.EOF) {
		err = Explain(b.ctx, err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	if !b.over {
		b.over = true
		b.call.received(0, true)
	}
	if b.own {
		b.call.End()
	}
	return err
}
