package pgwire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
)

// farewell is for how long a connection may take to end, and what it did to be cancelled.
const farewell = 5 * time.Second

// session is the connection of a try.
type session struct {
	conn    *pgconn.PgConn
	dialed  *dialed
	limit   time.Duration // of a statement
	secrets judge.Secrets
	opened  time.Time
}

// open connects and logs in. It returns a fault, which is Undone, or a session.
func (d *Database) open(ctx context.Context, secrets judge.Secrets) (*session, *redshiftarchive.Fault) {
	user, password, _, err := d.cfg.Login.Credentials(ctx)
	if err != nil {
		return nil, judge.Login(err, secrets.With(password))
	}
	secrets = secrets.With(password)
	cfg, err := d.connConfig(user, password)
	if err != nil {
		f := judge.Lost("connecting", err, secrets)
		f.Undone = true
		return nil, f
	}
	s := &session{dialed: newDialed(ctx, d.cfg.Dial), limit: d.cfg.StatementTimeout, secrets: secrets, opened: time.Now()}
	cfg.DialFunc = s.dialed.dial
	limited, call := deadline.StartWhole(ctx, d.cfg.ConnectTimeout)
	defer call.End()
	s.conn, err = connect(limited, cfg)
	if err != nil {
		s.dialed.end()
		return nil, d.refused(fmt.Errorf("%s: %w", d.target.address(), late(limited, err)), secrets)
	}
	return s, nil
}

// connect is pgconn's, which may panic at what it does not expect.
func connect(ctx context.Context, cfg *pgconn.Config) (conn *pgconn.PgConn, err error) {
	defer recovered(&err)
	return pgconn.ConnectConfig(ctx, cfg) //nolint:wrapcheck // what the server said is looked for
}

// recovered makes an error of a panic of the driver. What it said is not shown: it may have
// anything in it.
func recovered(err *error) {
	if p := recover(); p != nil { //nolint:revive // it is called by defer alone
		*err = errors.New("the driver panicked, at an answer that it did not expect")
	}
}

// refused judges why there is no connection, and tells Login if it is about that.
func (d *Database) refused(err error, secrets judge.Secrets) *redshiftarchive.Fault {
	answer, isAnswer := errors.AsType[*pgconn.PgError](err)
	if !isAnswer {
		return judge.Connecting(err, secrets)
	}
	f := answered(answer).Fault("connecting", secrets)
	f.Undone = true
	if f.Code == "Redshift.AuthenticationFailed" {
		d.cfg.Login.Refused()
	}
	return f
}

func answered(e *pgconn.PgError) judge.Answer {
	return judge.Answer{SQLState: e.Code, Message: e.Message, Detail: e.Detail}
}

// late says of an error that a limit has passed, if that is why.
func late(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// result is what a statement answered.
type result struct {
	tag  string
	rows [][]string // NULL is ""
}

// run runs one statement within the limit of statements.
func (s *session) run(ctx context.Context, sql string) (result, error) {
	ctx, call := deadline.StartWhole(ctx, s.limit)
	defer call.End()
	return s.runUntil(ctx, sql)
}

// runUntil runs one statement as long as ctx lasts.
func (s *session) runUntil(ctx context.Context, sql string) (r result, err error) {
	defer recovered(&err)
	answers, err := s.conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		if _, isAnswer := errors.AsType[*pgconn.PgError](err); isAnswer {
			return r, err //nolint:wrapcheck // what the server said is looked for
		}
		return r, late(ctx, err)
	}
	if len(answers) != 1 {
		return r, fmt.Errorf("the database answered %d times to one statement", len(answers))
	}
	r.tag = answers[0].CommandTag.String()
	for _, row := range answers[0].Rows {
		texts := make([]string, len(row))
		for i := range row {
			texts[i] = string(row[i])
		}
		r.rows = append(r.rows, texts)
	}
	return r, nil
}

// fault judges why a statement failed. It is Undone if the database said that the statement
// failed, and will go on.
func (s *session) fault(doing string, err error) *redshiftarchive.Fault {
	answer, isAnswer := errors.AsType[*pgconn.PgError](err)
	if !isAnswer {
		return judge.Lost(doing, err, s.secrets)
	}
	f := answered(answer).Fault(doing, s.secrets)
	f.Undone = cmp.Or(answer.SeverityUnlocalized, answer.Severity) == "ERROR"
	return f
}

// close ends the connection, within the farewell. A statement that is under way is cancelled.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if s.conn.IsClosed() { // pgconn gave it up, and is asking for its statement to be cancelled
		select {
		case <-s.conn.CleanupDone():
		case <-ctx.Done():
		}
	} else {
		_ = farewellTo(ctx, s.conn) // there is nothing left to be lost
	}
	s.dialed.end()
	<-s.conn.CleanupDone()
}

func farewellTo(ctx context.Context, conn *pgconn.PgConn) (err error) {
	defer recovered(&err)
	return conn.Close(ctx) //nolint:wrapcheck // nobody reads it
}

// dialed are the connections of a session: its own, and one that cancels.
type dialed struct {
	open   func(ctx context.Context, network, address string) (net.Conn, error)
	life   context.Context //nolint:containedctx // it ends all dialing
	cancel context.CancelFunc

	mu    sync.Mutex // guards conns, over
	conns []net.Conn
	over  bool
}

func newDialed(ctx context.Context, open func(context.Context, string, string) (net.Conn, error)) *dialed {
	d := &dialed{open: open}
	d.life, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return d
}

func (d *dialed) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(d.life, cancel) //nolint:contextcheck // its end is that of the session
	defer stop()
	conn, err := d.open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		_ = conn.Close() // nobody waits for it
		return nil, net.ErrClosed
	}
	d.conns = append(d.conns, conn)
	return conn, nil
}

// end closes all, which ends whoever reads or writes.
func (d *dialed) end() {
	d.cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	for _, c := range d.conns {
		_ = c.Close() // again, most of them
	}
}
