package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cell returns what a table shows of a text that may be anybody's: "-" for none,
// and in quotes what would be taken for none, or for more than a text of one line
// by a terminal or by who reads it.
func cell(s string) string {
	switch {
	case s == "":
		return "-"
	case s == "-", !utf8.ValidString(s), strings.ContainsFunc(s, isUnseen):
		return strconv.Quote(s)
	}
	return s
}

// visible escapes what a terminal would obey in a text that may have several
// lines.
func visible(s string) string {
	var b strings.Builder
	for _, c := range s { // what is no UTF-8 becomes U+FFFD
		if c == '\n' || c == '\t' || !isUnseen(c) {
			b.WriteRune(c)
			continue
		}
		quoted := strconv.QuoteRune(c)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// isUnseen tells characters that move, hide or reverse others, and spaces that
// are none.
func isUnseen(c rune) bool { return !unicode.IsPrint(c) }
