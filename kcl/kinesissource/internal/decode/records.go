package decode

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unsafe"

	"github.com/shardmill/shardmill/kcl"
)

// magic is how the base64 of a KPL's aggregated record begins: three of its four
// bytes, F3 89 9A, which no other data is likely to begin with.
const magic = "84ma"

// list is where the list of records stands in a body: from its [ to behind its ].
type list struct{ begin, end int }

// find is the first pass: it fills in the page's records with what they say, still
// in base64 and in the body's memory, and returns where their list was. It returns
// false if the body is to be the SDK's.
func (p *Page) find(body []byte) (l list, ok bool) {
	s := scanner{b: body}
	if !s.take('{') {
		return l, false
	}
	ok = s.members('}', func() bool {
		name, ok := s.name()
		if !ok {
			return false
		}
		if string(name) != "Records" {
			return s.skip(0)
		}
		if l.end > 0 || !s.take('[') {
			return false
		}
		l.begin = s.i - 1
		ok = s.members(']', func() bool { return p.record(&s) })
		l.end = s.i
		return ok
	})
	return l, ok && l.end > 0 && s.atEnd()
}

// The members of a record, as bits: none may come twice.
const (
	hasArrival = 1 << iota
	hasData
	hasEncryption
	hasKey
	hasNumber
)

// add adds an empty record to the page. Those of a buffer that is used again are
// empty already.
func (p *Page) add() *kcl.Record {
	if n := len(p.buf.records); n < cap(p.buf.records) {
		p.buf.records = p.buf.records[:n+1]
	} else {
		p.buf.records = append(p.buf.records, kcl.Record{})
	}
	return &p.buf.records[len(p.buf.records)-1]
}

// record takes one record.
func (p *Page) record(s *scanner) bool {
	r := p.add()
	if !s.take('{') {
		return false
	}
	if s.next() == '}' {
		s.i++
		return true
	}
	for seen := 0; ; {
		member, ok := s.memberName()
		if !ok || seen&member != 0 || !s.null() && !p.member(s, r, member) {
			return false
		}
		seen |= member
		if more, ok := s.more('}'); !ok || !more {
			return ok
		}
	}
}

// memberName takes the name of a record's member and the colon after it, and
// returns which it is, or 0. That of a known one is not read letter by letter.
func (s *scanner) memberName() (member int, ok bool) {
	if m := s.guess(); m != 0 {
		return m, true
	}
	name, ok := s.name()
	return memberOf(name), ok
}

// guess takes the name of a member that is known, if it is written as usual.
func (s *scanner) guess() (member int) {
	var name string
	if len(s.b)-s.i < 2 {
		return 0
	}
	switch s.b[s.i+1] {
	case 'A':
		name, member = `"ApproximateArrivalTimestamp":`, hasArrival
	case 'D':
		name, member = `"Data":`, hasData
	case 'P':
		name, member = `"PartitionKey":`, hasKey
	case 'S':
		name, member = `"SequenceNumber":`, hasNumber
	default:
		return 0
	}
	if !s.literal(name) {
		return 0
	}
	return member
}

// memberOf returns the member of a record that has a name, or 0.
func memberOf(name []byte) int {
	switch string(name) {
	case "ApproximateArrivalTimestamp":
		return hasArrival
	case "Data":
		return hasData
	case "EncryptionType":
		return hasEncryption
	case "PartitionKey":
		return hasKey
	case "SequenceNumber":
		return hasNumber
	}
	return 0
}

// member takes the value of a record's member.
func (p *Page) member(s *scanner, r *kcl.Record, member int) (ok bool) {
	switch member {
	case hasArrival:
		number, isNumber := s.number()
		if isNumber {
			r.ApproximateArrivalTimestamp, ok = arrival(number)
		}
	case hasData:
		r.Data, ok = s.long()
		p.Plain = p.Plain && (len(r.Data) <= len(magic) || string(r.Data[:len(magic)]) != magic)
	case hasEncryption:
		r.EncryptionType, ok = p.text(s)
		r.EncryptionType = p.interned(r.EncryptionType)
	case hasKey:
		r.PartitionKey, ok = p.text(s)
		p.Size += int64(len(r.PartitionKey))
	case hasNumber:
		r.SequenceNumber, ok = p.text(s)
	default:
		return s.skip(0)
	}
	return ok
}

// text takes a string, which stays in the body's memory unless it has escapes.
func (p *Page) text(s *scanner) (text string, ok bool) {
	start := s.i
	b, escaped, ok := s.text()
	if !ok {
		return "", false
	}
	if !escaped {
		p.strings += len(b)
		return unsafe.String(unsafe.SliceData(b), len(b)), true //nolint:gosec // until own copies it
	}
	text, ok = unescape(s.b[start:s.i])
	p.strings += len(text)
	return text, ok
}

// unescape returns what a string of JSON says, in its quotes.
func unescape(quoted []byte) (text string, ok bool) {
	err := json.Unmarshal(quoted, &text)
	return text, err == nil
}

// interned returns a type of encryption, which takes no memory of the page's if it
// is known.
func (p *Page) interned(encryption string) string {
	k := known(encryption)
	if k == "" {
		return encryption
	}
	p.strings -= len(k)
	return k
}

// known returns a type of encryption as a constant, or "" if it is another.
func known(encryption string) string {
	switch encryption {
	case "NONE":
		return "NONE"
	case "KMS":
		return "KMS"
	}
	return ""
}

// decodeData is the second pass. If it returns false the body is as it was. A
// record's strings are copied while they are at hand, next to its data.
func (p *Page) decodeData() bool {
	var s scratch
	all := p.newStrings()
	for i := range p.buf.records {
		r := &p.buf.records[i]
		own(all, r)
		if r.Data == nil {
			continue
		}
		data, ok := decodeInPlace(r.Data, &s)
		if !ok {
			p.undo(p.buf.records[:i])
			return false
		}
		r.Data = data
		p.Size += int64(len(data))
	}
	return true
}

// undo makes base64 again of what was decoded.
func (p *Page) undo(decoded []kcl.Record) {
	for i := range decoded {
		if d := decoded[i].Data; d != nil {
			//nolint:gosec // the base64 that d was decoded from begins where d does
			encodeInPlace(unsafe.Slice(unsafe.SliceData(d), base64.StdEncoding.EncodedLen(len(d))), len(d))
		}
	}
}

// newStrings returns memory for the strings of all records: one string.
func (p *Page) newStrings() *strings.Builder {
	all := new(strings.Builder)
	all.Grow(p.strings)
	return all
}

// own gives the record's strings memory of their own, in all.
func own(all *strings.Builder, r *kcl.Record) {
	add := func(text *string) {
		start := all.Len()
		all.WriteString(*text)
		*text = all.String()[start:]
	}
	add(&r.SequenceNumber)
	add(&r.PartitionKey)
	if known(r.EncryptionType) == "" {
		add(&r.EncryptionType)
	}
}
