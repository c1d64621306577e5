package warehoused

import (
	"context"
	"strings"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// statement is one that was read.
type statement struct {
	// control begins or ends a transaction; nil for what runs within one.
	control func(*Session) (sqlwire.Result, error)
	run     func(context.Context, *Session, *transaction) (sqlwire.Result, error)

	inTransaction string // its name, if it needs a transaction that was begun
	asksAboutLast bool   // it leaves pg_last_query_id() as it is
}

// parse reads a statement.
func parse(text string) (statement, error) {
	if redshiftcopy.IsCopy(text) {
		c, err := redshiftcopy.Parse(text)
		return statement{run: copying(c)}, AsTold(err)
	}
	inner, err := sqltext.Parse(text)
	if err != nil {
		return statement{}, err
	}
	p := &parser{Parser: inner}
	s, err := p.statement()
	if err == nil {
		err = p.NeedEnd()
	}
	return s, err
}

// AsTold is an error of package redshiftcopy as the client is told it.
func AsTold(err error) error {
	e, ok := err.(*redshiftcopy.Error) //nolint:errorlint // it is not wrapped
	if !ok {
		return err
	}
	told := &sqlwire.Error{Code: e.Code, Message: e.Message}
	if e.Context != "" {
		told.Detail = "\n  -----------------------------------------------\n  error:  " + e.Message +
			"\n  code:      8001\n  context:   " + e.Context + "\n  -----------------------------------------------\n"
	}
	return told
}

func (p *parser) statement() (statement, error) {
	first := p.Next()
	if first.Kind != sqltext.Word {
		return statement{}, sqltext.Near(first)
	}
	switch first.Text {
	case "begin", "start", "commit", "end", "rollback", "abort":
		return p.control(first.Text)
	case "select":
		s, err := p.selection()
		return s.statement(), err
	case "insert":
		return p.insertion()
	case "delete":
		return p.deletion()
	case "lock":
		return p.lock()
	case "create":
		return p.create()
	case "drop":
		return p.drop()
	case "grant", "revoke":
		return p.grant(first.Text == "grant")
	case "set":
		return p.set()
	case "show":
		return p.show()
	}
	return statement{}, sqltext.Near(first)
}

// done is a statement that does nothing but in memory.
func done(tag string, f func(*Session) error) statement {
	return statement{asksAboutLast: true, run: func(_ context.Context, e *Session, _ *transaction) (sqlwire.Result, error) {
		return sqlwire.Result{Tag: tag}, f(e)
	}}
}

func (p *parser) control(word string) (statement, error) {
	if word == "start" {
		if err := p.Need("transaction"); err != nil {
			return statement{}, err
		}
	}
	p.AcceptAny("work", "transaction")
	switch word {
	case "begin", "start":
		return statement{control: begins}, p.modes()
	case "commit", "end":
		return statement{control: commits}, nil
	}
	return statement{control: rollsBack}, nil
}

// modes reads what may follow BEGIN. The isolation level is the database's in any case, as
// in Redshift.
func (p *parser) modes() error {
	for {
		switch {
		case p.Accept("isolation", "level"):
			if !p.Accept("serializable") && !p.Accept("repeatable", "read") && !p.Accept("read", "committed") &&
				!p.Accept("read", "uncommitted") && !p.Accept("snapshot") {
				return sqltext.Near(p.Peek())
			}
		case p.Accept("read", "write"), p.Accept("read", "only"):
		default:
			return nil
		}
		p.AcceptSymbol(",")
	}
}

func begins(e *Session) (sqlwire.Result, error) {
	switch {
	case e.failed:
		return sqlwire.Result{}, failure("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	case e.tx != nil:
		return sqlwire.Result{Tag: "BEGIN", Info: "there is already a transaction in progress"}, nil
	}
	e.tx = e.server.begin()
	return sqlwire.Result{Tag: "BEGIN"}, nil
}

func commits(e *Session) (sqlwire.Result, error) {
	if e.failed {
		return rollsBack(e)
	}
	if e.tx == nil {
		return sqlwire.Result{Tag: "COMMIT", Info: "there is no transaction in progress"}, nil
	}
	tx := e.tx
	e.tx = nil
	e.server.commit(tx)
	return sqlwire.Result{Tag: "COMMIT"}, nil
}

func rollsBack(e *Session) (sqlwire.Result, error) {
	e.Close()
	e.failed = false
	return sqlwire.Result{Tag: "ROLLBACK"}, nil
}

// set reads SET of what a client may set.
func (p *parser) set() (statement, error) {
	p.AcceptAny("session", "local")
	name, err := p.NeedName()
	if err != nil {
		return statement{}, err
	}
	if !p.AcceptSymbol("=") {
		if err = p.Need("to"); err != nil {
			return statement{}, err
		}
	}
	v := p.Next()
	for p.AcceptSymbol(",") { // a list
		p.Next()
	}
	switch name {
	case "statement_timeout":
		return done("SET", func(e *Session) error {
			d, err := time.ParseDuration(v.Text + "ms")
			if err != nil {
				return failure("22023", "invalid value for parameter \"statement_timeout\": %q", v.Text)
			}
			e.timeout = d
			return nil
		}), nil
	case "search_path":
		if v.Text != "public" && !strings.HasPrefix(v.Text, "$") {
			return statement{}, failure("0A000", "a search_path other than public is not supported here")
		}
	case "client_encoding", "datestyle", "extra_float_digits", "query_group", "timezone", "enable_result_cache_for_session",
		"wlm_query_slot_count", "application_name", "client_min_messages", "standard_conforming_strings":
	default:
		return statement{}, failure("42704", "unrecognized configuration parameter %q", name)
	}
	return done("SET", func(*Session) error { return nil }), nil
}

func (p *parser) show() (statement, error) {
	name, err := p.NeedName()
	if err != nil {
		return statement{}, err
	}
	return statement{asksAboutLast: true, run: func(_ context.Context, e *Session, _ *transaction) (sqlwire.Result, error) {
		known := map[string]string{
			"statement_timeout": decimal(e.timeout.Milliseconds()), "search_path": "$user, public", "server_version": "8.0.2",
			"standard_conforming_strings": "on", "client_encoding": "UTF8",
		}
		v, ok := known[name]
		if !ok {
			return sqlwire.Result{}, failure("42704", "unrecognized configuration parameter %q", name)
		}
		return sqlwire.Result{Tag: "SHOW", Columns: []sqlwire.Column{outColumn(name, typeOf(""))}, Rows: [][]*string{{&v}}}, nil
	}}, nil
}
