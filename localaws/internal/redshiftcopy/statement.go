package redshiftcopy

import (
	"fmt"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/sqltext"
)

// Format is how an object has its rows.
type Format int

// The formats.
const (
	Delimited Format = iota // one row a line
	CSV
	JSON
)

// Statement is a COPY.
type Statement struct {
	Table   sqltext.Name
	Columns []string // in the statement's order; none for all
	From    string   // "s3://BUCKET/KEY"
	Access  Access
	Region  string // of the objects; "" for the cluster's

	Manifest, Gzip bool
	Format         Format
	JSONPaths      string // URL of a file of JSON paths; "" for 'auto'
	IgnoreCase     bool   // 'auto ignorecase'

	Delimiter    byte
	Quote        byte
	Escape       bool
	RemoveQuotes bool
	IgnoreHeader int

	NullAs           string
	EmptyAsNull      bool
	BlanksAsNull     bool
	TrimBlanks       bool
	TruncateColumns  bool
	FillRecord       bool
	IgnoreBlankLines bool
	AcceptInvChars   string // what stands for each; "" if they are refused
	AcceptAnyDate    bool
	DateFormat       string
	TimeFormat       string
	MaxError         int
	NoLoad           bool
}

// Access is what a COPY reads S3 with: a role, or keys.
type Access struct {
	Role                         string // one or several ARNs, by commas
	AccessKeyID, SecretAccessKey string
	SessionToken                 string
}

// IsCopy reports whether a statement is a COPY.
func IsCopy(text string) bool {
	p, err := sqltext.Parse(text)
	return err == nil && p.Is("copy")
}

// Parse reads a COPY.
//
// Errors: *sqltext.Error for what is no COPY, or one with parts that this package does
// not know; *Error for what does not go together.
func Parse(text string) (Statement, error) {
	s := Statement{Delimiter: '|', Quote: '"', NullAs: `\N`}
	p, err := sqltext.Parse(text)
	if err != nil {
		return s, err
	}
	if err = p.Need("copy"); err != nil {
		return s, err
	}
	if s.Table, err = p.NeedTable(); err != nil {
		return s, err
	}
	if p.IsSymbol("(") {
		if s.Columns, err = p.Names(); err != nil {
			return s, err
		}
	}
	if err = p.Need("from"); err != nil {
		return s, err
	}
	if s.From, err = p.NeedString(); err != nil {
		return s, err
	}
	if !strings.HasPrefix(s.From, "s3://") {
		return s, &Error{Code: "0A000", Message: "COPY from " + s.From + " is not supported here: only from s3://"}
	}
	given := make(map[string]bool)
	for p.Peek().Kind != sqltext.End && !p.IsSymbol(";") {
		if err = s.option(p, given); err != nil {
			return s, err
		}
	}
	if err = p.NeedEnd(); err != nil {
		return s, err
	}
	return s, s.check(given)
}

// option reads one of what follows FROM.
func (s *Statement) option(p *sqltext.Parser, given map[string]bool) error {
	t := p.Peek()
	if t.Kind != sqltext.Word {
		return sqltext.Near(t)
	}
	p.Next()
	name := t.Text
	if name == "with" {
		return nil
	}
	name, read := s.optionOf(name, p)
	if read == nil {
		return sqltext.Near(t)
	}
	if given[name] {
		return &sqltext.Error{Message: "conflicting or redundant options: " + name}
	}
	given[name] = true
	return read(p)
}

// reader reads what follows the name of an option.
type reader = func(*sqltext.Parser) error

// optionOf returns the name by which an option is known, and what reads it; nil if there
// is none.
func (s *Statement) optionOf(name string, p *sqltext.Parser) (string, reader) {
	if name == "format" {
		p.Accept("as")
		if name = p.AcceptAny("csv", "json", "delimiter"); name == "" {
			return "", nil
		}
	}
	if flag := s.flags()[name]; flag != nil {
		return name, func(*sqltext.Parser) error { *flag = true; return nil }
	}
	if text := s.texts()[name]; text != nil {
		return name, textOf(text)
	}
	switch name {
	case "credentials":
		return "credentials", s.readCredentials
	case "json":
		return "format", s.readJSON
	case "csv":
		return "format", func(p *sqltext.Parser) error {
			s.Format = CSV
			if s.Delimiter == '|' {
				s.Delimiter = ','
			}
			if !p.Accept("quote") {
				return nil
			}
			return byteOf(&s.Quote)(p)
		}
	case "delimiter":
		return name, byteOf(&s.Delimiter)
	case "null":
		return name, textOf(&s.NullAs)
	case "maxerror":
		return name, intOf(&s.MaxError)
	case "ignoreheader":
		return name, intOf(&s.IgnoreHeader)
	case "acceptinvchars":
		return name, s.readInvChars
	case "compupdate", "statupdate":
		return name, func(p *sqltext.Parser) error { p.AcceptAny("on", "off", "true", "false", "preset"); return nil }
	case "comprows":
		return name, intOf(new(int))
	}
	return "", nil
}

