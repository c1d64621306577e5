package warehoused

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// Options say how a Server behaves.
type Options struct {
	Superuser string // who may do everything

	// Serializable is Redshift's isolation level SERIALIZABLE; else it is SNAPSHOT.
	Serializable bool

	// Source returns S3 for a COPY, or a *redshiftcopy.Error if it may not use it.
	Source func(redshiftcopy.Statement) (redshiftcopy.Source, error)
}

// Server is a database. It is safe for concurrent use.
type Server struct {
	options Options

	mu          sync.Mutex // guards what follows; never held over I/O
	tables      map[string]*table
	schemas     map[string]bool
	locks       locks
	users       map[string]bool
	lastRow     int64
	lastQuery   int64
	lastTx      int64
	lastTable   int64
	loadErrors  []loadError
	connections []ConnectionEvent
}

// New returns a Server without tables.
func New(o Options) *Server {
	return &Server{
		options: o, tables: make(map[string]*table), schemas: map[string]bool{"public": true},
		locks: newLocks(), users: map[string]bool{o.Superuser: true},
	}
}

// AddUser makes a user known.
func (s *Server) AddUser(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name] = true
}

// table is a table.
type table struct {
	id           int64
	schema, name string
	columns      []column
	owner        string
	grants       map[string]map[string]bool // privileges by user
	rows         []row                      // committed; elements are never changed
	version      int64                      // counts commits that changed rows
}

// column is a column of a table.
type column struct {
	redshiftcopy.Column
	byDefault expression // nil: NULL
}

// row is a row of a table.
type row struct {
	id     int64
	values []*string
}

func (t *table) String() string { return t.schema + "." + t.name }

// index returns where a column is; -1 if there is none of that name.
func (t *table) index(name string) int {
	return slices.IndexFunc(t.columns, func(c column) bool { return strings.EqualFold(c.Name, name) })
}

// find returns a table. The caller holds mu.
func (s *Server) find(n sqltext.Name) (*table, error) {
	schema := strings.ToLower(cmp.Or(n.Schema, "public"))
	if !s.schemas[schema] {
		return nil, failure("3F000", "schema %q does not exist", schema)
	}
	t := s.tables[schema+"."+strings.ToLower(n.Table)]
	if t == nil {
		return nil, failure("42P01", "relation %q does not exist", n.Table)
	}
	return t, nil
}

// failure is an error that the client is told.
func failure(code, format string, args ...any) *sqlwire.Error {
	return &sqlwire.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// ConnectionEvent is a row of STL_CONNECTION_LOG.
type ConnectionEvent struct {
	Event string // such as "authenticated"
	At    time.Time
	sqlwire.Startup
}

// Log notes what became of a connection.
func (s *Server) Log(event string, c sqlwire.Startup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections = latest(append(s.connections, ConnectionEvent{event, time.Now(), c}))
}

// maxLog is how many rows are kept of each table that tells of loads and connections.
const maxLog = 10_000

// latest returns the last rows of a log, of which it keeps maxLog to twice as many.
func latest[T any](rows []T) []T {
	if len(rows) < 2*maxLog {
		return rows
	}
	return slices.Clone(rows[len(rows)-maxLog:])
}

// loadError is a row of STL_LOAD_ERRORS.
type loadError struct {
	redshiftcopy.LineError
	user             string
	table, query, tx int64
	session          uint32
	at               time.Time
	database         string
}

// Session returns a session of a user.
func (s *Server) Session(c sqlwire.Startup) *Session {
	return &Session{server: s, startup: c, lastQuery: -1, lastCopy: -1}
}

// Session is a session. One goroutine at a time uses it.
type Session struct {
	server  *Server
	startup sqlwire.Startup
	tx      *transaction // nil outside of one
	failed  bool         // the transaction has failed, and is rolled back

	timeout       time.Duration // of a statement; 0 is none
	query         int64         // id of the statement that runs
	lastQuery     int64         // of the one before that was a query
	lastCopy      int64         // query id of the last COPY that succeeded
	lastCopyCount int64
}

// Status implements sqlwire.Session.
func (e *Session) Status() byte {
	switch {
	case e.failed:
		return 'E'
	case e.tx != nil:
		return 'T'
	}
	return 'I'
}

// Query implements sqlwire.Session.
func (e *Session) Query() int64 { return e.query }

// Fail implements sqlwire.Session.
func (e *Session) Fail(_ context.Context, operation string) {
	if e.tx != nil {
		e.Close()
		e.failed = operation != "COMMIT" && operation != "ROLLBACK"
	}
}

// Close implements sqlwire.Session.
func (e *Session) Close() {
	if e.tx != nil {
		e.server.rollback(e.tx)
		e.tx = nil
	}
}

// Execute implements sqlwire.Session.
func (e *Session) Execute(ctx context.Context, text string) (sqlwire.Result, error) {
	run, err := parse(text)
	if err != nil {
		return sqlwire.Result{}, e.fails(err)
	}
	if run.control != nil {
		return run.control(e)
	}
	if e.failed {
		return sqlwire.Result{}, failure("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	}
	if e.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, e.timeout, failure("57014", "Query cancelled on user's request: statement timeout"))
		defer stop()
	}
	e.begins(run)
	single := e.tx == nil
	if single && run.inTransaction != "" {
		return sqlwire.Result{}, failure("25P01", "%s can only be used in transaction blocks", run.inTransaction)
	}
	if single {
		e.tx = e.server.begin()
	}
	result, err := run.run(ctx, e, e.tx)
	if !single {
		return result, e.fails(err)
	}
	tx := e.tx
	e.tx = nil
	if err != nil {
		e.server.rollback(tx)
		return sqlwire.Result{}, err
	}
	e.server.commit(tx)
	return result, nil
}

// begins gives a statement its id.
func (e *Session) begins(s statement) {
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	e.server.lastQuery++
	e.query = e.server.lastQuery
	if !s.asksAboutLast {
		e.lastQuery = e.query
	}
}

// fails rolls a transaction back for an error.
func (e *Session) fails(err error) error {
	if err == nil {
		return nil
	}
	if e.tx != nil {
		e.server.rollback(e.tx)
		e.tx = nil
		e.failed = true
	}
	return err
}
