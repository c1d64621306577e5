package localaws

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// maxBody is the size of the largest request of Kinesis or DynamoDB.
	maxBody = 32 << 20
	// maxBodies is how much of such requests may be in memory at once.
	maxBodies = 256 << 20
	// roomTimeout is how long a request may wait for others to leave it room.
	roomTimeout = 10 * time.Second
	// askAgain is how often it asks whether it may go on without room.
	askAgain = 100 * time.Millisecond
)

// errNoRoom is why a body is not read to its end: others left it no room.
var errNoRoom = errors.New("the requests that are being served take all the room that there is; please try again")

// withBody reads the body of a request of Kinesis or DynamoDB and calls f with
// it, which may use it until it returns. If it cannot, it answers the request.
func (s *Stack) withBody(w http.ResponseWriter, r *http.Request, c call, f func(body []byte)) {
	if r.ContentLength > maxBody {
		refuseBody(w, r, c, &http.MaxBytesError{Limit: maxBody})
		return
	}
	buffer, _ := s.bodies.Get().(*bytes.Buffer)
	defer s.bodies.Put(buffer)
	buffer.Reset()
	body := &roomedBody{ReadCloser: r.Body, ctx: r.Context(), room: s.room, beyond: s.beyond}
	defer body.release()
	if _, err := buffer.ReadFrom(http.MaxBytesReader(w, body, maxBody)); err != nil {
		body.release() // it is of no more use
		refuseBody(w, r, c, err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(buffer.Bytes()))
	f(buffer.Bytes())
}

// refuseBody answers a request whose body did not come to its end.
func refuseBody(w http.ResponseWriter, r *http.Request, c call, why error) {
	status, code, message := http.StatusBadRequest, "SerializationException", "The body did not arrive: "+why.Error()
	if _, ok := errors.AsType[*http.MaxBytesError](why); ok {
		status, code, message = http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request is too large."
	}
	if errors.Is(why, errNoRoom) {
		status = http.StatusServiceUnavailable
		code = serverErrorCode(c, status)
	}
	writeError(w, r, c.service, status, code, message)
}

// roomedBody takes room for the bytes of a body when they have come: a client
// that announces many and sends none takes none from others. When there is none
// left, one body may go on without, so that those that have some do not all wait
// for each other: at most maxBody more are in memory.
type roomedBody struct {
	io.ReadCloser

	ctx      context.Context //nolint:containedctx // of the request whose body it is
	room     *semaphore.Weighted
	held     int64
	beyond   *semaphore.Weighted // of the one that goes on without room
	isBeyond bool
}

// Read implements io.Reader.
func (b *roomedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && !b.take(int64(n)) {
		return 0, errNoRoom
	}
	return n, err
}

// take waits until there is room, or it may go on without; false if that lasts too
// long.
func (b *roomedBody) take(size int64) bool {
	ctx, cancel := context.WithTimeout(b.ctx, roomTimeout)
	defer cancel()
	for ctx.Err() == nil {
		if b.isBeyond {
			return true
		}
		if b.room.TryAcquire(size) || b.waitFor(ctx, size) {
			b.held += size
			return true
		}
	}
	return false
}

// waitFor waits a little for room, unless b may go on without.
func (b *roomedBody) waitFor(ctx context.Context, size int64) bool {
	if b.isBeyond = b.beyond.TryAcquire(1); b.isBeyond {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askAgain)
	defer cancel()
	return b.room.Acquire(ctx, size) == nil
}

// release leaves the room to others.
func (b *roomedBody) release() {
	b.room.Release(b.held)
	b.held = 0
	if b.isBeyond {
		b.beyond.Release(1)
		b.isBeyond = false
	}
}
