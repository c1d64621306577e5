package redshiftarchive

import (
	"context"
	"fmt"
)

// Database is what a Loader loads into; packages pgwire and dataapi implement it. One
// goroutine at a time calls it.
type Database interface {
	// Load makes one try to load what a statement's manifest lists, in one transaction with
	// the ledger if there is one. It ends with ctx, which has a limit.
	//
	// Errors: *KnownError if the ledger has some of the objects; nothing was changed. Any
	// other is a *Fault; unless it says otherwise the rows may be there. None has a secret in its
	// text, be it of a login or of the statement.
	Load(ctx context.Context, t Try) error

	// Check makes one try to find out whether the table, its columns and the ledger can be used, and changes
	// nothing. Its error is a *Fault.
	Check(ctx context.Context, t Tables) error
}

// Tables are what a Loader uses of a database: names as SQL takes them, quoted where that
// is needed, so that they can be put into a statement as they are.
type Tables struct {
	Table   string   // with its schema, if DataTableName has one
	Columns []string // none for all
	Ledger  string   // "" for none
}

// Try is one try to load objects.
type Try struct {
	Copy   Statement
	Ledger *LedgerTry // nil without a ledger

	// Token is the same for no other try: what a request that is repeated is known by.
	Token string

	// Progress is told what is waited for, such as "COPY", and what is in the way, if
	// anything is. nil if nobody wants to know. It is called by the goroutine of Load.
	Progress func(doing string, trouble error)
}

// Tell calls Progress, if there is one.
func (t Try) Tell(doing string, trouble error) {
	if t.Progress != nil {
		t.Progress(doing, trouble)
	}
}

// LedgerTry is what a try does with the ledger.
type LedgerTry struct {
	Table    string   // quoted, for SQL
	Objects  []string // URLs of the objects that the manifest lists; none twice
	Manifest string   // URL of the manifest, for people
}

// Statement is a COPY.
type Statement struct {
	sql, shown string
}

// NewStatement returns a statement; shown is the same text without secrets. It is for
// whoever has a Database without a Loader, such as a test.
func NewStatement(sql, shown string) Statement { return Statement{sql, shown} }

// SQL returns the statement; it may have secrets.
func (s Statement) SQL() string { return s.sql }

// String returns the statement without secrets.
func (s Statement) String() string { return s.shown }

// KnownError says that the ledger has some of the objects of a try.
type KnownError struct{ Objects []string } // URLs, some or all of LedgerTry.Objects

// Error implements error.
func (e *KnownError) Error() string {
	return fmt.Sprintf("the ledger has %d of the objects already", len(e.Objects))
}

// Fault is why a try did not succeed, or may not have.
type Fault struct {
	Code     string // Firehose's, such as "Redshift.TableNotFound"
	Message  string // what the database said, and what to do
	SQLState string // "" if there was no answer of the database

	// Undone says that nothing was changed, for sure. Else the rows may be there, or may
	// come later.
	Undone bool

	// NotInLedger says that this try looked in the ledger, behind its lock, and that it had none
	// of the objects: no earlier try has loaded them either.
	NotInLedger bool

	// NoLock says that LOCK of the ledger was not answered, or timed out: COPY was not asked, as far as can be
	// told because another loader loads. Such a try does not count towards RetryDuration.
	NoLock bool

	Reasons []LineReason // of lines that could not be loaded, as far as the database says
}

// LineReason is why a line could not be loaded.
// Source: Redshift STL_LOAD_ERRORS, SYS_LOAD_ERROR_DETAIL.
type LineReason struct {
	Object string // URL
	Line   int64
	Column string // "" if it is about the line
	Code   int
	Reason string // the database's text, without what the line has
}

// Error implements error.
func (f *Fault) Error() string {
	if f.SQLState == "" {
		return f.Code + ": " + f.Message
	}
	return f.Code + ": " + f.Message + " (SQLSTATE " + f.SQLState + ")"
}
