package sqlwire

import (
	"context"
	"crypto/md5" //nolint:gosec // it is the protocol's
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/shardmill/shardmill/localaws/internal/sqltext"
)

// Limits of a connection.
const (
	startTimeout = 30 * time.Second // of its start, until it is ready for queries
	idleTimeout  = 4 * time.Hour    // until its next query
	writeTimeout = time.Minute      // of an answer
	maxBody      = 16 << 20         // of a message
)

// Options say how a Server behaves.
type Options struct {
	Database Database
	MD5      bool              // passwords are asked for by MD5; else in clear text
	TLS      *tls.Config       // nil: none
	Settings map[string]string // that the client is told at the start
}

// Server serves connections. It is safe for concurrent use.
type Server struct {
	options Options

	mu      sync.Mutex // guards what follows
	last    uint32     // process id
	running map[uint32]*connection
}

// New returns a Server. It starts nothing.
func New(o Options) *Server {
	return &Server{options: o, running: make(map[uint32]*connection)}
}

// Serve serves one connection, until the client ends it or ctx ends, and closes it. All
// that it started has ended then.
func (s *Server) Serve(ctx context.Context, conn net.Conn) {
	ctx, end := context.WithCancel(ctx)
	var watch sync.WaitGroup
	c := &connection{server: s, conn: conn, gone: make(chan struct{})}
	watch.Go(func() {
		<-ctx.Done()
		_ = conn.Close() // it is at its end
	})
	defer watch.Wait()
	defer end()
	c.backend = pgproto3.NewBackend(conn, conn)
	c.backend.SetMaxBodyLen(maxBody)
	if c.start(ctx) {
		defer s.forget(c)
		c.serve(ctx)
	}
	if c.session != nil {
		c.session.Close()
	}
}

// connection is one client's.
type connection struct {
	server  *Server
	conn    net.Conn
	backend *pgproto3.Backend
	startup Startup
	secret  []byte
	session Session
	gone    chan struct{} // closed when nothing more can be read

	mu     sync.Mutex // guards cancel
	cancel context.CancelCauseFunc
}

// start reads the client's start, and logs it in. It is false if the connection is over.
func (c *connection) start(ctx context.Context) bool {
	_ = c.conn.SetDeadline(time.Now().Add(startTimeout)) // one that is closed fails below
	for {
		message, err := c.backend.ReceiveStartupMessage()
		if err != nil {
			return false
		}
		switch m := message.(type) {
		case *pgproto3.SSLRequest:
			if !c.secure() {
				return false
			}
		case *pgproto3.GSSEncRequest:
			if _, err = c.conn.Write([]byte("N")); err != nil {
				return false
			}
		case *pgproto3.CancelRequest:
			c.server.cancel(m.ProcessID, m.SecretKey)
			return false
		case *pgproto3.StartupMessage:
			return c.login(ctx, m)
		default:
			return false
		}
	}
}

// secure answers the wish for TLS.
func (c *connection) secure() bool {
	config := c.server.options.TLS
	if config == nil {
		_, err := c.conn.Write([]byte("N"))
		return err == nil
	}
	if _, err := c.conn.Write([]byte("S")); err != nil {
		return false
	}
	c.conn = tls.Server(c.conn, config)
	c.backend = pgproto3.NewBackend(c.conn, c.conn)
	c.backend.SetMaxBodyLen(maxBody)
	c.startup.HasTLS = true
	return true
}

