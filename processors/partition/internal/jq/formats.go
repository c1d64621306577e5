package jq

import (
	"encoding/base64"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/shardmill/shardmill/processors/partition/internal/jsontext"
)

// format is jq's function of that name: @NAME is format("NAME").
func (m *machine) format(v any, args []any) any {
	name, ok := args[0].(string)
	if !ok {
		return fault(m.describe(args[0]) + " is not a valid format")
	}
	switch name {
	case "json":
		return m.tojson(v)
	case "text":
		return m.tostring(v)
	case "csv":
		return m.row(v, "csv", ",", func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` })
	case "tsv":
		return m.row(v, "tsv", "\t", strings.NewReplacer("\t", `\t`, "\r", `\r`, "\n", `\n`, `\`, `\\`).Replace)
	case "sh":
		return m.shell(v)
	}
	escape, ok := escapes(name)
	if !ok {
		return fault(name + " is not a valid format")
	}
	s, ok := m.tostring(v).(string)
	if !ok {
		return m.charge(0)
	}
	if err := m.charge(5 * len(s)); err != nil {
		return err
	}
	escaped := escape(s)
	if why, ok := escaped.(fault); ok {
		return fault(m.describe(s)) + " " + why
	}
	return escaped
}

// validFormat tells whether jq 1.6 knows a format.
func validFormat(name string) bool {
	switch name {
	case "json", "text", "csv", "tsv", "sh":
		return true
	}
	_, ok := escapes(name)
	return ok
}

// escapes returns what a format makes of a text.
func escapes(name string) (func(string) any, bool) {
	switch name {
	case "html":
		return func(s string) any {
			return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;").Replace(s)
		}, true
	case "uri":
		return func(s string) any { return percent(s) }, true
	case "base64":
		return func(s string) any { return base64.StdEncoding.EncodeToString([]byte(s)) }, true
	case "base64d":
		return fromBase64, true
	}
	return nil, false
}

func percent(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// fromBase64 reads up to the first '=', with which a text of another length may end early.
func fromBase64(s string) any {
	text, _, _ := strings.Cut(s, "=")
	if len(text)%4 == 1 {
		if _, err := base64.RawStdEncoding.DecodeString(text + "AAA"); err == nil {
			return fault("trailing base64 byte found")
		}
	}
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder skips
		return fault("is not valid base64 data")
	}
	return jsontext.ValidText(string(decoded))
}

// row joins the values of an array.
func (m *machine) row(v any, name, separator string, quoted func(string) string) any {
	list, ok := v.([]any)
	if !ok {
		return fault(m.describe(v) + " cannot be " + name + "-formatted, only array")
	}
	var b strings.Builder
	for i, e := range list {
		if i > 0 {
			b.WriteString(separator)
		}
		text := ""
		switch e := e.(type) {
		case nil:
		case []any, map[string]any:
			return fault(m.describe(e) + " is not valid in a csv row")
		case string:
			text = quoted(e)
		default:
			if f, ok := gojq.ToFloat64(e); !ok || f == f {
				text = string(m.print(nil, e, 0))
			}
		}
		if err := m.charge(len(separator) + len(text)); err != nil {
			return err
		}
		b.WriteString(text)
	}
	return b.String()
}

func (m *machine) shell(v any) any {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var b strings.Builder
	for i, e := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		var text string
		switch e := e.(type) {
		case []any, map[string]any:
			return fault(m.describe(e) + " can not be escaped for shell")
		case string:
			text = "'" + strings.ReplaceAll(e, "'", `'\''`) + "'"
		default:
			text = string(m.print(nil, e, 0))
		}
		if err := m.charge(1 + len(text)); err != nil {
			return err
		}
		b.WriteString(text)
	}
	return b.String()
}
