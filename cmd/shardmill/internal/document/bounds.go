package document

import (
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// What the parser is given: its time grows with the square of either, and its
// memory too. No configuration has 10 levels.
const (
	maxDepth  = 32
	maxTokens = 10_000
)

// bounded reports text that would take the parser too long, without parsing it.
func bounded(r *Report, data []byte) bool {
	tokens := lexer.Tokenize(string(data))
	var d depth
	for i, t := range tokens {
		if d.add(tokens, i) > maxDepth {
			r.fault(t.Position.Line, "the file nests objects and lists more than %d deep in column %d; no configuration does", maxDepth, t.Position.Column)
			return false
		}
	}
	if n := len(tokens); n > maxTokens {
		r.fault(1, "the file has %d words and marks; it must have at most %d", n, maxTokens)
		return false
	}
	return true
}

// depth follows how deep lists and objects are nested: in brackets, and by
// indentation.
type depth struct {
	brackets int
	blocks   []block // that are open, outwards in
}

// block is a list or an object by indentation.
type block struct {
	column int
	list   bool
}

// add takes the next token and returns the depth there, of text that is not
// well-formed at least that.
func (d *depth) add(tokens token.Tokens, i int) int {
	t := tokens[i]
	switch t.Type { //nolint:exhaustive // the others open and close nothing
	case token.SequenceStartType, token.MappingStartType:
		d.brackets++
	case token.SequenceEndType, token.MappingEndType:
		d.brackets = max(0, d.brackets-1)
	case token.SequenceEntryType:
		d.open(block{t.Position.Column, true})
	case token.MappingKeyType, token.AnchorType, token.TagType: // the latter two may come before each other
		d.open(block{t.Position.Column, false})
	case token.MappingValueType:
		if i > 0 {
			d.open(block{tokens[i-1].Position.Column, false})
		}
	}
	return d.brackets + len(d.blocks)
}

// open opens a block and closes those that cannot be around it.
func (d *depth) open(b block) {
	if d.brackets > 0 {
		return
	}
	for n := len(d.blocks); n > 0; n = len(d.blocks) {
		last := d.blocks[n-1]
		if last.column < b.column || last.column == b.column && b.list && !last.list {
			break // a list may stand below its key
		}
		d.blocks = d.blocks[:n-1]
	}
	d.blocks = append(d.blocks, b)
}
