package sqlwire_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// open is a database that answers everything, and lets everybody in.
type open struct{}

func (open) Password(string) (string, bool) { return "p", true }

func (open) Open(context.Context, sqlwire.Startup, bool) (sqlwire.Session, error) { return open{}, nil }

func (open) Run(ctx context.Context, _ sqlwire.Statement, run func(context.Context) (sqlwire.Result, error)) (sqlwire.Result, error) {
	return run(ctx)
}

func (open) Execute(context.Context, string) (sqlwire.Result, error) {
	return sqlwire.Result{Tag: "SELECT", Columns: []sqlwire.Column{{Name: "a", OID: 25, Size: -1}}, Rows: [][]*string{{nil}}}, nil
}

func (open) Status() byte                 { return 'I' }
func (open) Query() int64                 { return 1 }
func (open) Fail(context.Context, string) {}
func (open) Close()                       {}

// FuzzServe sends bytes of all kinds, after a start or without one: the server ends with its
// client, whatever came.
func FuzzServe(f *testing.F) {
	query, err := (&pgproto3.Query{String: "SELECT 1; SELECT 2"}).Encode(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(true, query)
	f.Add(true, []byte{'P', 0, 0, 0, 8, 0, 0, 0, 0, 'S', 0, 0, 0, 4})
	f.Add(true, []byte{'Q', 0xff, 0xff, 0xff, 0xff})
	f.Add(false, []byte{0, 0, 0, 8, 4, 210, 22, 47, 0, 0})
	f.Add(false, []byte{0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Fuzz(func(t *testing.T, isStarted bool, sent []byte) {
		ours, theirs := net.Pipe()
		served := make(chan struct{})
		go func() {
			defer close(served)
			sqlwire.New(sqlwire.Options{Database: open{}}).Serve(t.Context(), ours)
		}()
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, theirs)
		}()
		if isStarted {
			sent = append(start(), sent...)
		}
		_, _ = theirs.Write(sent)
		_ = theirs.Close()
		<-served
		<-read
	})
}

// start are the start of a connection and a password.
func start() []byte {
	body := append(binary.BigEndian.AppendUint32(nil, pgproto3.ProtocolVersionNumber), "user\x00u\x00\x00"...)
	message := append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
	return append(message, 'p', 0, 0, 0, 6, 'p', 0)
}
