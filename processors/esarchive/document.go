package esarchive

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	gojson "github.com/goccy/go-json"
)

// malformed is Firehose's code of a document that is never sent.
const malformed = "OS.MalformedData"

// maxDepth is how deep the objects and arrays of a document may be nested; the clusters
// that have a limit have this one.
const maxDepth = 1000

// source returns what is sent of a record's data: all but the white space around, if that
// is exactly one JSON object in UTF-8 on a single line. Else why says what is wrong with
// it, without its content.
func source(data []byte) (text []byte, why string) {
	text = bytes.Trim(data, " \t\r\n")
	switch {
	case len(text) == 0:
		return nil, "the record is empty, and must be one JSON object"
	case bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0:
		return nil, "the record must be one JSON object on a single line, and has a line break inside"
	case !utf8.Valid(text):
		return nil, "the record must be one JSON object in UTF-8, and is not UTF-8"
	case text[0] != '{' || !gojson.Valid(text):
		return nil, "the record must be exactly one JSON object, and is not"
	case isDeep(text):
		return nil, "the record must be one JSON object, nested at most 1000 deep, and is deeper"
	}
	return text, ""
}

// isDeep reports whether a valid text is nested deeper than maxDepth.
func isDeep(text []byte) bool {
	if bytes.Count(text, []byte{'{'})+bytes.Count(text, []byte{'['}) <= maxDepth {
		return false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfText(text, i) - 1
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// fields are the paths of what is taken out of documents; nil for none.
type fields struct{ id, version, routing path }

// taken is what was found in a document, in its memory where that is possible.
type taken struct{ id, version, routing []byte }

const (
	maxID      = 512 // bytes, the cluster's
	maxVersion = "9223372036854775807"
)

// take finds the fields in a valid document. why says what is wrong with the first one
// that cannot be used, and names its path but not its value.
func (f *fields) take(text []byte) (t taken, why string) {
	if f.id.steps != nil {
		v := f.id.find(text)
		if t.id = v.text(); t.id == nil && v.isInteger() {
			t.id = v.raw
		}
		switch {
		case len(t.id) == 0:
			return taken{}, f.id.wrong("must be a text that is not empty, or an integer: it is the document's id")
		case len(t.id) > maxID:
			return taken{}, f.id.wrong("must have at most 512 bytes of UTF-8: it is the document's id")
		case bytes.ContainsRune(t.id, utf8.RuneError):
			return taken{}, f.id.wrong("must not have U+FFFD or half of a surrogate pair: it is the document's id")
		}
	}
	if f.version.steps != nil {
		v := f.version.find(text)
		if t.version = v.raw; !v.isInteger() || v.raw[0] == '-' || len(v.raw) > len(maxVersion) || len(v.raw) == len(maxVersion) && string(v.raw) > maxVersion {
			return taken{}, f.version.wrong("must be an integer of 0-9223372036854775807: it is the document's version")
		}
	}
	if f.routing.steps != nil {
		v := f.routing.find(text)
		if t.routing = v.text(); t.routing == nil && v.isNumber() {
			t.routing = v.raw
		}
		if len(t.routing) == 0 && !v.isAbsent() {
			return taken{}, f.routing.wrong("must be a text that is not empty, a number, null or absent: the document is routed by it")
		}
	}
	return t, ""
}

// value is one of a valid text: raw is all of it, nil if there is none.
type value struct{ raw []byte }

func (v value) isAbsent() bool { return v.raw == nil || v.raw[0] == 'n' }

func (v value) isNumber() bool {
	return v.raw != nil && (v.raw[0] == '-' || '0' <= v.raw[0] && v.raw[0] <= '9')
}

// isInteger reports whether it is a number of digits alone, but for a sign.
func (v value) isInteger() bool {
	return v.isNumber() && !bytes.ContainsAny(v.raw, ".eE")
}

// text returns what a text says; nil if it is none.
func (v value) text() []byte {
	if v.raw == nil || v.raw[0] != '"' {
		return nil
	}
	return unquoted(v.raw)
}

// unquoted returns what a quoted text says, in its memory unless it has escapes. What is
// half of a surrogate pair becomes U+FFFD.
func unquoted(raw []byte) []byte {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil // never: it is valid
	}
	return []byte(s)
}
