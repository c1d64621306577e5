package deadlinetest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/internal/deadline"
)

// ClosedBody serves h over connections that make one order of events certain,
// which a busy machine makes likely, and returns the net/http client of them:
// the answer begins when the request's last byte has been sent; its reader then
// closes the request's body; only then does net/http ask the body whether it
// has more bytes than announced; and only then does the answer's body come.
//
// It must be called in a bubble of testing/synctest.
func ClosedBody(tb testing.TB, h http.Handler) deadline.Doer {
	tb.Helper()
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h} //nolint:gosec // in memory, no client is slow on purpose
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // it ends with the listener
	transport := &http.Transport{
		// Each byte of a request goes out before the next one is asked for.
		WriteBufferSize: 1,
		DialContext:     l.dial,
	}
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		serving.Wait()
	})
	return &client{http.Client{Transport: transport}, l}
}

// LosesNoAnswer checks that alone, which sends a request with the SDK alone, loses
// the answer to a closed body, and that ours, which sends it as a package of this
// module does, has it at the first try. answer serves what was read to its end,
// and reports whether that was the request in question.
func LosesNoAnswer(t *testing.T, answer func(http.ResponseWriter, *http.Request) bool, alone, ours func(*testing.T, deadline.Doer) error) {
	t.Helper()
	for _, tt := range []struct {
		name string
		send func(*testing.T, deadline.Doer) error
		lost bool
	}{{"the SDK alone", alone, true}, {"this module", ours, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				err := tt.send(t, ClosedBody(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					if answer(w, r) {
						requests++
					}
				})))
				if (err != nil) != tt.lost || requests != 1 && !tt.lost {
					t.Errorf("%d requests, %v; want an answer lost: %v", requests, err, tt.lost)
				}
			})
		})
	}
}

// client lets the sender of a request go on once somebody reads the answer.
type client struct {
	http.Client

	l *listener
}

// Do implements deadline.Doer.
func (c *client) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.Client.Do(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &answer{ReadCloser: resp.Body, l: c.l}
	return resp, nil
}

type answer struct {
	io.ReadCloser

	l *listener
}

// Read implements io.Reader.
func (a *answer) Read(p []byte) (int, error) {
	a.l.proceed()
	return a.ReadCloser.Read(p)
}

// Close implements io.Closer.
func (a *answer) Close() error {
	a.l.proceed()
	return a.ReadCloser.Close()
}

// listener is a network of one server.
type listener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}

	mu   sync.Mutex
	held []chan struct{} // of senders that have sent all that was announced
}

func (l *listener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- splitting{far}:
		return &sending{Conn: near, l: l}, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return &net.IPAddr{} }

// proceed lets senders go on, and waits until they have done what they do.
func (l *listener) proceed() {
	l.mu.Lock()
	held := l.held
	l.held = nil
	l.mu.Unlock()
	if len(held) == 0 {
		return
	}
	for _, c := range held {
		close(c)
	}
	synctest.Wait()
}

// hold returns what is closed when a sender may go on.
func (l *listener) hold() <-chan struct{} {
	c := make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, c)
	return c
}

// sending is a client's connection. What writes a request's last byte is held
// until the answer is read.
type sending struct {
	net.Conn

	l    *listener
	head bytes.Buffer // of the request that is being sent
	left int64        // bytes of its body, while head is empty
	body bool
}

// Write implements io.Writer.
func (s *sending) Write(p []byte) (int, error) {
	if !s.sent(p) {
		return s.Conn.Write(p)
	}
	proceed := s.l.hold()
	n, err := s.Conn.Write(p)
	if err == nil {
		select {
		case <-proceed:
		case <-s.l.closed:
		}
	}
	return n, err
}

// sent reports whether p is the last of a body.
func (s *sending) sent(p []byte) bool {
	if !s.body {
		s.head.Write(p)
		head, rest, whole := bytes.Cut(s.head.Bytes(), []byte("\r\n\r\n"))
		if !whole {
			return false
		}
		s.left = announced(head)
		p, s.body = bytes.Clone(rest), s.left > 0
		s.head.Reset()
		if !s.body {
			return false
		}
	}
	s.left -= int64(len(p))
	s.body = s.left > 0
	return !s.body
}

func announced(head []byte) int64 {
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			n, _ := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			return n
		}
	}
	return 0
}

// splitting is a server's connection: the answer's body does not come with its
// head.
type splitting struct{ net.Conn }

// Write implements io.Writer.
func (s splitting) Write(p []byte) (int, error) {
	head, rest, ok := bytes.Cut(p, []byte("\r\n\r\n"))
	if !ok || len(rest) == 0 {
		return s.Conn.Write(p)
	}
	n, err := s.Conn.Write(p[:len(head)+4])
	if err != nil {
		return n, err
	}
	m, err := s.Conn.Write(rest)
	return n + m, err
}
