package sqlwire_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// begun is a database whose sessions are in a transaction, until something fails.
type begun struct {
	open

	failed bool
}

func (b *begun) Open(context.Context, sqlwire.Startup, bool) (sqlwire.Session, error) { return b, nil }

func (b *begun) Status() byte {
	if b.failed {
		return 'E'
	}
	return 'T'
}

func (b *begun) Fail(context.Context, string) { b.failed = true }

// What is not supported is refused at once, also if the client waits without Sync, and fails a
// transaction; what follows is skipped up to Sync.
func TestNotSupported(t *testing.T) {
	t.Parallel()
	parse, bind, sync, flush, query := &pgproto3.Parse{Query: "SELECT 1"}, &pgproto3.Bind{}, &pgproto3.Sync{}, &pgproto3.Flush{}, &pgproto3.Query{String: "SELECT 1"}
	refused, rows := []string{"0A000"}, []string{"row", "end"}
	type step struct {
		sent []pgproto3.FrontendMessage
		want []string // SQLSTATE, "row", "end" of a statement, or ready with its status
	}
	for name, steps := range map[string][]step{
		"Flush":             {{[]pgproto3.FrontendMessage{parse, bind, flush}, refused}, {[]pgproto3.FrontendMessage{bind, query, flush, sync}, []string{"ready E"}}},
		"Sync":              {{[]pgproto3.FrontendMessage{parse, bind, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, sync}, []string{"0A000", "ready E"}}},
		"one after another": {{[]pgproto3.FrontendMessage{parse, sync}, []string{"0A000", "ready E"}}, {[]pgproto3.FrontendMessage{&pgproto3.Close{ObjectType: 'S'}, flush}, refused}, {[]pgproto3.FrontendMessage{sync}, []string{"ready E"}}},
		"Sync alone":        {{[]pgproto3.FrontendMessage{flush, sync}, []string{"ready T"}}},
		"a query after it":  {{[]pgproto3.FrontendMessage{parse, sync, query}, slices.Concat(refused, []string{"ready E"}, rows, []string{"ready E"})}},
		"a function":        {{[]pgproto3.FrontendMessage{&pgproto3.FunctionCall{Function: 1}, query}, slices.Concat(refused, []string{"ready E"}, rows, []string{"ready E"})}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front := connect(t, new(begun))
			for i, s := range steps {
				for _, m := range s.sent {
					front.Send(m)
				}
				if err := front.Flush(); err != nil {
					t.Fatal(err)
				}
				var got []string
				for range s.want {
					got = append(got, receive(t, front))
				}
				if !slices.Equal(got, s.want) {
					t.Errorf("step %d: %v; want %v", i, got, s.want)
				}
			}
		})
	}
}

// connect logs in.
func connect(t *testing.T, d sqlwire.Database) *pgproto3.Frontend {
	t.Helper()
	ours, theirs := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		sqlwire.New(sqlwire.Options{Database: d}).Serve(t.Context(), ours)
	}()
	t.Cleanup(func() {
		_ = theirs.Close()
		<-served
	})
	if err := theirs.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	front := pgproto3.NewFrontend(theirs, theirs)
	go func() { _, _ = theirs.Write(start()) }()
	for receive(t, front) != "ready T" { // what the server tells of itself
	}
	return front
}

// receive returns what the server sent, in short.
func receive(t *testing.T, front *pgproto3.Frontend) string {
	t.Helper()
	for {
		message, err := front.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := message.(type) {
		case *pgproto3.ErrorResponse:
			return m.Code
		case *pgproto3.DataRow:
			return "row"
		case *pgproto3.CommandComplete:
			return "end"
		case *pgproto3.ReadyForQuery:
			return "ready " + string(m.TxStatus)
		}
	}
}
