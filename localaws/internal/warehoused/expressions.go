package warehoused

import (
	"strconv"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
)

// expression is what has a value in each row.
type expression struct {
	name      string // of the column that it makes
	eval      func(*scope) (value, error)
	kind      func(*table) redshiftcopy.Type
	aggregate bool // it has one value for all rows
}

// scope is where an expression is evaluated.
type scope struct {
	session *Session
	table   *table // nil without FROM
	row     []*string
	all     [][]*string // rows, for aggregates
}

func fixed(t redshiftcopy.Type) func(*table) redshiftcopy.Type {
	return func(*table) redshiftcopy.Type { return t }
}

func literal(v value) expression {
	return expression{name: "?column?", eval: func(*scope) (value, error) { return v, nil }, kind: fixed(typeOf(v))}
}

func truth() func(*table) redshiftcopy.Type {
	return fixed(redshiftcopy.Type{Kind: redshiftcopy.Boolean})
}

// parser reads statements. Columns that expressions name are noted, to be looked for once
// the table is known.
type parser struct {
	*sqltext.Parser
	columns []string
	depth   int
}

// maxDepth is how deep expressions may nest.
const maxDepth = 100

// expression reads one: OR binds the least.
func (p *parser) expression() (expression, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return expression{}, &sqltext.Error{Message: "expressions are nested too deep"}
	}
	left, err := p.conjunction()
	for err == nil && p.Accept("or") {
		var right expression
		right, err = p.conjunction()
		left = connective(left, right, true)
	}
	return left, err
}

func (p *parser) conjunction() (expression, error) {
	left, err := p.negation()
	for err == nil && p.Accept("and") {
		var right expression
		right, err = p.negation()
		left = connective(left, right, false)
	}
	return left, err
}

// connective is AND, which one false decides, or OR, which one true does.
func connective(left, right expression, decides bool) expression {
	return expression{name: "?column?", aggregate: left.aggregate || right.aggregate, kind: truth(), eval: func(s *scope) (value, error) {
		a, err := left.eval(s)
		if err != nil || a == decides {
			return a, err
		}
		b, err := right.eval(s)
		if err != nil || b == decides {
			return b, err
		}
		if a == nil || b == nil {
			return nil, nil //nolint:nilnil // NULL
		}
		return !decides, nil
	}}
}

func (p *parser) negation() (expression, error) {
	if !p.Accept("not") {
		return p.comparison()
	}
	e, err := p.negation()
	return not(e), err
}

func not(e expression) expression {
	inner := e.eval
	e.eval = func(s *scope) (value, error) {
		v, err := inner(s)
		if b, ok := v.(bool); ok {
			return !b, err
		}
		return nil, err
	}
	e.kind = truth()
	return e
}

func (p *parser) comparison() (expression, error) {
	left, err := p.sum()
	if err != nil {
		return left, err
	}
	if p.Accept("is") {
		isNot := p.Accept("not")
		return isNull(left, isNot), p.Need("null")
	}
	isNot := p.Accept("not")
	switch {
	case p.Accept("in"):
		left, err = p.in(left)
	case p.Accept("like"):
		left, err = p.like(left)
	case isNot:
		return left, sqltext.Near(p.Peek())
	default:
		return p.operator(left)
	}
	if isNot {
		left = not(left)
	}
	return left, err
}

func isNull(e expression, isNot bool) expression {
	inner := e.eval
	e.eval = func(s *scope) (value, error) {
		v, err := inner(s)
		return (v == nil) != isNot, err
	}
	e.kind = truth()
	return e
}

func (p *parser) operator(left expression) (expression, error) {
	t := p.Peek()
	want := map[string]func(int) bool{
		"=": func(c int) bool { return c == 0 }, "<>": func(c int) bool { return c != 0 }, "!=": func(c int) bool { return c != 0 },
		"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 },
		">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
	}[t.Text]
	if t.Kind != sqltext.Symbol || want == nil {
		return left, nil
	}
	p.Next()
	right, err := p.sum()
	return expression{name: "?column?", aggregate: left.aggregate || right.aggregate, kind: truth(), eval: both(left, right, func(a, b value) (value, error) {
		c, err := compared(a, b)
		return want(c), err
	})}, err
}

