package localaws

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// maxBody is the size of the largest request of Kinesis or DynamoDB.
	maxBody = 32 << 20
	// maxBodies is how much of such requests may be in memory at once.
	maxBodies = 256 << 20
	// roomTimeout is how long a request may wait for others to leave it room.
	roomTimeout = 10 * time.Second
)

// withBody reads the body of a request of Kinesis or DynamoDB and calls f with
// it, which may use it until it returns. If it cannot, it answers the request.
func (s *Stack) withBody(w http.ResponseWriter, r *http.Request, c call, f func(body []byte)) {
	size := r.ContentLength
	if size < 0 {
		size = maxBody
	}
	if size > maxBody {
		writeError(w, r, c.service, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request is too large.")
		return
	}
	if !s.takeRoom(r.Context(), size) {
		writeError(w, r, c.service, http.StatusServiceUnavailable, serverErrorCode(c, http.StatusServiceUnavailable),
			"The requests that are being served take all the room that there is. Please try again.")
		return
	}
	defer s.room.Release(size)
	buffer, _ := s.bodies.Get().(*bytes.Buffer)
	defer s.bodies.Put(buffer)
	buffer.Reset()
	if _, err := io.Copy(buffer, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		status, code, message := http.StatusBadRequest, "SerializationException", "The body did not arrive: "+err.Error()
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status, code, message = http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request is too large."
		}
		writeError(w, r, c.service, status, code, message)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(buffer.Bytes()))
	f(buffer.Bytes())
}

// takeRoom waits until so many bytes of bodies may come into memory; false if
// that lasts too long.
func (s *Stack) takeRoom(ctx context.Context, size int64) bool {
	if s.room.TryAcquire(size) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, roomTimeout)
	defer cancel()
	return s.room.Acquire(ctx, size) == nil
}
