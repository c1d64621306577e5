package redshiftarchive

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// redacted stands for a secret where a statement is shown.
const redacted = "<redacted>"

// literal returns a text as a literal of SQL. Whether a backslash is one depends on how
// the text is read, so none is taken.
func literal(text string) (string, error) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || strings.Contains(text, `\`) {
		return "", errors.New("must be UTF-8 without control characters and backslashes")
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'", nil
}

// statement returns the COPY of a manifest.
// Source: Firehose's console, "COPY command".
func (s *settings) statement(manifest, credentials string, isSecret bool) (Statement, error) {
	from, err := literal(manifest)
	if err != nil {
		return Statement{}, errors.New("the URL of the manifest: " + err.Error())
	}
	with, err := literal(credentials)
	if err != nil {
		return Statement{}, errors.New("what COPY reads the bucket with: " + err.Error())
	}
	shown, shownOptions := with, s.options.text
	if isSecret {
		shown = "'" + redacted + "'"
	}
	if s.options.isSecret() {
		shownOptions = redacted
	}
	return NewStatement(s.copyText(from, with, s.options.text), s.copyText(from, shown, shownOptions)), nil
}

func (s *settings) copyText(from, credentials, options string) string {
	var b strings.Builder
	b.WriteString("COPY " + s.table)
	if len(s.columns) > 0 {
		b.WriteString(" (" + strings.Join(s.columns, ",") + ")")
	}
	b.WriteString(" FROM " + from + " CREDENTIALS " + credentials + " MANIFEST")
	if options != "" {
		b.WriteString(" " + options)
	}
	b.WriteString(";")
	return b.String()
}
