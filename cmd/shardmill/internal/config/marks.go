package config

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// warnOfMarks warns of characters that change a text and are not seen in it, or
// look like a space and are none: keys that look alike are then different ones.
func warnOfMarks(p document.Place, s string) {
	if i := strings.IndexFunc(s, isMark); i >= 0 {
		p.Warn(fmt.Sprintf("it has the character %U, which cannot be seen or looks like a space; remove it unless keys are to have it", []rune(s[i:])[0]))
	}
}

// isMark tells marks of direction and of no width, and spaces but the usual one.
func isMark(c rune) bool {
	return c != ' ' && unicode.In(c, unicode.Cf, unicode.Zs, unicode.Zl, unicode.Zp)
}
