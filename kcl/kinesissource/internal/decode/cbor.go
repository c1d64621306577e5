package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/shardmill/shardmill/kcl"
)

// contentCBOR is what the AWS SDKs for Java speak with Kinesis: the members of
// JSON, with data as bytes and times as tagged integers of milliseconds.
const contentCBOR = "application/x-amz-cbor-1.1"

// The major types of CBOR.
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorList
	majorMap
	majorTag
	majorSimple
)

const (
	tagTime    = 1
	indefinite = 31 // the length that a list or map does not tell
	breakCode  = 0xFF
	nilCode    = 0xF6
)

// cborScanner reads CBOR, as scanner reads JSON.
type cborScanner struct {
	b []byte
	i int
}

// head takes the head of a value: its type, and its number or length. A length of
// -1 is not told.
func (s *cborScanner) head() (major int, n int64, ok bool) {
	if s.i >= len(s.b) {
		return 0, 0, false
	}
	c := s.b[s.i]
	s.i++
	major, low := int(c>>5), c&31
	if low < 24 {
		return major, int64(low), true
	}
	if low == indefinite {
		return major, -1, major == majorList || major == majorMap
	}
	size := 1 << (low - 24)
	if low > 27 || len(s.b)-s.i < size {
		return 0, 0, false
	}
	for range size {
		n = n<<8 | int64(s.b[s.i])
		s.i++
	}
	return major, n, n >= 0
}

// piece takes bytes or a text, whose major type is want.
func (s *cborScanner) piece(want int) (piece []byte, ok bool) {
	major, n, ok := s.head()
	if !ok || major != want || n < 0 || n > int64(len(s.b)-s.i) {
		return nil, false
	}
	piece = s.b[s.i : s.i+int(n) : s.i+int(n)]
	s.i += int(n)
	return piece, true
}

// null takes null, if that comes next.
func (s *cborScanner) null() bool {
	if s.i < len(s.b) && s.b[s.i] == nilCode {
		s.i++
		return true
	}
	return false
}

// members takes the elements of a list or map that has n of them, or ends with a
// break.
func (s *cborScanner) members(n int64, take func() bool) bool {
	for ; n != 0; n-- {
		if n < 0 && s.i < len(s.b) && s.b[s.i] == breakCode {
			s.i++
			return true
		}
		if !take() {
			return false
		}
	}
	return true
}

// skip takes any value.
func (s *cborScanner) skip(depth int) bool {
	start := s.i
	major, n, ok := s.head()
	if !ok || depth > maxDepth {
		return false
	}
	one := func() bool { return s.skip(depth + 1) }
	name := func() bool { _, ok := s.piece(majorText); return ok }
	switch major {
	case majorBytes, majorText:
		s.i = start
		_, ok = s.piece(major)
		return ok
	case majorList:
		return s.members(n, one)
	case majorMap:
		return s.members(n, func() bool { return name() && one() })
	case majorTag:
		return one()
	case majorSimple:
		return strings.IndexByte(simple, s.b[start]) >= 0
	}
	return true
}

// simple are the heads of false, true, null, undefined and the numbers that are
// not whole. No others mean anything.
const simple = "\xf4\xf5\xf6\xf7\xf9\xfa\xfb"

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

// time takes a time that is the same whether it is read exactly or in seconds.
func (s *cborScanner) time() (t time.Time, ok bool) {
	major, tag, ok := s.head()
	if !ok || major != majorTag || tag != tagTime {
		return t, false
	}
	major, ms, ok := s.head()
	if !ok || major != majorUint || ms < minMillis || ms >= maxMillis {
		return t, false
	}
	return time.UnixMilli(ms).UTC(), true
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

// fromCBOR returns a body in CBOR as JSON.
func fromCBOR(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("reading CBOR: %w", err)
	}
	return toJSON(v)
}

// toJSON returns a value as JSON of Kinesis has it. What JSON does not have is of a
// type that no member of Kinesis' is.
func toJSON(v cbor.Value) ([]byte, error) { return json.Marshal(jsonOf(v)) }

func jsonOf(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Uint:
		return uint64(v)
	case cbor.NegInt:
		return json.Number(fmt.Sprintf("-%d", uint64(v)))
	case cbor.Float32:
		return number(float64(v))
	case cbor.Float64:
		return number(float64(v))
	case cbor.Bool:
		return bool(v)
	case cbor.Slice:
		return append([]byte{}, v...)
	case cbor.String:
		return string(v)
	case cbor.List:
		list := make([]any, len(v))
		for i := range v {
			list[i] = jsonOf(v[i])
		}
		return list
	case cbor.Map:
		members := make(map[string]any, len(v))
		for name := range v {
			members[name] = jsonOf(v[name])
		}
		return members
	case *cbor.Tag:
		if ms, err := cbor.AsInt64(v.Value); v.ID == tagTime && err == nil {
			return seconds(ms)
		}
		return []any{}
	}
	return nil
}

// number returns a number, or a list of none if it is none.
func number(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []any{}
	}
	return f
}

// seconds returns milliseconds as seconds.
func seconds(ms int64) json.Number {
	if ms < 0 {
		u := -uint64(ms)
		return json.Number(fmt.Sprintf("-%d.%03d", u/1000, u%1000))
	}
	return json.Number(fmt.Sprintf("%d.%03d", ms/1000, ms%1000))
}

// toCBOR returns a request in JSON as CBOR.
func toCBOR(request []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(request))
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		return nil, fmt.Errorf("making a request of CBOR: %w", err)
	}
	m := cbor.Map{}
	for name, v := range members {
		switch v := v.(type) {
		case string:
			m[name] = cbor.String(v)
		case bool:
			m[name] = cbor.Bool(v)
		case json.Number:
			n, err := v.Int64()
			if err != nil || n < 0 {
				return nil, fmt.Errorf("making a request of CBOR: %s is %s", name, v)
			}
			m[name] = cbor.Uint(n)
		default:
			return nil, fmt.Errorf("making a request of CBOR: %s is a %T", name, v)
		}
	}
	return cbor.Encode(m), nil
}
