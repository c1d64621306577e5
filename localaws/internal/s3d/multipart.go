package s3d

import (
	"crypto/md5" //nolint:gosec // S3's ETag is MD5
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// minPartBytes is the least size of every part but the last.
const minPartBytes = 5 << 20

// objectSize is the header by which who completes an upload says how large the
// object must have become.
const objectSize = "X-Amz-Mp-Object-Size"

// upload is an unfinished multipart upload. It and its parts are lost when the
// server ends.
type upload struct {
	id       string
	bucket   string
	key      string
	headers  map[string]string
	checksum string // header of its algorithm, if it named one
	begun    time.Time
	parts    map[int]*part // replaced, never changed
}

type part struct {
	number   int
	size     int64
	etag     string
	checksum string // value of the upload's algorithm
	received time.Time
	body     spool
}

func (s *Server) createUpload(a *answer, r *http.Request, call Call) error {
	if err := s.needBucket(call.Bucket); err != nil {
		return err
	}
	headers, err := objectHeaders(r.Header)
	if err != nil {
		return err
	}
	u := &upload{
		id: newID() + newID(), bucket: call.Bucket, key: call.Key,
		headers: headers, begun: time.Now(), parts: make(map[int]*part),
	}
	if algorithm := r.Header.Get("X-Amz-Checksum-Algorithm"); algorithm != "" {
		c, err := newCheck(checksumHeader+algorithm, "")
		if err != nil {
			return err
		}
		if r.Header.Get("X-Amz-Checksum-Type") == "FULL_OBJECT" {
			return notImplemented("full-object checksums of multipart uploads")
		}
		u.checksum = c.name
		a.Header().Set("X-Amz-Checksum-Algorithm", strings.ToUpper(algorithm))
		a.Header().Set("X-Amz-Checksum-Type", "COMPOSITE")
	}
	s.mu.Lock()
	s.uploads[u.id] = u
	s.mu.Unlock()
	writeXML(a, http.StatusOK, gofakes3.InitiateMultipartUploadResult{
		UploadID: gofakes3.UploadID(u.id), Bucket: u.bucket, Key: u.key,
	})
	return nil
}

// findUpload returns an upload and its parts as they are now.
func (s *Server) findUpload(bucket, key, id string) (*upload, map[int]*part, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[id]
	if u == nil || u.bucket != bucket || u.key != key {
		return nil, nil, noSuchUpload()
	}
	return u, maps.Clone(u.parts), nil
}

// partOf reads which part of which upload a request sends.
func (s *Server) partOf(r *http.Request, call Call) (u *upload, number int, err error) {
	q := r.URL.Query()
	number, err = strconv.Atoi(q.Get("partNumber"))
	if err != nil || number < 1 || number > gofakes3.MaxUploadPartNumber {
		return nil, 0, refuse(http.StatusBadRequest, "InvalidArgument",
			"Part number must be an integer between 1 and 10000, inclusive")
	}
	u, _, err = s.findUpload(call.Bucket, call.Key, q.Get("uploadId"))
	return u, number, err
}

func (s *Server) uploadPart(a *answer, r *http.Request, call Call, body *payload) error {
	u, number, err := s.partOf(r, call)
	if err != nil {
		return err
	}
	name, _ := body.checksum()
	if u.checksum != "" && name != u.checksum {
		return refuse(http.StatusBadRequest, "InvalidRequest",
			"Checksum Type mismatch occurred, expected checksum: %s, actual checksum: %s", u.checksum, name)
	}
	received, etag, err := s.receive(body)
	if err != nil {
		return err
	}
	_, sum := body.checksum()
	p := &part{number: number, size: body.size, etag: etag, checksum: sum, received: time.Now(), body: received}
	if err := s.addPart(u, p); err != nil {
		received.discard()
		return err
	}
	a.write.ETag, a.write.Size = etag, p.size
	if name != "" {
		a.Header().Set(name, sum)
	}
	a.Header().Set("ETag", quote(etag))
	a.Header().Set("Content-Length", "0")
	a.WriteHeader(http.StatusOK)
	return nil
}

// addPart puts a part in an upload, in the place of one of the same number.
func (s *Server) addPart(u *upload, p *part) error {
	s.mu.Lock()
	if s.uploads[u.id] != u {
		s.mu.Unlock()
		return noSuchUpload()
	}
	old := u.parts[p.number]
	u.parts[p.number] = p
	s.mu.Unlock()
	if old != nil {
		old.body.discard()
	}
	return nil
}

// completeRequest is the body of a CompleteMultipartUpload.
type completeRequest struct {
	Parts []completedPart `xml:"Part"`
}

type completedPart struct {
	PartNumber int
	ETag       string

	checksums
}

type completeResult struct {
	XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
	Location string
	Bucket   string
	Key      string
	ETag     string

	checksums

	ChecksumType string `xml:",omitempty"`
}

func (s *Server) completeUpload(a *answer, r *http.Request, call Call, text []byte) error {
	var request completeRequest
	if err := xml.Unmarshal(text, &request); err != nil || len(request.Parts) == 0 {
		return malformedXML()
	}
	uploadID := r.URL.Query().Get("uploadId")
	unlock := s.lock(objectID{key: uploadID})
	defer unlock()
	if done, ok := s.completed.find(uploadID); ok && done.is(call, request.Parts) {
		writeXML(a, http.StatusOK, done.result)
		return nil
	}
	u, have, err := s.findUpload(call.Bucket, call.Key, uploadID)
	if err != nil {
		return err
	}
	parts, err := chooseParts(u, have, request.Parts)
	if err != nil {
		return err
	}
	o := assemble(u, parts)
	if want := r.Header.Get(objectSize); want != "" && want != strconv.FormatInt(o.Size, 10) {
		return refuse(http.StatusBadRequest, "InvalidRequest",
			"The parts have %d bytes, and x-amz-mp-object-size is %q", o.Size, want)
	}
	err = s.store(u.bucket, o, preconditionsOf(r.Header, ""), func() (spool, error) {
		bodies := make([]spool, len(parts))
		for i, p := range parts {
			bodies[i] = p.body
		}
		return s.storage.join(bodies)
	})
	if err != nil {
		return err
	}
	s.dropUpload(u)
	a.write.ETag, a.write.Size = o.ETag, o.Size
	result := completeResult{
		Location: "http://" + r.Host + "/" + u.bucket + "/" + u.key, Bucket: u.bucket, Key: u.key, ETag: quote(o.ETag),
		ChecksumType: o.Headers["X-Amz-Checksum-Type"],
	}
	result.set(u.checksum, o.Headers[u.checksum])
	s.completed.add(u.id, completion{request.Parts, result})
	writeXML(a, http.StatusOK, result)
	return nil
}

// chooseParts checks a list of parts against those received.
func chooseParts(u *upload, have map[int]*part, listed []completedPart) ([]*part, error) {
	parts := make([]*part, 0, len(listed))
	for i, l := range listed {
		p := have[l.PartNumber]
		switch {
		case i > 0 && l.PartNumber <= listed[i-1].PartNumber:
			return nil, refuse(http.StatusBadRequest, "InvalidPartOrder",
				"The list of parts was not in ascending order. Parts must be ordered by part number.")
		case p == nil || strings.Trim(l.ETag, `"`) != p.etag:
			return nil, refuse(http.StatusBadRequest, "InvalidPart",
				"One or more of the specified parts could not be found (part %d).", l.PartNumber)
		case u.checksum != "" && *l.member(u.checksum) == "":
			return nil, refuse(http.StatusBadRequest, "InvalidRequest",
				"The upload was created using a checksum. The complete request must include the checksum for each part. "+
					"It was missing for part %d in the request.", l.PartNumber)
		case u.checksum != "" && *l.member(u.checksum) != p.checksum:
			return nil, refuse(http.StatusBadRequest, "InvalidPart",
				"The checksum of part %d is not that of the part received.", l.PartNumber)
		case p.size < minPartBytes && i < len(listed)-1:
			return nil, refuse(http.StatusBadRequest, "EntityTooSmall",
				"Your proposed upload is smaller than the minimum allowed size (part %d has %d bytes).", p.number, p.size)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// assemble describes the object that the parts make. Its ETag and checksum
// are of the parts' digests, with their number.
func assemble(u *upload, parts []*part) *object {
	o := &object{Key: u.key, Headers: u.headers}
	etag := md5.New() //nolint:gosec // see the import
	sum := newChecksum(strings.ToLower(strings.TrimPrefix(u.checksum, checksumHeader)))
	for _, p := range parts {
		o.Size += p.size
		o.Parts = append(o.Parts, partSize{p.number, p.size})
		raw, _ := hex.DecodeString(p.etag) // we made it
		_, _ = etag.Write(raw)
		if sum != nil {
			raw, _ = base64.StdEncoding.DecodeString(p.checksum) // it was checked
			_, _ = sum.Write(raw)
		}
	}
	o.ETag = fmt.Sprintf("%x-%d", etag.Sum(nil), len(parts))
	if sum != nil {
		o.Headers = maps.Clone(u.headers)
		o.Headers[u.checksum] = fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(sum.Sum(nil)), len(parts))
		o.Headers["X-Amz-Checksum-Type"] = "COMPOSITE"
	}
	return o
}

func (s *Server) dropUpload(u *upload) {
	s.mu.Lock()
	delete(s.uploads, u.id)
	parts := slices.Collect(maps.Values(u.parts))
	u.parts = nil
	s.mu.Unlock()
	for _, p := range parts {
		p.body.discard()
	}
}
