package importer

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// maxDepth is how deep objects and lists may be nested. Terraform's modules are;
// no template is.
const maxDepth = 200

// maxValues is how many values a file may have: each takes more memory than it
// has bytes.
const maxValues = 1 << 19

// jsonReader turns the tokens of JSON into values with lines.
type jsonReader struct {
	*document.Report

	data    []byte
	tokens  *json.Decoder
	counted int // bytes whose newlines are in line
	line    int
	values  int // so far

	unwritten bool // there are no lines
}

// readJSON returns the value that data is, which is valid JSON. If it is
// unwritten its values are in no line.
func readJSON(r *document.Report, data []byte, unwritten bool) (document.Value, bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return (&jsonReader{Report: r, data: data, tokens: d, line: 1, unwritten: unwritten}).value(0)
}

// next returns the next token and the line where it ends, which is where it
// begins.
func (j *jsonReader) next() (json.Token, int) {
	t, err := j.tokens.Token()
	if err != nil {
		return nil, j.line // there are no errors in valid JSON
	}
	if j.unwritten {
		return t, 0
	}
	end := int(j.tokens.InputOffset())
	j.line += bytes.Count(j.data[j.counted:end], []byte("\n"))
	j.counted = end
	return t, j.line
}

func (j *jsonReader) value(depth int) (document.Value, bool) {
	t, line := j.next()
	if depth > maxDepth {
		j.FaultAt(line, "the file nests objects and lists more than %d deep; make it flatter", maxDepth)
		return document.Value{}, false
	}
	if j.values++; j.values > maxValues {
		j.FaultAt(line, "the file has more than %d values; give less of it, but the whole delivery stream", maxValues)
		return document.Value{}, false
	}
	v := document.Value{Line: line}
	switch t := t.(type) {
	case nil:
		v.Kind, v.Text = document.Null, "null"
	case bool:
		v.Kind, v.Text = document.Boolean, strconv.FormatBool(t)
	case json.Number:
		v.Kind, v.Text = document.Number, t.String()
	case string:
		v.Kind, v.Text = document.Text, t
	case json.Delim:
		if t == '{' {
			return j.object(v, depth)
		}
		return j.list(v, depth)
	}
	return v, true
}

func (j *jsonReader) list(v document.Value, depth int) (document.Value, bool) {
	v.Kind = document.List
	for j.tokens.More() {
		each, ok := j.value(depth + 1)
		if !ok {
			return v, false
		}
		v.Items = append(v.Items, each)
	}
	j.next()
	return v, true
}

func (j *jsonReader) object(v document.Value, depth int) (document.Value, bool) {
	v.Kind = document.Object
	first := map[string]int{}
	for j.tokens.More() {
		key, line := j.next()
		name, _ := key.(string)
		inner, ok := j.value(depth + 1)
		if !ok {
			return v, false
		}
		if earlier, twice := first[name]; twice {
			j.FaultAt(line, "%q is given twice, first in line %d; remove one", name, earlier)
			continue
		}
		first[name] = line
		v.Members = append(v.Members, document.Member{Key: name, Line: line, Value: inner})
	}
	j.next()
	return v, true
}
