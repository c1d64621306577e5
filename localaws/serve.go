package localaws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// shutdownTimeout is how long running requests have to end when Serve does.
const shutdownTimeout = 5 * time.Second

// idleTimeout is how long a connection may wait for its next request.
const idleTimeout = 3 * time.Minute

// Serve answers requests on a listener, by HTTP/1.1 and by HTTP/2 without TLS,
// until ctx ends; then it closes the listener, lets running requests end for a
// few seconds, and returns nil when all have. Several calls of Serve may share
// a stack. A client that sends nothing of a body for 30 seconds, or less than
// 4 KiB a second of it, loses its connection, as does one that is idle for
// three minutes.
func (s *Stack) Serve(ctx context.Context, l net.Listener) error { return s.serveOn(ctx, l, s) }

// serveOn has a handler answer requests on a listener.
func (s *Stack) serveOn(ctx context.Context, l net.Listener, h http.Handler) error {
	var running handlers
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	base = context.WithValue(base, endKey{}, base)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	errorLog, err := zap.NewStdLogAt(s.options.Logger, zap.WarnLevel)
	if err != nil {
		return fmt.Errorf("serving the local services: %w", err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running.begin()
			defer running.end()
			body := pace(w, r)
			defer body.end()
			h.ServeHTTP(w, r)
		}),
		Protocols: protocols, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTimeout, ErrorLog: errorLog,
		BaseContext: func(net.Listener) context.Context { return base },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	stop() // subscriptions and stalls end now
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	_ = l.Close() // also where Serve has not come to it
	running.wait(grace)
	_ = server.Close() // what still runs loses its connection
	running.wait(context.WithoutCancel(ctx))
	if err != nil {
		return fmt.Errorf("serving the local services: %w", err)
	}
	if err = <-served; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serving the local services: %w", err)
	}
	return nil
}

// handlers counts the requests being served. Unlike a WaitGroup it may be
// waited for while more begin.
type handlers struct {
	mu      sync.Mutex
	count   int
	waiting chan struct{} // closed at zero; nil if none waits
}

func (h *handlers) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
}

func (h *handlers) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count--
	if h.count == 0 && h.waiting != nil {
		close(h.waiting)
		h.waiting = nil
	}
}

// wait returns when no request is being served, or ctx has ended.
func (h *handlers) wait(ctx context.Context) {
	h.mu.Lock()
	if h.count == 0 {
		h.mu.Unlock()
		return
	}
	if h.waiting == nil {
		h.waiting = make(chan struct{})
	}
	waiting := h.waiting
	h.mu.Unlock()
	select {
	case <-waiting:
	case <-ctx.Done():
	}
}

// Environ returns the variables that make an AWS SDK of any language use the
// stack at an endpoint such as "http://127.0.0.1:4566", in the form of
// os.Environ. What it asks of other services comes to the stack as well, which
// refuses it by name: the credentials are good for nothing elsewhere, and a test
// is to call nobody else.
func (s *Stack) Environ(endpoint string) []string {
	key, secret := s.credentials()
	return []string{
		"AWS_REGION=" + s.options.Region,
		"AWS_DEFAULT_REGION=" + s.options.Region,
		"AWS_ACCESS_KEY_ID=" + key,
		"AWS_SECRET_ACCESS_KEY=" + secret,
		"AWS_ENDPOINT_URL=" + endpoint,
		"AWS_ENDPOINT_URL_KINESIS=" + endpoint,
		"AWS_ENDPOINT_URL_DYNAMODB=" + endpoint,
		"AWS_ENDPOINT_URL_S3=" + endpoint,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}
