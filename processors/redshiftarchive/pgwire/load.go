package pgwire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/ledger"
)

// Load implements redshiftarchive.Database.
func (d *Database) Load(ctx context.Context, t redshiftarchive.Try) error {
	secrets := judge.OfStatement(t.Copy)
	var s ledger.Statements
	if t.Ledger != nil {
		var err error
		if s, err = ledger.For(*t.Ledger); err != nil {
			return &redshiftarchive.Fault{Code: "Redshift.InvalidMessageFormat", Message: "ledger: " + secrets.Redact(err.Error()), Undone: true}
		}
	}
	t.Tell("connecting", nil)
	session, fault := d.open(ctx, secrets)
	if fault != nil {
		return fault
	}
	defer session.close(ctx)
	if t.Ledger == nil {
		t.Tell("COPY", nil)
		return session.loadAlone(ctx, t.Copy)
	}
	return session.loadOnce(ctx, t, s)
}

// loadAlone makes the COPY a transaction of its own.
func (s *session) loadAlone(ctx context.Context, c redshiftarchive.Statement) error {
	if _, err := s.runUntil(ctx, c.SQL()); err != nil {
		f := s.fault("COPY", err)
		s.explain(ctx, f)
		return f
	}
	return nil
}

// loadOnce makes the COPY one transaction with the ledger. Until COMMIT is sent nothing can
// have changed, whatever fails.
func (s *session) loadOnce(ctx context.Context, t redshiftarchive.Try, l ledger.Statements) error {
	t.Tell("LOCK of the ledger", nil)
	if err := s.prepare(ctx, t.Ledger.Objects, l); err != nil {
		return err
	}
	t.Tell("COPY", nil)
	if _, err := s.runUntil(ctx, t.Copy.SQL()); err != nil {
		f := s.undoneBehindLook("COPY", err)
		_, _ = s.run(ctx, "ROLLBACK") // the reasons are asked for outside of it
		s.explain(ctx, f)
		return f
	}
	t.Tell("INSERT into the ledger", nil)
	for _, insert := range l.Insert {
		if _, err := s.run(ctx, insert); err != nil {
			return s.undoneBehindLook("INSERT into the ledger", err)
		}
	}
	t.Tell("COMMIT", nil)
	return s.commit(ctx)
}

// lockNotAvailable is the SQLSTATE of a LOCK that has waited for as long as the server lets it.
const lockNotAvailable = "55P03"

// prepare begins the transaction, and looks in the ledger.
func (s *session) prepare(ctx context.Context, objects []string, l ledger.Statements) error {
	if _, err := s.run(ctx, "BEGIN"); err != nil {
		return s.undone("BEGIN", err)
	}
	// Another loader may hold the ledger for as long as its COPY takes.
	if _, err := s.runUntil(ctx, l.Lock); err != nil {
		f := s.undone("LOCK of the ledger", err)
		f.NoLock = f.SQLState == "" || f.SQLState == lockNotAvailable || f.Code == "Redshift.QueryCancelled"
		if f.SQLState == "" {
			f.Message += "; if the connection is good, another loader has the ledger locked, and loads"
		}
		return f
	}
	var there []string
	for _, ask := range l.Known {
		answer, err := s.run(ctx, ask)
		if err != nil {
			return s.undone("SELECT from the ledger", err)
		}
		there = append(there, slices.Concat(answer.rows...)...)
	}
	known, err := ledger.Known(objects, there)
	if err == nil && len(known) == 0 {
		return nil
	}
	_, _ = s.run(ctx, "ROLLBACK") // else the end of the connection does it
	if err != nil {
		return s.undone("SELECT from the ledger", err)
	}
	return &redshiftarchive.KnownError{Objects: known}
}

// commit ends the transaction. Only a COMMIT that is answered with COMMIT was one: the
// answer to that of a transaction that had failed is ROLLBACK, without an error.
func (s *session) commit(ctx context.Context) error {
	answer, err := s.run(ctx, "COMMIT")
	switch {
	case err != nil:
		f := s.fault("COMMIT", err)
		f.NotInLedger = f.Undone
		if !f.Undone {
			f.Message += "; whether it was committed is not known, and the next try looks in the ledger"
		}
		return f
	case answer.tag == "ROLLBACK":
		return s.undoneBehindLook("COMMIT", errors.New("the database answered ROLLBACK: the transaction had failed"))
	case !strings.HasPrefix(answer.tag, "COMMIT"):
		return s.fault("COMMIT", fmt.Errorf("the database answered %.40q", answer.tag))
	}
	return nil
}

// undone judges a failure of a transaction whose COMMIT was not sent.
func (s *session) undone(doing string, err error) *redshiftarchive.Fault {
	f := s.fault(doing, err)
	f.Undone = true
	return f
}

// undoneBehindLook is undone for what follows the look in the ledger, which had no object.
func (s *session) undoneBehindLook(doing string, err error) *redshiftarchive.Fault {
	f := s.undone(doing, err)
	f.NotInLedger = true
	return f
}
