package decode

import (
	"strings"
	"time"
)

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
