package warehoused

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// systemTable is a table of the database's own, which a user sees his part of.
type systemTable struct {
	columns string // as CREATE TABLE has them
	rows    func(*Session) [][]value
}

// systemTables are those that there are. Their columns, and the lengths of them, are
// Redshift's; texts of the type char come with blanks at their end.
func systemTables() map[string]systemTable {
	return map[string]systemTable{
		"stl_load_errors": {
			"userid int, slice int, tbl int, starttime timestamp, session int, query int, filename char(256), line_number bigint, colname char(127), " +
				"type char(10), col_length char(10), position int, raw_line char(1024), raw_field_value char(1024), err_code int, err_reason char(100), " +
				"is_partial int, start_offset bigint", stlLoadErrors,
		},
		"sys_load_error_detail": {
			"user_id int, query_id bigint, table_id int, transaction_id bigint, session_id int, database_name char(64), file_name char(256), " +
				"line_number bigint, column_name char(127), column_type char(10), column_length char(10), position int, error_code int, " +
				"error_message char(512), start_time timestamp", sysLoadErrorDetail,
		},
		"stl_connection_log": {
			"event char(50), recordtime timestamp, remotehost char(45), remoteport char(32), pid int, dbname char(50), username char(50), " +
				"authmethod char(32), duration int, sslversion char(50), application_name char(250)", stlConnectionLog,
		},
		"pg_table_def": {
			`schemaname varchar(128), tablename varchar(128), "column" varchar(128), type varchar(128), encoding varchar(32), distkey boolean, sortkey int, "notnull" boolean`,
			pgTableDef,
		},
	}
}

func isSystem(name string) bool {
	_, ok := systemTables()[strings.ToLower(name)]
	return ok
}

// system returns a table of the database's own.
func (e *Session) system(n sqltext.Name) (*table, bool) {
	def, ok := systemTables()[strings.ToLower(n.Table)]
	if !ok || (n.Schema != "" && !strings.EqualFold(n.Schema, "pg_catalog")) {
		return nil, false
	}
	inner, err := sqltext.Parse(def.columns)
	p := &parser{Parser: inner}
	t := &table{schema: "pg_catalog", name: strings.ToLower(n.Table)}
	for more := err == nil; more; more = p.AcceptSymbol(",") {
		if p.columnOrConstraint(t) != nil {
			return nil, false // unreachable: the definitions above are right
		}
	}
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	for _, values := range def.rows(e) {
		r := row{values: make([]*string, len(values))}
		for i, v := range values {
			r.values[i] = fitted(t.columns[i].Type, text(v))
		}
		t.rows = append(t.rows, r)
	}
	return t, true
}

// fitted cuts a text, or fills it up, to the length of its column.
func fitted(t redshiftcopy.Type, s *string) *string {
	if s == nil || t.Kind != redshiftcopy.Char {
		return s
	}
	cut := (*s)[:min(len(*s), t.Length)]
	cut += strings.Repeat(" ", t.Length-len(cut))
	return &cut
}

func stamp(at time.Time) value { return at.UTC().Format("2006-01-02 15:04:05.999999") }

// mine are the errors that a user sees.
func (e *Session) mine() []loadError {
	return slices.DeleteFunc(slices.Clone(e.server.loadErrors), func(l loadError) bool {
		return e.startup.User != e.server.options.Superuser && l.user != e.startup.User
	})
}

func stlLoadErrors(e *Session) [][]value {
	var rows [][]value
	for _, l := range e.mine() {
		length := ""
		if l.Type.Length > 0 && l.Column != "" {
			length = decimal(int64(l.Type.Length))
		}
		rows = append(rows, []value{
			int64(100), int64(0), l.table, stamp(l.at), int64(l.session), l.query, l.File, l.Line, l.Column,
			l.typeName(), length, int64(l.Position), l.Line1024, l.Field, int64(l.Code), l.Reason, int64(0), int64(0),
		})
	}
	return rows
}

func (l loadError) typeName() string {
	if l.Column == "" {
		return ""
	}
	return l.Type.Name()
}

func sysLoadErrorDetail(e *Session) [][]value {
	var rows [][]value
	for _, l := range e.mine() {
		rows = append(rows, []value{
			int64(100), l.query, l.table, l.tx, int64(l.session), l.database, l.File, l.Line, l.Column,
			l.typeName(), decimal(int64(l.Type.Length)), int64(l.Position), int64(l.Code), l.Reason, stamp(l.at),
		})
	}
	return rows
}

func stlConnectionLog(e *Session) [][]value {
	if e.startup.User != e.server.options.Superuser {
		return nil // "This view is visible only to superusers"
	}
	var rows [][]value
	for _, c := range e.server.connections {
		host, port := c.Remote, ""
		if i := strings.LastIndexByte(c.Remote, ':'); i >= 0 {
			host, port = c.Remote[:i], c.Remote[i+1:]
		}
		tls := map[bool]string{true: "TLSv1.3", false: ""}[c.HasTLS]
		rows = append(rows, []value{
			c.Event, stamp(c.At), host, port, int64(c.ProcessID), c.Database, c.User, "password", int64(0), tls, c.Application,
		})
	}
	return rows
}

func pgTableDef(e *Session) [][]value {
	var rows [][]value
	tables := slices.SortedFunc(maps.Values(e.server.tables), func(a, b *table) int { return cmp.Compare(a.id, b.id) })
	for _, t := range tables {
		for _, c := range t.columns {
			rows = append(rows, []value{t.schema, t.name, c.Name, c.Type.String(), "none", false, int64(0), c.NotNull})
		}
	}
	return rows
}

// NoteErrors keeps why lines of a COPY were no rows, whatever becomes of its transaction.
func (s *Server) NoteErrors(by sqlwire.Startup, table, query, tx int64, errors []redshiftcopy.LineError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range errors {
		s.loadErrors = append(s.loadErrors, loadError{
			LineError: l, user: by.User, table: table, query: query, tx: tx,
			session: by.ProcessID, at: time.Now(), database: by.Database,
		})
	}
	s.loadErrors = latest(s.loadErrors)
}

// IsLog reports whether a table is one in which the database tells of loads and connections.
func IsLog(name string) bool { return isSystem(name) && name != "pg_table_def" }
