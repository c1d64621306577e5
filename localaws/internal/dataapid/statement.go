package dataapid

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// The states of a statement.
const (
	submitted = "SUBMITTED"
	started   = "STARTED"
	finished  = "FINISHED"
	failed    = "FAILED"
	aborted   = "ABORTED"
)

// statement is what was handed in: one, or a batch. The Server's mu guards it.
type statement struct {
	id      string
	request request
	single
	parts  []*single // of a batch
	pid    uint32
	cancel context.CancelCauseFunc
}

// single is one statement.
type single struct {
	sql              string
	status           string
	created, updated time.Time
	problem          string
	query            int64
	result           sqlwire.Result
}

func (s *single) isOver() bool {
	return s.status == finished || s.status == failed || s.status == aborted
}

// all are the statements to be run.
func (s *statement) all() []*single {
	if s.parts != nil {
		return s.parts
	}
	return []*single{&s.single}
}

// execute runs a statement, or a batch, to its end.
func (s *Server) execute(ctx context.Context, st *statement) {
	s.update(&st.single, started, "")
	session, startup, err := s.options.Open(ctx, st.request.login())
	if err != nil {
		s.end(st, 0, err)
		return
	}
	defer session.Close()
	s.mu.Lock()
	st.pid = startup.ProcessID
	s.mu.Unlock()
	at, err := s.runAll(ctx, session, startup, st)
	s.end(st, at, err)
}

// runAll runs statements as one transaction if they are a batch. It returns the place of
// the one that failed.
func (s *Server) runAll(ctx context.Context, session sqlwire.Session, startup sqlwire.Startup, st *statement) (int, error) {
	isBatch := st.parts != nil
	if isBatch {
		if _, err := session.Execute(ctx, "BEGIN"); err != nil {
			return 0, fmt.Errorf("beginning: %w", err)
		}
	}
	for i, one := range st.all() {
		if isBatch {
			s.update(one, started, "")
		}
		result, err := s.run(ctx, session, startup, one.sql, st.request.Parameters)
		s.mu.Lock()
		one.result, one.query = result, session.Query()
		s.mu.Unlock()
		if err != nil {
			return i, err
		}
		if isBatch {
			s.update(one, finished, "")
		}
	}
	if err := context.Cause(ctx); err != nil || !isBatch {
		return len(st.parts), err
	}
	if _, err := session.Execute(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return len(st.parts), fmt.Errorf("committing: %w", err)
	}
	return 0, nil
}

func (s *Server) run(ctx context.Context, session sqlwire.Session, startup sqlwire.Startup, sql string, parameters []parameter) (sqlwire.Result, error) {
	sql, err := replaced(sql, parameters)
	if err != nil {
		return sqlwire.Result{}, err
	}
	list, err := sqltext.Split(sql)
	if err != nil {
		return sqlwire.Result{}, fmt.Errorf("reading the statement: %w", err)
	}
	if len(list) != 1 {
		return sqlwire.Result{}, &sqlwire.Error{Code: "42601", Message: "cannot insert multiple commands into a prepared statement"}
	}
	return sqlwire.Run(ctx, s.options.Database, session, sqlwire.Statement{Startup: startup, Text: list[0]}) //nolint:wrapcheck // it is the database's
}

// replaced puts parameters where :NAME stands for them.
func replaced(sql string, parameters []parameter) (string, error) {
	if len(parameters) == 0 {
		return sql, nil
	}
	tokens, err := sqltext.Tokens(sql)
	if err != nil {
		return "", fmt.Errorf("reading the statement: %w", err)
	}
	var b strings.Builder
	from := 0
	for i, t := range tokens[:len(tokens)-1] {
		next := tokens[i+1]
		if t.Kind != sqltext.Symbol || t.Text != ":" || next.Kind != sqltext.Word || next.At != t.Next {
			continue
		}
		for _, p := range parameters {
			if strings.EqualFold(p.Name, next.Text) {
				b.WriteString(sql[from:t.At] + "'" + strings.ReplaceAll(p.Value, "'", "''") + "'")
				from = next.Next
			}
		}
	}
	return b.String() + sql[from:], nil
}

// end notes how a statement, or a batch, ended.
func (s *Server) end(st *statement, at int, err error) {
	if err == nil {
		s.update(&st.single, finished, "")
		return
	}
	status, text := failed, "ERROR: "+sqlwire.AsError(err).Message
	if detail := sqlwire.AsError(err).Detail; detail != "" {
		text += "\n  Detail: " + detail
	}
	if errors.Is(err, sqlwire.ErrCut) {
		text = "ERROR: the connection to the database was lost"
	}
	if errors.Is(err, sqlwire.ErrCancelled) {
		status = aborted
	}
	for i, one := range st.parts {
		switch {
		case i == at:
			s.update(one, status, text)
		case i > at:
			s.update(one, aborted, "")
		}
	}
	if st.parts != nil {
		text = fmt.Sprintf("Query #%d failed with %s", at+1, text)
	}
	s.update(&st.single, status, text)
}

// update changes the state of a statement.
func (s *Server) update(one *single, status, problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.status, one.problem, one.updated = status, problem, time.Now()
}
