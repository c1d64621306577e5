package warehoused

import (
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// value is what an expression has: nil (NULL), int64, float64, bool, string, or number.
type value any

// number is a decimal as the table has it.
type number string

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// loaded is the value of a column's text.
func loaded(t redshiftcopy.Type, text *string) value {
	if text == nil {
		return nil
	}
	switch t.Kind {
	case redshiftcopy.Smallint, redshiftcopy.Integer, redshiftcopy.Bigint:
		n, _ := strconv.ParseInt(*text, 10, 64) // it was checked when it came
		return n
	case redshiftcopy.Decimal, redshiftcopy.Real, redshiftcopy.Double:
		return number(*text)
	case redshiftcopy.Boolean:
		return *text == "t"
	default:
		return *text
	}
}

// text is a value as the client gets it.
func text(v value) *string {
	var s string
	switch v := v.(type) {
	case nil:
		return nil
	case int64:
		s = decimal(v)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		s = map[bool]string{true: "t", false: "f"}[v]
	case number:
		s = string(v)
	case string:
		s = v
	}
	return &s
}

// typeOf is the type of a literal.
func typeOf(v value) redshiftcopy.Type {
	switch v.(type) {
	case int64:
		return redshiftcopy.Type{Kind: redshiftcopy.Bigint}
	case float64, number:
		return redshiftcopy.Type{Kind: redshiftcopy.Double}
	case bool:
		return redshiftcopy.Type{Kind: redshiftcopy.Boolean}
	}
	return redshiftcopy.Type{Kind: redshiftcopy.Varchar, Length: 256}
}

// cast makes a value one of a type.
func cast(v value, t redshiftcopy.Type) (value, error) {
	s := text(v)
	if s == nil {
		return nil, nil //nolint:nilnil // NULL
	}
	stored, err := stored(t, *s)
	if err != nil {
		return nil, err
	}
	return loaded(t, &stored), nil
}

// stored is a text as a column of a type keeps it.
func stored(t redshiftcopy.Type, s string) (string, error) {
	v, err := t.Value(s)
	if err == nil {
		return v, nil
	}
	switch t.Kind {
	case redshiftcopy.Varchar, redshiftcopy.Char:
		return "", failure("22001", "value too long for type %s", characterType(t))
	case redshiftcopy.Date, redshiftcopy.Timestamp, redshiftcopy.Timestamptz:
		return "", failure("22007", "invalid input syntax for type %s: %q", t.Name(), s)
	case redshiftcopy.Boolean:
		return "", failure("22P02", "invalid input syntax for type boolean: %q", s)
	default:
	}
	if _, isNumber := new(big.Rat).SetString(strings.TrimSpace(s)); isNumber {
		return "", failure("22003", "value %q is out of range for type %s", s, t)
	}
	return "", failure("22P02", "invalid input syntax for type %s: %q", t, s)
}

func characterType(t redshiftcopy.Type) string {
	name := "character varying"
	if t.Kind == redshiftcopy.Char {
		name = "character"
	}
	return name + "(" + strconv.Itoa(t.Length) + ")"
}

// asFloat is a number's value.
func asFloat(v value) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return 0, false
}

// compared compares two values that are not NULL. Blanks at the end of a text do not count,
// as in Redshift.
func compared(a, b value) (int, error) {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y), nil
		}
	}
	x, isText := a.(string)
	y, both := b.(string)
	if isText && both {
		return strings.Compare(strings.TrimRight(x, " "), strings.TrimRight(y, " ")), nil
	}
	p, isBool := a.(bool)
	q, bothBool := b.(bool)
	if isBool && bothBool {
		return cmp.Compare(number01(p), number01(q)), nil
	}
	f, okF := asFloat(a)
	g, okG := asFloat(b)
	if !okF || !okG {
		return 0, failure("42883", "operator does not exist: the values cannot be compared")
	}
	return cmp.Compare(f, g), nil
}

func number01(b bool) int {
	if b {
		return 1
	}
	return 0
}

// arithmetic computes + - * / %.
func arithmetic(operator string, a, b value) (value, error) {
	if a == nil || b == nil {
		return nil, nil //nolint:nilnil // NULL
	}
	x, isInt := a.(int64)
	y, both := b.(int64)
	if (operator == "/" || operator == "%") && isZero(b) {
		return nil, failure("22012", "division by zero")
	}
	if isInt && both {
		switch operator {
		case "+":
			return x + y, nil
		case "-":
			return x - y, nil
		case "*":
			return x * y, nil
		case "/":
			return x / y, nil
		}
		return x % y, nil
	}
	f, okF := asFloat(a)
	g, okG := asFloat(b)
	if !okF || !okG {
		return nil, failure("42883", "operator does not exist: %s of what are no numbers", operator)
	}
	switch operator {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	case "/":
		return f / g, nil
	}
	return math.Mod(f, g), nil
}

func isZero(v value) bool {
	f, ok := asFloat(v)
	return ok && f == 0
}

// outColumn is a column of an answer.
func outColumn(name string, t redshiftcopy.Type) sqlwire.Column {
	oid, size := t.OID()
	return sqlwire.Column{Name: name, OID: oid, Size: size}
}
