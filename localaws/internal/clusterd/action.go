package clusterd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// action is one of a bulk request.
type action struct {
	operation    string
	index, kind  string
	id           string
	hasIndex     bool
	hasID        bool
	routing      string
	pipeline     string
	version      int64
	versionType  string // "" is internal
	hasVersion   bool
	requireAlias bool
	source       []byte
}

// setter reads a member of an action line.
type setter func(a *action, text string) error

func (s *Server) setter(name string) setter {
	text := func(to func(a *action) *string) setter {
		return func(a *action, text string) error {
			*to(a) = text
			return nil
		}
	}
	old := s.engine.isOld()
	switch name {
	case "_index":
		return func(a *action, text string) error {
			a.index, a.hasIndex = text, true
			return nil
		}
	case "_type":
		if !s.engine.refusesTypes() {
			return text(func(a *action) *string { return &a.kind })
		}
	case "_id":
		return func(a *action, text string) error {
			a.id, a.hasID = text, true
			return nil
		}
	case "routing":
		return text(func(a *action) *string { return &a.routing })
	case "_routing":
		if old {
			return text(func(a *action) *string { return &a.routing })
		}
	case "pipeline":
		return text(func(a *action) *string { return &a.pipeline })
	case "version":
		return setVersion
	case "_version":
		if old {
			return setVersion
		}
	case "version_type":
		return text(func(a *action) *string { return &a.versionType })
	case "_version_type":
		if old {
			return text(func(a *action) *string { return &a.versionType })
		}
	case "if_seq_no", "if_primary_term", "retry_on_conflict":
		return func(*action, string) error { return illegal("[" + name + "] is not supported by the local cluster") }
	case "require_alias":
		if !old {
			return func(a *action, text string) error {
				a.requireAlias = text == "true"
				return nil
			}
		}
	}
	return nil
}

func setVersion(a *action, text string) error {
	var err error
	if a.version, err = strconv.ParseInt(text, 10, 64); err != nil {
		return illegal(`For input string: "` + text + `"`)
	}
	a.hasVersion = true
	return nil
}

// parseBulk reads the body of a bulk request, or says why it is refused as a whole.
func (s *Server) parseBulk(body []byte, defaults action) ([]action, *apiError) {
	if len(body) == 0 {
		return nil, refuse(400, "parse_exception", "request body is required")
	}
	if body[len(body)-1] != '\n' {
		newline := `\n`
		if s.engine.isOld() {
			newline = "\n"
		}
		return nil, illegal("The bulk request must be terminated by a newline [" + newline + "]")
	}
	var actions []action
	var refused *apiError // the first that is not allowed, found after all lines are read
	for number := 1; len(body) > 0; number++ {
		var line []byte
		line, body, _ = bytes.Cut(body, []byte("\n"))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		a := defaults
		if err := s.parseAction(&a, line, number); err != nil {
			return nil, err
		}
		if a.operation != "delete" {
			if len(body) == 0 {
				break
			}
			a.source, body, _ = bytes.Cut(body, []byte("\n"))
			number++
		}
		if a.operation == "" {
			continue // Elasticsearch 6 overlooks what it does not know
		}
		if err := s.validate(&a); err != nil && refused == nil {
			refused = err
		}
		actions = append(actions, a)
	}
	if len(actions) == 0 {
		return nil, invalid("no requests added")
	}
	return actions, refused
}

// parseAction reads an action line.
func (s *Server) parseAction(a *action, line []byte, number int) *apiError {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	open, err := d.Token()
	if err != nil {
		return s.unreadable(err)
	}
	if _, ok := open.(json.Delim); !ok && !json.Valid(line) {
		return s.unreadable(errors.New("Unexpected character: Expected space separating root-level values")) //nolint:staticcheck // the server's words
	}
	if open != json.Delim('{') {
		return illegal(fmt.Sprintf("Malformed action/metadata line [%d], expected START_OBJECT but found [%s]", number, kindOf(open)))
	}
	name, err := d.Token()
	if err != nil {
		return s.unreadable(err)
	}
	operation, ok := name.(string)
	if !ok {
		return illegal(fmt.Sprintf("Malformed action/metadata line [%d], expected FIELD_NAME but found [END_OBJECT]", number))
	}
	if open, err = d.Token(); err != nil {
		return s.unreadable(err)
	}
	if open != json.Delim('{') {
		return illegal(fmt.Sprintf("Malformed action/metadata line [%d], expected START_OBJECT or END_OBJECT but found [%s]", number, kindOf(open)))
	}
	switch {
	case operation == "index" || operation == "create" || operation == "delete":
		a.operation = operation
	case operation == "update":
		return illegal("[update] is not supported by the local cluster")
	case !s.engine.isOld():
		return illegal(fmt.Sprintf("Malformed action/metadata line [%d], expected one of [create, delete, index, update] but found [%s]", number, operation))
	}
	return s.parseMembers(a, d, number)
}

