package redshiftarchive

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// errQuote means that a double quote has no other.
var errQuote = errors.New("a double quote is not closed")

// splitNames splits a list of names at each sep outside of double quotes.
func splitNames(text string, sep byte) (parts []string, err error) {
	begin, isQuoted := 0, false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			isQuoted = !isQuoted // a doubled one ends the name and begins it again
		case text[i] == sep && !isQuoted:
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	if isQuoted {
		return nil, errQuote
	}
	return append(parts, text[begin:]), nil
}

// quoteName returns one name as SQL takes it: as it is if it is plain, or quoted already,
// else in double quotes.
func quoteName(name string) (string, error) {
	name = strings.Trim(name, " ")
	switch {
	case name == "":
		return "", errors.New("a name is empty")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", errors.New("a name has a control character, or is not UTF-8")
	case strings.HasPrefix(name, `"`):
		return name, checkQuoted(name)
	case isPlain(name):
		return name, nil
	case strings.ContainsAny(name, `"()`):
		return "", fmt.Errorf(`the name %q has a character that cannot be told from SQL: write it in double quotes, with any double quote in it doubled`, name)
	}
	return `"` + name + `"`, nil
}

// checkQuoted refuses what begins with a double quote and is no name in double quotes.
func checkQuoted(name string) error {
	inner, isClosed := strings.CutSuffix(name[1:], `"`)
	if !isClosed || inner == "" || strings.Contains(strings.ReplaceAll(inner, `""`, ""), `"`) {
		return fmt.Errorf(`%q is not one name in double quotes: a double quote in it must be doubled, and nothing may follow it`, name)
	}
	return nil
}

// isPlain reports whether a name needs no quotes.
// Source: Redshift "Names and identifiers".
func isPlain(name string) bool {
	for i := range len(name) {
		c := name[i]
		isLetter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !isLetter && (i == 0 || (c < '0' || c > '9') && c != '$') {
			return false
		}
	}
	return name != ""
}

// quoteTable returns the name of a table, with its schema and database if it has them.
func quoteTable(text string) (string, error) {
	parts, err := splitNames(text, '.')
	if err != nil {
		return "", err
	}
	if len(parts) > 3 {
		return "", errors.New("it has more than a database, a schema and a table: write a name that has a point in double quotes")
	}
	for i := range parts {
		if parts[i], err = quoteName(parts[i]); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, "."), nil
}

// mayBeSame reports whether two names, as quoteTable returns them, may be of one table, however
// they are written: what one of them does not say, a schema or a database, may be that of the other.
// Case tells no two tables apart unless a cluster is made to.
func mayBeSame(a, b string) bool {
	as, bs := bareParts(a), bareParts(b)
	for i := 1; i <= min(len(as), len(bs)); i++ {
		if !strings.EqualFold(as[len(as)-i], bs[len(bs)-i]) {
			return false
		}
	}
	return true
}

// bareParts returns the parts of a table's name without double quotes.
func bareParts(table string) []string {
	parts, _ := splitNames(table, '.') // it was quoted, and is good
	for i, part := range parts {
		if inner, isQuoted := strings.CutPrefix(part, `"`); isQuoted {
			parts[i] = strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
		}
	}
	return parts
}

// quoteColumns returns the names of a list with commas; none of an empty text.
func quoteColumns(text string) ([]string, error) {
	if strings.Trim(text, " ") == "" {
		return nil, nil
	}
	parts, err := splitNames(text, ',')
	if err != nil {
		return nil, err
	}
	for i := range parts {
		if parts[i], err = quoteName(parts[i]); err != nil {
			return nil, err
		}
	}
	return parts, nil
}
