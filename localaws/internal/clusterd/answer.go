package clusterd

import (
	"encoding/json"
	"strconv"
)

// object is a JSON object whose members have an order. Values are texts, integers,
// booleans, objects, lists ([]any), raw JSON, nil, and what else json.Marshal takes.
type object []member

type member struct {
	name  string
	value any
}

// appendJSON appends a value's JSON.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendText(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case json.RawMessage:
		return append(b, v...)
	case []any:
		b = append(b, '[')
		for i, element := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, element)
		}
		return append(b, ']')
	case *object:
		return appendJSON(b, *v)
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, m.name), ':')
			b = appendJSON(b, m.value)
		}
		return append(b, '}')
	}
	text, err := json.Marshal(v)
	if err != nil {
		return appendText(b, err.Error())
	}
	return append(b, text...)
}

// appendText appends a text as JSON, with <, > and & as they are.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', "0123456789abcdef"[r>>4], "0123456789abcdef"[r&15])
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}

// apiError is an error as the server answers it, of a request or of an item.
type apiError struct {
	status int
	kind   string // error.type
	reason string
	extra  object // further members
	cause  *apiError
}

// Error implements error.
func (e *apiError) Error() string { return e.kind + ": " + e.reason }

func refuse(status int, kind, reason string) *apiError {
	return &apiError{status: status, kind: kind, reason: reason}
}

// illegal is the server's commonest refusal.
func illegal(reason string) *apiError { return refuse(400, "illegal_argument_exception", reason) }

// invalid is what the server says of a request whose parts do not go together.
func invalid(reason string) *apiError {
	return refuse(400, "action_request_validation_exception", "Validation Failed: 1: "+reason+";")
}

// fields is the error without what is around it.
func (e *apiError) fields() object {
	o := object{{"type", e.kind}, {"reason", e.reason}}
	o = append(o, e.extra...)
	if e.cause != nil {
		o = append(o, member{"caused_by", e.cause.fields()})
	}
	return o
}

// body is the answer to a request that is refused.
func (e *apiError) body() object {
	root := *e
	root.cause = nil
	fields := object{{"root_cause", []any{root.fields()}}}
	return object{{"error", append(fields, e.fields()...)}, {"status", e.status}}
}

// noIndex is what is said of an index that is not there.
func (s *Server) noIndex(name string) *apiError {
	reason := "no such index [" + name + "]"
	if s.engine.isOld() {
		reason = "no such index"
	}
	return &apiError{status: 404, kind: "index_not_found_exception", reason: reason, extra: object{
		{"resource.type", "index_or_alias"}, {"resource.id", name}, {"index_uuid", "_na_"}, {"index", name},
	}}
}
