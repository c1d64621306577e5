package sqlwire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/shardmill/shardmill/localaws/internal/sqltext"
)

// ask is what a client asks for.
type ask int

// What is asked for.
const (
	simple   ask = iota // a query
	extended            // a part of an extended query, the first one up to Sync
	function            // a function, without a query
	synced              // Sync
)

// request is what a client sent.
type request struct {
	ask  ask
	text string // of a simple query
}

// serve answers requests.
func (c *connection) serve(ctx context.Context) {
	requests := make(chan request)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(requests)
		defer close(c.gone)
		c.read(ctx, requests)
	})
	defer reading.Wait()
	for r := range requests {
		if err := c.answer(ctx, r); err != nil {
			break
		}
	}
	_ = c.conn.Close()   // what is read ends
	for range requests { // until the reader has ended
	}
}

// read hands requests on until the client ends the connection. After an extended query
// everything is skipped up to Sync, as PostgreSQL does after an error.
func (c *connection) read(ctx context.Context, requests chan<- request) {
	skip := false
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(idleTimeout)) // one that is closed fails below
		message, err := c.backend.Receive()
		if err != nil {
			return
		}
		r := request{ask: extended}
		switch m := message.(type) {
		case *pgproto3.Terminate:
			return
		case *pgproto3.Query:
			r = request{simple, m.String}
		case *pgproto3.FunctionCall:
			r.ask = function
		case *pgproto3.Sync:
			r.ask, skip = synced, false
		case *pgproto3.Flush, *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail: // PostgreSQL answers none of them here
			continue
		}
		if skip {
			continue
		}
		skip = r.ask == extended
		select {
		case requests <- r:
		case <-ctx.Done():
			return
		}
	}
}

// answer answers one request. Its error means that the connection is over.
func (c *connection) answer(ctx context.Context, r request) error {
	var err error
	switch r.ask {
	case simple:
		err = c.run(ctx, r.text)
	case extended:
		c.refuse(ctx, "the extended query protocol is not supported here; use simple queries")
		return c.flush()
	case function:
		c.refuse(ctx, "function calls are not supported here; use simple queries")
	case synced:
	}
	if err != nil {
		if errors.Is(err, ErrCut) {
			return err
		}
		c.fail(err)
		var told *Error
		if errors.As(err, &told) && told.Fatal {
			_ = c.flush() // it ends in any case
			return err
		}
	}
	return c.ready()
}

// refuse says that something is not supported, which fails a transaction.
func (c *connection) refuse(ctx context.Context, message string) {
	c.session.Fail(ctx, "")
	c.fail(&Error{Code: "0A000", Message: message})
}

// run runs the statements of a query: those of one that begins or ends no transaction by
// itself are one transaction.
func (c *connection) run(ctx context.Context, text string) error {
	statements, err := sqltext.Split(text)
	if err != nil {
		return err
	}
	if len(statements) == 0 {
		c.backend.Send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	isOne := len(statements) > 1 && c.session.Status() == 'I' && !hasTransaction(statements)
	if isOne {
		if _, err = c.session.Execute(ctx, "BEGIN"); err != nil {
			return err
		}
	}
	for _, statement := range statements {
		if err = c.execute(ctx, statement); err != nil {
			if isOne && !errors.Is(err, ErrCut) {
				_, _ = c.session.Execute(ctx, "ROLLBACK") // the error that counts is there
			}
			return err
		}
	}
	if isOne {
		_, err = c.session.Execute(ctx, "COMMIT")
	}
	return err
}

func hasTransaction(statements []string) bool {
	for _, s := range statements {
		switch Operation(s) {
		case "BEGIN", "COMMIT", "ROLLBACK":
			return true
		}
	}
	return false
}

// Operation is what a statement does, by the first of its words: BEGIN, COMMIT and
// ROLLBACK by whatever word, else the word itself in capitals, such as COPY.
func Operation(statement string) string {
	tokens, err := sqltext.Tokens(statement)
	if err != nil || tokens[0].Kind != sqltext.Word {
		return ""
	}
	switch word := tokens[0].Text; word {
	case "begin", "start":
		return "BEGIN"
	case "commit", "end":
		return "COMMIT"
	case "rollback", "abort":
		return "ROLLBACK"
	default:
		return strings.ToUpper(word)
	}
}

// execute runs one statement, and sends what it brings.
func (c *connection) execute(ctx context.Context, statement string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.setCancel(cancel)
	defer c.setCancel(nil)
	s := Statement{Startup: c.startup, Text: statement, Gone: c.gone}
	result, err := Run(ctx, c.server.options.Database, c.session, s)
	if err != nil {
		return err
	}
	c.send(result)
	return nil
}

// Run has a database run a statement in a session.
func Run(ctx context.Context, d Database, session Session, s Statement) (Result, error) {
	result, err := d.Run(ctx, s, func(ctx context.Context) (Result, error) {
		return session.Execute(ctx, s.Text)
	})
	if _, ok := errors.AsType[*Injected](err); ok {
		session.Fail(ctx, Operation(s.Text))
	}
	return result, err
}

func (c *connection) setCancel(f context.CancelCauseFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = f
}

func (c *connection) send(r Result) {
	if r.Info != "" {
		c.backend.Send(&pgproto3.NoticeResponse{Severity: "INFO", SeverityUnlocalized: "INFO", Code: "00000", Message: r.Info})
	}
	if r.Columns != nil {
		var d pgproto3.RowDescription
		for _, column := range r.Columns {
			d.Fields = append(d.Fields, pgproto3.FieldDescription{
				Name: []byte(column.Name), DataTypeOID: column.OID, DataTypeSize: column.Size, TypeModifier: -1,
			})
		}
		c.backend.Send(&d)
	}
	for _, row := range r.Rows {
		var d pgproto3.DataRow
		for _, v := range row {
			if v == nil {
				d.Values = append(d.Values, nil)
			} else {
				d.Values = append(d.Values, []byte(*v))
			}
		}
		c.backend.Send(&d)
	}
	c.backend.Send(&pgproto3.CommandComplete{CommandTag: []byte(r.Tag)})
}

// fail sends an error.
func (c *connection) fail(err error) {
	e := AsError(err)
	severity := "ERROR"
	if e.Fatal {
		severity = "FATAL"
	}
	c.backend.Send(&pgproto3.ErrorResponse{
		Severity: severity, SeverityUnlocalized: severity, Code: e.Code, Message: e.Message, Detail: e.Detail,
	})
}

// AsError returns an error as the client is told it.
func AsError(err error) *Error {
	var told *Error
	var syntax *sqltext.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &syntax):
		return &Error{Code: "42601", Message: syntax.Message}
	case errors.Is(err, ErrCancelled):
		return &Error{Code: "57014", Message: "Query cancelled on user's request"}
	case errors.Is(err, context.Canceled):
		return &Error{Code: "57P01", Message: "terminating connection due to administrator command", Fatal: true}
	}
	return &Error{Code: "XX000", Message: err.Error()}
}

// ready says that the next query may come.
func (c *connection) ready() error {
	c.backend.Send(&pgproto3.ReadyForQuery{TxStatus: c.session.Status()})
	return c.flush()
}

// flush sends what is to be sent.
func (c *connection) flush() error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // one that is closed fails below
	if err := c.backend.Flush(); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return nil
}
