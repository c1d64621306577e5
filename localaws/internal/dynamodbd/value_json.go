package dynamodbd

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// UnmarshalJSON implements json.Unmarshaler: it reads {"S": "text"} and its
// like, and refuses what DynamoDB refuses.
func (v *Value) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return notSerializable("Unexpected value type in payload")
	}
	maps.DeleteFunc(raw, func(_ string, m json.RawMessage) bool { return string(m) == "null" })
	if len(raw) > 1 {
		return invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	for kind, content := range raw {
		return v.decode(Kind(kind), content)
	}
	return invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
}

func (v *Value) decode(kind Kind, content json.RawMessage) (err error) {
	v.Kind = kind
	switch kind {
	case KindString, KindNumber, KindBinary:
		var text string
		if err = read(content, &text); err == nil {
			v.Text, err = checkedText(kind, text)
		}
	case KindBool:
		err = read(content, &v.Bool)
	case KindNull:
		yes := false
		if err = read(content, &yes); err == nil && !yes {
			err = invalidParam("Null attribute value types must have the value of true")
		}
	case KindList:
		v.List = []Value{}
		err = read(content, &v.List)
	case KindMap:
		v.Map = map[string]Value{}
		err = read(content, &v.Map)
	case KindStringSet, KindNumberSet, KindBinarySet:
		var members []string
		if err = read(content, &members); err == nil {
			*v, err = checkedSet(kind, members)
		}
	default:
		return invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	}
	return err
}

// read decodes content, keeping the errors of values within it.
func read(content json.RawMessage, into any) error {
	err := json.Unmarshal(content, into)
	if err == nil {
		return nil
	}
	if e := asAPIError(err); e.code != codeInternal {
		return e
	}
	return notSerializable("Unexpected value type in payload")
}

// checkedText gives a scalar as it is stored: numbers in normal form, binaries
// as raw bytes.
func checkedText(kind Kind, text string) (string, error) {
	switch kind {
	case KindNumber:
		d, err := parseDecimal(text)
		return d.String(), err
	case KindBinary:
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || strings.ContainsAny(text, "\r\n") {
			return "", notSerializable("Invalid Base64 in a binary value")
		}
		return string(raw), nil
	default:
		return text, nil
	}
}

func checkedSet(kind Kind, members []string) (Value, error) {
	if len(members) == 0 {
		switch kind {
		case KindStringSet:
			return Value{}, invalidParam("An string set  may not be empty")
		case KindNumberSet:
			return Value{}, invalidParam("An number set  may not be empty")
		default:
			return Value{}, invalidParam("Binary sets should not be empty")
		}
	}
	stored := make([]string, len(members))
	for i, m := range members {
		text, err := checkedText(kind.memberKind(), m)
		if err != nil {
			return Value{}, err
		}
		stored[i] = text
	}
	set := newSet(kind, stored)
	if len(slices.Compact(slices.Clone(set.Set))) != len(members) {
		return Value{}, invalidParam("Input collection [%s] contains duplicates.", strings.Join(members, ", "))
	}
	return set, nil
}

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) { return v.appendJSON(nil), nil }

// MarshalJSON implements json.Marshaler. Attributes come in the order of their
// names.
func (it Item) MarshalJSON() ([]byte, error) { return appendAttributes(nil, it), nil }

func (v Value) appendJSON(b []byte) []byte {
	b = append(b, `{"`...)
	b = append(b, v.Kind...)
	b = append(b, `":`...)
	switch v.Kind {
	case KindString, KindNumber, KindBinary:
		b = appendText(b, v.Kind, v.Text)
	case KindBool:
		b = strconv.AppendBool(b, v.Bool)
	case KindNull:
		b = append(b, "true"...)
	case KindList:
		b = appendArray(b, v.List, Value.appendJSON)
	case KindMap:
		b = appendAttributes(b, v.Map)
	case KindStringSet, KindNumberSet, KindBinarySet:
		kind := v.Kind.memberKind()
		b = appendArray(b, v.Set, func(m string, b []byte) []byte { return appendText(b, kind, m) })
	}
	return append(b, '}')
}

func appendArray[T any](b []byte, elements []T, one func(T, []byte) []byte) []byte {
	b = append(b, '[')
	for i, e := range elements {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(e, b)
	}
	return append(b, ']')
}

func appendAttributes(b []byte, attributes map[string]Value) []byte {
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(attributes)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, name)
		b = append(b, ':')
		b = attributes[name].appendJSON(b)
	}
	return append(b, '}')
}

func appendText(b []byte, kind Kind, text string) []byte {
	if kind == KindBinary {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, []byte(text))
		return append(b, '"')
	}
	return appendString(b, text)
}

// appendString quotes s; the common case of plain ASCII does not go through the
// encoder.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // unreachable: every string can be encoded
				quoted = []byte(`""`)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