// parseMembers reads what an action line says of the document.
func (s *Server) parseMembers(a *action, d *json.Decoder, number int) *apiError {
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return s.unreadable(err)
		}
		name, _ := token.(string)
		value, err := d.Token()
		if err != nil {
			return s.unreadable(err)
		}
		if value == nil {
			continue
		}
		if kind := kindOf(value); kind == "START_OBJECT" || kind == "START_ARRAY" {
			return illegal(fmt.Sprintf("Malformed action/metadata line [%d], expected a simple value for field [%s] but found [%s]", number, name, kind))
		}
		set := s.setter(name)
		if set == nil {
			return illegal(fmt.Sprintf("Action/metadata line [%d] contains an unknown parameter [%s]", number, name))
		}
		if name == "_index" && s.options.NoExplicitIndex {
			return illegal("explicit index in bulk is not allowed")
		}
		if err = set(a, fmt.Sprint(value)); err != nil {
			if refused, ok := errors.AsType[*apiError](err); ok {
				return refused
			}
			return illegal(err.Error())
		}
	}
	for range 2 {
		if _, err := d.Token(); err != nil {
			return s.unreadable(err)
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) && s.engine.name == openSearch && s.engine.major > 2 {
		return illegal(fmt.Sprintf("Malformed action/metadata line [%d], unexpected data after the closing brace", number))
	}
	return nil
}

// kindOf is a token as the server's parser calls it.
func kindOf(t json.Token) string {
	switch t := t.(type) {
	case json.Delim:
		return map[json.Delim]string{'{': "START_OBJECT", '[': "START_ARRAY", '}': "END_OBJECT", ']': "END_ARRAY"}[t]
	case string:
		return "VALUE_STRING"
	case json.Number:
		return "VALUE_NUMBER_INT"
	case bool:
		return "VALUE_BOOLEAN"
	}
	return "VALUE_NULL"
}

// unreadable is what is said of an action line that is not JSON; Elasticsearch 6 takes
// it for its own fault.
func (s *Server) unreadable(err error) *apiError {
	status := 400
	if s.engine.isOld() {
		status = 500
	}
	kind := "json_parse_exception"
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		kind = "json_e_o_f_exception"
	}
	return refuse(status, kind, err.Error())
}

// validate says why an action makes the whole request one that is refused.
func (s *Server) validate(a *action) *apiError {
	external := a.versionType == "external" || a.versionType == "external_gte"
	switch {
	case a.index == "":
		if a.hasIndex {
			return nil // the item is refused
		}
		return invalid("index is missing")
	case s.engine.isOld() && a.kind == "":
		return invalid("type is missing")
	case a.versionType != "" && !external && a.versionType != "internal":
		return illegal("No version type match [" + a.versionType + "]")
	case a.operation == "create" && external:
		return invalid("create operations only support internal versioning. use index instead")
	case a.operation == "create" && a.hasVersion:
		return invalid("create operations do not support explicit versions. use index instead")
	case s.engine.isOld() && a.operation == "create" && !a.hasID:
		return invalid("an id must be provided if version type or value are set")
	case !a.hasID && (a.hasVersion || external):
		return invalid("an id must be provided if version type or value are set")
	case external && (!a.hasVersion || a.version < 0):
		return invalid(fmt.Sprintf("illegal version value [%d] for version type [%s]", a.version, map[bool]string{true: "EXTERNAL", false: "EXTERNAL_GTE"}[a.versionType == "external"]))
	case a.hasVersion && !external && !s.engine.isOld():
		return invalid("internal versioning can not be used for optimistic concurrency control. Please use `if_seq_no` and `if_primary_term` instead")
	case len(a.id) > 512:
		called := "id"
		if !s.engine.isOld() {
			called = "id [" + a.id + "]"
		}
		return invalid(fmt.Sprintf("%s is too long, must be no longer than 512 bytes but was: %d", called, len(a.id)))
	}
	return nil
}
