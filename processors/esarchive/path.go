package esarchive

import (
	"bytes"
	"strings"
)

// path is the names of members that lead to a value in a document.
type path struct {
	given string
	steps [][]byte // nil for no path
}

func newPath(given string) path {
	if given == "" {
		return path{}
	}
	p := path{given: given}
	for name := range strings.SplitSeq(given, ".") {
		p.steps = append(p.steps, []byte(name))
	}
	return p
}

// wrong says what must be at the path of a document.
func (p path) wrong(must string) string { return p.given + " " + must }

// find returns the value at the path of a valid document, which begins with its brace. Of
// members of one name the last one counts.
func (p path) find(text []byte) value {
	v, _ := find(text, 0, p.steps)
	return v
}

// find returns the value that steps lead to from the value at i of a valid text, and
// where that one ends.
func find(text []byte, i int, steps [][]byte) (found value, end int) {
	if len(steps) == 0 {
		end = endOfValue(text, i)
		return value{text[i:end]}, end
	}
	if text[i] != '{' {
		return value{}, endOfValue(text, i)
	}
	for i = blank(text, i+1); text[i] != '}'; {
		after := endOfText(text, i)
		name := text[i:after]
		i = blank(text, blank(text, after)+1) // behind the colon
		if isNamed(name, steps[0]) {
			found, i = find(text, i, steps[1:])
		} else {
			i = endOfValue(text, i)
		}
		if i = blank(text, i); text[i] == ',' {
			i = blank(text, i+1)
		}
	}
	return found, i + 1
}

// isNamed reports whether a quoted name says that.
func isNamed(quoted, name []byte) bool {
	inner := quoted[1 : len(quoted)-1]
	return bytes.Equal(inner, name) || bytes.IndexByte(inner, '\\') >= 0 && bytes.Equal(unquoted(quoted), name)
}

// blank returns where the white space ends that begins at i.
func blank(text []byte, i int) int {
	for text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n' {
		i++
	}
	return i
}

// endOfText returns where the text ends whose quote is at i of a valid text.
func endOfText(text []byte, i int) int {
	for i++; ; {
		n := bytes.IndexByte(text[i:], '"')
		escapes := n
		for escapes > 0 && text[i+escapes-1] == '\\' {
			escapes--
		}
		i += n + 1
		if (n-escapes)%2 == 0 {
			return i
		}
	}
}

// endOfValue returns where the value ends that begins at i of a valid text.
func endOfValue(text []byte, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfText(text, i) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			for i+1 < len(text) && isPlain(text[i+1]) {
				i++
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
	return i
}

// isPlain reports whether a byte goes on with a number, true, false or null.
func isPlain(c byte) bool {
	return c == '+' || c == '-' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || c == 'E'
}