// both evaluates two expressions; if one is NULL, so is the result.
func both(left, right expression, f func(a, b value) (value, error)) func(*scope) (value, error) {
	return func(s *scope) (value, error) {
		a, err := left.eval(s)
		if err != nil {
			return nil, err
		}
		b, err := right.eval(s)
		if err != nil || a == nil || b == nil {
			return nil, err
		}
		return f(a, b)
	}
}

func (p *parser) list() ([]expression, error) {
	if err := p.NeedSymbol("("); err != nil {
		return nil, err
	}
	var list []expression
	for {
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if !p.AcceptSymbol(",") {
			return list, p.NeedSymbol(")")
		}
	}
}

func (p *parser) in(left expression) (expression, error) {
	list, err := p.list()
	return expression{name: "?column?", aggregate: left.aggregate, kind: truth(), eval: func(s *scope) (value, error) {
		a, err := left.eval(s)
		if err != nil || a == nil {
			return nil, err
		}
		unknown := false
		for _, e := range list {
			b, err := e.eval(s)
			if err != nil {
				return nil, err
			}
			if b == nil {
				unknown = true
				continue
			}
			if c, err := compared(a, b); err != nil || c == 0 {
				return true, err
			}
		}
		if unknown {
			return nil, nil //nolint:nilnil // NULL
		}
		return false, nil
	}}, err
}

func (p *parser) like(left expression) (expression, error) {
	right, err := p.sum()
	return expression{name: "?column?", aggregate: left.aggregate, kind: truth(), eval: both(left, right, func(a, b value) (value, error) {
		return matches(*text(a), *text(b)), nil
	})}, err
}

// matches compares a text with a pattern of LIKE.
func matches(s, pattern string) bool {
	if pattern == "" {
		return s == ""
	}
	switch pattern[0] {
	case '%':
		for i := range len(s) + 1 {
			if matches(s[i:], pattern[1:]) {
				return true
			}
		}
		return false
	case '_':
		return s != "" && matches(s[1:], pattern[1:])
	}
	return s != "" && s[0] == pattern[0] && matches(s[1:], pattern[1:])
}

func (p *parser) sum() (expression, error) {
	return p.chain([]string{"+", "-", "||"}, func() (expression, error) {
		return p.chain([]string{"*", "/", "%"}, p.unary)
	})
}

// chain reads operands with operators between them.
func (p *parser) chain(operators []string, operand func() (expression, error)) (expression, error) {
	left, err := operand()
	for err == nil {
		operator := ""
		for _, o := range operators {
			if p.AcceptSymbol(o) {
				operator = o
			}
		}
		if operator == "" {
			break
		}
		var right expression
		right, err = operand()
		left = computed(operator, left, right)
	}
	return left, err
}

func computed(operator string, left, right expression) expression {
	e := expression{name: "?column?", aggregate: left.aggregate || right.aggregate}
	if operator == "||" {
		e.kind = fixed(typeOf(""))
		e.eval = both(left, right, func(a, b value) (value, error) { return *text(a) + *text(b), nil })
		return e
	}
	e.kind = func(t *table) redshiftcopy.Type {
		whole := typeOf(int64(0))
		if isWhole(left.kind(t)) && isWhole(right.kind(t)) {
			return whole
		}
		return typeOf(0.0)
	}
	e.eval = both(left, right, func(a, b value) (value, error) { return arithmetic(operator, a, b) })
	return e
}

func isWhole(t redshiftcopy.Type) bool {
	return t.Kind == redshiftcopy.Smallint || t.Kind == redshiftcopy.Integer || t.Kind == redshiftcopy.Bigint
}

func (p *parser) unary() (expression, error) {
	if p.AcceptSymbol("-") {
		e, err := p.unary()
		return computed("-", literal(int64(0)), e), err
	}
	e, err := p.primary()
	for err == nil && p.AcceptSymbol("::") {
		var t redshiftcopy.Type
		t, err = redshiftcopy.ParseType(p.Parser)
		e = converted(e, t)
	}
	return e, err
}

func converted(e expression, t redshiftcopy.Type) expression {
	inner := e.eval
	e.eval = func(s *scope) (value, error) {
		v, err := inner(s)
		if err != nil {
			return nil, err
		}
		return cast(v, t)
	}
	e.kind = fixed(t)
	return e
}