func (c *connection) login(ctx context.Context, m *pgproto3.StartupMessage) bool {
	c.startup.User, c.startup.Database = m.Parameters["user"], m.Parameters["database"]
	c.startup.Application = m.Parameters["application_name"]
	if c.startup.Database == "" {
		c.startup.Database = c.startup.User
	}
	c.startup.Remote = c.conn.RemoteAddr().String()
	c.server.register(c)
	ok, err := c.authenticate()
	if err == nil {
		c.session, err = c.server.options.Database.Open(ctx, c.startup, ok)
	}
	if err != nil {
		c.server.forget(c)
		if !errors.Is(err, ErrCut) {
			c.fail(err)
			_ = c.backend.Flush() // it may have gone
		}
		return false
	}
	c.backend.Send(&pgproto3.AuthenticationOk{})
	for name, value := range c.server.options.Settings {
		c.backend.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	c.backend.Send(&pgproto3.BackendKeyData{ProcessID: c.startup.ProcessID, SecretKey: c.secret})
	return c.ready() == nil
}

// authenticate asks for the password, and reports whether it is right.
func (c *connection) authenticate() (bool, error) {
	var salt [4]byte
	_, _ = rand.Read(salt[:]) // never fails
	if c.server.options.MD5 {
		c.backend.Send(&pgproto3.AuthenticationMD5Password{Salt: salt})
	} else {
		c.backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	}
	if err := c.backend.Flush(); err != nil {
		return false, ErrCut
	}
	message, err := c.backend.Receive()
	if err != nil {
		return false, ErrCut
	}
	sent, ok := message.(*pgproto3.PasswordMessage)
	if !ok {
		return false, &Error{Code: "08P01", Message: "expected password response", Fatal: true}
	}
	want, known := c.server.options.Database.Password(c.startup.User)
	if c.server.options.MD5 {
		want = "md5" + md5Of(md5Of(want+c.startup.User)+string(salt[:]))
	}
	return known && subtle.ConstantTimeCompare([]byte(want), []byte(sent.Password)) == 1, nil
}

func md5Of(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // it is the protocol's
	return hex.EncodeToString(sum[:])
}

// register gives a connection its number, and its secret to be cancelled by.
func (s *Server) register(c *connection) {
	c.secret = make([]byte, 4)
	_, _ = rand.Read(c.secret) // never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	c.startup.ProcessID = s.last
	s.running[s.last] = c
}

func (s *Server) forget(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, c.startup.ProcessID)
}

func (s *Server) cancel(process uint32, secret []byte) {
	s.mu.Lock()
	c := s.running[process]
	s.mu.Unlock()
	if c == nil || subtle.ConstantTimeCompare(c.secret, secret) != 1 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel(ErrCancelled)
	}
}

// Connections is how many clients are logged in, or about to be.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running)
}

// serve answers queries.
func (c *connection) serve(ctx context.Context) {
	queries := make(chan string)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(queries)
		defer close(c.gone)
		c.read(ctx, queries)
	})
	defer reading.Wait()
	for query := range queries {
		if err := c.query(ctx, query); err != nil {
			break
		}
	}
	_ = c.conn.Close()  // what is read ends
	for range queries { // until the reader has ended
	}
}

// read hands queries on until the client ends the connection.
func (c *connection) read(ctx context.Context, queries chan<- string) {
	skip := false // until Sync, after an extended query
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(idleTimeout)) // one that is closed fails below
		message, err := c.backend.Receive()
		if err != nil {
			return
		}
		var query string
		switch m := message.(type) {
		case *pgproto3.Terminate:
			return
		case *pgproto3.Query:
			query = m.String
		case *pgproto3.Sync:
			if !skip {
				continue
			}
			skip = false
			query = extended
		default:
			skip = true
			continue
		}
		select {
		case queries <- query:
		case <-ctx.Done():
			return
		}
	}
}

// extended stands for an extended query, in place of its text.
const extended = "\x00"

// query answers one query. Its error means that the connection is over.
func (c *connection) query(ctx context.Context, text string) error {
	if err := c.run(ctx, text); err != nil {
		if errors.Is(err, ErrCut) {
			return err
		}
		c.fail(err)
		var told *Error
		if errors.As(err, &told) && told.Fatal {
			_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // as above
			_ = c.backend.Flush()                                     // it ends in any case
			return err
		}
	}
	return c.ready()
}

// run runs the statements of a query: those of one that begins or ends no transaction by
// itself are one transaction.
func (c *connection) run(ctx context.Context, text string) error {
	if text == extended {
		return &Error{Code: "0A000", Message: "the extended query protocol is not supported here; use simple queries"}
	}
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
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // one that is closed fails below
	c.backend.Send(&pgproto3.ReadyForQuery{TxStatus: c.session.Status()})
	if err := c.backend.Flush(); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return nil
}
