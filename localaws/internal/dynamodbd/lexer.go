package dynamodbd

import (
	"strings"
	"unicode/utf8"
)

// tokenKind tells tokens of expressions apart. Symbols and keywords are their
// own kind, in upper case.
type tokenKind string

const (
	tokenEnd   tokenKind = "<EOF>"
	tokenName  tokenKind = "name"   // attribute or function
	tokenAlias tokenKind = "#name"  // of ExpressionAttributeNames
	tokenValue tokenKind = ":value" // of ExpressionAttributeValues
	tokenIndex tokenKind = "index"  // digits
)

const blanks = " \t\r\n\f"

// token is a piece of an expression; start and end are its place.
type token struct {
	kind       tokenKind
	text       string
	start, end int
}

// lex cuts an expression into tokens, the last of which is tokenEnd.
func lex(clause, src string) ([]token, error) {
	var tokens []token
	for at := 0; ; {
		for at < len(src) && strings.IndexByte(blanks, src[at]) >= 0 {
			at++
		}
		if at == len(src) {
			return append(tokens, token{kind: tokenEnd, text: string(tokenEnd), start: at, end: at}), nil
		}
		t, ok := next(src[at:])
		if !ok {
			return nil, lexError(clause, src, tokens, at)
		}
		t.start, t.end = at, at+len(t.text)
		tokens = append(tokens, t)
		at = t.end
	}
}

// lexError is the error about the letter at a place where no token can start.
func lexError(clause, src string, before []token, at int) error {
	_, width := utf8.DecodeRuneInString(src[at:])
	tokens := append(before, token{text: src[at : at+width], start: at, end: at + width})
	rest := strings.TrimLeft(src[at+width:], blanks)
	if t, ok := next(rest + " "); ok && rest != "" {
		tokens = append(tokens, token{end: len(src) - len(rest) + len(t.text)})
	}
	return syntaxError(clause, src, tokens, len(before))
}

// next gives the token that src, which is not empty and does not start with a
// blank, starts with.
func next(src string) (token, bool) {
	for _, symbol := range []string{"<>", "<=", ">=", "<", ">", "=", "(", ")", "[", "]", ",", ".", "+", "-"} {
		if strings.HasPrefix(src, symbol) {
			return token{kind: tokenKind(symbol), text: symbol}, true
		}
	}
	switch c := src[0]; {
	case c == '#' || c == ':':
		n := 1 + wordLength(src[1:])
		kind := tokenAlias
		if c == ':' {
			kind = tokenValue
		}
		return token{kind: kind, text: src[:n]}, n > 1
	case isDigit(c):
		n := 1
		for n < len(src) && isDigit(src[n]) {
			n++
		}
		return token{kind: tokenIndex, text: src[:n]}, true
	default:
		n := wordLength(src)
		return token{kind: wordKind(src[:n]), text: src[:n]}, n > 0 && c != '_'
	}
}

// wordKind tells the keywords, in which case does not matter, from names.
func wordKind(word string) tokenKind {
	switch upper := strings.ToUpper(word); upper {
	case "AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE":
		return tokenKind(upper)
	}
	return tokenName
}

func wordLength(s string) int {
	n := 0
	for n < len(s) && (isDigit(s[n]) || isLetter(s[n])) {
		n++
	}
	return n
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// syntaxError names the token that cannot stand where it does, with its
// neighbours.
func syntaxError(clause, src string, tokens []token, at int) error {
	from, to := tokens[max(at-1, 0)].start, tokens[min(at+1, len(tokens)-1)].end
	return invalid(`Invalid %s: Syntax error; token: "%s", near: "%s"`, clause,
		strings.ToValidUTF8(tokens[at].text, "?"), strings.ToValidUTF8(strings.TrimSpace(src[from:to]), "?"))
}
