package localaws

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/shardmill/shardmill/localaws/internal/copyfront"
	"github.com/shardmill/shardmill/localaws/internal/dataapid"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
	"github.com/shardmill/shardmill/localaws/internal/warehoused"
)

// What a Warehouse has unless WarehouseOptions name others.
const (
	DefaultDatabase         = "dev"
	DefaultDatabaseUser     = "awsuser"
	DefaultDatabasePassword = "Local-Password-1"
)

// WarehouseOptions say what the Stack's warehouse is. The zero value is ready to use.
type WarehouseOptions struct {
	Database       string // its one database. Default DefaultDatabase.
	User, Password string // of who may do everything. Default DefaultDatabaseUser, DefaultDatabasePassword.

	// Serializable is the isolation level SERIALIZABLE: a transaction that read a table and
	// writes it fails if another wrote it meanwhile, with 40001. Default off: SNAPSHOT,
	// Redshift's own default.
	Serializable bool

	// PostgreSQL is the URL of a PostgreSQL server, of a superuser, as libpq has it. It runs
	// the statements then, REPEATABLE READ, in a database that is made for the stack, and
	// only COPY and the tables that tell of loads and connections are our own: for tests
	// whose SQL somebody else is to judge. Default "".
	PostgreSQL string

	MD5 bool        // passwords are asked for by MD5. Default off: in clear text.
	TLS *tls.Config // what connections that ask for TLS get. Default nil: they are told that there is none.
}

// Warehouse is a cluster, or a workgroup, of Amazon Redshift of a Stack: PostgreSQL's
// protocol with Redshift's SQL, as far as loading by COPY needs it, and the Redshift Data
// API. What it knows of SQL is in the documentation of internal/warehoused. COPY reads the
// Stack's S3. It is safe for concurrent use.
//
// Faults strike its statements, with Redshift as the service. The operation is the first
// word of the statement in capitals, such as "COPY" or "LOCK"; "BEGIN", "COMMIT" and
// "ROLLBACK" also by their other words; and "Login" is the beginning of a connection, once
// its password is read. Fault.Body is a part of the statement's text, UserAgent of
// application_name, and Path of "/DATABASE".
//
//	Refuse       the connection is cut, and the statement was not run
//	LostAnswer   it was run, and the connection is cut; so is it by Cut
//	Swallow      it is not run, and never answered
//	NoAnswer     it is run, and never answered
//	Latency      it waits, and is run
//	Stall        it waits for ActiveFault.Release, and is run even if its client has gone
//	SQLError     it fails
//	others       it fails with XX000
//
// A request for cancellation ends what is held, but for what a Stall holds. A client has 30
// seconds to log in, a minute to take an answer, and loses a connection that is idle for
// four hours.
//
// The Data API is one of the Stack's services, RedshiftData to faults, and takes any cluster's
// or workgroup's name. Its statements are struck too; as it has no connection that could be
// cut, Refuse has them FAILED, and LostAnswer and Cut do nothing. Who names no user runs
// them as the one who may do everything.
type Warehouse struct {
	stack   *Stack
	options WarehouseOptions
	server  *warehoused.Server
	front   *copyfront.Server // nil unless WarehouseOptions.PostgreSQL says where it is
	wire    *sqlwire.Server
	api     *dataapid.Server

	mu       sync.Mutex // guards what follows
	users    map[string]string
	roles    map[string][]string // actions that are permitted; nil for all
	expired  map[string]bool     // session tokens
	secrets  map[string]string   // users by ARN
	listener net.Listener
}

// Warehouse returns the stack's warehouse.
func (s *Stack) Warehouse() *Warehouse { return s.house }

func newWarehouse(s *Stack, o WarehouseOptions) *Warehouse {
	o.Database, o.User = cmp.Or(o.Database, DefaultDatabase), cmp.Or(o.User, DefaultDatabaseUser)
	o.Password = cmp.Or(o.Password, DefaultDatabasePassword)
	w := &Warehouse{
		stack: s, options: o, users: map[string]string{o.User: o.Password},
		roles: make(map[string][]string), expired: make(map[string]bool), secrets: make(map[string]string),
	}
	w.server = warehoused.New(warehoused.Options{Superuser: o.User, Serializable: o.Serializable, Source: w.source})
	if o.PostgreSQL != "" {
		w.front = copyfront.New(copyfront.Options{URL: o.PostgreSQL, Superuser: o.User, Source: w.source, Logs: w.server})
	}
	w.wire = sqlwire.New(sqlwire.Options{Database: warehouseDatabase{w}, MD5: o.MD5, TLS: o.TLS, Settings: map[string]string{
		"server_version": "8.0.2", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
		"integer_datetimes": "on", "standard_conforming_strings": "on", "TimeZone": "UTC", "is_superuser": "off",
		"session_authorization": o.User,
	}})
	w.api = dataapid.New(dataapid.Options{
		Database: warehouseDatabase{w}, Context: lifetime{s}, Go: func(f func()) { s.begin(f) }, Open: w.openForAPI,
	})
	return w
}

