package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Decoder reads the answers to one Source. The zero value speaks JSON. It is safe
// for concurrent use.
type Decoder struct {
	Pool Pool

	// CBOR asks for answers in CBOR, which take less work and a quarter less of
	// the wire, until the server shows that it does not know it.
	CBOR bool

	// Refused, if not nil, is told once why CBOR is not spoken any more.
	Refused func(why string)

	refused atomic.Bool
}

// Wrap returns a protocol that reads the answers of GetRecords into the Page of
// the Call, if the context is of one, and is p in all else. Of any protocol but AWS JSON 1.1
// it returns p.
func (d *Decoder) Wrap(p smithyhttp.ClientProtocol) smithyhttp.ClientProtocol {
	if p == nil || p.ID() != (smithy.ShapeID{Namespace: "aws.protocols", Name: "awsJson1_1"}) {
		return p
	}
	return protocol{p, d}
}

// Again reports whether a call of GetRecords that failed should be made once more:
// it was made in CBOR, which the server does not know.
func (d *Decoder) Again(c *Call) bool { return d.refused.Load() && c.inCBOR() }

func (d *Decoder) speaksCBOR() bool { return d.CBOR && !d.refused.Load() }

func (d *Decoder) refuse(why string) {
	if d.refused.CompareAndSwap(false, true) && d.Refused != nil {
		d.Refused(why)
	}
}

// protocol is the client's own, but for GetRecords.
type protocol struct {
	smithyhttp.ClientProtocol

	d *Decoder
}

// SerializeRequest implements smithyhttp.ClientProtocol.
func (p protocol) SerializeRequest(ctx context.Context, schema *smithy.OperationSchema, in smithy.Serializable, req *smithyhttp.Request) error {
	if err := p.ClientProtocol.SerializeRequest(ctx, schema, in, req); err != nil {
		return err
	}
	call := of(ctx)
	input, ok := in.(*kinesis.GetRecordsInput)
	if !ok || call == nil {
		return nil
	}
	inCBOR := p.d.speaksCBOR()
	if call.ask(aws.ToString(input.ShardIterator), inCBOR); !inCBOR {
		return nil
	}
	request, err := io.ReadAll(req.GetStream())
	if err != nil {
		return err
	}
	if request, err = toCBOR(request); err != nil {
		return err
	}
	changed, err := req.SetStream(bytes.NewReader(request))
	if err != nil {
		return err
	}
	*req = *changed
	req.Header.Set("Content-Type", contentCBOR)
	return nil
}

// DeserializeResponse implements smithyhttp.ClientProtocol.
func (p protocol) DeserializeResponse(ctx context.Context, schema *smithy.OperationSchema, types *smithy.TypeRegistry, resp *smithyhttp.Response, out smithy.Deserializable) error {
	bySDK := func() error {
		return recovered(func() error { return p.ClientProtocol.DeserializeResponse(ctx, schema, types, resp, out) })
	}
	call := of(ctx)
	output, ok := out.(*kinesis.GetRecordsOutput)
	if !ok || call == nil {
		return bySDK()
	}
	call.put(nil) // what an earlier try left
	asked := call.inCBOR()
	inCBOR := asked && strings.HasPrefix(resp.Header.Get("Content-Type"), contentCBOR)
	if asked && !inCBOR && resp.StatusCode < 500 {
		p.d.refuse(fmt.Sprintf("status %d and content type %.100q", resp.StatusCode, resp.Header.Get("Content-Type")))
	}
	body := resp.Body
	defer func() { resp.Body = body }() // the SDK closes it
	rest := func(json []byte) error {
		resp.Body = io.NopCloser(bytes.NewReader(json))
		return bySDK()
	}
	switch ok := resp.StatusCode >= 200 && resp.StatusCode < 300; {
	case !ok && inCBOR:
		return p.failure(body, rest)
	case !ok:
		return bySDK()
	}
	page := &Page{pool: &p.d.Pool}
	err := page.read(ctx, call, body, resp.ContentLength)
	if err == nil && inCBOR {
		err = page.decodeCBOR(rest)
	} else if err == nil {
		err = page.decode(rest)
	}
	if err != nil {
		page.Release()
		return err
	}
	page.next = aws.ToString(output.NextShardIterator)
	call.put(page)
	return nil
}

// failure returns the error that a body in CBOR tells.
func (p protocol) failure(body io.Reader, rest func([]byte) error) error {
	b, err := io.ReadAll(io.LimitReader(body, maxFailure))
	if err == nil {
		b, err = fromCBOR(b)
	}
	if err != nil {
		return &smithy.DeserializationError{Err: err}
	}
	err = rest(b)
	if api, ok := errors.AsType[smithy.APIError](err); ok && isNotUnderstood(api.ErrorCode()) {
		p.d.refuse(api.ErrorCode())
	}
	return err
}

// maxFailure is far more than the body of an error has.
const maxFailure = 1 << 20

// isNotUnderstood reports whether an error is that of a server that cannot read a
// request in CBOR.
func isNotUnderstood(code string) bool {
	return code == "SerializationException" || code == "UnknownOperationException"
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
	p.finish()
	frame := append(append(append(make([]byte, 0, len(body)-(l.end-l.begin)+2), body[:l.begin]...), "[]"...), body[l.end:]...)
	return rest(frame)
}
