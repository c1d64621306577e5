package pipeline

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// document walks over JSON that is known to be valid, without memory of its own.
type document struct {
	text []byte
	at   int
}

// span is a value as it is written.
type span []byte

// next returns the first character of what comes next.
func (d *document) next() byte {
	for d.text[d.at] <= ' ' {
		d.at++
	}
	return d.text[d.at]
}

// members reads an object. f reads the value of the member of that name.
func (d *document) members(f func(name []byte) error) error {
	d.at++
	for d.next() != '}' {
		name, _ := d.value().unquoted()
		if d.next() == ':' {
			d.at++
		}
		d.next()
		if err := f(nameOf(name)); err != nil {
			return err
		}
		d.comma()
	}
	d.at++
	return nil
}

// items reads an array. f reads an item.
func (d *document) items(f func() error) error {
	d.at++
	for d.next() != ']' {
		if err := f(); err != nil {
			return err
		}
		d.comma()
	}
	d.at++
	return nil
}

func (d *document) comma() {
	if d.next() == ',' {
		d.at++
	}
}

// value reads a value of any kind.
func (d *document) value() span {
	d.next()
	from := d.at
	for depth := 0; ; {
		switch d.text[d.at] {
		case '"':
			d.quoted()
		case '{', '[':
			depth++
			d.at++
		case '}', ']':
			depth--
			d.at++
		case ',', ':', ' ', '\t', '\r', '\n':
			d.at++
		default:
			d.bare()
		}
		if depth == 0 {
			return d.text[from:d.at]
		}
	}
}

// quoted reads a string.
func (d *document) quoted() {
	for d.at++; ; {
		n := bytes.IndexAny(d.text[d.at:], `"\`)
		if d.at += n; d.text[d.at] == '"' {
			d.at++
			return
		}
		d.at += 2
	}
}

// bare reads a number, true, false or null.
func (d *document) bare() {
	for d.at < len(d.text) && strings.IndexByte(",:]} \t\r\n", d.text[d.at]) < 0 {
		d.at++
	}
}

// unquoted returns what is between the quotes, as it is written, or false if the value
// is no string.
func (s span) unquoted() ([]byte, bool) {
	if len(s) < 2 || s[0] != '"' {
		return nil, false
	}
	return s[1 : len(s)-1], true
}

// nameOf returns the name of a member.
func nameOf(written []byte) []byte {
	if bytes.IndexByte(written, '\\') < 0 {
		return written
	}
	return unescaped(nil, written)
}

// unescaped appends what is written in a string to b, which may lie before it in the
// same memory: it has no more bytes. What is not UTF-8 stays, and half of a surrogate
// pair becomes U+FFFD.
func unescaped(b, written []byte) []byte {
	for {
		n := bytes.IndexByte(written, '\\')
		if n < 0 || n+1 >= len(written) {
			return append(b, written...)
		}
		b = append(b, written[:n]...)
		c := written[n+1]
		if written = written[n+2:]; c == 'u' {
			b, written = appendUnit(b, written)
			continue
		}
		if i := strings.IndexByte("bfnrt", c); i >= 0 {
			c = "\b\f\n\r\t"[i]
		}
		b = append(b, c)
	}
}

// appendUnit appends the character whose code is next, which may take two of them, and
// returns what follows.
func appendUnit(b, written []byte) (out, rest []byte) {
	r, rest := unit(written), written[min(4, len(written)):]
	if utf16.IsSurrogate(r) {
		second := rune(utf8.RuneError)
		if bytes.HasPrefix(rest, []byte(`\u`)) {
			second = unit(rest[2:])
		}
		if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
			rest = rest[6:]
		}
	}
	return utf8.AppendRune(b, r), rest
}

// unit returns a code of four digits.
func unit(written []byte) rune {
	n, _ := strconv.ParseUint(string(written[:min(4, len(written))]), 16, 16)
	return rune(n)
}
