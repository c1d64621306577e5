package localaws

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// How slowly the body of a request may arrive over a connection.
const (
	bodyIdle = 30 * time.Second // without a byte
	bodyRate = 4 << 10          // bytes a second on the average, after bodyIdle
)

// pacedBody ends a connection whose client sends a body too slowly to be
// worth the wait.
type pacedBody struct {
	io.ReadCloser

	conn  *http.ResponseController
	begun time.Time
	read  int64
	ended bool  // it is all here
	err   error // why no more comes
}

// pace has the body of a request arrive at a least rate.
func pace(w http.ResponseWriter, r *http.Request) *pacedBody {
	b := &pacedBody{ReadCloser: r.Body, conn: http.NewResponseController(w), ended: r.Body == http.NoBody}
	if !b.ended {
		r.Body = b
	}
	return b
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	now := time.Now()
	if b.begun.IsZero() {
		b.begun = now // who serves may have waited before
	}
	until := b.begun.Add(bodyIdle + time.Duration(b.read)*time.Second/bodyRate)
	if idle := now.Add(bodyIdle); idle.Before(until) {
		until = idle
	}
	_ = b.conn.SetReadDeadline(until) // without deadlines it is no connection
	var n int
	n, b.err = b.ReadCloser.Read(p)
	b.read += int64(n)
	if errors.Is(b.err, io.EOF) {
		b.ended = true
		_ = b.conn.SetReadDeadline(time.Time{}) // or it would end what is being served
	}
	return n, b.err
}

// end bounds what the server does with the rest of a body that was not read.
func (b *pacedBody) end() {
	if !b.ended && b.err == nil {
		_ = b.conn.SetReadDeadline(time.Now().Add(bodyIdle))
	}
}
