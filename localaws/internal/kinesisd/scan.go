package kinesisd

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// scanner reads JSON from a request's body without building values: it is what
// PutRecords spends its time in. It accepts what encoding/json does.
type scanner struct {
	text []byte
	pos  int
}

func (s *scanner) fail(expected string) error {
	return malformed("The request is not valid JSON of this operation: %s expected at byte %d.", expected, s.pos)
}

// peek skips white space and gives the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// accept skips white space and, if it comes next, the byte.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

// null skips a null if one comes next.
func (s *scanner) null() bool {
	if s.peek() != 'n' || !bytes.HasPrefix(s.text[s.pos:], []byte("null")) {
		return false
	}
	s.pos += len("null")
	return true
}

// object calls field for each member with its name; field reads the value.
func (s *scanner) object(field func(name []byte) error) error {
	if !s.accept('{') {
		return s.fail("an object")
	}
	if s.accept('}') {
		return nil
	}
	for {
		name, err := s.str()
		if err != nil {
			return err
		}
		if !s.accept(':') {
			return s.fail("a colon")
		}
		if err := field(name); err != nil {
			return err
		}
		if s.accept('}') {
			return nil
		}
		if !s.accept(',') {
			return s.fail("a comma")
		}
	}
}

// array calls element for each element; element reads it.
func (s *scanner) array(element func() error) error {
	if !s.accept('[') {
		return s.fail("an array")
	}
	if s.accept(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if s.accept(']') {
			return nil
		}
		if !s.accept(',') {
			return s.fail("a comma")
		}
	}
}

// raw reads a string and gives what stands between its quotes. It is checked
// only where it has escapes.
func (s *scanner) raw() (inside []byte, escaped bool, err error) {
	if !s.accept('"') {
		return nil, false, s.fail("a string")
	}
	start := s.pos
	for {
		i := bytes.IndexByte(s.text[s.pos:], '"')
		if i < 0 {
			return nil, false, s.fail("the end of a string")
		}
		part := s.text[s.pos : s.pos+i]
		s.pos += i + 1
		if bytes.IndexByte(part, '\\') < 0 && !escaped {
			return s.text[start : s.pos-1], false, nil
		}
		escaped = true
		if !endsInEscape(s.text[start : s.pos-1]) {
			return s.text[start : s.pos-1], true, nil
		}
	}
}

// endsInEscape reports whether a quote after text would be escaped: an odd
// number of backslashes stands before it.
func endsInEscape(text []byte) bool {
	n := 0
	for i := len(text) - 1; i >= 0 && text[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

// str reads a string and gives its value, which lies in the body if it has no
// escapes.
func (s *scanner) str() ([]byte, error) {
	inside, escaped, err := s.raw()
	if err != nil {
		return nil, err
	}
	if !escaped {
		if !plain(inside) {
			return nil, s.fail("a string in UTF-8 without control characters")
		}
		return inside, nil
	}
	var value string
	if err := json.Unmarshal(s.text[s.pos-len(inside)-2:s.pos], &value); err != nil {
		return nil, s.fail("a string with valid escapes")
	}
	return []byte(value), nil
}

// plain reports whether text without backslashes may stand in a JSON string as
// it is.
func plain(text []byte) bool {
	for _, c := range text {
		if c < 0x20 {
			return false
		}
	}
	return utf8.Valid(text)
}

// boolean reads true or false.
func (s *scanner) boolean() (bool, error) {
	s.peek()
	switch rest := s.text[s.pos:]; {
	case bytes.HasPrefix(rest, []byte("true")):
		s.pos += len("true")
		return true, nil
	case bytes.HasPrefix(rest, []byte("false")):
		s.pos += len("false")
		return false, nil
	default:
		return false, s.fail("true or false")
	}
}

// skip reads a value of any kind and forgets it.
func (s *scanner) skip() error {
	s.peek()
	start := s.pos
	for depth := 0; s.pos < len(s.text); {
		switch c := s.text[s.pos]; c {
		case '"':
			if _, _, err := s.raw(); err != nil {
				return err
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return s.skipped(start)
			}
			if c != ',' {
				depth--
			}
		}
		s.pos++
	}
	return s.skipped(start)
}

func (s *scanner) skipped(start int) error {
	if !json.Valid(s.text[start:s.pos]) {
		return s.fail("a value")
	}
	return nil
}

// end reports an error unless only white space is left.
func (s *scanner) end() error {
	if s.peek() != 0 || s.pos < len(s.text) {
		return s.fail("the end")
	}
	return nil
}
