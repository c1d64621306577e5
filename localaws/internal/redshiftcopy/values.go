package redshiftcopy

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Value returns a text as a value of the type, in the form in which the database gives
// it back, or why it is none.
func (t Type) Value(text string) (string, error) {
	v, err := t.value(text, &Statement{DateFormat: auto, TimeFormat: auto})
	if err != nil {
		return "", err
	}
	return v, nil
}

// value converts a text as a COPY's options say.
func (t Type) value(text string, s *Statement) (string, *valueError) {
	switch t.Kind {
	case Varchar, Char:
		return t.characters(text, s)
	case Smallint, Integer, Bigint:
		return t.integer(strings.TrimSpace(text))
	case Decimal:
		return t.decimal(strings.TrimSpace(text))
	case Real, Double:
		return t.float(strings.TrimSpace(text))
	case Boolean:
		return boolean(strings.TrimSpace(text))
	case Date:
		return date(strings.TrimSpace(text), s)
	case Timestamp, Timestamptz:
		return timestamp(strings.TrimSpace(text), t.Kind == Timestamptz, s)
	default: // Super
		return text, nil
	}
}

// characters checks a text, whose length is in bytes.
func (t Type) characters(text string, s *Statement) (string, *valueError) {
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		if s.AcceptInvChars == "" {
			return "", &valueError{CodeUTF8, "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: " + badSequence(text) + " (error 3)"}
		}
		text = strings.ReplaceAll(replaced(text, s.AcceptInvChars), "\x00", s.AcceptInvChars)
	}
	if t.Kind == Char && strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		return "", &valueError{CodeUTF8, "Multibyte character not supported for CHAR (Hint: try using VARCHAR)."}
	}
	if s.TrimBlanks || t.Kind == Char {
		text = strings.TrimRight(text, " ")
	}
	if len(text) > t.Length {
		if !s.TruncateColumns {
			return "", &valueError{CodeTooLong, "String length exceeds DDL length"}
		}
		text = text[:t.Length]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	if t.Kind == Char {
		text += strings.Repeat(" ", t.Length-len(text))
	}
	return text, nil
}

// badSequence is the first byte that is no UTF-8, or is none that the database takes.
func badSequence(text string) string {
	for i, r := range text {
		if _, n := utf8.DecodeRuneInString(text[i:]); r == 0 || (r == utf8.RuneError && n == 1) {
			return fmt.Sprintf("%02x", text[i])
		}
	}
	return ""
}

// replaced has a character for each byte that is no UTF-8.
func replaced(text, by string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			b.WriteString(by)
		} else {
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

func (t Type) integer(text string) (string, *valueError) {
	kind, bits := "Integer", 32
	switch t.Kind {
	case Smallint:
		kind, bits = "Short", 16
	case Bigint:
		kind, bits = "Long", 64
	default:
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err == nil {
		return strconv.FormatInt(n, 10), nil
	}
	if isRange(err) {
		return "", &valueError{CodeDigit, "Overflow for " + strings.ToUpper(t.Name()) + " (" + shortened(text) + ")"}
	}
	return "", invalidDigit(CodeDigit, text, kind)
}

func isRange(err error) bool { return strings.HasSuffix(err.Error(), strconv.ErrRange.Error()) }

// invalidDigit is the database's text, which has the first character that is wrong.
func invalidDigit(code int, text, kind string) *valueError {
	at := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune("+-0123456789", r) })
	shown := ""
	if at = max(at, 0); at < len(text) {
		r, _ := utf8.DecodeRuneInString(text[at:])
		shown = string(r)
	}
	return &valueError{code, fmt.Sprintf("Invalid digit, Value '%s', Pos %d, Type: %s", shown, at, kind)}
}

// decimal rounds to the type's scale, half away from zero.
func (t Type) decimal(text string) (string, *valueError) {
	r, ok := new(big.Rat).SetString(text)
	if !ok || len(text) > 100 || strings.ContainsAny(text, "/_xXpPbBoO") {
		return "", invalidDigit(CodeDecimal, text, "Decimal")
	}
	v := r.FloatString(t.Scale)
	digits := strings.TrimLeft(strings.Trim(v, "-"), "0.")
	if len(strings.ReplaceAll(digits, ".", "")) > t.Precision {
		return "", &valueError{CodeDecimal, fmt.Sprintf("Overflow for NUMERIC(%d,%d)", t.Precision, t.Scale)}
	}
	return v, nil
}

func (t Type) float(text string) (string, *valueError) {
	bits, kind := 64, "Double"
	if t.Kind == Real {
		bits, kind = 32, "Float"
	}
	f, err := strconv.ParseFloat(text, bits)
	if err != nil || strings.ContainsAny(text, "_xX") {
		return "", invalidDigit(CodeFloat, text, kind)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, bits), nil
	}
	return strconv.FormatFloat(f, 'g', -1, bits), nil
}

func boolean(text string) (string, *valueError) {
	switch strings.ToLower(text) {
	case "t", "true", "y", "yes", "1":
		return "t", nil
	case "f", "false", "n", "no", "0":
		return "f", nil
	}
	return "", &valueError{CodeBoolean, "Unknown boolean format - only 't', 'f', 'true', 'false', '1', '0' are supported"}
}

func shortened(text string) string { return text[:min(len(text), 40)] }
