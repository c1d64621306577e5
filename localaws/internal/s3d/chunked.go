package s3d

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// chunkReader decodes an aws-chunked body: HTTP's chunks inside the body, then
// a trailer that carries the checksum.
//
//	<hex size>[;extensions]\r\n<bytes>\r\n … 0\r\n<name>:<value>\r\n … \r\n
type chunkReader struct {
	in      *bufio.Reader
	left    int64 // bytes of the present chunk not yet read
	begun   bool
	trailer http.Header
	err     error

	signatures *chunkSignatures // nil: they are not looked at
}

func newChunkReader(in io.Reader, signatures *chunkSignatures) *chunkReader {
	return &chunkReader{in: bufio.NewReader(in), signatures: signatures}
}

// Trailer is what followed the last chunk; nil before its end was read.
func (c *chunkReader) Trailer() http.Header { return c.trailer }

// Read implements io.Reader.
func (c *chunkReader) Read(b []byte) (int, error) {
	for c.left == 0 && c.err == nil {
		c.err = c.nextChunk()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.in.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	if c.signatures != nil {
		_, _ = c.signatures.sum.Write(b[:n]) // a hash takes everything
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	c.err = err
	return n, err
}

// nextChunk reads the head of the next chunk; after the last one it reads the
// trailer and returns io.EOF.
func (c *chunkReader) nextChunk() error {
	if c.begun {
		if line, err := c.line(); err != nil || line != "" {
			return malformed(err)
		}
		if c.signatures != nil {
			if err := c.signatures.end(); err != nil {
				return err
			}
		}
	}
	c.begun = true
	line, err := c.line()
	if err != nil {
		return malformed(err)
	}
	digits, extensions, _ := strings.Cut(line, ";")
	if c.signatures != nil {
		c.signatures.begin(extensions)
	}
	size, err := strconv.ParseInt(digits, 16, 64)
	if err != nil || size < 0 {
		return malformed(err)
	}
	if c.left = size; size > 0 {
		return nil
	}
	if c.signatures != nil {
		if err := c.signatures.end(); err != nil { // of the last chunk, which is empty
			return err
		}
	}
	return c.readTrailer()
}

// maxTrailerLines is how many lines a trailer may have: a checksum and its
// signature are what there is to say.
const maxTrailerLines = 2

// readTrailer reads the trailer, after which there is nothing.
func (c *chunkReader) readTrailer() error {
	trailer := make(http.Header)
	signed := ""
	for range maxTrailerLines + 1 {
		line, err := c.line()
		if err != nil && !errors.Is(err, io.EOF) {
			return malformed(err)
		}
		if line == "" {
			if _, err = c.in.Peek(1); !errors.Is(err, io.EOF) {
				return malformed(errors.New("there is more after the trailer"))
			}
			c.trailer = trailer
			if c.signatures != nil {
				if err := c.signatures.checkTrailer(trailer, signed); err != nil {
					return err
				}
			}
			return io.EOF
		}
		name, value, _ := strings.Cut(line, ":")
		name, value = textproto.TrimString(name), textproto.TrimString(value)
		trailer.Set(name, value)
		if !strings.EqualFold(name, trailerSignature) {
			signed += strings.ToLower(name) + ":" + value + "\n"
		}
	}
	return malformed(fmt.Errorf("the trailer has more than %d lines", maxTrailerLines))
}

// line reads a line without its end.
func (c *chunkReader) line() (string, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}

func malformed(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("malformed aws-chunked body: %w", err)
}
