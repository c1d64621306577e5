// Package ledger makes the statements about a ledger, and about what a Loader uses of a
// database. See package redshiftarchive for what they are for.
package ledger

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Literal returns a text as SQL has it: in quotes, and quotes in it doubled. What could mean
// something else to a database that takes backslashes for escapes is refused.
func Literal(text string) (string, error) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) {
		return "", fmt.Errorf("%q cannot be written as a literal: it has a backslash, a control character or bytes that are no UTF-8", text)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'", nil
}

// Statements are those of a try with a ledger, in their order; COPY is between Known and
// Insert.
type Statements struct {
	Lock  string // must be the first of its transaction
	Known string // asks which objects are there
	Guard string // fails by a division by zero if some are

	// Insert are as many as the Data API's limit needs.
	Insert []string
}

// mostInsert is how many bytes a statement of Insert has at most: the Data API takes 100 KB.
const mostInsert = 90_000

// For returns the statements of a try.
func For(t redshiftarchive.LedgerTry) (Statements, error) {
	manifest, err := Literal(t.Manifest)
	if err != nil {
		return Statements{}, err
	}
	objects := make([]string, len(t.Objects))
	rows := make([]string, len(t.Objects))
	for i, o := range t.Objects {
		if objects[i], err = Literal(o); err != nil {
			return Statements{}, err
		}
		rows[i] = "(" + objects[i] + ", " + manifest + ", GETDATE())"
	}
	if len(objects) == 0 {
		return Statements{}, fmt.Errorf("no objects are to be entered into the ledger %s", t.Table)
	}
	these := " FROM " + t.Table + " WHERE object IN (" + strings.Join(objects, ", ") + ")"
	return Statements{
		Lock:   "LOCK TABLE " + t.Table,
		Known:  "SELECT object" + these,
		Guard:  "SELECT 1/(CASE WHEN COUNT(*)=0 THEN 1 ELSE 0 END)" + these,
		Insert: inserts("INSERT INTO "+t.Table+" (object, manifest, loaded_at) VALUES ", rows),
	}, nil
}

// inserts returns statements that begin with head, and have these rows.
func inserts(head string, rows []string) []string {
	var out []string
	for begin := 0; begin < len(rows); {
		end, size := begin, len(head)
		for end < len(rows) && (end == begin || size+len(rows[end]) <= mostInsert) {
			size += len(rows[end]) + 2
			end++
		}
		out = append(out, head+strings.Join(rows[begin:end], ", "))
		begin = end
	}
	return out
}

// Known returns those of the objects that a ledger answered it has. What else it answered is an
// error: it would be a ledger that compares texts in a way of its own.
func Known(objects, answered []string) ([]string, error) {
	var known []string
	for _, a := range answered {
		a = strings.TrimRight(a, " ")
		if !slices.Contains(objects, a) {
			return nil, fmt.Errorf("the ledger has %q, which it was not asked for; its column object must be VARCHAR, without a collation", a)
		}
		if !slices.Contains(known, a) {
			known = append(known, a)
		}
	}
	return known, nil
}
