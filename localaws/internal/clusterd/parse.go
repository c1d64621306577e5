package clusterd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads the source of a document as its index's mapping says, to which it adds
// what is met for the first time.
type parser struct {
	checker

	x     *index
	id    string
	pos   int
	added []addition // in the order in which they were made
	depth int        // of objects

	timestamps int // values of @timestamp
}

// addition is a field that was added to a mapping.
type addition struct {
	parent *field
	name   string
	field  *field
}

// parse judges the source of a document. If it fails the mapping is as it was.
func (s *Server) parse(x *index, id string, source []byte) *apiError {
	p := &parser{checker: checker{engine: s.engine, dates: s.dates, source: source}, x: x, id: id}
	err := p.malformed()
	if err == nil {
		p.space()
		err = p.object(x.mapping, "", "true")
	}
	if err == nil && x.stream != "" && p.timestamps != 1 {
		err = p.failed(illegal("documents must contain a single-valued timestamp field '@timestamp' of date type"))
	}
	if err == nil {
		err = p.checkSize()
	}
	for _, a := range slices.Backward(p.added) {
		if a.field.fresh = false; err != nil {
			delete(a.parent.properties, a.name)
		}
	}
	return err
}

// checkSize says whether the mapping has too many fields.
func (p *parser) checkSize() *apiError {
	more := 0
	for _, a := range p.added {
		if more++; a.field.keyword {
			more++
		}
	}
	limit := p.x.number("mapping.total_fields.limit", 1000)
	if more > 0 && p.x.fields+more > limit {
		where := ""
		if p.engine.isOld() {
			where = " in index [" + p.x.name + "]"
		}
		return illegal(fmt.Sprintf("Limit of total fields [%d]%s has been exceeded", limit, where))
	}
	p.x.fields += more
	return nil
}

// failed is the refusal of a document as a whole.
func (p *parser) failed(cause *apiError) *apiError {
	e := p.refused("failed to parse")
	e.cause = cause
	return e
}

// refused is the refusal of a document.
func (p *parser) refused(reason string) *apiError {
	if p.engine.name == elasticsearch && p.engine.major > 7 {
		return refuse(400, "document_parsing_exception", fmt.Sprintf("[1:%d] %s", p.pos+1, reason))
	}
	return mappingError(reason)
}

// failedField is the refusal of a document for the value of one field.
func (p *parser) failedField(path string, f *field, t token, cause *apiError) *apiError {
	reason := fmt.Sprintf("failed to parse field [%s] of type [%s] in document with id '%s'", path, f.kind, p.id)
	if !p.engine.isOld() {
		reason += ". Preview of field's value: '" + t.text + "'"
	}
	e := p.refused(reason)
	e.cause = cause
	return e
}

// malformed says why a source is not one JSON object; nil if it is.
func (p *parser) malformed() *apiError {
	trimmed := bytes.TrimLeft(p.source, " \t\r\n")
	switch {
	case len(trimmed) == 0:
		return p.refused("failed to parse, document is empty")
	case trimmed[0] != '{':
		return p.failed(refuse(400, "not_x_content_exception",
			"Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes"))
	case !utf8.Valid(p.source):
		return p.failed(p.parsing("json_parse_exception", "Invalid UTF-8 start byte", token{}))
	case json.Valid(p.source):
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(p.source))
	err := d.Decode(new(json.RawMessage))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return p.failed(p.parsing("json_e_o_f_exception", "Unexpected end-of-input within/between Object entries", token{offset: len(p.source)}))
	}
	if err != nil {
		return p.failed(p.parsing("json_parse_exception", "Unexpected character", token{offset: int(d.InputOffset())}))
	}
	offset := int(d.InputOffset())
	rest := bytes.TrimLeft(p.source[offset:], " \t\r\n")
	kinds := map[byte]string{'{': "START_OBJECT", '[': "START_ARRAY", '"': "VALUE_STRING", 't': "VALUE_TRUE", 'f': "VALUE_FALSE", 'n': "VALUE_NULL"}
	kind := kinds[rest[0]]
	if kind == "" && (rest[0] == '-' || rest[0] >= '0' && rest[0] <= '9') {
		kind = "VALUE_NUMBER_INT"
	}
	if kind == "" || rest[0] >= 'a' && rest[0] <= 'z' && json.NewDecoder(bytes.NewReader(rest)).Decode(new(any)) != nil {
		return p.failed(p.parsing("json_parse_exception", "Unrecognized token", token{offset: offset}))
	}
	return p.failed(illegal("Malformed content, found extra data after parsing: " + kind))
}

