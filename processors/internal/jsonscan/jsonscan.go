// Package jsonscan reads a text of JSON from its begin to its end, value by value, as who
// reads it asks. It copies nothing but texts with escapes, so that megabytes of base64
// are looked at once. It accepts what encoding/json does, in which its tests have their
// judge, but nothing that is nested more than 1000 deep.
package jsonscan

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

const maxDepth = 1000

// Scanner stands before a value of a text. Each of its methods reads it, or skips it if
// it is of another kind. After a fault of the text all of them report no. One goroutine
// uses it.
type Scanner struct {
	text  []byte
	at    int
	depth int
	bad   bool
	names []string // of members; made once, as texts of JSON repeat them
	next  int      // where the next one may be
}

const maxNames = 64 // that are kept

// New returns a Scanner before the value that text is.
func New(text []byte) *Scanner {
	s := &Scanner{text: text}
	s.blank()
	return s
}

// End reports whether the text was JSON, and is all read.
func (s *Scanner) End() bool { return !s.bad && s.at == len(s.text) }

// Object calls member before the value of each member of an object, which it must read,
// and reports whether it was one.
func (s *Scanner) Object(member func(name string)) bool {
	if !s.is('{') {
		s.Skip()
		return false
	}
	s.list('}', func() {
		name, ok := s.name()
		if !ok || !s.take(':') {
			s.fail()
			return
		}
		member(name)
	})
	return !s.bad
}

// name is Text for the name of a member. It looks first for the name that followed the one
// before the last time, as objects that repeat have theirs in one order.
func (s *Scanner) name() (string, bool) {
	raw, ok := s.Bytes()
	for i := range s.names {
		at := s.next + i
		if at >= len(s.names) {
			at -= len(s.names)
		}
		if name := s.names[at]; name == string(raw) && ok {
			s.next = at + 1
			return name, true
		}
	}
	name := text(raw)
	if ok && len(s.names) < maxNames {
		if s.names == nil {
			s.names = make([]string, 0, maxNames/4)
		}
		s.names = append(s.names, name)
		s.next = len(s.names)
	}
	return name, ok
}

// Array calls element before each element of an array, which it must read, and reports
// whether it was one.
func (s *Scanner) Array(element func()) bool {
	if !s.is('[') {
		s.Skip()
		return false
	}
	s.list(']', element)
	return !s.bad
}

// list reads what stands between brackets, with commas between.
func (s *Scanner) list(end byte, entry func()) {
	s.depth++
	defer func() { s.depth-- }()
	if s.depth > maxDepth {
		s.fail()
	}
	s.at++
	s.blank()
	if s.bad || s.take(end) {
		return
	}
	for {
		if end == '}' && !s.is('"') {
			s.fail()
		}
		before := s.at
		if !s.bad {
			entry()
		}
		if s.bad || s.at == before {
			s.fail()
			return
		}
		if s.take(end) {
			return
		}
		if !s.take(',') {
			s.fail()
			return
		}
	}
}

// Skip reads a value of any kind.
func (s *Scanner) Skip() {
	switch {
	case s.bad:
	case s.at == len(s.text):
		s.fail()
	case s.is('{'):
		s.Object(func(string) { s.Skip() })
	case s.is('['):
		s.Array(s.Skip)
	case s.is('"'):
		s.quoted()
	default:
		s.bare()
	}
}

// Null reports whether the value is null, and reads it only then.
func (s *Scanner) Null() bool {
	if s.is('n') {
		s.bare()
		return !s.bad
	}
	return false
}

// AtText reports whether the value is a text, and reads nothing.
func (s *Scanner) AtText() bool { return s.is('"') }

// Text returns a text, and whether it was one.
func (s *Scanner) Text() (string, bool) {
	raw, ok := s.Bytes()
	return text(raw), ok
}

// text replaces what is not UTF-8.
func text(raw []byte) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	return string([]rune(string(raw)))
}

