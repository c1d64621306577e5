package s3d

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxObjectBytes is S3's limit for one PutObject or UploadPart.
const maxObjectBytes = 5 << 30

// payload reads the body of a request and checks it against everything its
// headers say: its length, x-amz-content-sha256, Content-MD5 and a checksum in
// a header or in the trailer of an aws-chunked body. It answers io.EOF only
// after all of them held; every other error is an apiError.
type payload struct {
	body    io.Reader
	size    int64 // announced, decoded
	read    int64
	checks  []*check
	trailer func() http.Header // of an aws-chunked body, after its end
}

func newPayload(r *http.Request) (*payload, error) {
	p := &payload{body: r.Body, size: r.ContentLength}
	checks, err := contentChecks(r.Header)
	if err != nil {
		return nil, err
	}
	p.checks = checks
	if mode := r.Header.Get("X-Amz-Content-Sha256"); strings.HasPrefix(mode, "STREAMING-") {
		err = p.unchunk(r, mode)
	}
	switch {
	case err != nil:
		return nil, err
	case p.size < 0:
		return nil, refuse(http.StatusLengthRequired, "MissingContentLength",
			"You must provide the Content-Length HTTP header.")
	case p.size > maxObjectBytes:
		return nil, refuse(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")
	}
	return p, nil
}

// unchunk sets the payload up for an aws-chunked body.
func (p *payload) unchunk(r *http.Request, mode string) error {
	var signatures *chunkSignatures
	switch mode {
	case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
	case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
		signatures = chunkSignaturesOf(r)
	default:
		return notImplemented("the payload form " + mode)
	}
	size, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || size < 0 {
		return refuse(http.StatusLengthRequired, "MissingContentLength",
			"You must provide the x-amz-decoded-content-length HTTP header.")
	}
	p.size = size
	chunks := newChunkReader(r.Body, signatures)
	p.body, p.trailer = chunks, chunks.Trailer
	names := strings.Join(r.Header.Values("X-Amz-Trailer"), ",")
	if strings.TrimSpace(names) == "" {
		return nil
	}
	if strings.Contains(names, ",") {
		return refuse(http.StatusBadRequest, "MalformedTrailerError", "The x-amz-trailer header names more than one trailer: %q", names)
	}
	c, err := newCheck(names, "")
	if err != nil {
		return err
	}
	p.checks = append(p.checks, c)
	return nil
}

// Read implements io.Reader.
func (p *payload) Read(b []byte) (int, error) {
	n, err := p.body.Read(b)
	p.read += int64(n)
	for _, c := range p.checks {
		_, _ = c.Write(b[:n]) // a hash takes everything
	}
	switch {
	case p.read > p.size:
		return n, refuse(http.StatusBadRequest, "IncompleteBody", "The body is longer than announced.")
	case errors.Is(err, io.EOF):
		return n, p.finish()
	case err != nil:
		if refusal, ok := errors.AsType[*apiError](err); ok {
			return n, refusal
		}
		return n, refuse(http.StatusBadRequest, "IncompleteBody",
			"You did not provide the number of bytes specified by the Content-Length HTTP header (%v).", err)
	}
	return n, nil
}

// finish says whether the whole body is what its headers announced: io.EOF, or
// what is wrong.
func (p *payload) finish() error {
	if p.read != p.size {
		return refuse(http.StatusBadRequest, "IncompleteBody",
			"You did not provide the number of bytes specified by the Content-Length HTTP header.")
	}
	var trailer http.Header
	if p.trailer != nil {
		trailer = p.trailer()
	}
	for _, c := range p.checks {
		if c.want == "" {
			c.want = trailer.Get(c.name)
		}
		if !c.ok() {
			return refuse(http.StatusBadRequest, c.code,
				"The %s you specified did not match what we received.", strings.ToLower(c.name))
		}
	}
	return io.EOF
}

// checksum is the header and value of the body's checksum, if it had one, to
// be kept with the object. It is known after the end of the body.
func (p *payload) checksum() (name, value string) {
	for _, c := range p.checks {
		if strings.HasPrefix(c.name, checksumHeader) {
			return c.name, c.want
		}
	}
	return "", ""
}

// readAll reads and checks a body that is to be held in memory, such as a
// request's XML.
func (p *payload) readAll(limit int64) ([]byte, error) {
	if p.size > limit {
		return nil, refuse(http.StatusBadRequest, "MaxMessageLengthExceeded", "Your request was too big.")
	}
	return io.ReadAll(p)
}
