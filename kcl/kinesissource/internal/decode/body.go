package decode

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/aws/smithy-go"
)

// read reads the whole body into the page's buffer, once there is room for it.
func (p *Page) read(ctx context.Context, c *Call, body io.Reader, length int64) error {
	if length > maxBody {
		return &smithy.DeserializationError{Err: errTooLong}
	}
	n := unknown
	if length >= 0 {
		n = int(length) + bytes.MinRead
	}
	if err := c.Room.Grow(ctx, need(n, c.Limit)); err != nil {
		return err
	}
	p.buf = p.pool.get(n)
	for {
		if len(p.buf.bytes) == cap(p.buf.bytes) {
			if err := c.Room.Grow(ctx, need(2*len(p.buf.bytes), c.Limit)); err != nil {
				return err
			}
			p.buf = p.pool.grow(p.buf, bytes.MinRead)
		}
		b := p.buf.bytes
		n, err := body.Read(b[len(b):cap(b)])
		p.buf.bytes = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return &smithy.DeserializationError{Err: err}
		case len(p.buf.bytes) > maxBody:
			return &smithy.DeserializationError{Err: errTooLong}
		}
	}
}

// maxBody is far more than a service sends: 10 MiB of data in base64, with what
// belongs to 10,000 records.
const maxBody = 256 << 20

var errTooLong = errors.New("answer of more than 256 MiB")
