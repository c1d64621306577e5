package warehoused

import (
	"context"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// insertion reads INSERT INTO of values, or of a SELECT.
func (p *parser) insertion() (statement, error) {
	if err := p.Need("into"); err != nil {
		return statement{}, err
	}
	n, err := p.NeedTable()
	if err != nil {
		return statement{}, err
	}
	var columns []string
	if p.IsSymbol("(") {
		if columns, err = p.Names(); err != nil {
			return statement{}, err
		}
	}
	i := inserting{table: n, columns: columns}
	if p.Accept("select") {
		from, err := p.selection()
		i.from = &from
		return statement{run: i.run}, err
	}
	if err = p.Need("values"); err != nil {
		return statement{}, err
	}
	for {
		list, err := p.list()
		if err != nil {
			return statement{}, err
		}
		i.values = append(i.values, list)
		if !p.AcceptSymbol(",") {
			break
		}
	}
	if len(p.columns) > 0 {
		return statement{}, failure("42703", "column %q does not exist", p.columns[0])
	}
	return statement{run: i.run}, nil
}

// inserting is an INSERT.
type inserting struct {
	table   sqltext.Name
	columns []string
	values  [][]expression
	from    *selection
}

func (i inserting) run(ctx context.Context, e *Session, tx *transaction) (sqlwire.Result, error) {
	e.server.snapshot(tx)
	t, err := e.use(ctx, tx, i.table, writes, "insert")
	if err != nil {
		return sqlwire.Result{}, err
	}
	into, err := t.into(i.columns)
	if err != nil {
		return sqlwire.Result{}, err
	}
	given, err := i.given(ctx, e, tx)
	if err != nil {
		return sqlwire.Result{}, err
	}
	rows := make([][]*string, 0, len(given))
	for _, values := range given {
		row, err := t.row(e, into, values)
		if err != nil {
			return sqlwire.Result{}, err
		}
		rows = append(rows, row)
	}
	if err = e.server.mayWrite(tx, t); err != nil {
		return sqlwire.Result{}, err
	}
	e.server.insert(tx, t, rows)
	return sqlwire.Result{Tag: "INSERT 0 " + decimal(int64(len(rows)))}, nil
}

// given are the values that are to be inserted.
func (i inserting) given(ctx context.Context, e *Session, tx *transaction) ([][]*string, error) {
	if i.from != nil {
		found, err := i.from.run(ctx, e, tx)
		return found.Rows, err
	}
	var rows [][]*string
	for _, list := range i.values {
		var row []*string
		for _, x := range list {
			v, err := x.eval(&scope{session: e})
			if err != nil {
				return nil, err
			}
			row = append(row, text(v))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// into returns the indices of columns that are named; of all if there are none.
func (t *table) into(names []string) ([]int, error) {
	var list []int
	for _, name := range names {
		i := t.index(name)
		switch {
		case i < 0:
			return nil, failure("42703", "column %q of relation %q does not exist", name, t.name)
		case slices.Contains(list, i):
			return nil, failure("42701", "column %q specified more than once", name)
		}
		list = append(list, i)
	}
	if names == nil {
		for i := range t.columns {
			list = append(list, i)
		}
	}
	return list, nil
}

// row makes one of values for some of the columns; the others have their defaults.
func (t *table) row(e *Session, into []int, values []*string) ([]*string, error) {
	switch {
	case len(values) > len(into):
		return nil, failure("42601", "INSERT has more expressions than target columns")
	case len(values) < len(into):
		if len(into) < len(t.columns) || len(values) == 0 {
			return nil, failure("42601", "INSERT has more target columns than expressions")
		}
		into = into[:len(values)]
	}
	row := make([]*string, len(t.columns))
	for k, v := range values {
		if v == nil {
			continue
		}
		s, err := stored(t.columns[into[k]].Type, *v)
		if err != nil {
			return nil, err
		}
		row[into[k]] = &s
	}
	return row, t.complete(e, row, into)
}

// complete gives columns that are not named their defaults.
func (t *table) complete(e *Session, row []*string, into []int) error {
	for i, c := range t.columns {
		if c.byDefault.eval != nil && !slices.Contains(into, i) {
			v, err := c.byDefault.eval(&scope{session: e})
			if err != nil {
				return err
			}
			if v != nil {
				s, err := stored(c.Type, *text(v))
				if err != nil {
					return err
				}
				row[i] = &s
			}
		}
		if row[i] == nil && c.NotNull {
			return failure("23502", "null value in column %q violates not-null constraint", c.Name)
		}
	}
	return nil
}

// deletion reads DELETE FROM.
func (p *parser) deletion() (statement, error) {
	p.Accept("from")
	n, err := p.NeedTable()
	if err != nil {
		return statement{}, err
	}
	where := literal(true)
	if p.Accept("where") {
		if where, err = p.condition(); err != nil {
			return statement{}, err
		}
	}
	columns := slices.Clone(p.columns)
	return statement{run: func(ctx context.Context, e *Session, tx *transaction) (sqlwire.Result, error) {
		e.server.snapshot(tx)
		t, err := e.use(ctx, tx, n, writes, "delete")
		if err != nil {
			return sqlwire.Result{}, err
		}
		sc := &scope{session: e, table: t}
		if err = sc.has(columns); err != nil {
			return sqlwire.Result{}, err
		}
		ids := make(map[int64]bool)
		for _, r := range tx.rows(t) {
			v, err := where.eval(&scope{session: e, table: t, row: r.values})
			if err != nil {
				return sqlwire.Result{}, err
			}
			if v == true {
				ids[r.id] = true
			}
		}
		if err = e.server.mayWrite(tx, t); err == nil {
			err = e.server.remove(tx, t, ids)
		}
		return sqlwire.Result{Tag: "DELETE " + decimal(int64(len(ids)))}, err
	}}, nil
}

// lock reads LOCK.
func (p *parser) lock() (statement, error) {
	p.Accept("table")
	var names []sqltext.Name
	for {
		n, err := p.NeedTable()
		if err != nil {
			return statement{}, err
		}
		names = append(names, n)
		if !p.AcceptSymbol(",") {
			break
		}
	}
	return statement{asksAboutLast: true, inTransaction: "LOCK TABLE", run: func(ctx context.Context, e *Session, tx *transaction) (sqlwire.Result, error) {
		for _, n := range names {
			if _, err := e.use(ctx, tx, n, locked, "insert", "delete", "update"); err != nil {
				return sqlwire.Result{}, err
			}
		}
		return sqlwire.Result{Tag: "LOCK TABLE"}, nil
	}}, nil
}

// copying runs a COPY.
func copying(c redshiftcopy.Statement) func(context.Context, *Session, *transaction) (sqlwire.Result, error) {
	return func(ctx context.Context, e *Session, tx *transaction) (sqlwire.Result, error) {
		e.server.snapshot(tx)
		t, err := e.use(ctx, tx, c.Table, writes, "insert")
		if err != nil {
			return sqlwire.Result{}, nonexistent(err, c.Table)
		}
		into, err := t.into(c.Columns)
		if err != nil {
			return sqlwire.Result{}, err
		}
		var columns []redshiftcopy.Column
		for _, i := range into {
			columns = append(columns, t.columns[i].Column)
		}
		source, err := e.server.options.Source(c)
		if err != nil {
			return sqlwire.Result{}, AsTold(err)
		}
		read, err := redshiftcopy.Read(ctx, c, columns, source)
		if err != nil {
			return sqlwire.Result{}, AsTold(err)
		}
		e.server.NoteErrors(e.startup, t.id, e.query, tx.id, read.Errors)
		if c.Failed(read) {
			return sqlwire.Result{}, AsTold(c.FailedError())
		}
		return e.copied(tx, t, c, into, read)
	}
}

// nonexistent is Redshift's text for a table that is not there.
func nonexistent(err error, n sqltext.Name) error {
	if e, ok := err.(*sqlwire.Error); ok && e.Code == "42P01" { //nolint:errorlint // it is not wrapped
		return failure("42P01", "Cannot COPY into nonexistent table %s", n.Table)
	}
	return err
}

// copied inserts what a COPY read.
func (e *Session) copied(tx *transaction, t *table, c redshiftcopy.Statement, into []int, read redshiftcopy.Rows) (sqlwire.Result, error) {
	rows := make([][]*string, 0, len(read.Values))
	for _, values := range read.Values {
		row := make([]*string, len(t.columns))
		for k, v := range values {
			row[into[k]] = v
		}
		if err := t.complete(e, row, into); err != nil {
			return sqlwire.Result{}, err
		}
		rows = append(rows, row)
	}
	if err := e.server.mayWrite(tx, t); err != nil {
		return sqlwire.Result{}, err
	}
	count := int64(len(rows))
	if !c.NoLoad {
		e.server.insert(tx, t, rows)
		e.lastCopy, e.lastCopyCount = e.query, count
	}
	info := "Load into table '" + t.name + "' completed, " + decimal(count) + " record(s) loaded successfully."
	if len(read.Errors) > 0 {
		info += "\nLoad into table '" + t.name + "' completed, " + decimal(int64(len(read.Errors))) +
			" record(s) could not be loaded.  Check 'stl_load_errors' system table for details."
	}
	return sqlwire.Result{Tag: "COPY", Info: strings.TrimSpace(info)}, nil
}
