package ledger

import (
	"fmt"
	"strings"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Question is one of those that find out whether tables can be used. None changes anything.
type Question struct {
	About string // the table, for people
	SQL   string

	// Judge returns what the rows of the answer say is wrong; nil for nothing.
	Judge func(rows [][]string) *redshiftarchive.Fault

	// MayBeForbidden says that InsufficientPrivilege is no fault: the question needs more
	// than a load does, and names are looked up before rights.
	MayBeForbidden bool
}

// Forgives reports whether a fault of the question is none.
func (q Question) Forgives(f *redshiftarchive.Fault) bool {
	return q.MayBeForbidden && f.Code == "Redshift.InsufficientPrivilege"
}

// Questions returns those about tables: are they there, may they be used, do they have the
// columns.
func Questions(t redshiftarchive.Tables) ([]Question, error) {
	q, err := about(t.Table, t.Columns, "INSERT")
	if err != nil || t.Ledger == "" {
		return q, err
	}
	of, err := about(t.Ledger, []string{"object", "manifest", "loaded_at"}, "SELECT", "INSERT", "UPDATE")
	return append(q, of...), err
}

func about(table string, columns []string, rights ...string) ([]Question, error) {
	name, err := Literal(Name(table))
	if err != nil {
		return nil, err
	}
	q := make([]Question, 0, len(rights)+1)
	for _, right := range rights {
		q = append(q, Question{About: table, SQL: fmt.Sprintf("SELECT has_table_privilege(%s, '%s')", name, right), Judge: func(rows [][]string) *redshiftarchive.Fault {
			if len(rows) == 1 && len(rows[0]) == 1 && strings.HasPrefix(rows[0][0], "t") {
				return nil
			}
			return &redshiftarchive.Fault{Code: "Redshift.InsufficientPrivilege", Message: fmt.Sprintf("the user may not %s: GRANT %s ON %s to it", right, right, table), Undone: true}
		}})
	}
	if len(columns) == 0 {
		return q, nil
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = Name(strings.TrimSpace(c))
	}
	return append(q, Question{
		About: table, SQL: "SELECT " + strings.Join(names, ", ") + " FROM " + Name(table) + " WHERE false",
		Judge: func([][]string) *redshiftarchive.Fault { return nil }, MayBeForbidden: true,
	}), nil
}

// Name returns the name of a table as SQL has it: parts that are not plain are quoted.
func Name(table string) string {
	if strings.Contains(table, `"`) {
		return table
	}
	parts := strings.Split(table, ".")
	for i, p := range parts {
		if !isPlain(p) {
			parts[i] = `"` + p + `"`
		}
	}
	return strings.Join(parts, ".")
}

func isPlain(name string) bool {
	for i, c := range []byte(name) {
		isLetter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		isInner := '0' <= c && c <= '9' || c == '$'
		if !isLetter && (i == 0 || !isInner) {
			return false
		}
	}
	return name != ""
}