// Bytes is Text without a copy, good for as long as the text that is read, and with
// what is not UTF-8 as it is.
func (s *Scanner) Bytes() ([]byte, bool) {
	if !s.is('"') {
		s.Skip()
		return nil, false
	}
	raw, isPlain := s.quoted()
	if s.bad {
		return nil, false
	}
	if !isPlain {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			s.fail()
			return nil, false
		}
		return []byte(text), true
	}
	return raw[1 : len(raw)-1], true
}

// Scalar returns a text, or the text of a number, true or false, or "" for null, and
// whether it was one of these.
func (s *Scanner) Scalar() (string, bool) {
	switch {
	case s.is('"'):
		return s.Text()
	case s.is('{') || s.is('['):
		s.Skip()
		return "", false
	}
	raw := s.bare()
	if s.bad || raw == "null" {
		return "", !s.bad
	}
	return raw, true
}

// Int returns an integer, and whether the value was one, without a fraction and an
// exponent, that fits. It makes no copy.
func (s *Scanner) Int() (int64, bool) {
	if s.bad || s.at == len(s.text) || !isBare(s.text[s.at]) {
		s.Skip()
		return 0, false
	}
	n, err := strconv.ParseInt(string(s.bareBytes()), 10, 64)
	return n, err == nil && !s.bad
}

// quoted reads a text with its quotes, and reports whether it is without escapes.
func (s *Scanner) quoted() (raw []byte, isPlain bool) {
	begin := s.at + 1
	end := begin + bytes.IndexByte(s.text[begin:], '"')
	isPlain = end >= begin && bytes.IndexByte(s.text[begin:end], '\\') < 0
	if !isPlain {
		end = s.escaped(begin)
	}
	if end < begin || hasControls(s.text[begin:end]) {
		s.fail()
		return nil, false
	}
	s.at = end + 1
	s.blank()
	return s.text[begin-1 : end+1], isPlain
}

// escaped returns where the quote is that ends a text with escapes, or -1.
func (s *Scanner) escaped(begin int) int {
	for i := begin; i < len(s.text); i++ {
		switch s.text[i] {
		case '"':
			return i
		case '\\':
			if i = s.escape(i); i < 0 {
				return -1
			}
		}
	}
	return -1
}

// hasControls reports whether a byte is below a space: of eight bytes at a time, whether
// subtracting a space from each borrows, where the highest bit was not set.
func hasControls(text []byte) bool {
	const ones = 0x0101010101010101
	for ; len(text) >= 8; text = text[8:] {
		if eight := binary.LittleEndian.Uint64(text); (eight-ones*' ')&^eight&(ones<<7) != 0 {
			return true
		}
	}
	for _, c := range text {
		if c < ' ' {
			return true
		}
	}
	return false
}

// escape returns where the escape that begins at i ends, or -1 if it is none.
func (s *Scanner) escape(i int) int {
	if i++; i >= len(s.text) {
		return -1
	}
	switch s.text[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		if i+4 < len(s.text) && json.Valid(append(append([]byte{'"'}, s.text[i-1:i+5]...), '"')) {
			return i + 4
		}
	}
	return -1
}

// bare reads a number, true, false or null.
func (s *Scanner) bare() string { return string(s.bareBytes()) }

// bareBytes is bare without a copy.
func (s *Scanner) bareBytes() []byte {
	begin := s.at
	for s.at < len(s.text) && isBare(s.text[s.at]) {
		s.at++
	}
	raw := s.text[begin:s.at]
	if !isDigits(raw) && !json.Valid(raw) {
		s.fail()
	}
	s.blank()
	return raw
}

// isDigits reports whether a text is an integer as most are, which need no judge.
func isDigits(text []byte) bool {
	if len(text) == 0 || text[0] == '0' && len(text) > 1 {
		return false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func isBare(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'E'
}

func (s *Scanner) is(c byte) bool { return !s.bad && s.at < len(s.text) && s.text[s.at] == c }

// take reads c, if it is there.
func (s *Scanner) take(c byte) bool {
	if !s.is(c) {
		return false
	}
	s.at++
	s.blank()
	return true
}

func (s *Scanner) blank() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *Scanner) fail() { s.bad = true }
