package jq

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of regular expressions, which may be from the record: neither compiling one nor
// looking through a text with it can be stopped.
const (
	maxExpression = 4 << 10  // bytes, with its modifiers
	maxTranslated = 16 << 10 // bytes, as Go's
	maxSize       = 10_000   // about as many instructions
	maxSubject    = 1 << 20  // bytes of a text
	maxWork       = 1 << 25  // instructions times bytes, of which 50 million take a second or less

	sizeOfLetter      = 256 // bytes that are charged for each of an expression as Go's: classes are large
	sizeOfInstruction = 128

	maxRegexps     = 64      // that are kept
	maxRegexpBytes = 8 << 20 // as they are charged
)

// pattern is a regular expression as Go's, which for all it takes agrees with
// Oniguruma's, of jq. What it refuses (looking around, references to what was matched,
// possessive repetition) is an error of the program.
type pattern struct {
	first *regexp.Regexp // from the beginning of a text
	later *regexp.Regexp // from behind its first character, which is there for ^ and \b
	ascii bool           // it has \b or [:class:], which are ASCII's here
	fold  bool           // upper and lower case are the same
	end   bool           // it has $, which is also before a last newline there
	size  int            // about as many instructions
	cost  int            // bytes that were charged
	fails fault
}

const prefix = "Regex failure: "

// pattern is one that is kept, or made. The error is that of charge.
func (m *machine) pattern(expression, flags string) (*pattern, error) {
	if len(expression)+len(flags) > maxExpression {
		return &pattern{fails: prefix + "not supported: too long"}, nil
	}
	key := flags + "/" + expression
	if p, ok := m.regexps[key]; ok {
		return p, nil
	}
	p, err := m.newPattern(expression, flags)
	if err != nil {
		return nil, err
	}
	if len(m.regexps) >= maxRegexps || m.regexpBytes+p.cost > maxRegexpBytes {
		clear(m.regexps)
		m.regexpBytes = 0
	}
	m.regexps[key] = p
	m.regexpBytes += p.cost
	return p, nil
}

// size is about how many instructions an expression becomes.
func size(tree *syntax.Regexp) int {
	n := 1
	if tree.Op == syntax.OpLiteral {
		n = len(tree.Rune)
	}
	for _, sub := range tree.Sub {
		n += size(sub)
	}
	if tree.Op == syntax.OpRepeat {
		n *= max(tree.Max, tree.Min+1)
	}
	return n + 1
}

func (m *machine) newPattern(expression, flags string) (*pattern, error) {
	goes, fails := asGo(expression, flags)
	if fails != "" {
		return &pattern{fails: fault(fails)}, nil
	}
	unsupported := &pattern{fails: prefix + "not supported", cost: sizeOfLetter * len(goes)}
	if len(goes) > maxTranslated {
		return unsupported, nil
	}
	if err := m.charge(unsupported.cost); err != nil {
		return nil, err
	}
	tree := parsed(goes)
	if tree == nil {
		return unsupported, nil
	}
	p := &pattern{ascii: asciiOnly(expression), size: size(tree)}
	if p.size > maxSize {
		return unsupported, nil
	}
	if err := m.charge(sizeOfInstruction * p.size); err != nil {
		return nil, err
	}
	p.cost = unsupported.cost + sizeOfInstruction*p.size
	if !p.compile(goes) {
		return unsupported, nil
	}
	p.look(tree)
	return p, nil
}

// parsed returns what Go reads an expression as; nil if it is none to it.
func parsed(goes string) *syntax.Regexp {
	tree, err := syntax.Parse(goes, syntax.Perl)
	if err != nil {
		return nil
	}
	return tree
}

func (p *pattern) compile(goes string) bool {
	var err, late error
	p.first, err = regexp.Compile(goes)
	p.later, late = regexp.Compile(`\A(?s:.)(?s:.*?)(` + goes + `)`)
	return err == nil && late == nil
}

// asGo returns an expression with its modifiers as Go's, or how it fails.
func asGo(expression, flags string) (goes, fails string) {
	var inline []byte
	for _, f := range flags {
		switch f {
		case 'g', 's':
		case 'i':
			inline = append(inline, 'i')
		case 'm', 'p':
			inline = append(inline, 's')
		case 'x':
			expression = compact(expression)
		case 'l', 'n':
			return "", prefix + "the modifiers l and n are not supported"
		default:
			return "", flags + " is not a valid modifier string"
		}
	}
	goes, ok := translated(expression)
	if !ok {
		return "", prefix + "not supported"
	}
	if len(inline) > 0 {
		goes = "(?" + string(inline) + ":" + goes + ")"
	}
	return goes, ""
}