// Login is what a client logs in with as the user who may do everything.
func (w *Warehouse) Login() (user, password, database string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.options.User, w.users[w.options.User], w.options.Database
}

// Addr returns the address, "127.0.0.1:PORT", at which the warehouse listens until the end
// of the stack; the first call begins that.
func (w *Warehouse) Addr() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listener != nil {
		return w.listener.Addr().String(), nil
	}
	ctx := lifetime{w.stack}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening for the local warehouse: %w", err)
	}
	if !w.stack.begin(func() { _ = w.Serve(ctx, l) }) { // it ends with the stack
		return "", errors.Join(errClosed, l.Close())
	}
	w.listener = l
	return l.Addr().String(), nil
}

// Serve answers connections on a listener until ctx or the stack ends; then it closes the
// listener and the connections, and returns when all of it has ended.
func (w *Warehouse) Serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer stop()
	serving.Go(func() {
		select {
		case <-ctx.Done():
		case <-w.stack.closed:
		}
		stop()
		_ = l.Close() // Accept ends
	})
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("serving the local warehouse: %w", err)
		}
		serving.Go(func() { w.wire.Serve(ctx, conn) })
	}
}

var errClosed = errors.New("the local services are closed")

// Dial connects a client in this process without sockets, whatever the address says, and
// in virtual time in a testing/synctest bubble; pgconn.Config.DialFunc takes it.
func (w *Warehouse) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dialing the local warehouse: %w", context.Cause(ctx))
	}
	ours, theirs := net.Pipe()
	if !w.stack.begin(func() { w.wire.Serve(lifetime{w.stack}, ours) }) { //nolint:contextcheck // the connection outlives the call
		return nil, errors.Join(errClosed, ours.Close(), theirs.Close())
	}
	return theirs, nil
}

// Connections is how many connections there are.
func (w *Warehouse) Connections() int { return w.wire.Connections() }

// Waiting is how many transactions wait for a table, "TABLE", that another holds.
func (w *Warehouse) Waiting(ctx context.Context, table string) (int, error) {
	if w.front == nil {
		return w.server.Waiting(table), nil
	}
	found, err := w.Query(ctx, "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "+
		"WHERE NOT l.granted AND c.relname = '"+strings.ReplaceAll(table, "'", "''")+"'")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(*found.Rows[0][0]) //nolint:wrapcheck // a count is a number
}

// SetUser makes a user, or gives one another password, as a rotated secret does. A new one
// may nothing until he is granted it.
func (w *Warehouse) SetUser(name, password string) {
	w.server.AddUser(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users[name] = password
}

// SetSecret says whose name and password the secret has that requests of the Data API name by
// its ARN.
func (w *Warehouse) SetSecret(arn, user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets[arn] = user
}

// AttachRole has the cluster assume a role for COPY, which may do these actions of S3, such
// as "s3:GetObject"; without any named it may do all.
func (w *Warehouse) AttachRole(arn string, actions ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.roles[arn] = slices.Clone(actions)
}

// DetachRole undoes AttachRole.
func (w *Warehouse) DetachRole(arn string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.roles, arn)
}

// ExpireToken has a session token be refused as expired, in the keys of a COPY.
func (w *Warehouse) ExpireToken(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expired[token] = true
}

// CreateTable makes a table, "TABLE" or "SCHEMA.TABLE", of columns such as "id bigint not
// null".
func (w *Warehouse) CreateTable(name string, columns ...string) error {
	_, err := w.Query(lifetime{w.stack}, "CREATE TABLE "+name+" ("+strings.Join(columns, ", ")+")")
	return err
}

// QueryResult is what a statement brought.
type QueryResult struct {
	Columns []string
	Rows    [][]*string // nil is NULL
}

// Query runs one statement as the user who may do everything; no fault strikes it. Its error
// is one of the database's.
func (w *Warehouse) Query(ctx context.Context, statement string) (QueryResult, error) {
	session, err := w.session(ctx, sqlwire.Startup{User: w.options.User, Database: w.options.Database})
	if err != nil {
		return QueryResult{}, fmt.Errorf("the local warehouse: %w", err)
	}
	defer session.Close()
	found, err := session.Execute(ctx, statement)
	if err != nil {
		return QueryResult{}, fmt.Errorf("the local warehouse: %w", err)
	}
	out := QueryResult{Rows: found.Rows}
	for _, c := range found.Columns {
		out.Columns = append(out.Columns, c.Name)
	}
	return out, nil
}

func (w *Warehouse) session(ctx context.Context, s sqlwire.Startup) (sqlwire.Session, error) {
	if w.front != nil {
		return w.front.Session(ctx, s) //nolint:wrapcheck // it says what it is
	}
	return w.server.Session(s), nil
}