func (s *Statement) flags() map[string]*bool {
	return map[string]*bool{
		"manifest": &s.Manifest, "gzip": &s.Gzip, "escape": &s.Escape, "removequotes": &s.RemoveQuotes,
		"emptyasnull": &s.EmptyAsNull, "blanksasnull": &s.BlanksAsNull, "trimblanks": &s.TrimBlanks,
		"truncatecolumns": &s.TruncateColumns, "fillrecord": &s.FillRecord, "ignoreblanklines": &s.IgnoreBlankLines,
		"acceptanydate": &s.AcceptAnyDate, "noload": &s.NoLoad, "roundec": new(bool),
	}
}

func (s *Statement) texts() map[string]*string {
	return map[string]*string{
		"iam_role": &s.Access.Role, "access_key_id": &s.Access.AccessKeyID, "secret_access_key": &s.Access.SecretAccessKey,
		"session_token": &s.Access.SessionToken, "region": &s.Region, "dateformat": &s.DateFormat, "timeformat": &s.TimeFormat,
	}
}

func textOf(into *string) reader {
	return func(p *sqltext.Parser) error {
		p.Accept("as")
		var err error
		*into, err = p.NeedString()
		return err
	}
}

func intOf(into *int) reader {
	return func(p *sqltext.Parser) error {
		p.Accept("as")
		var err error
		*into, err = p.NeedInt()
		return err
	}
}

func byteOf(into *byte) reader {
	return func(p *sqltext.Parser) error {
		p.Accept("as")
		text, err := p.NeedString()
		if err != nil {
			return err
		}
		c, ok := single(text)
		if !ok {
			return &Error{Code: "22023", Message: fmt.Sprintf("COPY delimiter must be a single character: %q", text)}
		}
		*into = c
		return nil
	}
}

// single reads a character, which may be written as \t or as \001.
func single(text string) (byte, bool) {
	var octal byte
	switch {
	case len(text) == 1 && text[0] < 0x80:
		return text[0], true
	case text == `\t`:
		return '\t', true
	case text == `\\`:
		return '\\', true
	case len(text) == 4:
		if n, err := fmt.Sscanf(text, `\%3o`, &octal); n == 1 && err == nil && octal < 0x80 {
			return octal, true
		}
	}
	return 0, false
}

func (s *Statement) readJSON(p *sqltext.Parser) error {
	s.Format = JSON
	p.Accept("as")
	if p.Peek().Kind != sqltext.String {
		return nil // 'auto'
	}
	text, err := p.NeedString()
	switch lower := strings.ToLower(text); {
	case err != nil:
		return err
	case lower == "auto":
	case lower == "auto ignorecase":
		s.IgnoreCase = true
	case strings.HasPrefix(text, "s3://"):
		s.JSONPaths = text
	default:
		return &sqltext.Error{Message: fmt.Sprintf("syntax error at or near %q: JSON is 'auto', 'auto ignorecase', or s3:// of a file of JSON paths", text)}
	}
	return nil
}

func (s *Statement) readInvChars(p *sqltext.Parser) error {
	s.AcceptInvChars = "?"
	p.Accept("as")
	if p.Peek().Kind != sqltext.String {
		return nil
	}
	var c byte
	if err := byteOf(&c)(p); err != nil {
		return err
	}
	s.AcceptInvChars = string(c)
	return nil
}

// readCredentials reads 'aws_iam_role=…', or keys.
func (s *Statement) readCredentials(p *sqltext.Parser) error {
	p.Accept("as")
	text, err := p.NeedString()
	if err != nil {
		return err
	}
	into := map[string]*string{
		"aws_iam_role": &s.Access.Role, "aws_access_key_id": &s.Access.AccessKeyID,
		"aws_secret_access_key": &s.Access.SecretAccessKey, "token": &s.Access.SessionToken,
	}
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if part == "" {
			continue
		}
		if into[name] == nil || !ok {
			return &Error{Code: "XX000", Message: "Invalid credentials. Must be of the format: credentials 'aws_iam_role=...' or 'aws_access_key_id=...;aws_secret_access_key=...[;token=...]'"}
		}
		*into[name] = value
	}
	return nil
}

// check finds what does not go together.
func (s *Statement) check(given map[string]bool) error {
	a := s.Access
	switch {
	case a.Role == "" && a.AccessKeyID == "":
		return &Error{Code: "XX000", Message: "COPY from S3 needs CREDENTIALS or IAM_ROLE"}
	case a.Role != "" && a.AccessKeyID != "":
		return &Error{Code: "XX000", Message: "COPY has a role and keys; it must have one of them"}
	case a.AccessKeyID != "" && a.SecretAccessKey == "":
		return &Error{Code: "XX000", Message: "Invalid credentials. Must have a secret access key"}
	case s.Format == JSON && (given["delimiter"] || s.Escape || s.RemoveQuotes || s.FillRecord || s.IgnoreHeader > 0 || s.IgnoreBlankLines):
		return &sqltext.Error{Message: "JSON cannot be used with DELIMITER, ESCAPE, REMOVEQUOTES, FILLRECORD, IGNOREHEADER or IGNOREBLANKLINES"}
	case s.Format == CSV && (s.Escape || s.RemoveQuotes):
		return &sqltext.Error{Message: "CSV cannot be used with ESCAPE or REMOVEQUOTES"}
	case s.MaxError > 100_000:
		return &Error{Code: "22023", Message: "MAXERROR must be from 0 to 100000"}
	}
	return nil
}
