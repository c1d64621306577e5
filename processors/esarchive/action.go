package esarchive

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// actions writes the action lines of the documents of a cut. One goroutine uses it.
//
//	{"index":{"_index":"…","_type":"…","_id":"…","version":1,"version_type":"external","routing":"…","pipeline":"…"}}
type actions struct {
	s      *settings
	before string // each sequence number, in ids
	types  bool   // the cluster may have them

	heads map[int64][]byte // of the index names of an hour; few, as a cut is short
	tail  []byte
}

const maxHeads = 64 // that are kept

func newActions(s *settings, stream string) *actions {
	a := &actions{s: s, heads: map[int64][]byte{}}
	if s.IDs.Prefix {
		a.before = digest(stream) + "-"
	}
	a.tail = append(a.tail, "}}\n"...)
	if s.Pipeline != "" {
		a.tail = append(appendQuoted([]byte(`,"pipeline":`), s.Pipeline), a.tail...)
	}
	return a
}

// digest tells a stream from others in ids: 16 hexadecimal digits.
func digest(stream string) string {
	sum := sha256.Sum256([]byte(stream))
	return hex.EncodeToString(sum[:8])
}

// setTypes says whether the cluster may have mapping types.
func (a *actions) setTypes(types bool) {
	if types != a.types {
		a.types = types
		clear(a.heads)
	}
}

// typeName is the type that lines have; "" for none. Whoever sets one has a cluster that
// wants it, most likely, so it is sent as long as the cluster may have types.
func (a *actions) typeName() string {
	if a.types {
		return a.s.TypeName
	}
	return ""
}

// head returns how the line of a document begins that arrived at that time.
func (a *actions) head(at time.Time) []byte {
	hour := a.s.rotation.hour(at)
	if head := a.heads[hour]; head != nil {
		return head
	}
	head := append([]byte(`{"`), a.s.Operation...)
	head = appendQuoted(append(head, `":{"_index":`...), a.s.rotation.index(at))
	if a.typeName() != "" {
		head = appendQuoted(append(head, `,"_type":`...), a.typeName())
	}
	if len(a.heads) >= maxHeads {
		clear(a.heads)
	}
	a.heads[hour] = head
	return head
}

// appendLine adds the line of a document. place is that of its record, of which the id
// is made; nil for none.
func (a *actions) appendLine(buf []byte, at time.Time, place []byte, t taken) []byte {
	buf = append(buf, a.head(at)...)
	switch {
	case t.id != nil:
		buf = appendQuoted(append(buf, `,"_id":`...), t.id)
	case place != nil:
		buf = append(append(buf, `,"_id":"`...), a.before...)
		buf = append(append(buf, place...), '"')
	}
	if t.version != nil {
		buf = append(append(buf, `,"version":`...), t.version...)
		buf = append(buf, `,"version_type":"external"`...)
	}
	if t.routing != nil {
		buf = appendQuoted(append(buf, `,"routing":`...), t.routing)
	}
	return append(buf, a.tail...)
}

// room is about how many bytes a line has.
func (a *actions) room() int64 {
	n := 128 + len(a.s.IndexName) + longestSuffix + len(a.s.TypeName) + len(a.tail)
	if a.s.IDs.Field != "" {
		n += maxID / 4
	}
	return int64(n)
}

// appendQuoted adds a text, which is UTF-8, as JSON has it.
func appendQuoted[T string | []byte](buf []byte, text T) []byte {
	const digits = "0123456789abcdef"
	buf = append(buf, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c < ' ':
			buf = append(buf, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, '"')
}
