package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// protocol is the client's own, but for answers of GetRecords.
type protocol struct {
	smithyhttp.ClientProtocol

	pool *Pool
}

// Wrap returns a protocol that reads the answers of GetRecords into the Page of
// the call, if it has one, and is p in all else. Of any protocol but AWS JSON 1.1
// it returns p.
func Wrap(p smithyhttp.ClientProtocol, pool *Pool) smithyhttp.ClientProtocol {
	if p == nil || p.ID() != (smithy.ShapeID{Namespace: "aws.protocols", Name: "awsJson1_1"}) {
		return p
	}
	return protocol{p, pool}
}

// DeserializeResponse implements smithyhttp.ClientProtocol.
func (p protocol) DeserializeResponse(ctx context.Context, schema *smithy.OperationSchema, types *smithy.TypeRegistry, resp *smithyhttp.Response, out smithy.Deserializable) error {
	page := of(ctx)
	bySDK := func() error {
		return recovered(func() error { return p.ClientProtocol.DeserializeResponse(ctx, schema, types, resp, out) })
	}
	if _, ok := out.(*kinesis.GetRecordsOutput); !ok || page == nil {
		return bySDK()
	}
	page.Release() // what an earlier try left
	if resp.StatusCode < 200 || resp.StatusCode >= 300 {
		return bySDK()
	}
	rest := func(body []byte) error {
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return bySDK()
	}
	body := resp.Body
	defer func() { resp.Body = body }() // the SDK closes it
	page.pool = p.pool
	if err := page.read(ctx, body, resp.ContentLength); err != nil {
		page.Release()
		return err
	}
	if err := page.decode(rest); err != nil {
		page.Release()
		return err
	}
	return nil
}

// recovered returns a panic of the SDK's decoder as an error: it has one for an
// arrival that is not a number.
func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &smithy.DeserializationError{Err: fmt.Errorf("the SDK cannot decode the answer: %v", v)}
		}
	}()
	return f()
}

// read reads the whole body into the page's buffer, once there is room for it.
func (p *Page) read(ctx context.Context, body io.Reader, length int64) error {
	if length > maxBody {
		return &smithy.DeserializationError{Err: errTooLong}
	}
	if err := p.Room.Grow(ctx, p.need(int(max(length, 0)))); err != nil {
		return err
	}
	p.buf = p.pool.get(int(max(length, 0)) + bytes.MinRead)
	for {
		if len(p.buf.bytes) == cap(p.buf.bytes) {
			if err := p.Room.Grow(ctx, p.need(2*len(p.buf.bytes))); err != nil {
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

// decode makes the page of the body that was read. rest has the SDK read a body.
func (p *Page) decode(rest func(body []byte) error) error {
	body := p.buf.bytes
	p.Plain = true
	l, ok := p.find(body)
	if !ok || !p.decodeData() {
		err := rest(body)
		p.Release()
		return err
	}
	p.own()
	p.finish()
	frame := append(append(append(make([]byte, 0, len(body)-(l.end-l.begin)+2), body[:l.begin]...), "[]"...), body[l.end:]...)
	return rest(frame)
}
