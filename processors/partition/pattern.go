package partition

import (
	"strings"
	"time"
)

// pattern reads moments by letters of java.time's DateTimeFormatter.
type pattern []field

// field is a run of one letter, or a literal.
type field struct {
	letter  byte // 0: a literal
	n       int
	literal string
}

// parsePattern returns the pattern that s is, or why it is none.
func parsePattern(s string) (p pattern, reason string) {
	seen := ""
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\'':
			text, n := quoted(s[i:])
			if n == 0 {
				return nil, "has an apostrophe that is not closed"
			}
			p = append(p, field{literal: text})
			i += n
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			n := len(s[i:]) - len(strings.TrimLeft(s[i:], s[i:i+1]))
			f := field{letter: normal(c), n: n}
			if !f.valid() {
				return nil, "has " + s[i:i+n] + ", which is not read here"
			}
			if strings.IndexByte(seen, group(f.letter)) >= 0 {
				return nil, "has the letter " + s[i:i+1] + " again"
			}
			seen += string(rune(group(f.letter)))
			p = append(p, f)
			i += n
		case strings.IndexByte("[]{}#", c) >= 0:
			return nil, "has the character " + s[i:i+1] + ", which is not read here"
		default:
			p = append(p, field{literal: s[i : i+1]})
			i++
		}
	}
	if strings.IndexByte(seen, 'y') < 0 {
		return nil, "has no year"
	}
	return p, ""
}

// quoted returns what stands between apostrophes, of which two are one, and how long it is with
// them.
func quoted(s string) (text string, n int) {
	if strings.HasPrefix(s, "''") {
		return "'", 2
	}
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			text += s[i : i+1]
			continue
		}
		if i+1 == len(s) || s[i+1] != '\'' {
			return text, i + 1
		}
		text += "'"
		i++
	}
	return "", 0
}

func normal(letter byte) byte {
	if letter == 'u' {
		return 'y'
	}
	return letter
}

// group is what letters have in common of which a pattern has one.
func group(letter byte) byte {
	if letter == 'x' || letter == 'Z' {
		return 'X'
	}
	return letter
}

func (f field) valid() bool {
	switch f.letter {
	case 'y':
		return f.n == 2 || f.n == 4
	case 'M', 'd', 'H', 'm', 's':
		return f.n <= 2
	case 'S':
		return f.n <= 9
	case 'X', 'x', 'Z':
		return f.n <= 3
	}
	return false
}

func (p pattern) read(m moment) (time.Time, bool) {
	r := reader{text: m.text}
	c := clock{month: 1, day: 1}
	for _, f := range p {
		if !f.read(&r, &c) {
			return time.Time{}, false
		}
	}
	if len(r.text) > 0 || c.second > 59 {
		return time.Time{}, false
	}
	return c.time()
}

func (f field) read(r *reader, c *clock) bool {
	switch f.letter {
	case 0:
		return r.literal(f.literal)
	case 'y':
		if !r.digits(&c.year, f.n) {
			return false
		}
		if f.n == 2 {
			c.year += 2000
		}
		return true
	case 'M':
		return f.number(r, &c.month)
	case 'd':
		return f.number(r, &c.day)
	case 'H':
		return f.number(r, &c.hour)
	case 'm':
		return f.number(r, &c.minute)
	case 's':
		return f.number(r, &c.second)
	case 'S':
		return r.fraction(&c.nano, f.n)
	}
	return f.zone(r, c)
}

// number reads two digits, or one or two.
func (f field) number(r *reader, into *int) bool {
	return r.digits(into, 2) || f.n == 1 && r.digits(into, 1)
}

func (f field) zone(r *reader, c *clock) bool {
	zero := "Z"
	if f.letter != 'X' {
		zero = ""
	}
	switch {
	case f.letter == 'Z', f.n == 2:
		return r.offset(&c.offset, zero, together)
	case f.n == 1:
		return r.offset(&c.offset, zero, hoursOptional)
	}
	return r.offset(&c.offset, zero, colon)
}
