package jq

import (
	"strings"

	"github.com/itchyny/gojq"
)

// ?// is one token to jq 1.6, for patterns of variables alone; to gojq it may be two, as in .a?//"none".

// tokens counts the ?// in a program that are neither in texts nor in comments.
func tokens(program string) (n int) {
	var open []int // the parentheses that are open in each interpolation that is
	text := false
	for i := 0; i < len(program); i++ {
		switch c := program[i]; {
		case text && c == '\\' && strings.HasPrefix(program[i:], `\(`):
			open, text = append(open, 0), false
			i++
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '#':
			for i+1 < len(program) && program[i+1] != '\n' {
				i++
			}
		case strings.HasPrefix(program[i:], "?//"):
			n++
			i += 2
		case len(open) == 0:
		case c == '(':
			open[len(open)-1]++
		case c == ')' && open[len(open)-1] == 0:
			open, text = open[:len(open)-1], true
		case c == ')':
			open[len(open)-1]--
		}
	}
	return n
}

// misused tells whether a program has a ?// that is none of those between patterns, which are printed
// as such, or has one of those written otherwise.
func misused(program string, q *gojq.Query) bool { return tokens(program) != tokens(q.String()) }
