package localaws

import (
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

	conn   *http.ResponseController
	waited time.Duration // for the client; the server may keep it waiting, too
	read   int64
	err    error // why no more comes
}

// pace has the body of a request arrive at a least rate.
func pace(w http.ResponseWriter, r *http.Request) *pacedBody {
	b := &pacedBody{ReadCloser: r.Body, conn: http.NewResponseController(w)}
	if r.Body == http.NoBody {
		b.err = io.EOF
	} else {
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
	slack := bodyIdle + time.Duration(b.read)*time.Second/bodyRate - b.waited
	_ = b.conn.SetReadDeadline(now.Add(min(bodyIdle, slack))) // without deadlines it is no connection
	var n int
	n, b.err = b.ReadCloser.Read(p)
	b.waited += time.Since(now)
	b.read += int64(n)
	return n, b.err
}

// end bounds what the server does with the rest of a body that was not read.
func (b *pacedBody) end() {
	if b.err == nil {
		_ = b.conn.SetReadDeadline(time.Now().Add(bodyIdle))
	}
}
