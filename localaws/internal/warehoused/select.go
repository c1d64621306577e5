package warehoused

import (
	"context"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// selection is a SELECT.
type selection struct {
	items   []expression
	star    bool
	from    sqltext.Name
	hasFrom bool
	where   expression
	isWhere bool
	order   []ordering
	limit   int // -1: none
	columns []string
	asks    bool // about the last query
}

type ordering struct {
	by         expression
	descending bool
}

// selection reads what follows SELECT.
func (p *parser) selection() (selection, error) {
	s := selection{limit: -1}
	var err error
	if p.AcceptSymbol("*") {
		s.star = true
	} else if s.items, err = p.items(); err != nil {
		return s, err
	}
	if p.Accept("from") {
		s.hasFrom = true
		if s.from, err = p.NeedTable(); err != nil {
			return s, err
		}
		p.alias()
	}
	if p.Accept("where") {
		s.isWhere = true
		if s.where, err = p.condition(); err != nil {
			return s, err
		}
	}
	if p.Accept("order", "by") {
		if s.order, err = p.orderings(); err != nil {
			return s, err
		}
	}
	if p.Accept("limit") {
		if s.limit, err = p.NeedInt(); err != nil {
			return s, err
		}
	}
	s.columns = slices.Clone(p.columns)
	s.asks = strings.Contains(strings.ToLower(p.Text), "pg_last_") || isSystem(s.from.Table)
	return s, nil
}

// condition reads what a row must fulfil.
func (p *parser) condition() (expression, error) {
	e, err := p.expression()
	if err == nil && e.aggregate {
		return e, failure("42803", "aggregates not allowed in WHERE clause")
	}
	return e, err
}

// alias reads the name that a table may have.
func (p *parser) alias() {
	p.Accept("as")
	if t := p.Peek(); t.Kind == sqltext.Word && !isReserved(t.Text) {
		p.Next()
	}
}

func (p *parser) items() ([]expression, error) {
	var list []expression
	for {
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		if p.Accept("as") {
			if e.name, err = p.NeedName(); err != nil {
				return nil, err
			}
		} else if t := p.Peek(); t.Kind == sqltext.Word && !isReserved(t.Text) {
			e.name = p.Next().Text
		}
		list = append(list, e)
		if !p.AcceptSymbol(",") {
			return list, nil
		}
	}
}

func (p *parser) orderings() ([]ordering, error) {
	var list []ordering
	for {
		by, err := p.expression()
		if err != nil {
			return nil, err
		}
		list = append(list, ordering{by, p.AcceptAny("asc", "desc") == "desc"})
		if !p.AcceptSymbol(",") {
			return list, nil
		}
	}
}

func (s selection) statement() statement {
	return statement{asksAboutLast: s.asks || !s.hasFrom, run: s.run}
}

func (s selection) run(ctx context.Context, e *Session, tx *transaction) (sqlwire.Result, error) {
	e.server.snapshot(tx) // also without FROM
	sc := &scope{session: e}
	rows := [][]*string{nil} // without FROM there is one
	if s.hasFrom {
		var err error
		if sc.table, rows, err = e.relation(ctx, tx, s.from); err != nil {
			return sqlwire.Result{}, err
		}
	}
	if err := sc.has(s.columns); err != nil {
		return sqlwire.Result{}, err
	}
	if s.star {
		if sc.table == nil {
			return sqlwire.Result{}, failure("42601", "SELECT * with no tables specified is not valid")
		}
		p := new(parser)
		for _, c := range sc.table.columns {
			s.items = append(s.items, p.column(c.Name))
		}
	}
	var err error
	if s.isWhere {
		if rows, err = sc.filter(rows, s.where); err != nil {
			return sqlwire.Result{}, err
		}
	}
	return s.output(sc, rows)
}

// has fails if a column that is named is not there.
func (s *scope) has(columns []string) error {
	for _, name := range columns {
		if s.table == nil || s.table.index(name) < 0 {
			return failure("42703", "column %q does not exist", name)
		}
	}
	return nil
}

// filter returns the rows for which a condition is true.
func (s *scope) filter(rows [][]*string, where expression) ([][]*string, error) {
	var left [][]*string
	for _, r := range rows {
		v, err := where.eval(&scope{session: s.session, table: s.table, row: r})
		if err != nil {
			return nil, err
		}
		if v == true {
			left = append(left, r)
		}
	}
	return left, nil
}

// output computes the columns of the answer.
func (s selection) output(sc *scope, rows [][]*string) (sqlwire.Result, error) {
	out := sqlwire.Result{Tag: "SELECT", Columns: []sqlwire.Column{}}
	for _, item := range s.items {
		out.Columns = append(out.Columns, outColumn(item.name, item.kind(sc.table)))
	}
	if slices.ContainsFunc(s.items, func(e expression) bool { return e.aggregate }) {
		row, err := s.computed(&scope{session: sc.session, table: sc.table, all: rows})
		out.Rows = [][]*string{row}
		return out, err
	}
	if err := sc.sort(rows, s.order); err != nil {
		return out, err
	}
	if s.limit >= 0 {
		rows = rows[:min(s.limit, len(rows))]
	}
	for _, r := range rows {
		row, err := s.computed(&scope{session: sc.session, table: sc.table, row: r})
		if err != nil {
			return out, err
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

func (s selection) computed(sc *scope) ([]*string, error) {
	var row []*string
	for _, item := range s.items {
		v, err := item.eval(sc)
		if err != nil {
			return nil, err
		}
		row = append(row, text(v))
	}
	return row, nil
}

// sort orders rows; NULL comes last.
func (s *scope) sort(rows [][]*string, order []ordering) error {
	var failed error
	slices.SortStableFunc(rows, func(a, b []*string) int {
		for _, o := range order {
			x, errX := o.by.eval(&scope{session: s.session, table: s.table, row: a})
			y, errY := o.by.eval(&scope{session: s.session, table: s.table, row: b})
			c, err := nullsLast(x, y)
			for _, e := range []error{errX, errY, err} {
				if e != nil {
					failed = e
				}
			}
			if o.descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return failed
}

func nullsLast(a, b value) (int, error) {
	switch {
	case a == nil && b == nil:
		return 0, nil
	case a == nil:
		return 1, nil
	case b == nil:
		return -1, nil
	}
	return compared(a, b)
}

// relation returns a table, and those of its rows that a transaction sees.
func (e *Session) relation(ctx context.Context, tx *transaction, n sqltext.Name) (*table, [][]*string, error) {
	if t, ok := e.system(n); ok {
		return t, valuesOf(t.rows), nil
	}
	t, err := e.use(ctx, tx, n, reads, "select")
	if err != nil {
		return nil, nil, err
	}
	return t, valuesOf(tx.rows(t)), nil
}

func valuesOf(rows []row) [][]*string {
	list := make([][]*string, 0, len(rows))
	for _, r := range rows {
		list = append(list, r.values)
	}
	return list
}

// use finds a table, checks that the user may do with it what he will, and holds it.
func (e *Session) use(ctx context.Context, tx *transaction, n sqltext.Name, m mode, privileges ...string) (*table, error) {
	t, err := e.permitted(n, privileges)
	if err != nil {
		return nil, err
	}
	if err = e.server.lock(ctx, tx, t, m); err != nil {
		return nil, err
	}
	return e.permitted(n, privileges) // it may have been dropped meanwhile
}

// permitted returns a table if the user has one of the privileges.
func (e *Session) permitted(n sqltext.Name, privileges []string) (*table, error) {
	s := e.server
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(n)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(privileges, func(p string) bool { return s.may(e.startup.User, t, p) }) {
		return nil, failure("42501", "permission denied for relation %s", t.name)
	}
	return t, nil
}

// may reports whether a user has a privilege. The caller holds mu.
func (s *Server) may(user string, t *table, privilege string) bool {
	return user == s.options.Superuser || user == t.owner || t.grants[user][privilege] || t.grants["public"][privilege]
}
