package s3d

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// readObject serves GetObject and HeadObject.
func (s *Server) readObject(a *answer, r *http.Request, call Call) error {
	q := r.URL.Query()
	if err := s.checkBucket(call.Bucket); err != nil {
		return err
	}
	o, content, err := s.open(objectID{call.Bucket, call.Key})
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	unchanged, err := preconditionsOf(r.Header, "").checkRead(o)
	if err != nil {
		return err
	}
	h := a.Header()
	h.Set("ETag", quote(o.ETag))
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	if unchanged {
		a.WriteHeader(http.StatusNotModified)
		return nil
	}
	part, partial, err := o.asked(q, r.Header.Get("Range"))
	if err != nil {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
		return err
	}
	if q.Has("partNumber") && len(o.Parts) > 0 {
		h.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(len(o.Parts)))
	}
	describe(h, o, q)
	h.Set("Content-Length", strconv.FormatInt(part.length, 10))
	if partial {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.start, part.start+part.length-1, o.Size))
		a.WriteHeader(http.StatusPartialContent)
	} else {
		a.WriteHeader(http.StatusOK)
	}
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err = content.Seek(part.start, io.SeekStart); err == nil {
		_, err = io.CopyN(a, content, part.length)
	}
	if err != nil {
		panic(http.ErrAbortHandler) // the head is out: the client is to see that the rest is missing
	}
	return nil
}

// describe sets the headers of an object, as it has them or as the query of a
// GetObject asks for them.
func describe(h http.Header, o *object, q url.Values) {
	for name, value := range o.Headers {
		h.Set(name, value)
	}
	h.Set("Accept-Ranges", "bytes")
	for _, name := range []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"} {
		if value := q.Get("response-" + strings.ToLower(name)); value != "" {
			h.Set(name, value)
		}
	}
}

// byteRange is a part of an object.
type byteRange struct{ start, length int64 }

// asked is the part of an object that a read asks for, by number or by range.
func (o *object) asked(q url.Values, header string) (part byteRange, partial bool, err error) {
	if !q.Has("partNumber") {
		return parseRange(header, o.Size)
	}
	number, err := strconv.Atoi(q.Get("partNumber"))
	switch {
	case err != nil || number < 1 || number > gofakes3.MaxUploadPartNumber:
		return part, false, refuse(http.StatusBadRequest, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	case header != "":
		return part, false, refuse(http.StatusBadRequest, "InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
	case number == 1 && len(o.Parts) == 0:
		return byteRange{0, o.Size}, o.Size > 0, nil
	}
	for _, p := range o.Parts {
		if p.Number == number {
			part.length = p.Size
			return part, part.length > 0, nil
		}
		part.start += p.Size
	}
	return part, false, refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber", "The requested partnumber is not satisfiable")
}

// parseRange reads a Range header of an object of some size. One that is not
// of one range of bytes counts as none.
func parseRange(header string, size int64) (part byteRange, partial bool, err error) {
	whole := byteRange{0, size}
	spec, ok := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return whole, false, nil
	}
	first, firstErr := strconv.ParseInt(from, 10, 64)
	last, lastErr := strconv.ParseInt(to, 10, 64)
	switch {
	case from == "" && lastErr == nil: // the last bytes
		first, last = size-min(last, size), size-1
	case firstErr == nil && to == "":
		last = size - 1
	case firstErr != nil || lastErr != nil || last < first:
		return whole, false, nil //nolint:nilerr // it counts as none
	}
	if first >= size {
		return whole, false, refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
	}
	return byteRange{first, min(last, size-1) - first + 1}, true, nil
}

// deleteObject serves DeleteObject.
func (s *Server) deleteObject(a *answer, r *http.Request, call Call) error {
	if err := s.checkBucket(call.Bucket); err != nil {
		return err
	}
	if err := s.removeObject(objectID{call.Bucket, call.Key}, preconditionsOf(r.Header, "")); err != nil {
		return err
	}
	a.WriteHeader(http.StatusNoContent)
	return nil
}

// removeObject removes an object if the conditions hold; one that is not there
// is no error without any.
func (s *Server) removeObject(id objectID, c preconditions) error {
	unlock := s.lock(id)
	defer unlock()
	o := s.find(id)
	if err := c.checkWrite(o); err != nil || o == nil {
		return err
	}
	if err := s.storage.remove(id.bucket, o); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.buckets[id.bucket]; found != nil {
		found.remove(id.key)
		found.remember(deleted(id.key, time.Now()), true)
	}
	return nil
}
