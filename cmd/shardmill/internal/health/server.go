package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Server serves a handler over HTTP until Close.
type Server struct {
	http http.Server
	addr net.Addr
	wg   sync.WaitGroup
}

// Serve listens on address, which is IP:PORT, or :PORT for all addresses of the
// machine, and serves h. The error is that of listening. Close the server.
func Serve(ctx context.Context, address string, h http.Handler, logger *zap.Logger) (*Server, error) {
	l, err := new(net.ListenConfig).Listen(ctx, network(address), address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	s, err := serveOn(l, h, logger)
	if err != nil {
		_ = l.Close()
	}
	return s, err
}

// network returns which addresses are meant: 0.0.0.0 is every address of IPv4,
// and none of IPv6.
func network(address string) string {
	if to, err := netip.ParseAddrPort(address); err == nil && to.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// serveOn serves h to the connections of l.
func serveOn(l net.Listener, h http.Handler, logger *zap.Logger) (*Server, error) {
	quiet, err := zap.NewStdLogAt(logger, zap.DebugLevel) // what clients do wrong
	if err != nil {
		return nil, fmt.Errorf("logging of HTTP: %w", err)
	}
	s := &Server{addr: l.Addr(), http: http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          quiet,
	}}
	s.wg.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("health is not served any more", zap.Error(err))
		}
	})
	return s, nil
}

// Addr returns where the server listens.
func (s *Server) Addr() net.Addr { return s.addr }

// closeTimeout is how long answers that have begun may take when the server is
// closed.
const closeTimeout = time.Second

// Close stops listening, lets answers that have begun end for at most a second,
// and waits until nothing runs any more. ctx need not be live.
func (s *Server) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // it has nothing else to say
	}
	s.wg.Wait()
}
