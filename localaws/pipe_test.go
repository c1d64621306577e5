package localaws_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/shardmill/shardmill/localaws"
)

// pipes is a listener whose connections are in memory, for virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// dial serves a stack and returns a connection to it, and what ends that.
func dial(t *testing.T, stack *localaws.Stack) (conn net.Conn, end func()) {
	t.Helper()
	listener := pipes{make(chan net.Conn), make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- stack.Serve(ctx, listener) }()
	client, server := net.Pipe()
	listener.conns <- server
	return client, func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
	}
}

// readStatus is the status of an answer; 0 without one.
func readStatus(conn net.Conn) int {
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}
