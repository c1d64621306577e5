package copyfront

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
	"github.com/shardmill/shardmill/localaws/internal/warehoused"
)

// Options say how a Server behaves.
type Options struct {
	URL       string // PostgreSQL's, of a superuser
	Superuser string // who has that one's rights
	Source    func(redshiftcopy.Statement) (redshiftcopy.Source, error)

	// Logs has the tables in which Redshift tells of loads and connections.
	Logs *warehoused.Server
}

// Server has a database of its own in PostgreSQL, which is made when it is first needed, and
// stays. It is safe for concurrent use.
type Server struct {
	options  Options
	database string
	making   chan struct{} // holds one while the database is being made
	made     bool          // guarded by making
	queries  chan int64    // the last id of a statement
}

// New returns a Server. It does no I/O.
func New(o Options) *Server {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	s := &Server{options: o, database: "shardmill_" + hex.EncodeToString(b[:]), making: make(chan struct{}, 1), queries: make(chan int64, 1)}
	s.queries <- 0
	return s
}

func (s *Server) nextQuery() int64 {
	id := <-s.queries + 1
	s.queries <- id
	return id
}

const connectTimeout = 10 * time.Second

// config is that of connections to one of PostgreSQL's databases; "" is the URL's.
func (s *Server) config(database string) (*pgconn.Config, error) {
	c, err := pgconn.ParseConfig(s.options.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL of PostgreSQL: %w", err)
	}
	if database != "" {
		c.Database = database
	}
	c.ConnectTimeout = connectTimeout
	c.RuntimeParams["default_transaction_isolation"] = "repeatable read"
	c.RuntimeParams["timezone"] = "UTC"
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: connectTimeout}
	}
	return c, nil
}

// create makes the database, unless it is there.
func (s *Server) create(ctx context.Context) error {
	select {
	case s.making <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.making }()
	if s.made {
		return nil
	}
	if err := s.once(ctx, "", "CREATE DATABASE "+s.database); err != nil {
		return err
	}
	if err := s.once(ctx, s.database, "CREATE DOMAIN super AS text; GRANT ALL ON SCHEMA public TO public"); err != nil {
		return err
	}
	s.made = true
	return nil
}

// once runs statements on a connection of their own.
func (s *Server) once(ctx context.Context, database, sql string) error {
	c, err := s.config(database)
	if err != nil {
		return err
	}
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	_, err = conn.Exec(ctx, sql).ReadAll()
	if closeErr := conn.Close(ctx); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("preparing PostgreSQL: %w", err)
	}
	return nil
}

// Session begins a session of a user, who is made if there is none of that name.
func (s *Server) Session(ctx context.Context, startup sqlwire.Startup) (*Session, error) {
	if err := s.create(ctx); err != nil {
		return nil, err
	}
	c, err := s.config(s.database)
	if err != nil {
		return nil, err
	}
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	e := &Session{server: s, conn: conn, startup: startup, logs: s.options.Logs.Session(startup), lastQuery: -1, lastCopy: -1}
	if startup.User == s.options.Superuser {
		return e, nil
	}
	role := quoted(startup.User)
	_, err = conn.Exec(ctx, "DO $$ BEGIN CREATE ROLE "+role+"; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; SET SESSION AUTHORIZATION "+role).ReadAll()
	if err != nil {
		e.Close()
		return nil, fmt.Errorf("becoming a user of PostgreSQL: %w", err)
	}
	return e, nil
}
