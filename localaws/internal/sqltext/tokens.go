package sqltext

import (
	"fmt"
	"strings"
)

// Kind is what a Token is.
type Kind int

// The kinds of tokens.
const (
	End    Kind = iota // after the last token
	Word               // a name or a keyword; Text has it in lower case
	Quoted             // a name in double quotes; Text is what they hold
	String             // a literal; Text is what it holds
	Number
	Symbol // an operator, a parenthesis, a comma, a semicolon
)

// Token is one token of a text.
type Token struct {
	Kind     Kind
	Text     string
	At, Next int // offsets in the text of its first byte, and of the one after it
}

// Error says what of a text cannot be read: SQLSTATE 42601.
type Error struct{ Message string }

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Near is the error that a token is not expected.
func Near(t Token) error {
	if t.Kind == End {
		return &Error{"syntax error at end of input"}
	}
	return &Error{fmt.Sprintf("syntax error at or near %q", t.Text)}
}

// Tokens returns the tokens of a text, without comments. The last one is an End.
//
// Errors: *Error.
func Tokens(text string) ([]Token, error) {
	var list []Token
	for at := 0; ; {
		at = skip(text, at)
		if at == len(text) {
			return append(list, Token{Kind: End, At: at, Next: at}), nil
		}
		t, err := read(text, at)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
		at = t.Next
	}
}

// skip returns where the next token begins.
func skip(text string, at int) int {
	for at < len(text) {
		rest := text[at:]
		switch {
		case strings.IndexByte(" \t\r\n\f", rest[0]) >= 0:
			at++
		case strings.HasPrefix(rest, "--"):
			at = after(text, at, "\n")
		case strings.HasPrefix(rest, "/*"):
			at = after(text, at+2, "*/")
		default:
			return at
		}
	}
	return at
}

// after returns where the first end of a comment has ended, or the text.
func after(text string, at int, end string) int {
	if i := strings.Index(text[at:], end); i >= 0 {
		return at + i + len(end)
	}
	return len(text)
}

func read(text string, at int) (Token, error) {
	switch c := text[at]; {
	case c == '\'':
		return enclosed(text, at, String, "unterminated quoted string")
	case c == '"':
		return enclosed(text, at, Quoted, "unterminated quoted identifier")
	case isDigit(c) || (c == '.' && at+1 < len(text) && isDigit(text[at+1])):
		next := at + 1
		for next < len(text) && (isDigit(text[next]) || text[next] == '.') {
			next++
		}
		return Token{Number, text[at:next], at, next}, nil
	case isLetter(c):
		next := at + 1
		for next < len(text) && (isLetter(text[next]) || isDigit(text[next]) || text[next] == '$') {
			next++
		}
		return Token{Word, strings.ToLower(text[at:next]), at, next}, nil
	}
	for _, symbol := range []string{"::", "<=", ">=", "<>", "!=", "||"} {
		if strings.HasPrefix(text[at:], symbol) {
			return Token{Symbol, symbol, at, at + len(symbol)}, nil
		}
	}
	if strings.IndexByte("()[],;:.=<>+-*/%", text[at]) < 0 {
		return Token{}, &Error{fmt.Sprintf("syntax error at or near %q", text[at:at+1])}
	}
	return Token{Symbol, text[at : at+1], at, at + 1}, nil
}

// enclosed reads a token in quotes, of which two stand for one within.
func enclosed(text string, at int, kind Kind, unterminated string) (Token, error) {
	quote := text[at]
	var held strings.Builder
	for i := at + 1; i < len(text); i++ {
		if text[i] != quote {
			held.WriteByte(text[i])
			continue
		}
		if i+1 == len(text) || text[i+1] != quote {
			return Token{kind, held.String(), at, i + 1}, nil
		}
		held.WriteByte(quote)
		i++
	}
	return Token{}, &Error{unterminated}
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c == '_' || c >= 0x80 || (c|0x20 >= 'a' && c|0x20 <= 'z') }

// Split returns the statements of a text, without semicolons; empty ones are left out.
//
// Errors: *Error.
func Split(text string) ([]string, error) {
	tokens, err := Tokens(text)
	if err != nil {
		return nil, err
	}
	var list []string
	from := -1 // offset of the statement that has begun
	for _, t := range tokens {
		isEnd := t.Kind == End || (t.Kind == Symbol && t.Text == ";")
		switch {
		case !isEnd && from < 0:
			from = t.At
		case isEnd && from >= 0:
			list = append(list, strings.TrimSpace(text[from:t.At]))
			from = -1
		}
	}
	return list, nil
}
