package dynamodbd

import (
	"slices"
	"strconv"
)

const maxExpressionBytes = 4096

// The parameters that hold expressions.
const (
	clauseCondition    = "ConditionExpression"
	clauseFilter       = "FilterExpression"
	clauseKeyCondition = "KeyConditionExpression"
	clauseProjection   = "ProjectionExpression"
	clauseUpdate       = "UpdateExpression"
)

// parser reads one expression. The clause is its parameter's name, for error
// answers.
type parser struct {
	clause string
	src    string
	tokens []token
	at     int
	scope  *scope
	update bool // the functions and operators of SET are allowed
}

func newParser(clause, src string, sc *scope) (*parser, error) {
	if len(src) > maxExpressionBytes {
		return nil, invalid("Invalid %s: Expression size has exceeded the maximum allowed size; expression size: %d", clause, len(src))
	}
	if src == "" {
		return nil, invalid("Invalid %s: The expression can not be empty;", clause)
	}
	tokens, err := lex(clause, src)
	if err != nil {
		return nil, err
	}
	return &parser{clause: clause, src: src, tokens: tokens, scope: sc, update: clause == clauseUpdate}, nil
}

// parseCondition reads a condition, filter or key condition expression.
func parseCondition(clause, src string, sc *scope) (*node, error) {
	p, err := newParser(clause, src, sc)
	if err != nil {
		return nil, err
	}
	n, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokenEnd || !n.isCondition() {
		return nil, p.syntax()
	}
	return n, p.checkOperands(n)
}

// parseProjection reads a projection expression.
func parseProjection(src string, sc *scope) ([]path, error) {
	p, err := newParser(clauseProjection, src, sc)
	if err != nil {
		return nil, err
	}
	var paths []path
	for {
		one, err := p.path()
		if err != nil {
			return nil, err
		}
		paths = append(paths, one)
		if !p.accept(",") {
			break
		}
	}
	if p.peek().kind != tokenEnd {
		return nil, p.syntax()
	}
	return paths, checkOverlap(clauseProjection, paths)
}

func (p *parser) peek() token { return p.tokens[p.at] }

// take gives the next token; the end stays where it is.
func (p *parser) take() token {
	t := p.tokens[p.at]
	p.at = min(p.at+1, len(p.tokens)-1)
	return t
}

func (p *parser) accept(kind tokenKind) bool {
	if p.peek().kind != kind {
		return false
	}
	p.take()
	return true
}

func (p *parser) expect(kind tokenKind) error {
	if !p.accept(kind) {
		return p.syntax()
	}
	return nil
}

// syntax is the error that the next token cannot stand there.
func (p *parser) syntax() error { return syntaxError(p.clause, p.src, p.tokens, p.at) }

func (p *parser) refuse(format string, args ...any) error {
	return invalid("Invalid "+p.clause+": "+format, args...)
}

// binding is how strongly an operator between two expressions binds; 0 is not
// an operator.
func (p *parser) binding(kind tokenKind) int {
	switch kind {
	case "OR":
		return 1
	case "AND":
		return 2
	case "=", "<>", "<", "<=", ">", ">=", "BETWEEN", "IN":
		return 4
	case "+", "-":
		if p.update {
			return 5
		}
	default:
	}
	return 0
}

// bindingNot lies between AND and the comparisons.
const bindingNot = 3

// expression reads as much as binds more strongly than power.
func (p *parser) expression(power int) (*node, error) {
	left, err := p.prefix()
	for err == nil {
		binding := p.binding(p.peek().kind)
		if binding <= power {
			break
		}
		left, err = p.infix(left, binding)
	}
	return left, err
}

