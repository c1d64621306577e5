package jq

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"github.com/shardmill/shardmill/processors/partition/internal/jsontext"
)

// maxPrinted is how deep jq 1.6 prints.
const maxPrinted = 256

// print appends a value as jq 1.6 prints it.
func (m *machine) print(dst []byte, v any, depth int) []byte {
	if depth > maxPrinted {
		return append(dst, "<skipped: too deep>"...)
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case string:
		return quote(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = m.print(dst, e, depth+1)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for i, name := range m.names(v) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(quote(dst, name), ':')
			dst = m.print(dst, v[name], depth+1)
		}
		return append(dst, '}')
	}
	f, _ := gojq.ToFloat64(v)
	return jsontext.AppendNumber(dst, f)
}

func quote(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20 && c != 0x7f:
			dst = append(dst, c)
		case c >= '\b' && c <= '\r' && c != '\v':
			dst = append(dst, '\\', "btn_fr"[c-'\b'])
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, '"')
}

// tojson returns a text of v, or an error.
func (m *machine) tojson(v any) any {
	if err := m.charge(m.printed(v, 0)); err != nil {
		return err
	}
	return string(m.print(nil, v, 0))
}

// printed is about how long a value is when it is printed. It ends when that is more
// than may be allocated: parts that occur often count as often.
func (m *machine) printed(v any, depth int) int {
	n := 24
	if depth > maxPrinted {
		return n
	}
	switch v := v.(type) {
	case string:
		n += len(v)
	case []any:
		for _, e := range v {
			if n += m.printed(e, depth+1); int64(n) > m.left {
				break
			}
		}
	case map[string]any:
		for name, e := range v {
			if n += len(name) + m.printed(e, depth+1); int64(n) > m.left {
				break
			}
		}
	}
	return n
}

func (m *machine) tostring(v any) any {
	if s, ok := v.(string); ok {
		return s
	}
	return m.tojson(v)
}

// describe is a value in the text of an error: its type, and the beginning of it.
func (m *machine) describe(v any) string {
	const longest = 14 // as jq 1.6 has it
	text, ok := m.tojson(v).(string)
	if !ok {
		return kind(v)
	}
	if len(text) > longest {
		text = jsontext.ValidText(text[:longest-3]) + "..."
	}
	return kind(v) + " (" + text + ")"
}

func (m *machine) fromjson(v any, _ []any) any {
	s, ok := v.(string)
	if !ok {
		return fault(m.describe(v) + " only strings can be parsed")
	}
	return m.parse(s)
}

func (m *machine) parse(s string) any {
	if err := m.charge(len(s)); err != nil {
		return err
	}
	parsed, err := jsontext.Decode([]byte(s), m.ordered, m.decodes)
	if errors.Is(err, jsontext.ErrText) {
		return fault("Invalid JSON (while parsing '" + s + "')")
	}
	if err != nil {
		return err
	}
	return parsed
}

func (m *machine) tonumber(v any, _ []any) any {
	s, ok := v.(string)
	if !ok {
		if kind(v) == "number" {
			return v
		}
		return fault(m.describe(v) + " cannot be parsed as a number")
	}
	if n, ok := lenientNumber(s); ok {
		return n
	}
	return fault(m.describe(v) + " cannot be parsed as a number")
}

