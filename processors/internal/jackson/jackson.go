// Package jackson writes texts into JSON as Jackson does, by default: it escapes the
// quote, the backslash and what is below a space, and nothing else. That AWS writes so
// is inferred from its being written in Java.
package jackson

import "unicode/utf8"

// Append appends s as it stands between quotes. What is not UTF-8 is replaced, as
// Java's strings have no such bytes.
func Append(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	plain := 0
	for plain < len(s) && isPlain(s[plain]) {
		plain++
	}
	dst = append(dst, s[:plain]...)
	for _, c := range s[plain:] { // a byte that is not UTF-8 comes as utf8.RuneError
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', byte(c))
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			if c < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = utf8.AppendRune(dst, c)
			}
		}
	}
	return dst
}

// isPlain reports whether c stands for itself.
func isPlain(c byte) bool { return ' ' <= c && c < utf8.RuneSelf && c != '"' && c != '\\' }
