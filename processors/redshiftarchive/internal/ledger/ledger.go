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

// Statements are those of a try with a ledger, in their order; COPY is between Known, or
// Guard, and Insert. Of those that name objects there are as many as the Data API's limit needs.
type Statements struct {
	Lock   string   // must be the first of its transaction
	Known  []string // ask which objects are there
	Guard  []string // fail by a division by zero if some are
	Insert []string // enter the objects
}

// mostBytes is how many bytes a statement has at most: the Data API takes 100 KB.
const mostBytes = 90_000

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
	these := " FROM " + t.Table + " WHERE object IN ("
	return Statements{
		Lock:   "LOCK TABLE " + t.Table,
		Known:  statements("SELECT object"+these, objects, ")"),
		Guard:  statements("SELECT 1/(CASE WHEN COUNT(*)=0 THEN 1 ELSE 0 END)"+these, objects, ")"),
		Insert: statements("INSERT INTO "+t.Table+" (object, manifest, loaded_at) VALUES ", rows, ""),
	}, nil
}

// statements returns as many as are needed of those that have these parts between head and tail.
func statements(head string, parts []string, tail string) []string {
	var out []string
	for begin := 0; begin < len(parts); {
		end, size := begin, len(head)+len(tail)
		for end < len(parts) && (end == begin || size+len(parts[end]) <= mostBytes) {
			size += len(parts[end]) + 2
			end++
		}
		out = append(out, head+strings.Join(parts[begin:end], ", ")+tail)
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
