package jsontext

import (
	"encoding/binary"
	"math/bits"
)

// Skip returns where the white space at i ends.
func Skip(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t') {
		i++
	}
	return i
}

// Value returns where the value that begins at i ends, or -1 if none does. Depth is how
// much is open around it.
func Value(data []byte, i, depth int) int {
	if i >= len(data) {
		return -1
	}
	switch c := data[i]; c {
	case '"':
		return text(data, i)
	case '{':
		return object(data, i, depth)
	case '[':
		return array(data, i, depth)
	case 't':
		return word(data, i, "true")
	case 'f':
		return word(data, i, "false")
	case 'n':
		return word(data, i, "null")
	default:
		return Number(data, i)
	}
}

// object and array are what a Cursor goes through, in one go: most of what a record has is not
// looked for.
func object(data []byte, i, depth int) int {
	if depth >= maxDepth {
		return -1
	}
	if i = Skip(data, i+1); i < len(data) && data[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(data) || data[i] != '"' {
			return -1
		}
		if i = text(data, i); i < 0 {
			return -1
		}
		if i = Skip(data, i); i >= len(data) || data[i] != ':' {
			return -1
		}
		if i = Value(data, Skip(data, i+1), depth+2); i < 0 {
			return -1
		}
		var more bool
		if i, more = next(data, i, '}'); !more {
			return i
		}
	}
}

func array(data []byte, i, depth int) int {
	if depth >= maxDepth {
		return -1
	}
	if i = Skip(data, i+1); i < len(data) && data[i] == ']' {
		return i + 1
	}
	for {
		if i = Value(data, i, depth+1); i < 0 {
			return -1
		}
		var more bool
		if i, more = next(data, i, ']'); !more {
			return i
		}
	}
}

// next goes on behind a value: to where the next one begins, or to the end of the whole, which is -1
// if there is none.
func next(data []byte, i int, closing byte) (at int, more bool) {
	if i = Skip(data, i); i >= len(data) {
		return -1, false
	}
	switch data[i] {
	case ',':
		return Skip(data, i+1), true
	case closing:
		return i + 1, false
	}
	return -1, false
}

// Cursor goes through the members of an object or the elements of an array. After Next
// returned true, At is where a value begins; who uses it sets At to where the value ends.
type Cursor struct {
	At    int // of the value
	Depth int // of the value
	End   int // of the whole, when Next has returned false; -1 if it is none
	Name  []byte
	Plain bool // Name is as it is read: without escapes, and of ASCII

	data   []byte
	object bool
	begun  bool
}

// Members goes through an object, whose brace is at i.
func Members(data []byte, i, depth int) Cursor {
	return Cursor{At: i + 1, Depth: depth + 2, End: tooDeep(depth), data: data, object: true}
}

// Elements goes through an array, whose bracket is at i.
func Elements(data []byte, i, depth int) Cursor {
	return Cursor{At: i + 1, Depth: depth + 1, End: tooDeep(depth), data: data}
}

// tooDeep is the end of what opens at a depth, before anything of it is read.
func tooDeep(depth int) int {
	if depth >= maxDepth {
		return -1
	}
	return 0
}

// Next goes to the next value.
func (c *Cursor) Next() bool {
	if c.End < 0 || c.At < 0 {
		return c.done(-1)
	}
	i := Skip(c.data, c.At)
	if i >= len(c.data) {
		return c.done(-1)
	}
	switch b := c.data[i]; {
	case b == ']' && !c.object, b == '}' && c.object:
		return c.done(i + 1)
	case !c.begun:
		c.begun = true
	case b != ',':
		return c.done(-1)
	default:
		i = Skip(c.data, i+1)
	}
	if c.object {
		i = c.name(i)
	}
	if c.At = i; i < 0 {
		return c.done(-1)
	}
	return true
}

// name reads a name and its colon, and returns where the value begins.
func (c *Cursor) name(i int) int {
	if i >= len(c.data) || c.data[i] != '"' {
		return -1
	}
	end, plain := String(c.data, i)
	if end < 0 {
		return -1
	}
	c.Name, c.Plain = c.data[i+1:end-1], plain
	if i = Skip(c.data, end); i >= len(c.data) || c.data[i] != ':' {
		return -1
	}
	return Skip(c.data, i+1)
}

func (c *Cursor) done(end int) bool {
	c.End = end
	return false
}

func word(data []byte, i int, w string) int {
	if len(data)-i < len(w) || string(data[i:i+len(w)]) != w {
		return -1
	}
	return i + len(w)
}

// Number returns where the number that begins at i ends, or -1 if none does.
func Number(data []byte, i int) int {
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch {
	case i < len(data) && data[i] == '0':
		i++
	default:
		if i = digits(data, i); i < 0 {
			return -1
		}
	}
	if i < len(data) && data[i] == '.' {
		if i = digits(data, i+1); i < 0 {
			return -1
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		return digits(data, i)
	}
	return i
}

// digits returns where the digits at i end, or -1 if there are none.
func digits(data []byte, i int) int {
	begin := i
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	if i == begin {
		return -1
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// String returns where the string whose quotation mark is at i ends, or -1 if none does,
// and whether it is as it is read: without escapes, and of ASCII.
func String(data []byte, i int) (end int, plain bool) {
	if end = text(data, i); end < 0 {
		return -1, false
	}
	return end, isPlain(data[i+1 : end-1])
}

func isPlain(s []byte) bool {
	for len(s) >= 8 {
		x := binary.LittleEndian.Uint64(s)
		slash := x ^ (ones * '\\')
		if (x|(slash-ones)&^slash)&highs != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

// text returns where the string whose quotation mark is at i ends, or -1 if none does.
func text(data []byte, i int) (end int) {
	for i++; ; {
		for i+8 <= len(data) { // the first byte that is a quotation mark, a backslash or a control character
			x := binary.LittleEndian.Uint64(data[i:])
			quote, slash := x^(ones*'"'), x^(ones*'\\')
			stop := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x) & highs
			if stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		for i < len(data) && data[i] >= 0x20 && data[i] != '"' && data[i] != '\\' {
			i++
		}
		if i >= len(data) || data[i] < 0x20 {
			return -1
		}
		if data[i] == '"' {
			return i + 1
		}
		if i = escape(data, i); i < 0 {
			return -1
		}
	}
}

// escape returns where the escape at i ends, or -1 if none does.
func escape(data []byte, i int) int {
	if i+1 >= len(data) {
		return -1
	}
	switch data[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		_, end := unit(data, i)
		return end
	}
	return -1
}

// unit reads \uXXXX, or two of them, and returns the character and where they end, or -1.
func unit(data []byte, i int) (r rune, end int) {
	u := hex4(data, i)
	if u < 0xd800 || u > 0xdbff {
		return u, ifValid(u, i+6)
	}
	low := hex4(data, i+6)
	if low < 0xdc00 || low > 0xdfff {
		return 0, -1
	}
	return 0x10000 + (u-0xd800)<<10 + (low - 0xdc00), i + 12
}

func ifValid(u rune, end int) int {
	if u < 0 {
		return -1
	}
	return end
}

// hex4 reads \uXXXX at i; -1 if it is none.
func hex4(data []byte, i int) rune {
	if i+6 > len(data) || data[i] != '\\' || data[i+1] != 'u' {
		return -1
	}
	var u rune
	for _, c := range data[i+2 : i+6] {
		switch {
		case c-'0' <= 9:
			u = u<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			u = u<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return u
}
