package health_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
)

// pipes is a listener in this process, so that time may be virtual.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

func serveHTTP(t *testing.T, h http.HandlerFunc) (*pipes, *health.Server) {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	s, err := health.ServeOn(p, h, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// Probes call by the address of a pod, scrapers by the name of a service, and
// neither is known here. They read: nothing can be changed.
func TestItIsReadUnderAnyName(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.w.set(holding(time.Now().Add(time.Minute), false))
		for _, host := range []string{"10.0.0.7:9500", "[fd00::7]:9500", "localhost:9500", "orders.default.svc.cluster.local:9500", ""} {
			for _, path := range []string{"/healthz", "/metrics"} {
				for method, want := range map[string]int{
					http.MethodGet: http.StatusOK, http.MethodHead: http.StatusOK,
					http.MethodPost: http.StatusMethodNotAllowed, http.MethodPut: http.StatusMethodNotAllowed, http.MethodDelete: http.StatusMethodNotAllowed,
				} {
					r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
					r.Host = host
					answer := httptest.NewRecorder()
					w.m.Handler().ServeHTTP(answer, r)
					if answer.Code != want {
						t.Errorf("%s %s of %q: %d, want %d", method, path, host, answer.Code, want)
					}
				}
			}
		}
	})
}

// A client that says nothing, or says it slowly, or does not read, must not
// keep a connection.
func TestServerCutsClientsThatDawdle(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		says  string // then nothing
		after time.Duration
	}{
		{"no request", "", 5 * time.Second},
		{"half a header", "GET /healthz HTTP/1.1\r\nHost: x\r\n", 5 * time.Second},
		{"no second request", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 2 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, s := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
				c := p.dial()
				start := time.Now()
				if row.says != "" {
					if _, err := io.WriteString(c, row.says); err != nil {
						t.Fatal(err)
					}
				}
				_, err := io.Copy(io.Discard, c)
				if took := time.Since(start); err != nil || took != row.after {
					t.Errorf("it was cut after %v, want %v: %v", took, row.after, err)
				}
				s.Close(t.Context())
			})
		})
	}
}

// Close lets an answer end, for a second, and leaves nothing behind.
func TestServerCloses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		takes, want time.Duration
	}{
		{"an answer that takes half a second", 500 * time.Millisecond, 500 * time.Millisecond},
		{"an answer that takes an hour", time.Hour, time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, s := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(row.takes):
					case <-r.Context().Done():
					}
				})
				c := p.dial()
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				var answered bool
				var read sync.WaitGroup
				read.Go(func() {
					answer, err := http.ReadResponse(bufio.NewReader(c), nil)
					if err == nil {
						_ = answer.Body.Close()
					}
					answered = err == nil
				})
				synctest.Wait()
				start := time.Now()
				s.Close(t.Context())
				// http.Server looks for the end of answers in steps that grow to
				// half a second.
				if took := time.Since(start); took < row.want || took > max(row.want, time.Second) {
					t.Errorf("it closed after %v, want %v", took, row.want)
				}
				read.Wait()
				if took := time.Since(start); took > time.Second {
					t.Errorf("the connection was there for %v", took)
				}
				if want := row.takes < time.Second; answered != want {
					t.Errorf("answered: %v, want %v", answered, want)
				}
			})
		})
	}
}

func TestServeSaysThatAnAddressIsTaken(t *testing.T) {
	t.Parallel()
	s, err := health.Serve(t.Context(), "127.0.0.1:0", http.NotFoundHandler(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	_, err = health.Serve(t.Context(), s.Addr().String(), http.NotFoundHandler(), zap.NewNop())
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Errorf("a second server: %v", err)
	}
}

// 0.0.0.0 is no address of IPv6; without an address it is all of both.
func TestServerListensWhereItWasTold(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		address string
		host    string
	}{
		{"0.0.0.0:0", "0.0.0.0"},
		{"127.0.0.1:0", "127.0.0.1"},
		{":0", "::"},
	} {
		s, err := health.Serve(t.Context(), row.address, http.NotFoundHandler(), zap.NewNop())
		if err != nil {
			t.Errorf("%s: %v", row.address, err)
			continue
		}
		if host, _, err := net.SplitHostPort(s.Addr().String()); host != row.host {
			t.Errorf("%s: it listens on %s, want %s: %v", row.address, s.Addr(), row.host, err)
		}
		s.Close(t.Context())
	}
}
