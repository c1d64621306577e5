package jsontext

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendText appends what a string means, of which raw is what its quotation marks
// enclose. It must be one that [String] took.
func AppendText(dst, raw []byte) []byte {
	begin := len(dst)
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c != '\\':
			dst = append(dst, c)
			i++
		case raw[i+1] == 'u':
			r, end := unit(raw, i)
			dst = utf8.AppendRune(dst, r) // U+FFFD of a low surrogate
			i = end
		default:
			dst = append(dst, unescaped(raw[i+1]))
			i += 2
		}
	}
	if !utf8.Valid(dst[begin:]) {
		dst = append(dst[:begin], ValidText(string(dst[begin:]))...)
	}
	return dst
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// ValidText returns s with U+FFFD for what is not UTF-8, as jq 1.6 does it.
func ValidText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	dst := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); {
		size, valid := character([]byte(s[i:min(len(s), i+utf8.UTFMax)]))
		if valid {
			dst = append(dst, s[i:i+size]...)
		} else {
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
		i += size
	}
	return string(dst)
}

// character returns how many bytes jq 1.6 takes for one character at the beginning of b,
// and whether they are one. Of a sequence that is none it takes what could have begun one,
// so that it becomes one U+FFFD.
func character(b []byte) (size int, valid bool) {
	if r, n := utf8.DecodeRune(b); r != utf8.RuneError || n > 1 {
		return n, true
	}
	want := 1
	switch c := b[0]; {
	case c >= 0xc2 && c <= 0xdf:
		want = 2
	case c >= 0xe0 && c <= 0xef:
		want = 3
	case c >= 0xf0 && c <= 0xf4:
		want = 4
	}
	if want > len(b) {
		return len(b), false
	}
	for i := 1; i < want; i++ {
		if b[i]&0xc0 != 0x80 {
			return i, false
		}
	}
	return want, false
}

// ParseNumber returns the double that a number is, which [Number] took; beyond the
// range of doubles it is infinite.
func ParseNumber(text []byte) float64 {
	f, _ := strconv.ParseFloat(string(text), 64) // of what is out of range: infinite, or 0
	return f
}

// AppendNumber appends a number as jq 1.6 prints it: 17 digits at most, as few as tell it
// from others, with an exponent below 1e-5 and from 1e17 on, or sooner if few digits
// suffice. NaN is null, and infinite is the largest double.
func AppendNumber(dst []byte, f float64) []byte {
	if f != f {
		return append(dst, "null"...)
	}
	f = min(max(f, -math.MaxFloat64), math.MaxFloat64)
	if whole := int64(f); float64(whole) == f && whole > -1e15 && whole < 1e15 && whole != 0 {
		return strconv.AppendInt(dst, whole, 10)
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, 64) // -d.ddde±dd
	if text[0] == '-' {
		dst, text = append(dst, '-'), text[1:]
	}
	e := len(text) - 1
	for text[e] != 'e' {
		e--
	}
	exponent, _ := strconv.Atoi(string(text[e+1:]))
	mantissa := text[:1]
	if e > 1 {
		copy(text[1:], text[2:e])
		mantissa = text[:e-1]
	}
	return appendDigits(dst, mantissa, exponent+1)
}

// appendDigits appends 0.MANTISSA * 10^point.
func appendDigits(dst, mantissa []byte, point int) []byte {
	n := len(mantissa)
	switch {
	case point <= -4 || point > n+15:
		dst = append(dst, mantissa[0])
		if n > 1 {
			dst = append(append(dst, '.'), mantissa[1:]...)
		}
		return appendExponent(dst, point-1)
	case point <= 0:
		dst = append(dst, "0.0000"[:2-point]...)
		return append(dst, mantissa...)
	case point < n:
		dst = append(append(dst, mantissa[:point]...), '.')
		return append(dst, mantissa[point:]...)
	}
	dst = append(dst, mantissa...)
	for range point - n {
		dst = append(dst, '0')
	}
	return dst
}

func appendExponent(dst []byte, e int) []byte {
	sign := byte('+')
	if e < 0 {
		sign, e = '-', -e
	}
	dst = append(dst, 'e', sign)
	if e < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(e), 10)
}
