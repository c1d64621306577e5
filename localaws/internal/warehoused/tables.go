package warehoused

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// create reads CREATE TABLE, CREATE SCHEMA and CREATE USER.
func (p *parser) create() (statement, error) {
	switch {
	case p.Accept("schema"):
		p.Accept("if", "not", "exists")
		name, err := p.NeedName()
		return done("CREATE SCHEMA", func(e *Session) error {
			e.server.mu.Lock()
			defer e.server.mu.Unlock()
			e.server.schemas[strings.ToLower(name)] = true
			return nil
		}), err
	case p.Accept("table"):
		return p.createTable()
	}
	return statement{}, sqltext.Near(p.Peek())
}

func (p *parser) createTable() (statement, error) {
	unless := p.Accept("if", "not", "exists")
	n, err := p.NeedTable()
	if err == nil {
		err = p.NeedSymbol("(")
	}
	if err != nil {
		return statement{}, err
	}
	t := table{schema: strings.ToLower(cmp.Or(n.Schema, "public")), name: strings.ToLower(n.Table)}
	for {
		if err = p.columnOrConstraint(&t); err != nil {
			return statement{}, err
		}
		if !p.AcceptSymbol(",") {
			break
		}
	}
	if err = p.NeedSymbol(")"); err == nil {
		err = p.attributes()
	}
	return statement{asksAboutLast: true, run: func(_ context.Context, e *Session, tx *transaction) (sqlwire.Result, error) {
		return sqlwire.Result{Tag: "CREATE TABLE"}, e.createTable(tx, t, unless)
	}}, err
}

func (e *Session) createTable(tx *transaction, t table, unless bool) error {
	s := e.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.schemas[t.schema] {
		return failure("3F000", "schema %q does not exist", t.schema)
	}
	key := t.String()
	if s.tables[key] != nil {
		if unless {
			return nil
		}
		return failure("42P07", "Relation %q already exists", t.name)
	}
	s.lastTable++
	t.id, t.owner, t.grants = 100_000+s.lastTable, e.startup.User, make(map[string]map[string]bool)
	s.tables[key] = &t
	tx.undo = append(tx.undo, func(s *Server) { delete(s.tables, key) })
	return nil
}

// columnOrConstraint reads one part of a table's definition.
func (p *parser) columnOrConstraint(t *table) error {
	if p.Accept("primary", "key") || p.Accept("unique") { // not enforced, as in Redshift
		_, err := p.Names()
		return err
	}
	name, err := p.NeedName()
	if err != nil {
		return err
	}
	c := column{Column: redshiftcopy.Column{Name: strings.ToLower(name)}}
	if t.index(name) >= 0 {
		return failure("42701", "column %q specified more than once", name)
	}
	if c.Type, err = redshiftcopy.ParseType(p.Parser); err != nil {
		return err
	}
	for {
		switch {
		case p.Accept("not", "null"):
			c.NotNull = true
		case p.Accept("null"), p.Accept("distkey"), p.Accept("sortkey"), p.Accept("unique"):
		case p.Accept("primary", "key"):
			c.NotNull = true
		case p.Accept("encode"):
			_, err = p.NeedName()
		case p.Accept("default"):
			c.byDefault, err = p.sum()
		default:
			t.columns = append(t.columns, c)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// attributes reads what may follow a table's columns; nothing of it matters here.
func (p *parser) attributes() error {
	for {
		var err error
		switch {
		case p.Accept("diststyle"):
			if p.AcceptAny("even", "key", "all", "auto") == "" {
				return sqltext.Near(p.Peek())
			}
		case p.Accept("distkey"):
			_, err = p.Names()
		case p.Accept("sortkey", "auto"), p.Accept("backup", "yes"), p.Accept("backup", "no"), p.Accept("encode", "auto"):
		case p.Accept("compound"), p.Accept("interleaved"):
		case p.Accept("sortkey"):
			_, err = p.Names()
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// drop reads DROP TABLE.
func (p *parser) drop() (statement, error) {
	if err := p.Need("table"); err != nil {
		return statement{}, err
	}
	isFine := p.Accept("if", "exists")
	n, err := p.NeedTable()
	p.AcceptAny("cascade", "restrict")
	return statement{asksAboutLast: true, run: func(ctx context.Context, e *Session, tx *transaction) (sqlwire.Result, error) {
		out := sqlwire.Result{Tag: "DROP TABLE"}
		t, err := e.use(ctx, tx, n, locked, "drop")
		if e, ok := err.(*sqlwire.Error); ok && e.Code == "42P01" && isFine { //nolint:errorlint // it is not wrapped
			return out, nil
		}
		if err != nil {
			return sqlwire.Result{}, err
		}
		tx.onCommit = append(tx.onCommit, func(s *Server) { delete(s.tables, t.String()) })
		return out, nil
	}}, err
}

// grant reads GRANT and REVOKE of privileges of a table.
func (p *parser) grant(given bool) (statement, error) {
	var privileges []string
	for {
		name := p.AcceptAny("select", "insert", "update", "delete", "references", "drop", "truncate", "alter", "all", "usage", "create")
		if name == "" {
			return statement{}, sqltext.Near(p.Peek())
		}
		p.Accept("privileges")
		privileges = append(privileges, name)
		if !p.AcceptSymbol(",") {
			break
		}
	}
	if err := p.Need("on"); err != nil {
		return statement{}, err
	}
	isSchema := p.Accept("schema")
	p.Accept("table")
	n, err := p.NeedTable()
	if err != nil {
		return statement{}, err
	}
	if p.AcceptAny("to", "from") == "" {
		return statement{}, sqltext.Near(p.Peek())
	}
	user, err := p.NeedName()
	tag := map[bool]string{true: "GRANT", false: "REVOKE"}[given]
	return done(tag, func(e *Session) error {
		if isSchema {
			return nil // everybody may use every schema
		}
		return e.grant(n, user, privileges, given)
	}), err
}

func (e *Session) grant(n sqltext.Name, user string, privileges []string, given bool) error {
	s := e.server
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(n)
	if err != nil {
		return err
	}
	if !s.may(e.startup.User, t, "grant") {
		return failure("42501", "permission denied for relation %s", t.name)
	}
	if user != "public" && !s.users[user] {
		return failure("42704", "user %q does not exist", user)
	}
	if slices.Contains(privileges, "all") {
		privileges = []string{"select", "insert", "update", "delete"}
	}
	if t.grants[user] == nil {
		t.grants[user] = make(map[string]bool)
	}
	for _, p := range privileges {
		t.grants[user][p] = given
	}
	return nil
}
