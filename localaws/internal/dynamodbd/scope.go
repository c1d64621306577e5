package dynamodbd

import (
	"maps"
	"slices"
	"strings"
)

// expressionNames are the parameters that the expressions of a request refer
// to.
type expressionNames struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]Value
}

// scope resolves #names and :values of the expressions of one request and
// remembers which of them were used.
type scope struct {
	expressionNames

	used map[string]bool
}

// newScope checks the parameters. anyExpression says whether the request has an
// expression at all.
func newScope(names expressionNames, anyExpression bool) (*scope, error) {
	sc := &scope{expressionNames: names, used: map[string]bool{}}
	if err := checkPlaceholders("ExpressionAttributeNames", "#", names.ExpressionAttributeNames, anyExpression); err != nil {
		return nil, err
	}
	if err := checkPlaceholders("ExpressionAttributeValues", ":", names.ExpressionAttributeValues, anyExpression); err != nil {
		return nil, err
	}
	return sc, nil
}

func checkPlaceholders[T any](parameter, sign string, placeholders map[string]T, anyExpression bool) error {
	if placeholders == nil {
		return nil
	}
	if !anyExpression {
		return invalid("%s can only be specified when using expressions", parameter)
	}
	if len(placeholders) == 0 {
		return invalid("%s must not be empty", parameter)
	}
	for key := range placeholders {
		if !strings.HasPrefix(key, sign) || len(key) == 1 || wordLength(key[1:]) != len(key)-1 {
			return invalid(`%s contains invalid key: Syntax error; key: "%s"`, parameter, key)
		}
	}
	return nil
}

// finish refuses placeholders that no expression used.
func (sc *scope) finish() error {
	if unused := sc.unused(maps.Keys(sc.ExpressionAttributeNames)); unused != "" {
		return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", unused)
	}
	if unused := sc.unused(maps.Keys(sc.ExpressionAttributeValues)); unused != "" {
		return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", unused)
	}
	return nil
}

func (sc *scope) unused(keys func(func(string) bool)) string {
	var unused []string
	for key := range keys {
		if !sc.used[key] {
			unused = append(unused, key)
		}
	}
	slices.Sort(unused)
	return strings.Join(unused, ", ")
}

// name resolves a name of an expression, with or without #.
func (sc *scope) name(clause string, t token) (string, error) {
	if t.kind != tokenAlias {
		if isReserved(t.text) {
			return "", invalid("Invalid %s: Attribute name is a reserved keyword; reserved keyword: %s", clause, t.text)
		}
		return t.text, nil
	}
	name, ok := sc.ExpressionAttributeNames[t.text]
	if !ok {
		return "", invalid("Invalid %s: An expression attribute name used in the document path is not defined; attribute name: %s",
			clause, t.text)
	}
	sc.used[t.text] = true
	return name, nil
}

// value resolves a :value of an expression.
func (sc *scope) value(clause string, t token) (Value, error) {
	v, ok := sc.ExpressionAttributeValues[t.text]
	if !ok {
		return Value{}, invalid("Invalid %s: An expression attribute value used in expression is not defined; attribute value: %s",
			clause, t.text)
	}
	sc.used[t.text] = true
	return v, nil
}
