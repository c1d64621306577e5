package redshiftcopy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// readJSON reads objects that follow one another, with blanks or without. The line of a row
// is that where its object begins.
func (r *rowReader) readJSON(text []byte) {
	d := json.NewDecoder(bytes.NewReader(text))
	number, counted := int64(1), 0
	for !r.s.Failed(r.rows) {
		var raw json.RawMessage
		from := int(d.InputOffset())
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return
		}
		for from < len(text) && strings.IndexByte(" \t\r\n", text[from]) >= 0 {
			from++
		}
		number += int64(bytes.Count(text[counted:from], []byte("\n")))
		counted = from
		l := line{number: number, text: string(text[from:min(from+1024, len(text))])}
		if err != nil { // where the next object begins cannot be known
			r.fail(l, LineError{Code: CodeLine, Reason: "Invalid JSON format: " + jsonProblem(err)})
			return
		}
		l.text = string(raw)
		r.addJSON(l, raw)
	}
}

func jsonProblem(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "the object does not end"
	}
	return "it cannot be read"
}

// addJSON makes a row of an object.
func (r *rowReader) addJSON(l line, raw json.RawMessage) {
	var members map[string]json.RawMessage
	isObject := raw[0] == '{'
	if isObject && json.Unmarshal(raw, &members) != nil || !isObject && (r.paths == nil || raw[0] != '[') {
		r.fail(l, LineError{Code: CodeLine, Reason: "Invalid JSON format: an object is expected"})
		return
	}
	if r.s.IgnoreCase {
		lower := make(map[string]json.RawMessage, len(members))
		for name, v := range members {
			lower[strings.ToLower(name)] = v
		}
		members = lower
	}
	fields := make([]*string, len(r.columns))
	for i, c := range r.columns {
		v := members[c.Name]
		if r.paths != nil {
			v = r.paths[i].find(raw)
		}
		fields[i] = jsonText(v)
	}
	r.add(l, fields, nil)
}

// jsonText is a value's as COPY loads it; nil is NULL.
func jsonText(raw json.RawMessage) *string {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var text string
	if raw[0] == '"' {
		_ = json.Unmarshal(raw, &text) // it was read once already
		return &text
	}
	var b bytes.Buffer
	_ = json.Compact(&b, raw) // as above
	text = b.String()
	return &text
}

// path is a JSON path: names of members, and indices of elements, which are int.
type path []any

// find returns the value at a path; nil if there is none.
func (p path) find(raw json.RawMessage) json.RawMessage {
	for _, step := range p {
		switch step := step.(type) {
		case string:
			var members map[string]json.RawMessage
			if json.Unmarshal(raw, &members) != nil {
				return nil
			}
			raw = members[step]
		case int:
			var elements []json.RawMessage
			if json.Unmarshal(raw, &elements) != nil || step >= len(elements) {
				return nil
			}
			raw = elements[step]
		}
	}
	return raw
}

// readPaths reads the file of JSON paths.
func (r *rowReader) readPaths(ctx context.Context) error {
	bucket, key, ok := splitURL(r.s.JSONPaths)
	if !ok {
		return broken(r.s.JSONPaths, "Invalid S3 URI: %s", r.s.JSONPaths)
	}
	text, err := r.source.Get(ctx, bucket, key)
	if err != nil {
		return broken(r.s.JSONPaths, "Problem reading jsonpaths file - %s", err)
	}
	var doc struct {
		Paths []string `json:"jsonpaths"`
	}
	if json.Unmarshal(text, &doc) != nil || doc.Paths == nil {
		return broken(r.s.JSONPaths, "Invalid JSONPath format: file is not supported. Expected an object with \"jsonpaths\"")
	}
	if len(doc.Paths) != len(r.columns) {
		return broken(r.s.JSONPaths, "Number of jsonpaths and the number of columns should match. JSONPath size: %d, Number of columns in table or column list: %d", len(doc.Paths), len(r.columns))
	}
	for _, text := range doc.Paths {
		p, err := parsePath(text)
		if err != nil {
			return broken(r.s.JSONPaths, "Invalid JSONPath format: %s", err)
		}
		r.paths = append(r.paths, p)
	}
	return nil
}

// parsePath reads $.a.b, $['a']['b'] and $.a[0].
func parsePath(text string) (path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	bad := fmt.Errorf("%q is no path such as $.a.b, $['a']['b'] or $.a[0]", text)
	if !ok {
		return nil, bad
	}
	p := path{}
	for rest != "" {
		if after, dotted := strings.CutPrefix(rest, "."); dotted {
			end := strings.IndexAny(after, ".[")
			if end < 0 {
				end = len(after)
			}
			if end == 0 {
				return nil, bad
			}
			p, rest = append(p, after[:end]), after[end:]
			continue
		}
		inner, after, closed := strings.Cut(strings.TrimPrefix(rest, "["), "]")
		if rest[0] != '[' || !closed || inner == "" {
			return nil, bad
		}
		rest = after
		if name, quoted := unquoted(inner); quoted {
			p = append(p, name)
			continue
		}
		var index int
		if n, err := fmt.Sscanf(inner, "%d", &index); n != 1 || err != nil || index < 0 {
			return nil, bad
		}
		p = append(p, index)
	}
	return p, nil
}

func unquoted(text string) (string, bool) {
	if len(text) < 2 || (text[0] != '\'' && text[0] != '"') || text[len(text)-1] != text[0] {
		return "", false
	}
	return text[1 : len(text)-1], true
}