// prefix reads what an expression can begin with.
func (p *parser) prefix() (*node, error) {
	t := p.peek()
	switch {
	case p.accept("NOT"):
		inner, err := p.operandOf(bindingNot, true)
		return &node{kind: nodeNot, args: []*node{inner}, at: t}, err
	case p.accept("("):
		return p.parenthesised()
	case p.accept(tokenValue):
		v, err := p.scope.value(p.clause, t)
		return &node{kind: nodeValue, value: v, at: t}, err
	case t.kind == tokenName && p.tokens[p.at+1].kind == "(":
		return p.call()
	default:
		place, err := p.path()
		return &node{kind: nodePath, path: place, at: t}, err
	}
}

// operandOf reads the operand of an operator, which must be a condition or must
// not be one.
func (p *parser) operandOf(power int, condition bool) (*node, error) {
	n, err := p.expression(power)
	if err == nil && n.isCondition() != condition {
		err = p.syntax()
	}
	return n, err
}

func (p *parser) parenthesised() (*node, error) {
	n, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if n.parens {
		return nil, p.refuse("The expression has redundant parentheses;")
	}
	n.parens = true
	return n, nil
}

// infix reads an operator and what follows it.
func (p *parser) infix(left *node, binding int) (*node, error) {
	t := p.peek()
	n := &node{text: string(t.kind), at: t}
	logical := t.kind == "AND" || t.kind == "OR"
	if left.isCondition() != logical {
		return nil, p.syntax()
	}
	p.take()
	switch t.kind {
	case "BETWEEN":
		n.kind = nodeBetween
		return p.between(n, left)
	case "IN":
		n.kind = nodeIn
		candidates, err := p.arguments()
		n.args = append([]*node{left}, candidates...)
		return n, err
	case "AND":
		n.kind = nodeAnd
	case "OR":
		n.kind = nodeOr
	case "+", "-":
		n.kind = nodeArith
	default:
		n.kind = nodeCompare
	}
	right, err := p.operandOf(binding, logical)
	n.args = []*node{left, right}
	return n, err
}

func (p *parser) between(n, left *node) (*node, error) {
	low, err := p.operandOf(4, false)
	if err != nil {
		return nil, err
	}
	if err = p.expect("AND"); err != nil {
		return nil, err
	}
	high, err := p.operandOf(4, false)
	n.args = []*node{left, low, high}
	return n, err
}

// arguments reads a list of operands in parentheses; it is not empty.
func (p *parser) arguments() ([]*node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var args []*node
	for {
		arg, err := p.operandOf(5, false)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		if !p.accept(",") {
			break
		}
	}
	return args, p.expect(")")
}

func (p *parser) call() (*node, error) {
	t := p.take()
	f := functions(t.text)
	switch {
	case f.result == resultUnknown:
		return nil, p.refuse("Invalid function name; function: %s", t.text)
	case f.result == resultUpdate && !p.update:
		return nil, p.refuse("The function is not allowed in a condition expression; function: %s", t.text)
	case f.result != resultUpdate && p.update:
		return nil, p.refuse("The function is not allowed in an update expression; function: %s", t.text)
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	if len(args) != f.arguments {
		return nil, p.refuse("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d",
			t.text, len(args))
	}
	return &node{kind: nodeCall, text: t.text, args: args, at: t}, nil
}

// path reads a document path.
func (p *parser) path() (path, error) {
	t := p.peek()
	if t.kind != tokenName && t.kind != tokenAlias {
		return nil, p.syntax()
	}
	name, err := p.scope.name(p.clause, p.take())
	if err != nil {
		return nil, err
	}
	place := path{{name: name}}
	for {
		switch {
		case p.accept("."):
			rest, err := p.path()
			return slices.Concat(place, rest), err
		case p.accept("["):
			s, err := p.index()
			if err != nil {
				return nil, err
			}
			place = append(place, s)
		default:
			return place, nil
		}
	}
}

func (p *parser) index() (step, error) {
	t := p.peek()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokenIndex || err != nil || len(t.text) > 1 && t.text[0] == '0' {
		return step{}, p.syntax()
	}
	p.take()
	return step{index: n, list: true}, p.expect("]")
}