// What follows reads JSON that is valid.

func (p *parser) space() {
	for p.pos < len(p.source) && strings.IndexByte(" \t\r\n", p.source[p.pos]) >= 0 {
		p.pos++
	}
}

// text reads a text, whose quotation mark is next.
func (p *parser) text() string {
	start := p.pos
	p.pos++
	plain := true
	for p.source[p.pos] != '"' {
		if p.source[p.pos] == '\\' {
			plain = false
			p.pos++
		}
		p.pos++
	}
	p.pos++
	if plain {
		return string(p.source[start+1 : p.pos-1])
	}
	var s string
	if err := json.Unmarshal(p.source[start:p.pos], &s); err != nil {
		return string(p.source[start:p.pos])
	}
	return s
}

// scalar reads a value that is neither object nor array.
func (p *parser) scalar() token {
	t := token{offset: p.pos}
	if p.source[p.pos] == '"' {
		t.kind, t.text = "VALUE_STRING", p.text()
		return t
	}
	for p.pos < len(p.source) && strings.IndexByte(",]} \t\r\n", p.source[p.pos]) < 0 {
		p.pos++
	}
	t.text = string(p.source[t.offset:p.pos])
	switch t.text {
	case "null":
		t.kind = "VALUE_NULL"
	case "true":
		t.kind, t.offset = "VALUE_TRUE", p.pos-1
	case "false":
		t.kind, t.offset = "VALUE_FALSE", p.pos-1
	default:
		t.kind = "VALUE_NUMBER_INT"
		if strings.ContainsAny(t.text, ".eE") {
			t.kind = "VALUE_NUMBER_FLOAT"
		}
	}
	return t
}

// skip reads a value of which nothing is wanted.
func (p *parser) skip() {
	depth := 0
	for {
		p.space()
		switch p.source[p.pos] {
		case '{', '[':
			depth++
			p.pos++
		case '}', ']':
			depth--
			p.pos++
		case ',', ':':
			p.pos++
			continue
		default:
			p.scalar()
		}
		if depth == 0 {
			return
		}
	}
}

// object reads an object, whose brace is next, into the field f; dynamic is what holds
// above.
func (p *parser) object(f *field, path, dynamic string) *apiError {
	if p.depth++; p.depth > p.x.number("mapping.depth.limit", 20) {
		return p.failed(refuse(400, "parse_exception", "The depth of the field has exceeded the allowed limit of [20]. "+
			"This limit can be set by changing the [index.mapping.depth.limit] index level setting."))
	}
	if f.dynamic != "" {
		dynamic = f.dynamic
	}
	p.pos++
	var names []string
	for p.space(); p.source[p.pos] != '}'; p.space() {
		if p.source[p.pos] == ',' {
			p.pos++
			p.space()
		}
		name := p.text()
		if slices.Contains(names, name) {
			return p.failed(p.parsing("json_parse_exception", "Duplicate field '"+name+"'", token{offset: p.pos - 1}))
		}
		names = append(names, name)
		p.space()
		p.pos++ // :
		p.space()
		if err := p.member(f, path, name, dynamic); err != nil {
			return err
		}
	}
	p.pos++
	p.depth--
	return nil
}

// isMetadata reports whether a document may not have a field of its own by a name.
func isMetadata(name string) bool {
	return slices.Contains([]string{"_id", "_index", "_type", "_source", "_routing", "_field_names", "_ignored", "_version", "_seq_no", "_primary_term"}, name)
}

// member reads the value of a field by a name, which dots divide.
func (p *parser) member(f *field, path, name, dynamic string) *apiError {
	if p.depth == 1 && isMetadata(name) {
		e := mappingError("Field [" + name + "] is a metadata field and cannot be added inside a document. Use the index API request parameters.")
		if p.engine.isOld() {
			return e
		}
		return p.failedField(name, &field{kind: name}, p.peek(), e)
	}
	if p.depth == 1 && name == "@timestamp" {
		p.timestamps++
	}
	parts := strings.Split(name, ".")
	if slices.Contains(parts, "") {
		if name == "" {
			return p.failed(illegal("field name cannot be an empty string"))
		}
		return p.failed(illegal("object field starting or ending with a [.] makes object resolution ambiguous: [" + name + "]"))
	}
	for _, part := range parts[:len(parts)-1] {
		below := f.properties[part]
		full := strings.TrimPrefix(path+"."+part, ".")
		switch {
		case below == nil && dynamic == "false":
			p.skip()
			return nil
		case below == nil:
			var err *apiError
			if below, err = p.add(f, part, path, newObject(), dynamic); err != nil {
				return err
			}
		case below.kind != "object":
			return p.refused(fmt.Sprintf("Could not dynamically add mapping for field [%s]. Existing mapping for [%s] must be of type object but found [%s].",
				strings.TrimPrefix(path+"."+name, "."), full, below.kind))
		}
		f, path = below, full
	}
	return p.value(f, path, parts[len(parts)-1], dynamic, false)
}

