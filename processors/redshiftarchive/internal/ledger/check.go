package ledger

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Question is one of those that find out whether tables can be used. None changes anything.
type Question struct {
	About string // the table, for people
	SQL   string

	// Judge returns what is wrong, by the rows of the answer; nil for nothing.
	Judge func(rows [][]string) *redshiftarchive.Fault
}

// Questions returns those about tables: are they there, may they be used, do they have the
// columns. Rights come first, as a table that is not there fails at them with its own text.
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
		q = append(q, Question{table, fmt.Sprintf("SELECT has_table_privilege(%s, '%s')", name, right), func(rows [][]string) *redshiftarchive.Fault {
			if len(rows) == 1 && len(rows[0]) == 1 && strings.HasPrefix(rows[0][0], "t") {
				return nil
			}
			return &redshiftarchive.Fault{Code: "Redshift.InsufficientPrivilege", Message: fmt.Sprintf("the user may not %s: GRANT %s ON %s to it", right, right, table), Undone: true}
		}})
	}
	if len(columns) == 0 {
		return q, nil
	}
	return append(q, Question{
		table, "SELECT attname FROM pg_attribute WHERE attrelid = " + name + "::regclass AND attnum > 0",
		func(rows [][]string) *redshiftarchive.Fault { return missing(table, columns, rows) },
	}), nil
}

// missing finds columns that a table does not have. Their case does not count: whether it
// does for the database is a setting of it.
func missing(table string, columns []string, rows [][]string) *redshiftarchive.Fault {
	var lacks []string
	for _, c := range columns {
		plain := strings.ReplaceAll(strings.Trim(strings.TrimSpace(c), `"`), `""`, `"`)
		if !slices.ContainsFunc(rows, func(row []string) bool { return len(row) == 1 && strings.EqualFold(row[0], plain) }) {
			lacks = append(lacks, plain)
		}
	}
	if lacks == nil {
		return nil
	}
	return &redshiftarchive.Fault{Code: "Redshift.ColumnNotFound", Message: fmt.Sprintf("table %s has no column %s: DataTableColumns, or the DDL of a ledger, and the table differ", table, strings.Join(lacks, ", ")), Undone: true}
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
