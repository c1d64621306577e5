package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxBytes is how large a document may be. No more than one byte beyond it need
// be read to have Read refuse it.
const MaxBytes = 64 << 10

// Env returns the value of an environment variable, false if it is not set. A nil
// one has none.
type Env func(name string) (string, bool)

// Read parses the one document of a file and returns its place. It is false, and
// the place's report says why, if there is none; other faults of the text are in
// the report alone. name is the file's, for messages; must is what the file has to
// hold, for one that is empty. Variables in its texts are those of env. Read does
// no I/O. Members at the paths secrets may have variables that are named like a secret.
func Read(name string, data []byte, must string, env Env, secrets ...string) (Place, bool) {
	r := &Report{file: name}
	v, ok := parse(r, data, must, env, secrets)
	return Place{Report: r, Line: v.Line, value: v}, ok
}

func parse(r *Report, data []byte, must string, env Env, secrets []string) (Value, bool) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(data) > MaxBytes {
		r.fault(1, "the file has more than %d bytes; it must have at most so many", MaxBytes)
		return Value{}, false
	}
	if !isText(r, data) {
		return Value{}, false
	}
	if json.Valid(data) { // then a tab is just a space, and not so to the parser
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	}
	if !bounded(r, data) {
		return Value{}, false
	}
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		syntax(r, err, data)
		return Value{}, false
	}
	body, ok := only(r, file, must)
	if !ok {
		return Value{}, false
	}
	room := MaxBytes
	return converter{r, env, &room, secrets}.value("", body, 1), true
}

// isText reports bytes that are no text. A carriage return without a newline
// is among them: it begins a line for YAML, and for few others.
func isText(r *Report, data []byte) bool {
	control := func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }
	for i, text := range strings.Split(string(data), "\n") {
		text = strings.TrimSuffix(text, "\r")
		if !utf8.ValidString(text) {
			r.fault(i+1, "the line is not UTF-8; save the file as UTF-8")
			return false
		}
		if at := strings.IndexFunc(text, control); at >= 0 {
			r.fault(i+1, "the line has the control character %U; remove it", text[at])
			return false
		}
	}
	return true
}

func syntax(r *Report, err error, data []byte) {
	var known yaml.Error
	if !errors.As(err, &known) {
		r.fault(1, "syntax error: %s", oneLine(err.Error()))
		return
	}
	message, line, column := oneLine(known.GetMessage()), 1, 1
	if t := known.GetToken(); t != nil && t.Position != nil {
		line, column = t.Position.Line, t.Position.Column
	}
	if strings.Contains(message, `'\t'`) {
		message += "; indent with spaces"
	}
	if lines := strings.Split(string(data), "\n"); line <= len(lines) && strings.Contains(lines[line-1], "${") {
		message += "; put ${NAME} in quotes where there are braces or brackets around"
	}
	r.fault(line, "syntax error at column %d: %s", column, message)
}

// oneLine replaces what would make a second line, or none.
func oneLine(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\t", `\t`).Replace(s)
}

// only returns the one document of a file.
func only(r *Report, file *ast.File, must string) (ast.Node, bool) {
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if _, directive := doc.Body.(*ast.DirectiveNode); directive || doc.Body == nil {
			continue
		}
		bodies = append(bodies, doc.Body)
	}
	switch len(bodies) {
	case 0:
		r.fault(1, "the file is empty; it must hold %s", must)
		return nil, false
	case 1:
		return bodies[0], true
	default:
		r.fault(lineOf(bodies[1], 1), "a second document begins; put one into a file")
		return nil, false
	}
}

// converter turns the parser's nodes into values, and refuses what JSON cannot
// say.
type converter struct {
	*Report

	env  Env
	room *int // bytes that values of variables may still have

	secrets []string // paths of members whose variables may be named like a secret
}

func (c converter) value(path string, n ast.Node, line int) Value {
	line = lineOf(n, line)
	switch n := n.(type) {
	case *ast.NullNode:
		return Value{Kind: Null, Text: "null", Line: line}
	case *ast.BoolNode:
		return Value{Kind: Boolean, Text: strings.ToLower(n.Token.Value), Line: line}
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return Value{Kind: Number, Text: n.GetToken().Value, Line: line}
	case *ast.StringNode:
		if isNumber(n) {
			return Value{Kind: Number, Text: n.Value, Line: line}
		}
		return c.text(path, n.Value, line)
	case *ast.LiteralNode:
		return c.text(path, n.Value.Value, line)
	case *ast.SequenceNode:
		return c.list(path, n, line)
	case *ast.MappingNode:
		return c.object(path, n.Values, line)
	case *ast.MappingValueNode:
		return c.object(path, []*ast.MappingValueNode{n}, line)
	default:
		return c.refused(path, n, line)
	}
}

// refused reports a node that JSON does not have. Behind an anchor or a tag the
// value itself is looked at as well.
func (c converter) refused(path string, n ast.Node, line int) Value {
	where := path
	if where == "" {
		where = "the file"
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		c.fault(line, "%s has an anchor (&); remove it, and write the value wherever it is needed", where)
		return c.value(path, n.Value, line)
	case *ast.AliasNode:
		c.fault(line, "%s is an alias (*); write the value itself", where)
	case *ast.TagNode:
		c.fault(line, "%s has the tag %s; remove the tag", where, quote(n.GetToken().Value))
		return c.value(path, n.Value, line)
	default:
		c.fault(line, "%s cannot be read; write it as JSON would have it", where)
	}
	return Value{Line: line}
}

// numeral is what JSON or YAML reads as a number, unless it is quoted.
var numeral = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

// isNumber finds the numbers that the parser takes for strings: those with an
// exponent and no dot, and those that exceed 64 bits.
func isNumber(n *ast.StringNode) bool {
	return n.Token.Type == token.StringType && numeral.MatchString(n.Value)
}

func (c converter) list(path string, n *ast.SequenceNode, line int) Value {
	v := Value{Kind: List, Line: line}
	for i, each := range n.Values {
		v.Items = append(v.Items, c.value(item(path, i), each, line))
	}
	return v
}

func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func (c converter) object(path string, nodes []*ast.MappingValueNode, line int) Value {
	v := Value{Kind: Object, Line: line}
	first := map[string]int{}
	for _, n := range nodes {
		at := lineOf(n.Key, line)
		key, ok := c.key(path, n.Key, at)
		if !ok {
			continue
		}
		inner := c.value(join(path, key), n.Value, at)
		if earlier, twice := first[key]; twice {
			c.fault(at, "%s is given twice, first in line %d; remove one", join(path, key), earlier)
			continue
		}
		first[key] = at
		v.Members = append(v.Members, Member{key, at, inner})
	}
	return v
}

func (c converter) key(path string, n ast.MapKeyNode, line int) (string, bool) {
	where := "the file"
	if path != "" {
		where = path
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	case *ast.MergeKeyNode:
		c.fault(line, "%s has a merge key (<<); write the members themselves", where)
	default:
		c.fault(line, "%s has a key that is no plain name; write it as JSON would have it", where)
	}
	return "", false
}

// lineOf returns the line of a node, or the one given if it has none.
func lineOf(n ast.Node, line int) int {
	if n == nil {
		return line
	}
	if t := n.GetToken(); t != nil && t.Position != nil && t.Position.Line > 0 {
		return t.Position.Line
	}
	return line
}