// peek reads the next value without going on; of an object or array only its text.
func (p *parser) peek() token {
	start := p.pos
	defer func() { p.pos = start }()
	if c := p.source[p.pos]; c == '{' || c == '[' {
		p.skip()
		return token{kind: "START_OBJECT", text: string(p.source[start:p.pos]), offset: start + 1}
	}
	return p.scalar()
}

// add adds a field to a mapping.
func (p *parser) add(parent *field, name, path string, f *field, dynamic string) (*field, *apiError) {
	if dynamic == "strict" {
		within := path
		if within == "" {
			within = "_doc"
			if p.x.kind != "" {
				within = p.x.kind
			}
		}
		return nil, refuse(400, "strict_dynamic_mapping_exception",
			"mapping set to strict, dynamic introduction of ["+name+"] within ["+within+"] is not allowed")
	}
	f.fresh = true
	parent.properties[name] = f
	p.added = append(p.added, addition{parent, name, f})
	return f, nil
}

// value reads a value, or the element of an array, of a field by a name without dots.
func (p *parser) value(parent *field, path, name, dynamic string, element bool) *apiError {
	full := strings.TrimPrefix(path+"."+name, ".")
	switch p.source[p.pos] {
	case '[':
		if full == "@timestamp" {
			p.timestamps = 2
		}
		p.pos++
		for p.space(); p.source[p.pos] != ']'; p.space() {
			if p.source[p.pos] == ',' {
				p.pos++
				p.space()
			}
			if err := p.value(parent, path, name, dynamic, true); err != nil {
				return err
			}
		}
		p.pos++
		return nil
	case '{':
		return p.objectValue(parent, path, name, dynamic)
	}
	t := p.scalar()
	f := parent.properties[name]
	switch {
	case t.kind == "VALUE_NULL":
		return nil
	case f == nil && dynamic == "false":
		return nil
	case f == nil:
		return p.first(parent, path, name, t, dynamic)
	case f.kind == "object":
		called := name
		if element {
			called = "null"
		}
		return p.refused("object mapping for [" + full + "] tried to parse field [" + called + "] as object, but found a concrete value")
	case f.fresh && !p.engine.isOld():
		if kind := p.dates.dynamicKind(t); kind != f.kind {
			return illegal("mapper [" + full + "] cannot be changed from type [" + f.kind + "] to [" + kind + "]")
		}
	case f.fresh && f.kind == "long" && t.kind == "VALUE_NUMBER_FLOAT":
		f.kind = "float"
	}
	if err := p.check(f.kind, t); err != nil {
		return p.failedField(full, f, t, err)
	}
	return nil
}

// first reads the first value of a field.
func (p *parser) first(parent *field, path, name string, t token, dynamic string) *apiError {
	kind := p.dates.dynamicKind(t)
	full := strings.TrimPrefix(path+"."+name, ".")
	if f, err := strconv.ParseFloat(t.text, 64); kind == "float" && (err != nil || math.Abs(f) > math.MaxFloat32) {
		return p.failedField(full, &field{kind: kind}, t, illegal("[float] supports only finite values, but got [Infinity]"))
	}
	if _, err := strconv.ParseInt(t.text, 10, 64); kind == "long" && err != nil {
		return p.failed(refuse(400, "illegal_state_exception", "No matching token for number_type [BIG_INTEGER]"))
	}
	_, err := p.add(parent, name, path, &field{kind: kind, keyword: kind == "text"}, dynamic)
	return err
}

// objectValue reads an object that is the value of a field.
func (p *parser) objectValue(parent *field, path, name, dynamic string) *apiError {
	full := strings.TrimPrefix(path+"."+name, ".")
	f := parent.properties[name]
	switch {
	case f == nil && dynamic == "false":
		p.skip()
		return nil
	case f == nil:
		var err *apiError
		if f, err = p.add(parent, name, path, newObject(), dynamic); err != nil {
			return err
		}
	case f.kind != "object":
		t := p.peek()
		if err := p.check(f.kind, t); err != nil {
			return p.failedField(full, f, t, err)
		}
		p.skip()
		return nil
	}
	return p.object(f, full, dynamic)
}
