package redshiftcopy

import (
	"fmt"
	"strings"
)

// readLines reads rows of which each is a line, or in CSV may be several.
func (r *rowReader) readLines(text string) {
	s := scanner{s: r.s, text: text}
	for n := 0; n < r.s.IgnoreHeader && !s.atEnd(); n++ {
		s.skipLine()
	}
	for !s.atEnd() && !r.s.Failed(r.rows) {
		l := line{number: s.number + 1}
		start := s.at
		s.row()
		l.text = strings.TrimRight(text[start:s.at], "\r\n")
		switch {
		case s.problem != nil:
			r.fail(l, *s.problem)
		case strings.TrimSpace(l.text) == "" && len(r.columns) > 1:
			if !r.s.IgnoreBlankLines {
				r.fail(l, LineError{Code: CodeNoDelimiter, Reason: "Delimiter not found"})
			}
		case len(s.fields) > len(r.columns):
			r.fail(l, LineError{Code: CodeExtra, Reason: "Extra column(s) found", Position: s.positions[len(r.columns)]})
		case len(s.fields) < len(r.columns) && !r.s.FillRecord:
			r.fail(l, LineError{Column: r.columns[len(s.fields)].Name, Type: r.columns[len(s.fields)].Type, Code: CodeNoDelimiter, Reason: "Delimiter not found"})
		default:
			r.add(l, s.fields, s.positions)
		}
	}
}

// scanner splits a text into fields.
type scanner struct {
	s      *Statement
	text   string
	at     int
	number int64 // of line ends before at

	// Of the row that was read last.
	fields    []*string
	positions []int // of the fields in the row
	problem   *LineError
}

func (s *scanner) atEnd() bool { return s.at >= len(s.text) }

func (s *scanner) skipLine() {
	_, rest, _ := strings.Cut(s.text[s.at:], "\n")
	s.at = len(s.text) - len(rest)
	s.number++
}

// row reads one row, and the end of its line.
func (s *scanner) row() {
	s.fields, s.positions, s.problem = nil, nil, nil
	start := s.at
	for {
		s.positions = append(s.positions, s.at-start)
		field, err := s.field()
		if err != nil {
			err.Position = s.positions[len(s.positions)-1]
			s.problem = err
			s.skipLine()
			return
		}
		s.fields = append(s.fields, &field)
		if s.atEnd() {
			return
		}
		c := s.text[s.at]
		s.at++
		if c == '\n' {
			s.number++
			return
		}
	}
}

// field reads up to a delimiter or the end of a line, which are left.
func (s *scanner) field() (string, *LineError) {
	quoted := s.s.Format == CSV || s.s.RemoveQuotes
	if quoted && !s.atEnd() && s.isQuote(s.text[s.at]) {
		return s.inQuotes()
	}
	var b strings.Builder
	for ; !s.atEnd(); s.at++ {
		c := s.text[s.at]
		if c == s.s.Delimiter || c == '\n' {
			break
		}
		if c == '\\' && s.s.Escape && s.at+1 < len(s.text) {
			s.at++
			c = s.text[s.at]
			if c == 'N' && b.Len() == 0 { // \N stays NULL
				b.WriteByte('\\')
			}
			if c == '\n' {
				s.number++
			}
		}
		b.WriteByte(c)
	}
	return s.withoutReturn(b.String()), nil
}

// withoutReturn takes a carriage return from the end of a line.
func (s *scanner) withoutReturn(field string) string {
	if s.atEnd() || s.text[s.at] == '\n' {
		return strings.TrimSuffix(field, "\r")
	}
	return field
}

func (s *scanner) isQuote(c byte) bool {
	if s.s.Format == CSV {
		return c == s.s.Quote
	}
	return c == '"' || c == '\''
}

// inQuotes reads a field that begins with a quote. In CSV two of them are one, and lines
// may end within.
func (s *scanner) inQuotes() (string, *LineError) {
	quote := s.text[s.at]
	s.at++
	var b strings.Builder
	for ; !s.atEnd(); s.at++ {
		c := s.text[s.at]
		switch {
		case c == quote && s.s.Format == CSV && strings.HasPrefix(s.text[s.at+1:], string(quote)):
			s.at++
		case c == quote:
			s.at++
			return b.String(), s.afterQuotes()
		case c == '\\' && s.s.Escape && s.at+1 < len(s.text):
			s.at++
			c = s.text[s.at]
		case c == '\n' && s.s.Format == CSV:
			s.number++
		case c == '\n':
			return "", &LineError{Code: CodeEndQuote, Reason: "Delimited value missing end quote"}
		}
		b.WriteByte(c)
	}
	return "", &LineError{Code: CodeEndQuote, Reason: "Delimited value missing end quote"}
}

// afterQuotes must be at a delimiter, or at the end of a line.
func (s *scanner) afterQuotes() *LineError {
	if strings.HasPrefix(s.text[s.at:], "\r\n") || s.text[s.at:] == "\r" {
		s.at++
	}
	if s.atEnd() || s.text[s.at] == s.s.Delimiter || s.text[s.at] == '\n' {
		return nil
	}
	return &LineError{Code: CodeEndQuote, Reason: fmt.Sprintf("Invalid quote formatting for CSV. Unexpected character 0x%x", s.text[s.at])}
}
