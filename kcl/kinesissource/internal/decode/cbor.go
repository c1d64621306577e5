package decode

import (
	"bytes"
	"unicode/utf8"
	"unsafe"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/shardmill/shardmill/kcl"
)

// contentCBOR is what the AWS SDKs for Java speak with Kinesis: the members of
// JSON, with data as bytes and times as tagged integers of milliseconds.
const contentCBOR = "application/x-amz-cbor-1.1"

// findCBOR is find for a body in CBOR: it fills in the page's records, and returns
// the other members of the answer.
func (p *Page) findCBOR(body []byte) (rest cbor.Map, ok bool) {
	s := cborScanner{b: body}
	major, n, ok := s.head()
	if !ok || major != majorMap {
		return nil, false
	}
	rest = cbor.Map{}
	found := false
	ok = s.members(n, func() bool {
		name, ok := s.piece(majorText)
		if !ok {
			return false
		}
		if string(name) == "Records" {
			major, n, ok := s.head()
			if !ok || major != majorList || found {
				return false
			}
			found = true
			return s.members(n, func() bool { return p.recordCBOR(&s) })
		}
		start := s.i
		if !s.skip(0) {
			return false
		}
		value, err := cbor.Decode(s.b[start:s.i])
		_, twice := rest[string(name)]
		rest[string(name)] = value
		return err == nil && !twice
	})
	return rest, ok && found && s.i == len(body)
}

// recordCBOR takes one record.
func (p *Page) recordCBOR(s *cborScanner) bool {
	r := p.add()
	major, n, ok := s.head()
	if !ok || major != majorMap {
		return false
	}
	seen := 0
	return s.members(n, func() bool {
		name, ok := s.piece(majorText)
		if !ok {
			return false
		}
		member := memberOf(name)
		if seen&member != 0 {
			return false
		}
		seen |= member
		if s.null() {
			return true
		}
		return p.memberCBOR(s, r, member)
	})
}

// memberCBOR takes the value of a record's member.
func (p *Page) memberCBOR(s *cborScanner, r *kcl.Record, member int) (ok bool) {
	switch member {
	case hasArrival:
		r.ApproximateArrivalTimestamp, ok = s.time()
	case hasData:
		r.Data, ok = s.piece(majorBytes)
		p.Size += int64(len(r.Data))
		p.Plain = p.Plain && !bytes.HasPrefix(r.Data, []byte("\xf3\x89\x9a"))
	case hasEncryption:
		r.EncryptionType, ok = p.textCBOR(s)
		r.EncryptionType = p.interned(r.EncryptionType)
	case hasKey:
		r.PartitionKey, ok = p.textCBOR(s)
		p.Size += int64(len(r.PartitionKey))
	case hasNumber:
		r.SequenceNumber, ok = p.textCBOR(s)
	default:
		return s.skip(0)
	}
	return ok
}

// textCBOR takes a text, which stays in the body's memory.
func (p *Page) textCBOR(s *cborScanner) (text string, ok bool) {
	b, ok := s.piece(majorText)
	if !ok || !utf8.Valid(b) {
		return "", false
	}
	p.strings += len(b)
	return unsafe.String(unsafe.SliceData(b), len(b)), true //nolint:gosec // until own copies it
}

// decodeCBOR makes the page of a body in CBOR. What is unusual in it is put into
// JSON for the SDK, as the rest of the answer is.
func (p *Page) decodeCBOR(rest func(body []byte) error) error {
	p.Plain = true
	members, ok := p.findCBOR(p.buf.bytes)
	if ok {
		all := p.newStrings()
		for i := range p.buf.records {
			own(all, &p.buf.records[i])
		}
		p.finish()
		frame, err := toJSON(members)
		if err != nil {
			return &smithy.DeserializationError{Err: err}
		}
		return rest(frame)
	}
	all, err := fromCBOR(p.buf.bytes)
	p.Release()
	if err != nil {
		return &smithy.DeserializationError{Err: err}
	}
	return rest(all)
}
