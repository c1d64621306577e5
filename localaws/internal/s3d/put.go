package s3d

import (
	"crypto/md5" //nolint:gosec // S3's ETag is MD5
	"encoding/hex"
	"io"
	"net/http"
)

// putObject serves PutObject: the body is received out of sight, checked, and
// then put in place if the conditions hold.
func (s *Server) putObject(a *answer, r *http.Request, call Call, body *payload) error {
	if err := s.needBucket(call.Bucket); err != nil {
		return err
	}
	headers, err := objectHeaders(r.Header)
	if err != nil {
		return err
	}
	received, etag, err := s.receive(body)
	if err != nil {
		return err
	}
	name, sum := body.checksum()
	if name != "" {
		headers[name] = sum
		headers["X-Amz-Checksum-Type"] = "FULL_OBJECT"
	}
	o := &object{Key: call.Key, Size: body.size, ETag: etag, Headers: headers}
	if err := s.store(call.Bucket, o, preconditionsOf(r.Header, ""), func() (spool, error) { return received, nil }); err != nil {
		received.discard()
		return err
	}
	a.write.ETag, a.write.Size = o.ETag, o.Size
	if name != "" {
		a.Header().Set(name, sum)
		a.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	a.Header().Set("ETag", quote(etag))
	a.Header().Set("Content-Length", "0")
	a.WriteHeader(http.StatusOK)
	return nil
}

// receive reads a body into a spool and returns it closed, with its MD5. If it
// fails nothing is left.
func (s *Server) receive(body io.Reader) (spool, string, error) {
	sp, err := s.storage.spool()
	if err != nil {
		return nil, "", err
	}
	sum := md5.New() //nolint:gosec // see the import
	buffer := make([]byte, 64<<10)
	_, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(sp, sum)}, body, buffer)
	if err == nil {
		err = sp.close()
	}
	if err != nil {
		sp.discard()
		return nil, "", err
	}
	return sp, hex.EncodeToString(sum.Sum(nil)), nil
}

// store puts an object in place if the conditions hold for what its key has at
// that moment. Content is called only then; what it returns is published or
// discarded.
func (s *Server) store(bucket string, o *object, c preconditions, content func() (spool, error)) error {
	id := objectID{bucket, o.Key}
	unlock := s.lock(id)
	defer unlock()
	old := s.find(id)
	if err := c.checkWrite(old); err != nil {
		return err
	}
	body, err := content()
	if err != nil {
		return err
	}
	o.Modified = s.now()
	if err := s.storage.publish(bucket, o, old, body); err != nil {
		body.discard()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil {
		return noSuchBucket(bucket)
	}
	b.put(o)
	return nil
}

func quote(etag string) string { return `"` + etag + `"` }
