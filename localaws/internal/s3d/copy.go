package s3d

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// parseCopySource reads the object that x-amz-copy-source names.
func parseCopySource(h http.Header) (objectID, error) {
	source, version, _ := strings.Cut(h.Get("X-Amz-Copy-Source"), "?")
	path, err := url.PathUnescape(source)
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case err != nil || !ok || bucket == "" || key == "":
		return objectID{}, refuse(http.StatusBadRequest, "InvalidArgument",
			"Invalid copy source object key: x-amz-copy-source is %q, not BUCKET/KEY", source)
	case version != "":
		return objectID{}, notImplemented("versions: x-amz-copy-source has " + version)
	case strings.HasPrefix(bucket, "arn:"):
		return objectID{}, notImplemented("access points: x-amz-copy-source is " + source)
	}
	return objectID{bucket, key}, nil
}

// openSource opens the object that a request copies, if its conditions hold.
func (s *Server) openSource(h http.Header) (objectID, *object, io.ReadSeekCloser, error) {
	id, err := parseCopySource(h)
	if err != nil {
		return id, nil, nil, err
	}
	if err := s.checkBucket(id.bucket); err != nil {
		return id, nil, nil, err
	}
	o, content, err := s.open(id)
	if err != nil {
		return id, nil, nil, err
	}
	if err := preconditionsOf(h, copySource).checkCopy(o); err != nil {
		_ = content.Close() // nothing was read
		return id, nil, nil, err
	}
	return id, o, content, nil
}

type copyResult struct {
	XMLName      xml.Name
	ETag         string
	LastModified string

	checksums
}

func newCopyResult(name, etag string, at time.Time) copyResult {
	return copyResult{XMLName: xml.Name{Local: name}, ETag: quote(etag), LastModified: xmlTime(at)}
}

// xmlTime is a time as S3 writes it in XML.
func xmlTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// copyObject serves CopyObject: an object comes with its headers, or with those
// of the request if that says so.
func (s *Server) copyObject(a *answer, r *http.Request, call Call) error {
	to := objectID{call.Bucket, call.Key}
	from, source, content, err := s.openSource(r.Header)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	if err := s.needBucket(to.bucket); err != nil {
		return err
	}
	headers, err := copiedHeaders(r.Header, source, from == to)
	if err != nil {
		return err
	}
	received, etag, err := s.receive(content)
	if err != nil {
		return err
	}
	o := &object{Key: to.key, Size: source.Size, ETag: etag, Headers: headers}
	if err := s.store(to.bucket, o, preconditionsOf(r.Header, ""), func() (spool, error) { return received, nil }); err != nil {
		received.discard()
		return err
	}
	a.write.ETag, a.write.Size = o.ETag, o.Size
	writeXML(a, http.StatusOK, newCopyResult("CopyObjectResult", o.ETag, o.Modified))
	return nil
}

// copiedHeaders are the headers of a copy.
func copiedHeaders(request http.Header, source *object, itself bool) (map[string]string, error) {
	switch directive := request.Get("X-Amz-Metadata-Directive"); directive {
	case "REPLACE":
		return objectHeaders(request)
	case "", "COPY":
	default:
		return nil, refuse(http.StatusBadRequest, "InvalidArgument", "Unknown metadata directive: %q", directive)
	}
	if itself {
		return nil, refuse(http.StatusBadRequest, "InvalidRequest", "This copy request is illegal because it is trying to copy an object "+
			"to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	headers := maps.Clone(source.Headers)
	if strings.Contains(source.ETag, "-") { // its checksum is of its parts
		maps.DeleteFunc(headers, func(name, _ string) bool { return strings.HasPrefix(name, checksumHeader) })
	}
	return headers, nil
}

// uploadPartCopy serves UploadPartCopy.
func (s *Server) uploadPartCopy(a *answer, r *http.Request, call Call) error {
	u, number, err := s.partOf(r, call)
	if err != nil {
		return err
	}
	_, source, content, err := s.openSource(r.Header)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	section := byteRange{0, source.Size}
	if header := r.Header.Get(copySource + "Range"); header != "" {
		var partial bool
		section, partial, err = parseRange(header, source.Size)
		if err != nil || !partial || header != fmt.Sprintf("bytes=%d-%d", section.start, section.start+section.length-1) {
			return refuse(http.StatusBadRequest, "InvalidArgument",
				"The x-amz-copy-source-range value must be of the form bytes=first-last, within the %d bytes of the source: %q", source.Size, header)
		}
	}
	if _, err := content.Seek(section.start, io.SeekStart); err != nil {
		return err
	}
	body := io.LimitReader(content, section.length)
	var sum hash.Hash
	if u.checksum != "" {
		sum = newChecksum(strings.ToLower(strings.TrimPrefix(u.checksum, checksumHeader)))
		body = io.TeeReader(body, sum)
	}
	received, etag, err := s.receive(body)
	if err != nil {
		return err
	}
	p := &part{number: number, size: section.length, etag: etag, received: time.Now(), body: received}
	if sum != nil {
		p.checksum = base64.StdEncoding.EncodeToString(sum.Sum(nil))
	}
	if err := s.addPart(u, p); err != nil {
		received.discard()
		return err
	}
	a.write.ETag, a.write.Size = etag, p.size
	result := newCopyResult("CopyPartResult", etag, p.received)
	result.set(u.checksum, p.checksum)
	writeXML(a, http.StatusOK, result)
	return nil
}
