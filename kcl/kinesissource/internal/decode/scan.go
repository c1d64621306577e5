package decode

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// maxDepth is how deep a member that is passed over may be nested.
const maxDepth = 64

// scanner reads JSON. Its methods return false where the JSON is none, or is
// unusual; then nothing more is asked of it.
type scanner struct {
	b []byte
	i int // where the next byte is
}

// next returns the next byte that is no white space, without taking it; 0 at the
// end.
func (s *scanner) next() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take takes c, which must come next.
func (s *scanner) take(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c || s.next() == c && c != 0 {
		s.i++
		return true
	}
	return false
}

// more takes what follows an element of a list or object that ends with end, and
// reports whether another element does.
func (s *scanner) more(end byte) (more, ok bool) {
	switch s.next() {
	case ',':
		s.i++
		return true, true
	case end:
		s.i++
		return false, true
	}
	return false, false
}

// text takes a string, and returns what is between its quotes and whether there
// are escapes in it.
func (s *scanner) text() (text []byte, escaped, ok bool) {
	if !s.take('"') {
		return nil, false, false
	}
	start := s.i
	for {
		if s.i += plain(s.b[s.i:]); s.i == len(s.b) {
			return nil, false, false
		}
		switch s.b[s.i] {
		case '"':
			s.i++
			return s.b[start : s.i-1], escaped, true
		case '\\':
			escaped = true
			s.i = min(s.i+2, len(s.b)) // whatever follows is not the end
		default:
			return nil, false, false
		}
	}
}

// plain returns how many bytes b begins with that are only themselves in a string:
// no quote, no backslash, no control character. It looks at eight at once.
func plain(b []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(b); n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, slash := w^('"'*ones), w^('\\'*ones)
		// A byte of a term has its highest bit set if it is less than what is taken
		// from it; borrows make others wrong only above one that is right.
		if found := ((w-' '*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & high; found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for ; n < len(b) && b[n] != '"' && b[n] != '\\' && b[n] >= ' '; n++ {
	}
	return n
}

// long takes a string that may be long, and has no escapes: where there are some
// they are not looked for, and what is returned is not what the string says.
func (s *scanner) long() (text []byte, ok bool) {
	if !s.take('"') {
		return nil, false
	}
	n := bytes.IndexByte(s.b[s.i:], '"')
	if n < 0 {
		return nil, false
	}
	text = s.b[s.i : s.i+n]
	s.i += n + 1
	return text, true
}

// name takes the name of a member, and the colon after it.
func (s *scanner) name() (name []byte, ok bool) {
	name, escaped, ok := s.text()
	return name, ok && !escaped && s.take(':')
}

// null takes null, if that comes next.
func (s *scanner) null() bool { return s.next() == 'n' && s.literal("null") }

func (s *scanner) literal(l string) bool {
	if len(s.b)-s.i < len(l) || string(s.b[s.i:s.i+len(l)]) != l {
		return false
	}
	s.i += len(l)
	return true
}

// number takes a number.
func (s *scanner) number() (number []byte, ok bool) {
	s.next()
	start := s.i
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	whole := s.i
	if !s.digits() || s.b[whole] == '0' && s.i > whole+1 {
		return nil, false
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return nil, false
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		if s.i++; s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return nil, false
		}
	}
	return s.b[start:s.i], true
}

// digits takes digits, at least one.
func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	return s.i > start
}

// skip takes any value.
func (s *scanner) skip(depth int) bool {
	switch s.next() {
	case '"':
		_, escaped, ok := s.text()
		return ok && !escaped
	case '{':
		s.i++
		return depth < maxDepth && s.members('}', func() bool {
			_, ok := s.name()
			return ok && s.skip(depth+1)
		})
	case '[':
		s.i++
		return depth < maxDepth && s.members(']', func() bool { return s.skip(depth + 1) })
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	_, ok := s.number()
	return ok
}

// members takes what is in a list or object whose beginning was taken, and its
// end. take takes one element.
func (s *scanner) members(end byte, take func() bool) bool {
	if s.next() == end {
		s.i++
		return true
	}
	for {
		if !take() {
			return false
		}
		if more, ok := s.more(end); !ok || !more {
			return ok
		}
	}
}

// atEnd reports whether nothing but white space follows.
func (s *scanner) atEnd() bool {
	s.next()
	return s.i == len(s.b)
}
