package sqlwire

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Limits of a connection.
const (
	startTimeout = 30 * time.Second // of its start, until it is ready for queries
	idleTimeout  = 4 * time.Hour    // until its next query
	writeTimeout = time.Minute      // of an answer
	maxBody      = 16 << 20         // of a message
)

// Options say how a Server behaves.
type Options struct {
	Database Database
	MD5      bool              // passwords are asked for by MD5; else in clear text
	TLS      *tls.Config       // nil: none
	Settings map[string]string // that the client is told at the start
}

// Server serves connections. It is safe for concurrent use.
type Server struct {
	options Options

	mu      sync.Mutex // guards what follows
	last    uint32     // process id
	running map[uint32]*connection
}

// New returns a Server. It starts nothing.
func New(o Options) *Server {
	return &Server{options: o, running: make(map[uint32]*connection)}
}

// Serve serves one connection, until the client ends it or ctx ends, and closes it. All
// that it started has ended then.
func (s *Server) Serve(ctx context.Context, conn net.Conn) {
	ctx, end := context.WithCancel(ctx)
	var watch sync.WaitGroup
	c := &connection{server: s, conn: conn, gone: make(chan struct{})}
	watch.Go(func() {
		<-ctx.Done()
		_ = conn.Close() // it is at its end
	})
	defer watch.Wait()
	defer end()
	c.backend = pgproto3.NewBackend(conn, conn)
	c.backend.SetMaxBodyLen(maxBody)
	if c.start(ctx) {
		defer s.forget(c)
		c.serve(ctx)
	}
	if c.session != nil {
		c.session.Close()
	}
}

// register gives a connection its number, and its secret to be cancelled by.
func (s *Server) register(c *connection) {
	c.secret = make([]byte, 4)
	_, _ = rand.Read(c.secret) // never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	c.startup.ProcessID = s.last
	s.running[s.last] = c
}

func (s *Server) forget(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, c.startup.ProcessID)
}

func (s *Server) cancel(process uint32, secret []byte) {
	s.mu.Lock()
	c := s.running[process]
	s.mu.Unlock()
	if c == nil || subtle.ConstantTimeCompare(c.secret, secret) != 1 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel(ErrCancelled)
	}
}

// Connections is how many clients are logged in, or about to be.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running)
}
