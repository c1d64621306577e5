package sqlwire

import (
	"context"
	"errors"
)

// Session is a connection's side of a database. One goroutine at a time uses it.
type Session interface {
	// Execute runs one statement. It ends with ctx.
	//
	// Errors: *Error, or one that goes on as SQLSTATE XX000.
	Execute(ctx context.Context, statement string) (Result, error)

	// Status is what a transaction is in: 'I' none, 'T' a good one, 'E' a failed one.
	Status() byte

	// Query is the id of the statement that was run last.
	Query() int64

	// Fail ends what a statement of an operation, such as "COPY", would have ended had it
	// failed: a transaction is rolled back.
	Fail(ctx context.Context, operation string)

	// Close rolls back what was not committed.
	Close()
}

// Result is what a statement brings.
type Result struct {
	Tag     string // of CommandComplete, such as "INSERT 0 1"
	Columns []Column
	Rows    [][]*string // nil is NULL
	Info    string      // what the server says besides; "" for nothing
}

// Column is a column of a Result.
type Column struct {
	Name string
	OID  uint32 // of its type in PostgreSQL's pg_type
	Size int16
}

// Error is one that the client is told.
type Error struct {
	Code, Message, Detail string
	Fatal                 bool // the connection ends with it
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Injected is an error that a statement did not have, but is to have had.
type Injected struct{ Err *Error }

// Error implements error.
func (e *Injected) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *Injected) Unwrap() error { return e.Err }

// ErrCut has the connection cut without an answer.
var ErrCut = errors.New("the connection is cut")

// ErrCancelled is the cause of the end of a statement's context that its client cancelled.
var ErrCancelled = errors.New("cancelled on the user's request")

// Startup is what a client says of itself.
type Startup struct {
	User, Database, Application string
	Remote                      string // address
	ProcessID                   uint32
	HasTLS                      bool
}

// Statement is one that is about to be run.
type Statement struct {
	Startup
	Text string
	Gone <-chan struct{} // closed when the client has gone
}

// Database is what connections lead to. Its functions are called from several goroutines.
type Database interface {
	// Password returns that of a user; ok is false if there is no such user.
	Password(user string) (password string, ok bool)

	// Open begins a session; login says whether the password was right. Its error ends
	// the connection.
	Open(ctx context.Context, s Startup, login bool) (Session, error)

	// Run has a statement executed, by run, or something else done.
	Run(ctx context.Context, s Statement, run func(context.Context) (Result, error)) (Result, error)
}
