package sqltext

import "strconv"

// Parser goes through the tokens of one statement. It is used by one goroutine.
type Parser struct {
	Text   string
	tokens []Token
	at     int
}

// Parse begins to read a statement.
//
// Errors: *Error.
func Parse(text string) (*Parser, error) {
	tokens, err := Tokens(text)
	if err != nil {
		return nil, err
	}
	return &Parser{Text: text, tokens: tokens}, nil
}

// Peek returns the token that is read next; at the end an End.
func (p *Parser) Peek() Token { return p.tokens[p.at] }

// Next reads a token; at the end it stays there.
func (p *Parser) Next() Token {
	t := p.tokens[p.at]
	if t.Kind != End {
		p.at++
	}
	return t
}

// Is reports whether the words come next.
func (p *Parser) Is(words ...string) bool {
	for i, word := range words {
		if p.at+i >= len(p.tokens) || p.tokens[p.at+i].Kind != Word || p.tokens[p.at+i].Text != word {
			return false
		}
	}
	return true
}

// Accept reads the words if they come next, and reports whether they did.
func (p *Parser) Accept(words ...string) bool {
	if !p.Is(words...) {
		return false
	}
	p.at += len(words)
	return true
}

// AcceptAny reads one of the words if it comes next, and returns it, or "".
func (p *Parser) AcceptAny(words ...string) string {
	for _, word := range words {
		if p.Accept(word) {
			return word
		}
	}
	return ""
}

// IsSymbol reports whether a symbol comes next.
func (p *Parser) IsSymbol(symbol string) bool {
	return p.Peek().Kind == Symbol && p.Peek().Text == symbol
}

// AcceptSymbol reads a symbol if it comes next, and reports whether it did.
func (p *Parser) AcceptSymbol(symbol string) bool {
	if !p.IsSymbol(symbol) {
		return false
	}
	p.at++
	return true
}

// Need reads the words, which must come next.
//
// Errors of this and of what follows: *Error.
func (p *Parser) Need(words ...string) error {
	if !p.Accept(words...) {
		return Near(p.Peek())
	}
	return nil
}

// NeedSymbol reads a symbol, which must come next.
func (p *Parser) NeedSymbol(symbol string) error {
	if !p.AcceptSymbol(symbol) {
		return Near(p.Peek())
	}
	return nil
}

// NeedString reads a literal.
func (p *Parser) NeedString() (string, error) {
	t := p.Peek()
	if t.Kind != String {
		return "", Near(t)
	}
	return p.Next().Text, nil
}

// NeedInt reads a whole number.
func (p *Parser) NeedInt() (int, error) {
	t := p.Peek()
	n, err := strconv.Atoi(t.Text)
	if t.Kind != Number || err != nil {
		return 0, Near(t)
	}
	p.Next()
	return n, nil
}

// NeedName reads a name, quoted or not.
func (p *Parser) NeedName() (string, error) {
	t := p.Peek()
	if t.Kind != Word && t.Kind != Quoted {
		return "", Near(t)
	}
	return p.Next().Text, nil
}

// NeedEnd must be at the end.
func (p *Parser) NeedEnd() error {
	p.AcceptSymbol(";")
	if t := p.Peek(); t.Kind != End {
		return Near(t)
	}
	return nil
}

// Name is the name of a table.
type Name struct{ Schema, Table string } // Schema is "" if it is not given

// String returns the name as messages have it.
func (n Name) String() string {
	if n.Schema == "" {
		return n.Table
	}
	return n.Schema + "." + n.Table
}

// NeedTable reads the name of a table, with or without its schema.
func (p *Parser) NeedTable() (Name, error) {
	first, err := p.NeedName()
	if err != nil || !p.AcceptSymbol(".") {
		return Name{Table: first}, err
	}
	second, err := p.NeedName()
	return Name{first, second}, err
}

// Names reads a list of names in parentheses.
func (p *Parser) Names() ([]string, error) {
	if err := p.NeedSymbol("("); err != nil {
		return nil, err
	}
	var list []string
	for {
		name, err := p.NeedName()
		if err != nil {
			return nil, err
		}
		list = append(list, name)
		if !p.AcceptSymbol(",") {
			return list, p.NeedSymbol(")")
		}
	}
}
