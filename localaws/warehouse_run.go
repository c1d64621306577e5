package localaws

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/dataapid"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// warehouseDatabase is a Warehouse as connections see it.
type warehouseDatabase struct{ *Warehouse }

// Password implements sqlwire.Database.
func (d warehouseDatabase) Password(user string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	password, ok := d.users[user]
	return password, ok
}

// Open implements sqlwire.Database.
func (d warehouseDatabase) Open(ctx context.Context, c sqlwire.Startup, login bool) (sqlwire.Session, error) {
	_, err := d.strike(ctx, "Login", sqlwire.Statement{Startup: c}, func(context.Context) (sqlwire.Result, error) {
		return sqlwire.Result{}, d.mayLogin(c, login)
	})
	if err != nil {
		d.server.Log("authentication failure", c)
		return nil, fatal(err)
	}
	d.server.Log("authenticated", c)
	return d.session(ctx, c)
}

// openForAPI begins a session of the Data API's.
func (w *Warehouse) openForAPI(ctx context.Context, l dataapid.Login) (sqlwire.Session, sqlwire.Startup, error) {
	c := sqlwire.Startup{User: w.options.User, Database: l.Database, Application: "Redshift Data API", Remote: "data-api"}
	w.mu.Lock()
	bySecret, hasSecret := w.secrets[l.Secret]
	if l.User != "" {
		c.User = l.User
	} else if hasSecret {
		c.User = bySecret
	}
	_, known := w.users[c.User]
	w.mu.Unlock()
	switch {
	case l.Secret != "" && !hasSecret:
		return nil, c, &sqlwire.Error{Code: "28000", Message: "Secrets Manager can't find the secret " + l.Secret}
	case !known:
		return nil, c, &sqlwire.Error{Code: "28000", Message: `user "` + c.User + `" does not exist`}
	}
	session, err := warehouseDatabase{w}.Open(ctx, c, true)
	return session, c, err
}

// fatal is an error that ends the connection.
func fatal(err error) error {
	if err == sqlwire.ErrCut { //nolint:errorlint // it is not wrapped
		return err
	}
	told := *sqlwire.AsError(err)
	told.Fatal = true
	return &told
}

func (w *Warehouse) mayLogin(c sqlwire.Startup, login bool) error {
	switch {
	case !login:
		return &sqlwire.Error{Code: "28000", Message: `password authentication failed for user "` + c.User + `"`}
	case c.Database != w.options.Database:
		return &sqlwire.Error{Code: "3D000", Message: `database "` + c.Database + `" does not exist`}
	}
	return nil
}

// Run implements sqlwire.Database.
func (d warehouseDatabase) Run(ctx context.Context, s sqlwire.Statement, run func(context.Context) (sqlwire.Result, error)) (sqlwire.Result, error) {
	return d.strike(ctx, sqlwire.Operation(s.Text), s, run)
}

// strike runs a statement, less what faults do to it.
func (w *Warehouse) strike(ctx context.Context, operation string, s sqlwire.Statement, run func(context.Context) (sqlwire.Result, error)) (sqlwire.Result, error) {
	var nothing sqlwire.Result
	c := call{service: Redshift, operation: operation, body: []byte(s.Text)}
	r := &http.Request{URL: &url.URL{Path: "/" + s.Database}, Header: http.Header{"User-Agent": {s.Application}}}
	for _, a := range w.stack.faults.all() {
		if !a.fault.matches(r, c) || !a.take() {
			continue
		}
		switch kind := a.fault.Kind; kind.name {
		case "Latency":
			if err := w.wait(ctx, kind.wait, nil); err != nil {
				return nothing, err
			}
			continue
		case "Refuse":
			return nothing, sqlwire.ErrCut
		case "LostAnswer", "Cut":
			found, err := run(ctx)
			if s.Gone == nil && operation != "Login" { // there is no connection
				return found, err
			}
			return nothing, sqlwire.ErrCut
		case "Swallow":
			return nothing, w.hold(ctx, s)
		case "NoAnswer":
			_, _ = run(ctx) // nobody is told
			return nothing, w.hold(ctx, s)
		case "Stall":
			a.received()
			whole := context.WithoutCancel(ctx)
			if err := w.wait(whole, kind.wait, a.release); err != nil {
				return nothing, err
			}
			return run(whole)
		case "SQLError":
			return nothing, &sqlwire.Injected{Err: injected(kind, s)}
		default:
			return nothing, &sqlwire.Injected{Err: &sqlwire.Error{Code: "XX000", Message: "We encountered an internal error. Please try again."}}
		}
	}
	return run(ctx)
}

// wait waits for a time, if it is not 0, or until released is closed, if it is not nil.
func (w *Warehouse) wait(ctx context.Context, d time.Duration, released <-chan struct{}) error {
	var over <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-released:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.stack.closed:
		return sqlwire.ErrCut
	}
	return nil
}

// hold answers nothing until the client goes, or cancels.
func (w *Warehouse) hold(ctx context.Context, s sqlwire.Statement) error {
	select {
	case <-s.Gone:
	case <-ctx.Done():
	case <-w.stack.closed:
	}
	return sqlwire.ErrCut
}

// injected is the error of a SQLError.
func injected(k Kind, s sqlwire.Statement) *sqlwire.Error {
	e := &sqlwire.Error{Code: k.code, Message: k.body, Fatal: k.code == "57P01"}
	if e.Message != "" {
		return e
	}
	switch k.code {
	case "40001":
		e.Message = "1023"
		e.Detail = "Serializable isolation violation on table - 100001, transactions forming the cycle are: 1, 2 (pid:1)"
	case "53100":
		e.Message = "Disk Full"
	case "25006":
		e.Message = "transaction is read-only"
	case "28000", "28P01":
		e.Message = `password authentication failed for user "` + s.User + `"`
	case "57P01":
		e.Message = "terminating connection due to administrator command"
	default:
		e.Message = "the statement was refused"
	}
	return e
}
