package esarchive_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// hasty is a server that refuses large bodies as Elasticsearch 6.8 was seen to: with 413
// where it is asked first, and else by closing the connection while the body still comes.
type hasty struct {
	mu     sync.Mutex
	asked  int
	reused int // requests on a connection on which a body was refused
}

func (h *hasty) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in, refused := bufio.NewReader(c), false
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		h.mu.Lock()
		if refused {
			h.reused++
		}
		asks := r.Header.Get("Expect") == "100-continue"
		if asks {
			h.asked++
		}
		h.mu.Unlock()
		switch {
		case r.ContentLength <= 1<<20:
			if asks {
				_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			}
			_, _ = io.Copy(io.Discard, r.Body)
			const done = `{"errors":false,"items":[{"index":{"status":201}}]}`
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 51\r\n\r\n"+done)
		case asks:
			_, _ = io.WriteString(c, "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n")
			refused = true
		default:
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // a reset: the answer, if there was one, is lost
			}
			return
		}
	}
}

// TestLargeBodiesAreAskedForWhenAConnectionBroke shows that a cluster whose 413 is lost
// with its connection is understood all the same, at the second try.
func TestLargeBodiesAreAskedForWhenAConnectionBroke(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := new(hasty)
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	serving.Go(func() {
		for {
			c, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				serving.Go(func() { h.serve(c) })
			}
		}
	})
	transport := &http.Transport{ExpectContinueTimeout: http.DefaultTransport.(*http.Transport).ExpectContinueTimeout}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := esarchive.NewClient(esarchive.Config{
		Endpoints: []string{"http://" + listener.Addr().String()},
		Transport: struct{ http.RoundTripper }{transport}, // whose idle connections the client cannot close
	})
	if err != nil {
		t.Fatal(err)
	}
	large, small := bytes.Repeat([]byte("x"), 4<<20), bytes.Repeat([]byte("x"), 1<<20)
	if _, f := c.Bulk(t.Context(), large, 1); f == nil || f.Code != "OS.ConnectionReset" {
		t.Fatalf("the first fault is %+v, want a reset", f)
	}
	for range 3 {
		if _, f := c.Bulk(t.Context(), large, 1); f == nil || !f.TooLarge {
			t.Errorf("a later fault is %+v, want one of the size", f)
		}
	}
	if a, f := c.Bulk(t.Context(), small, 1); f != nil || len(a.Items) != 1 || a.Items[0].Status != http.StatusCreated {
		t.Errorf("a smaller request is answered %+v, %+v", a, f)
	}
	if h.asked != 4 || h.reused != 0 {
		t.Errorf("it was asked %d times, want 4, and %d requests came after a refusal on its connection, want none", h.asked, h.reused)
	}
}
