package prefix

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// pattern is what java.time's DateTimeFormatter.ofPattern makes of a text, as far
// as it prints: a port for the JDK 17, with the texts and weeks of [locale].
//
// Firehose refuses the same letters as that JDK, and no other known formatter
// does; that both agree in the rest is inferred.
type pattern []piece

// piece is a literal or a field.
type piece struct {
	literal string
	field   field // if literal is ""
	pad     int   // characters that a field is filled up to, with spaces before it
}

// parsePattern returns the pattern that s is. The error says why Java refuses it.
func parsePattern(s string) (pattern, error) {
	p := &patternParser{rest: s}
	for p.rest != "" {
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	return p.pieces, nil
}

type patternParser struct {
	rest   string
	pieces pattern
	depth  int // optional sections that are open
	padded bool
}

func (p *patternParser) next() error {
	c := p.rest[0]
	if isLetter(c) {
		return p.letters()
	}
	p.padded = false
	switch c {
	case '\'':
		return p.quoted()
	case '[': // all that is optional can be printed
		p.depth++
	case ']':
		if p.depth--; p.depth < 0 {
			return errors.New("there is a ] without a [ before it")
		}
	case '{', '}', '#':
		return fmt.Errorf("the character %c is reserved", c)
	default:
		_, size := utf8.DecodeRuneInString(p.rest)
		p.literal(p.rest[:size])
		p.rest = p.rest[size:]
		return nil
	}
	p.rest = p.rest[1:]
	return nil
}

// letters reads a run of one letter, perhaps after the letter p, which pads.
func (p *patternParser) letters() error {
	letter, count := p.run()
	pad := 0
	if letter == 'p' {
		if p.rest == "" || !isLetter(p.rest[0]) {
			return errors.New("the letter p, which pads, has no letter behind it")
		}
		pad = count
		letter, count = p.run()
	}
	f, err := newField(letter, count)
	switch {
	case err != nil:
		return err
	case p.padded && f.number && pad == 0:
		return errors.New("a number follows a padded one directly, which no formatter takes")
	}
	p.padded = f.number && pad > 0
	p.pieces = append(p.pieces, piece{field: f, pad: pad})
	return nil
}

func (p *patternParser) run() (letter byte, count int) {
	letter = p.rest[0]
	count = len(p.rest) - len(strings.TrimLeft(p.rest, string(letter)))
	p.rest = p.rest[count:]
	return letter, count
}

// quoted reads a text in quotes; two quotes are one, inside as outside.
func (p *patternParser) quoted() error {
	text := p.rest[1:]
	for i := 0; i < len(text); i++ {
		if text[i] != '\'' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '\'' {
			i++
			continue
		}
		p.rest = text[i+1:]
		if i == 0 {
			p.literal("'")
		} else {
			p.literal(strings.ReplaceAll(text[:i], "''", "'"))
		}
		return nil
	}
	return errors.New("a quote is not closed")
}

func (p *patternParser) literal(s string) { p.pieces = append(p.pieces, piece{literal: s}) }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// unprintable says why Java takes the pattern but fails to print some instant with
// it; "" if it never fails.
func (p pattern) unprintable() string {
	for _, e := range p {
		switch {
		case e.literal != "":
		case e.field.fails:
			return "has a year of 11 to 18 letters, which Java takes and then cannot print"
		case e.pad > 0 && utf8.RuneCountInString(e.field.longest) > e.pad:
			return fmt.Sprintf("pads to %d characters what can have %d, which Java takes and then cannot print", e.pad, utf8.RuneCountInString(e.field.longest))
		}
	}
	return ""
}

// print returns what Java prints for at, in at's zone. The pattern is not
// [pattern.unprintable], and the year has four digits.
func (p pattern) print(at time.Time) string {
	return p.each(func(f field) string { return f.print(at) })
}

// longest returns a text that has as many bytes as print ever returns, with the
// same literals.
func (p pattern) longest() string {
	return p.each(func(f field) string { return f.longest })
}

func (p pattern) each(text func(field) string) string {
	var b strings.Builder
	for _, e := range p {
		if e.literal != "" {
			b.WriteString(e.literal)
			continue
		}
		s := text(e.field)
		b.WriteString(strings.Repeat(" ", max(0, e.pad-utf8.RuneCountInString(s))))
		b.WriteString(s)
	}
	return b.String()
}
