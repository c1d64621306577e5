package dynamodbd

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// maxBodyDepth is more than a request with the deepest row that is allowed
// needs.
const maxBodyDepth = 2*maxDepth + 32

// decode reads a request. A parameter that it has no place for is refused by
// name.
func decode(body []byte, into any) error {
	if tooDeep(body) {
		return invalid("Nesting Levels have exceeded supported limits: Attributes Nested more than %d levels deep", maxDepth)
	}
	if !strings.HasPrefix(strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n"), "{") {
		return notSerializable("the request is not a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		return notSerializable("there is more than one value in the request")
	}
	if err == nil {
		return nil
	}
	if e := asAPIError(err); e.code != codeInternal {
		return e
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return notSupported(strings.Trim(name, `"`))
	}
	return notSerializable(err.Error())
}

// tooDeep says whether a body nests deeper than any that is allowed, without
// parsing it.
func tooDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth > maxBodyDepth {
			return true
		}
	}
	return false
}

// checkTableName refuses what cannot be the name of a table or index.
func checkTableName(parameter, name string) error {
	if name == "" {
		return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", parameter)
	}
	bare := tableName(name)
	outside := strings.TrimFunc(bare, func(r rune) bool {
		return r < 0x80 && (isDigit(byte(r)) || isLetter(byte(r))) || r == '-' || r == '.'
	})
	if outside != "" || len(bare) < 3 || len(bare) > 255 {
		return invalid("Invalid table/index name.  Table/index names must be between 3 and 255 characters long, " +
			"and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
	}
	return nil
}

// checkEnum refuses a value that is not empty and not one of those allowed.
func checkEnum(parameter, value string, allowed ...string) error {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return enumError(value, parameter, strings.Join(allowed, ", "))
}

// limitOf checks a Limit; 0 is none.
func limitOf(limit *int) (int, error) {
	if limit == nil {
		return 0, nil
	}
	if *limit < 1 {
		return 0, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: "+
			"Member must have value greater than or equal to 1", *limit)
	}
	return *limit, nil
}
