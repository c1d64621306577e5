package dynamodbd

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// callHolds evaluates the functions that are conditions.
func (n *node) callHolds(it Item) bool {
	first := n.args[0].operand(it)
	switch n.text {
	case "attribute_exists":
		return first != nil
	case "attribute_not_exists":
		return first == nil
	}
	second := n.args[1].operand(it)
	if first == nil || second == nil {
		return false
	}
	switch n.text {
	case "attribute_type":
		return string(first.Kind) == second.Text
	case "begins_with":
		return first.Kind == second.Kind && (first.Kind == KindString || first.Kind == KindBinary) &&
			strings.HasPrefix(first.Text, second.Text)
	default:
		return contains(*first, *second)
	}
}

// contains says that a text holds a part, or a set or list an element.
func contains(v, part Value) bool {
	switch {
	case v.Kind == KindString || v.Kind == KindBinary:
		return part.Kind == v.Kind && strings.Contains(v.Text, part.Text)
	case v.Kind == KindList:
		return slices.ContainsFunc(v.List, part.equal)
	case v.isSet():
		return part.Kind == v.Kind.memberKind() && slices.Contains(v.Set, part.Text)
	}
	return false
}

// sizeOf is the value of the size function; nil for what has no size.
func sizeOf(v *Value) *Value {
	if v == nil {
		return nil
	}
	var n int
	switch v.Kind {
	case KindString:
		n = utf8.RuneCountInString(v.Text)
	case KindBinary:
		n = len(v.Text)
	case KindList:
		n = len(v.List)
	case KindMap:
		n = len(v.Map)
	case KindStringSet, KindNumberSet, KindBinarySet:
		n = len(v.Set)
	default:
		return nil
	}
	d, _ := parseDecimal(strconv.Itoa(n))
	return &Value{Kind: KindNumber, Text: d.String()}
}

// typeName is how error answers spell the type of an operand.
func typeName(kind Kind) string {
	switch kind {
	case KindString:
		return "STRING"
	case KindNumber:
		return "NUMBER"
	case KindBinary:
		return "BINARY"
	case KindBool:
		return "BOOLEAN"
	case KindList:
		return "LIST"
	case KindMap:
		return "MAP"
	case KindStringSet:
		return "STRING_SET"
	case KindNumberSet:
		return "NUMBER_SET"
	case KindBinarySet:
		return "BINARY_SET"
	default:
		return "NULL"
	}
}