func (p *parser) primary() (expression, error) {
	t := p.Peek()
	switch {
	case t.Kind == sqltext.String:
		return literal(p.Next().Text), nil
	case t.Kind == sqltext.Number:
		p.Next()
		return parseNumber(t)
	case p.AcceptSymbol("("):
		e, err := p.expression()
		if err != nil {
			return e, err
		}
		return e, p.NeedSymbol(")")
	case p.Accept("null"):
		return literal(nil), nil
	case p.Accept("true"):
		return literal(true), nil
	case p.Accept("false"):
		return literal(false), nil
	case p.Accept("case"):
		return p.choice()
	case p.Accept("cast"):
		return p.cast()
	case t.Kind == sqltext.Word && isReserved(t.Text):
		return expression{}, sqltext.Near(t)
	}
	name, err := p.NeedName()
	if err != nil {
		return expression{}, err
	}
	if t.Kind == sqltext.Word && p.IsSymbol("(") {
		return p.call(name)
	}
	if f, ok := bare(name); ok && t.Kind == sqltext.Word {
		return f, nil
	}
	if p.AcceptSymbol(".") { // the table's name, or an alias: there is one table
		if name, err = p.NeedName(); err != nil {
			return expression{}, err
		}
	}
	return p.column(name), nil
}

func isReserved(word string) bool {
	switch word {
	case "select", "from", "where", "order", "limit", "group", "having", "union", "as", "and", "or", "then", "else", "end", "when", "in", "is", "join", "on":
		return true
	}
	return false
}

func parseNumber(t sqltext.Token) (expression, error) {
	if n, err := strconv.ParseInt(t.Text, 10, 64); err == nil {
		return literal(n), nil
	}
	if _, err := strconv.ParseFloat(t.Text, 64); err != nil {
		return expression{}, sqltext.Near(t)
	}
	return literal(number(t.Text)), nil
}

// column is the value of a column, which the caller looks for.
func (p *parser) column(name string) expression {
	name = strings.ToLower(name)
	p.columns = append(p.columns, name)
	return expression{
		name: name,
		eval: func(s *scope) (value, error) {
			if s.table == nil {
				return nil, failure("42703", "column %q does not exist", name)
			}
			if s.row == nil {
				return nil, failure("42803", "column %q must appear in the GROUP BY clause, which there is not here, or be used in an aggregate function", name)
			}
			i := s.table.index(name)
			return loaded(s.table.columns[i].Type, s.row[i]), nil
		},
		kind: func(t *table) redshiftcopy.Type {
			if t == nil {
				return typeOf("")
			}
			return t.columns[t.index(name)].Type
		},
	}
}

// choice reads CASE WHEN … THEN … ELSE … END.
func (p *parser) choice() (expression, error) {
	var whens, thens []expression
	for p.Accept("when") {
		when, err := p.expression()
		if err == nil {
			err = p.Need("then")
		}
		if err != nil {
			return when, err
		}
		then, err := p.expression()
		if err != nil {
			return then, err
		}
		whens, thens = append(whens, when), append(thens, then)
	}
	if len(whens) == 0 {
		return expression{}, sqltext.Near(p.Peek())
	}
	otherwise := literal(nil)
	if p.Accept("else") {
		var err error
		if otherwise, err = p.expression(); err != nil {
			return otherwise, err
		}
	}
	e := expression{name: "case", kind: thens[0].kind, aggregate: otherwise.aggregate, eval: func(s *scope) (value, error) {
		for i, when := range whens {
			if v, err := when.eval(s); err != nil || v == true {
				if err != nil {
					return nil, err
				}
				return thens[i].eval(s)
			}
		}
		return otherwise.eval(s)
	}}
	for i := range whens {
		e.aggregate = e.aggregate || whens[i].aggregate || thens[i].aggregate
	}
	return e, p.Need("end")
}

func (p *parser) cast() (expression, error) {
	if err := p.NeedSymbol("("); err != nil {
		return expression{}, err
	}
	e, err := p.expression()
	if err != nil {
		return e, err
	}
	if err = p.Need("as"); err != nil {
		return e, err
	}
	t, err := redshiftcopy.ParseType(p.Parser)
	if err != nil {
		return e, err
	}
	return converted(e, t), p.NeedSymbol(")")
}