// lenientNumber reads what jq 1.6 takes for a number: what its strtod reads to the end,
// with white space of JSON around. A NUL ends it.
func lenientNumber(s string) (float64, bool) {
	s, _, _ = strings.Cut(s, "\x00")
	s = strings.Trim(s, " \t\r\n")
	if s == "" || s[0] == 'n' || s[0] == 't' || s[0] == 'f' { // words of JSON
		return 0, false
	}
	unsigned := s
	if s[0] == '+' || s[0] == '-' {
		unsigned = s[1:]
	}
	switch strings.ToLower(unsigned) {
	case "nan":
		return math.NaN(), true
	case "inf", "infinity":
	default:
		if strings.Trim(unsigned, "0123456789.eE+-") != "" || unsigned == "" || unsigned[0] == '+' || unsigned[0] == '-' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

func (m *machine) split(s, by string) any {
	n := strings.Count(s, by) + 1
	if err := m.charge(2 * sizeOfElement * n); err != nil {
		return err
	}
	parts := []any{}
	if s == "" {
		return parts
	}
	for part := range strings.SplitSeq(s, by) {
		parts = append(parts, part)
	}
	return parts
}

func (m *machine) splitFunc(v any, args []any) any {
	s, ok := v.(string)
	by, byOK := args[0].(string)
	if !ok || !byOK {
		return fault("split input and separator must be strings")
	}
	return m.split(s, by)
}

func (m *machine) explode(v any, _ []any) any {
	s, ok := v.(string)
	if !ok {
		return fault(m.describe(v) + " cannot be exploded")
	}
	if err := m.charge(2 * sizeOfElement * len(s)); err != nil {
		return err
	}
	list := make([]any, 0, len(s))
	for _, r := range s {
		list = append(list, float64(r))
	}
	return list
}

// implode fails where jq 1.6 ends the process.
func (m *machine) implode(v any, _ []any) any {
	list, ok := v.([]any)
	if !ok {
		return fault("implode input must be an array")
	}
	if err := m.charge(utf8.UTFMax * len(list)); err != nil {
		return err
	}
	var text []byte
	for _, e := range list {
		f, ok := gojq.ToFloat64(e)
		if !ok {
			return fault("implode input must be an array of codepoints")
		}
		r := truncated(f)
		if r < 0 {
			return fault("implode input must be an array of codepoints")
		}
		text = utf8.AppendRune(text, rune(r)) // U+FFFD of what is none
	}
	return string(text)
}

func ltrimstr(v any, args []any) any {
	s, ok := v.(string)
	left, leftOK := args[0].(string)
	if !ok || !leftOK {
		return v
	}
	return strings.TrimPrefix(s, left)
}

func rtrimstr(v any, args []any) any {
	s, ok := v.(string)
	right, rightOK := args[0].(string)
	if !ok || !rightOK {
		return v
	}
	return strings.TrimSuffix(s, right)
}

// indices finds where something is in a string, in bytes, or in an array.
func (m *machine) indices(v any, args []any) any {
	switch v := v.(type) {
	case nil:
		if kind(args[0]) != "array" && kind(args[0]) != "boolean" && args[0] != nil {
			return nil
		}
	case map[string]any:
		if name, ok := args[0].(string); ok {
			return v[name]
		}
	case string:
		if of, ok := args[0].(string); ok {
			return m.indicesOfText(v, of)
		}
	case []any:
		of, ok := args[0].([]any)
		if !ok {
			of = []any{args[0]}
		}
		return m.indicesOfList(v, of)
	}
	return fault("Cannot index " + kind(v) + " with " + kind(args[0]))
}

func (m *machine) indicesOfText(s, of string) any {
	at := []any{}
	if of == "" {
		return fault("nothing is everywhere") // what jq 1.6 does not end to find
	}
	for from := 0; ; {
		i := strings.Index(s[from:], of)
		if i < 0 {
			return at
		}
		if err := m.charge(2 * sizeOfElement); err != nil {
			return err
		}
		at = append(at, float64(from+i))
		from += i + len(of)
	}
}

func (m *machine) indicesOfList(list, of []any) any {
	at := []any{}
	for i := range list {
		found := len(of) > 0
		for j := 0; found && j < len(of); j++ {
			var e any
			if i+j < len(list) {
				e = list[i+j]
			} else if j > 0 && of[j] == nil {
				found = false
				break
			}
			order, err := m.compare(e, of[j])
			if err != nil {
				return err
			}
			found = order == 0
		}
		if found {
			if err := m.charge(2 * sizeOfElement); err != nil {
				return err
			}
			at = append(at, float64(i))
		}
	}
	return at
}

func (m *machine) keys(v any, _ []any) any {
	keys := m.keysUnsorted(v, nil)
	if list, ok := keys.([]any); ok {
		slices.SortFunc(list, gojq.Compare)
	}
	return keys
}

func (m *machine) keysUnsorted(v any, _ []any) any {
	switch v := v.(type) {
	case map[string]any:
		if err := m.charge(2 * sizeOfElement * len(v)); err != nil {
			return err
		}
		keys := make([]any, 0, len(v))
		for _, name := range m.names(v) {
			keys = append(keys, name)
		}
		return keys
	case []any:
		if err := m.charge(2 * sizeOfElement * len(v)); err != nil {
			return err
		}
		return slices.Collect(func(yield func(any) bool) {
			for i := range v {
				if !yield(float64(i)) {
					return
				}
			}
		})
	}
	return fault(m.describe(v) + " has no keys")
}