func (p *pattern) look(tree *syntax.Regexp) {
	p.fold = p.fold || tree.Flags&syntax.FoldCase != 0
	switch tree.Op {
	case syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		p.ascii = true
	case syntax.OpEndText:
		p.end = p.end || tree.Flags&syntax.WasDollar != 0
	default:
	}
	for _, sub := range tree.Sub {
		p.look(sub)
	}
}

// compact drops what the modifier x ignores.
func compact(expression string) string {
	var b strings.Builder
	class := 0
	for i := 0; i < len(expression); i++ {
		switch c := expression[i]; {
		case c == '\\' && i+1 < len(expression):
			b.WriteString(expression[i : i+2])
			i++
			continue
		case c == '[':
			class++
		case c == ']' && class > 0:
			class--
		case class > 0:
		case c == '#':
			for i+1 < len(expression) && expression[i+1] != '\n' {
				i++
			}
			continue
		case strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			continue
		}
		b.WriteByte(expression[i])
	}
	return b.String()
}

// translated writes the classes of characters, which are Unicode's in Oniguruma, as Go
// has them.
func translated(expression string) (string, bool) {
	const word, space = `\p{L}\p{M}\p{N}\p{Pc}`, `\t-\r \x{85}\p{Z}`
	var b strings.Builder
	class := false
	for i := 0; i < len(expression); i++ {
		c := expression[i]
		if c == '[' && class && !strings.HasPrefix(expression[i:], "[:") {
			return "", false // a class in a class is a union there, and a character here
		}
		if c == '&' && class && strings.HasPrefix(expression[i:], "&&") {
			return "", false
		}
		if !class && anchors(expression[i:]) {
			return "", false // which Oniguruma does not repeat
		}
		switch {
		case c == '[' && class:
			j := strings.Index(expression[i:], ":]")
			if j < 0 {
				return "", false
			}
			set, ok := posixClass(expression[i:i+j+2], space)
			if !ok {
				return "", false
			}
			b.WriteString(set)
			i += j + 1
		case c == '[' && !class:
			class = true
			n := 1
			if strings.HasPrefix(expression[i+1:], "^") {
				n++
			}
			if strings.HasPrefix(expression[i+n:], "]") {
				return "", false // there a warning, and not the same for all versions
			}
			b.WriteString(expression[i : i+n])
			i += n - 1
		case c == ']':
			class = false
			b.WriteByte(c)
		case c == '\\' && i+1 < len(expression):
			i++
			text, ok := letterClass(expression[i], class, word, space)
			if !ok {
				return "", false
			}
			b.WriteString(text)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// posixClass is what a class like [:alpha:] means within another one.
func posixClass(name, space string) (set string, ok bool) {
	switch name {
	case "[:space:]":
		return space, true
	case "[:blank:]":
		return `\t\p{Zs}`, true
	case "[:cntrl:]":
		return `\p{Cc}`, true
	case "[:punct:]": // without what Unicode calls symbols
		return `!-#%-*,-/:;?@\[-\]_{}`, true
	case "[:^space:]", "[:^blank:]", "[:^cntrl:]", "[:^punct:]":
		return "", false
	}
	return name, true
}

// asciiOnly tells whether an expression has classes that are not the same here beyond ASCII: they are
// those of another version of Unicode, or of properties that Go does not have.
func asciiOnly(expression string) bool {
	same := strings.NewReplacer("[:space:]", "", "[:blank:]", "", "[:cntrl:]", "", "[:xdigit:]", "", "[:ascii:]", "")
	return strings.Contains(same.Replace(expression), "[:")
}

// anchors tells whether an expression begins with an anchor that is repeated.
func anchors(expression string) bool {
	for _, a := range []string{"^", "$", `\b`, `\B`, `\A`, `\z`} {
		if rest, ok := strings.CutPrefix(expression, a); ok && rest != "" && strings.IndexByte("*+?{", rest[0]) >= 0 {
			return true
		}
	}
	return false
}

// letterClass is what a letter after a backslash means.
func letterClass(letter byte, inClass bool, word, space string) (string, bool) {
	var set string
	switch letter {
	case 'd':
		return `\p{Nd}`, true
	case 'D':
		return `\P{Nd}`, true
	case 'w', 'W':
		set = word
	case 's', 'S':
		set = space
	case 'h', 'H': // no class in the syntax that jq sets
		return string(rune(letter)), true
	case 'Q', 'E', 'C', 'p', 'P', 'v':
		return "", false // others there, or not the same
	default:
		return `\` + string(rune(letter)), letter < utf8.RuneSelf
	}
	switch {
	case letter < 'a' && inClass:
		return "", false
	case letter < 'a':
		return "[^" + set + "]", true
	case inClass:
		return set, true
	}
	return "[" + set + "]", true
}

// find returns where p matches in s at or behind start: pairs of offsets, as package
// regexp has them; nil if it does not.
func (p *pattern) find(s string, start int) []int {
	if start == 0 {
		return p.first.FindStringSubmatchIndex(s)
	}
	if start > len(s) {
		return nil
	}
	_, size := utf8.DecodeLastRuneInString(s[:start])
	from := start - size
	at := p.later.FindStringSubmatchIndex(s[from:])
	if at == nil {
		return nil
	}
	at = at[2:] // the group around
	for i := range at {
		if at[i] >= 0 {
			at[i] += from
		}
	}
	return at
}

// match is _match_impl of jq 1.6.
func (m *machine) match(v any, args []any) any {
	s, ok := v.(string)
	if !ok {
		return fault(m.describe(v) + " cannot be matched, as it is not a string")
	}
	expression, ok := args[0].(string)
	if !ok {
		return fault(m.describe(args[0]) + " is not a string")
	}
	flags, ok := args[1].(string)
	if !ok && args[1] != nil {
		return fault(m.describe(args[1]) + " is not a string")
	}
	p, err := m.pattern(expression, flags)
	switch {
	case err != nil:
		return err
	case p.fails != "":
		return p.fails
	case len(s) > maxSubject, len(s)*p.size > maxWork, p.end && strings.HasSuffix(s, "\n"), p.ascii && strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) >= 0,
		p.fold && strings.ContainsFunc(s+expression, becomesSeveral):
		return fault("Regex failure: not supported for this text")
	}
	if args[2] == true {
		return p.first.MatchString(s)
	}
	return m.matches(p, s, strings.Contains(flags, "g"))
}

// becomesSeveral tells whether Oniguruma takes a character for several ones when the case does
// not matter, as ß for ss: Go never does.
func becomesSeveral(r rune) bool {
	return r >= 0x80 && (strings.ContainsRune("ßẞŉǰΐΰևẖẗẘẙẚİﬀﬁﬂﬃﬄﬅﬆﬓﬔﬕﬖﬗ", r) || r >= 0x1f50 && r <= 0x1fff)
}

func (m *machine) matches(p *pattern, s string, all bool) any {
	found := []any{}
	for start := 0; ; {
		if err := m.pressOn(1023); err != nil {
			return err
		}
		at := p.find(s, start)
		if at == nil {
			return found
		}
		if err := m.charge(sizeOfMember * 8 * len(at)); err != nil {
			return err
		}
		if at[0] == at[1] {
			found = append(found, m.object("offset", position(s, at[0]), "length", 0.0, "string", "", "captures", []any{}))
			start = behind(s, start)
		} else {
			found = append(found, m.object("offset", position(s, at[0]), "length", position(s[at[0]:], at[1]-at[0]),
				"string", s[at[0]:at[1]], "captures", m.captures(p, s, at)))
			start = at[1]
		}
		if !all || start == len(s) {
			return found
		}
	}
}

// behind is where the search goes on after a match of nothing: one character later.
func behind(s string, start int) int {
	if start >= len(s) {
		return start + 1
	}
	_, size := utf8.DecodeRuneInString(s[start:])
	return start + size
}

func (m *machine) captures(p *pattern, s string, at []int) []any {
	captures := make([]any, 0, len(at)/2-1)
	for i := 1; i < len(at)/2; i++ {
		begin, end := at[2*i], at[2*i+1]
		var name any
		if n := p.first.SubexpNames()[i]; n != "" {
			name = n
		}
		switch {
		case begin < 0:
			captures = append(captures, m.object("offset", -1.0, "string", nil, "length", 0.0, "name", name))
		case begin == end:
			captures = append(captures, m.object("offset", position(s, begin), "string", "", "length", 0.0, "name", name))
		default:
			captures = append(captures, m.object("offset", position(s, begin), "length", position(s[begin:], end-begin), "string", s[begin:end], "name", name))
		}
	}
	return captures
}

// object makes one of names and values in turn.
func (m *machine) object(members ...any) map[string]any {
	b := m.build(len(members) / 2)
	for pair := range slices.Chunk(members, 2) {
		if name, ok := pair[0].(string); ok {
			b.set(name, pair[1])
		}
	}
	return b.done()
}

// position is how many characters of s the first n bytes are.
func position(s string, n int) float64 { return float64(utf8.RuneCountInString(s[:n])) }
