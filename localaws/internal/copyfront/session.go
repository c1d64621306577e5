package copyfront

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
	"github.com/shardmill/shardmill/localaws/internal/warehoused"
)

// Session is a session in PostgreSQL. One goroutine at a time uses it.
type Session struct {
	server  *Server
	conn    *pgconn.PgConn
	startup sqlwire.Startup
	logs    *warehoused.Session

	query         int64 // id of the statement that runs
	lastQuery     int64 // of the last one that asked about no other
	lastCopy      int64
	lastCopyCount int64
}

// Status implements sqlwire.Session.
func (e *Session) Status() byte { return e.conn.TxStatus() }

// Query implements sqlwire.Session.
func (e *Session) Query() int64 { return e.query }

// Close implements sqlwire.Session.
func (e *Session) Close() { _ = e.conn.Conn().Close() } // PostgreSQL rolls back

// Fail implements sqlwire.Session.
func (e *Session) Fail(ctx context.Context, operation string) {
	if e.Status() != 'T' {
		return
	}
	sql := "SELECT 1/0"
	if operation == "COMMIT" || operation == "ROLLBACK" {
		sql = "ROLLBACK"
	}
	_, _ = e.conn.Exec(ctx, sql).ReadAll() // that it fails is wanted
}

// Execute implements sqlwire.Session.
func (e *Session) Execute(ctx context.Context, text string) (sqlwire.Result, error) {
	t, err := e.translated(text)
	if err != nil {
		e.Fail(ctx, "")
		return sqlwire.Result{}, err
	}
	e.query = e.server.nextQuery()
	if !t.asksAboutLast {
		e.lastQuery = e.query
	}
	switch {
	case t.isLog && e.Status() == 'E':
		return sqlwire.Result{}, &sqlwire.Error{Code: "25P02", Message: "current transaction is aborted, commands ignored until end of transaction block"}
	case t.isLog:
		return e.logs.Execute(ctx, t.sql) //nolint:wrapcheck // it is the client's
	case redshiftcopy.IsCopy(text):
		result, err := e.copy(ctx, text)
		if err != nil {
			e.Fail(context.WithoutCancel(ctx), "COPY")
		}
		return result, err
	}
	results, err := e.conn.Exec(ctx, t.sql).ReadAll()
	if err == nil && len(results) > 0 {
		err = results[len(results)-1].Err
	}
	if err != nil {
		return sqlwire.Result{}, told(ctx, err)
	}
	return asResult(results), nil
}

// told is an error of PostgreSQL's as the client is told it.
func told(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		if e.Code == "57014" && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &sqlwire.Error{Code: e.Code, Message: e.Message, Detail: e.Detail}
	}
	return fmt.Errorf("%w: %w", sqlwire.ErrCut, err)
}

func asResult(results []*pgconn.Result) sqlwire.Result {
	var out sqlwire.Result
	if len(results) == 0 {
		return out
	}
	last := results[len(results)-1]
	out.Tag = last.CommandTag.String()
	for _, f := range last.FieldDescriptions {
		out.Columns = append(out.Columns, sqlwire.Column{Name: f.Name, OID: f.DataTypeOID, Size: f.DataTypeSize})
	}
	for _, row := range last.Rows {
		values := make([]*string, len(row))
		for i, v := range row {
			if v != nil {
				s := string(v)
				values[i] = &s
			}
		}
		out.Rows = append(out.Rows, values)
	}
	return out
}

// copy runs a COPY from S3.
func (e *Session) copy(ctx context.Context, text string) (sqlwire.Result, error) {
	c, err := redshiftcopy.Parse(text)
	if err != nil {
		return sqlwire.Result{}, warehoused.AsTold(err)
	}
	columns, err := e.columns(ctx, c)
	if err != nil {
		return sqlwire.Result{}, err
	}
	source, err := e.server.options.Source(c)
	if err != nil {
		return sqlwire.Result{}, warehoused.AsTold(err)
	}
	read, err := redshiftcopy.Read(ctx, c, columns, source)
	if err != nil {
		return sqlwire.Result{}, warehoused.AsTold(err)
	}
	e.server.options.Logs.NoteErrors(e.startup, 0, e.query, 0, read.Errors)
	if c.Failed(read) {
		return sqlwire.Result{}, warehoused.AsTold(c.FailedError())
	}
	count := int64(len(read.Values))
	if !c.NoLoad {
		if _, err = e.conn.CopyFrom(ctx, strings.NewReader(copyText(read.Values)), into(c.Table, columns)); err != nil {
			return sqlwire.Result{}, told(ctx, err)
		}
		e.lastCopy, e.lastCopyCount = e.query, count
	}
	return sqlwire.Result{Tag: "COPY", Info: fmt.Sprintf("Load into table '%s' completed, %d record(s) loaded successfully.", c.Table.Table, count)}, nil
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func table(n sqltext.Name) string {
	t := quoted(strings.ToLower(n.Table))
	if n.Schema != "" {
		t = quoted(strings.ToLower(n.Schema)) + "." + t
	}
	return t
}

func into(n sqltext.Name, columns []redshiftcopy.Column) string {
	var names []string
	for _, c := range columns {
		names = append(names, quoted(c.Name))
	}
	return "COPY " + table(n) + " (" + strings.Join(names, ", ") + ") FROM STDIN"
}

// copyText is rows as PostgreSQL's COPY reads them.
func copyText(rows [][]*string) string {
	escape := strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
	var b strings.Builder
	for _, row := range rows {
		for i, v := range row {
			if i > 0 {
				b.WriteByte('\t')
			}
			if v == nil {
				b.WriteString(`\N`)
			} else {
				_, _ = escape.WriteString(&b, *v) // a Builder takes everything
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// columns are those that a COPY fills.
func (e *Session) columns(ctx context.Context, c redshiftcopy.Statement) ([]redshiftcopy.Column, error) {
	const query = "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute " +
		"WHERE attrelid = to_regclass($table$%s$table$) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
	results, err := e.conn.Exec(ctx, fmt.Sprintf(query, table(c.Table))).ReadAll()
	if err != nil {
		return nil, told(ctx, err)
	}
	all := asResult(results).Rows
	if len(all) == 0 {
		return nil, &sqlwire.Error{Code: "42P01", Message: "Cannot COPY into nonexistent table " + c.Table.Table}
	}
	byName := make(map[string]redshiftcopy.Column)
	var columns []redshiftcopy.Column
	for _, row := range all {
		p, err := sqltext.Parse(strings.ReplaceAll(*row[1], `"`, ""))
		if err != nil {
			return nil, fmt.Errorf("the type of column %s: %w", *row[0], err)
		}
		column := redshiftcopy.Column{Name: *row[0], NotNull: *row[2] == "t"}
		if column.Type, err = redshiftcopy.ParseType(p); err != nil {
			return nil, fmt.Errorf("the type of column %s: %w", *row[0], err)
		}
		columns, byName[column.Name] = append(columns, column), column
	}
	if c.Columns == nil {
		return columns, nil
	}
	columns = nil
	for _, name := range c.Columns {
		column, ok := byName[strings.ToLower(name)]
		if !ok {
			return nil, &sqlwire.Error{Code: "42703", Message: fmt.Sprintf("column %q of relation %q does not exist", name, c.Table.Table)}
		}
		columns = append(columns, column)
	}
	return columns, nil
}
