//go:build redshift

package pgwire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	neturl "net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
)

// engine is a database of its own on a PostgreSQL server. Its transactions see what was
// there at their first SELECT or INSERT, as Redshift's do.
type engine struct {
	url string // as libpq has it
	jdb string // as Firehose has it
}

func newEngine(t *testing.T) engine {
	t.Helper()
	server := os.Getenv("POSTGRES_ENDPOINT")
	if server == "" {
		t.Fatal("POSTGRES_ENDPOINT is not set; scripts/redshift.sh starts a server, and sets it")
	}
	u, err := neturl.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("t%d", time.Now().UnixNano())
	admin := connection(t, server)
	exec(t, admin, "CREATE DATABASE "+name)
	exec(t, admin, "ALTER DATABASE "+name+" SET default_transaction_isolation = 'repeatable read'")
	u.Path = "/" + name
	e := engine{u.String(), "jdbc:postgresql://" + u.Host + "/" + name}
	exec(t, connection(t, e.url), `
		CREATE FUNCTION getdate() RETURNS timestamp LANGUAGE sql AS 'SELECT now()::timestamp';
		CREATE TABLE events (object varchar(1100) NOT NULL);
		CREATE TABLE ledger (object varchar(1100) NOT NULL, manifest varchar(1100), loaded_at timestamp DEFAULT getdate());`)
	return e
}

func connection(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// exec returns the first column of the last answer.
func exec(t *testing.T, c *pgconn.PgConn, sql string) []string {
	t.Helper()
	answers, err := c.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for _, row := range answers[len(answers)-1].Rows {
		out = append(out, string(row[0]))
	}
	return out
}

func (e engine) database(t *testing.T, change ...func(*pgwire.Config)) *pgwire.Database {
	t.Helper()
	c := pgwire.Config{URL: e.jdb, Login: &account{user: "referee", password: password}}
	for _, f := range change {
		f(&c)
	}
	d, err := pgwire.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// copies returns a try whose COPY is an INSERT: PostgreSQL has no COPY from S3.
func copies(sql string, objects ...string) redshiftarchive.Try {
	return redshiftarchive.Try{
		Copy:   redshiftarchive.NewStatement(sql, sql),
		Ledger: &redshiftarchive.LedgerTry{Table: "ledger", Objects: objects, Manifest: "s3://b/manifests/it's"},
		Token:  "1",
	}
}

// is fails unless these objects are loaded, and in the ledger.
func (e engine) is(t *testing.T, loaded, ledger []string) {
	t.Helper()
	c := connection(t, e.url)
	if is := exec(t, c, "SELECT object FROM events ORDER BY object"); !slices.Equal(is, loaded) {
		t.Errorf("loaded are %q; want %q", is, loaded)
	}
	if is := exec(t, c, "SELECT object FROM ledger ORDER BY object"); !slices.Equal(is, ledger) {
		t.Errorf("in the ledger are %q; want %q", is, ledger)
	}
}

// A real engine takes the statements, and keeps what they promise.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	d := e.database(t)
	odd := "s3://b/it's a ; -- \"key\" ☃.gz"
	in := copies("INSERT INTO events VALUES ('a'), ('b')", "a", odd)
	if err := d.Load(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	e.is(t, []string{"a", "b"}, []string{"a", odd})
	known := new(redshiftarchive.KnownError)
	in.Ledger.Objects = []string{"new", odd}
	if err := d.Load(t.Context(), in); !errors.As(err, &known) || !slices.Equal(known.Objects, []string{odd}) {
		t.Fatal(err)
	}
	many := copies("INSERT INTO events VALUES ('c')")
	for i := range 1000 {
		many.Ledger.Objects = append(many.Ledger.Objects, fmt.Sprintf("s3://bucket/%s/%d.gz", strings.Repeat("x", 200), i))
	}
	if err := d.Load(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	if n := exec(t, connection(t, e.url), "SELECT count(*) FROM ledger")[0]; n != "1002" {
		t.Errorf("%s rows in the ledger", n)
	}
	for sql, code := range map[string]string{
		"INSERT INTO nothing VALUES ('a')":                     "Redshift.TableNotFound",
		"INSERT INTO events (nothing) VALUES ('a')":            "Redshift.ColumnNotFound",
		"INSERT INTO events VALUES ('a', 'b')":                 "Redshift.SyntaxError",
		"INSERT INTO nowhere.events VALUES ('a')":              "Redshift.TableNotFound",
		"INSERT INTO events VALUES (NULL)":                     "Redshift.ColumnNotNullWithoutDefault",
		"INSERT INTO events VALUES (repeat('x', 2000))":        "Redshift.DataLoadFailed",
		"INSERT INTO events SELECT 1/0":                        "Redshift.DataLoadFailed",
		"COPY events FROM 's3://b/m' CREDENTIALS 'x' MANIFEST": "Redshift.SyntaxError",
		"SELECT pg_terminate_backend(pg_backend_pid())":        "Redshift.ConnectionFailed",
	} {
		err := d.Load(t.Context(), copies(sql, "never"))
		if f := faultOf(t, err); f.Code != code || !f.Undone {
			t.Errorf("%s: %v, undone: %v", sql, err, f.Undone)
		}
	}
	e.is(t, []string{"a", "b", "c"}, append([]string{"a", odd}, sorted(many.Ledger.Objects)...))
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// Whose transaction asks anything before it locks the ledger sees the ledger as it was
// before the wait, and loads what the other one has loaded. Who locks first does not.
func TestSelectBeforeLockDoubles(t *testing.T) {
	t.Parallel()
	const (
		lock = "LOCK TABLE ledger"
		look = "SELECT object FROM ledger WHERE object IN ('o')"
	)
	for name, tt := range map[string]struct {
		before string // LOCK
		loaded []string
	}{
		"SELECT before LOCK": {"SELECT 1", []string{"o", "o"}},
		"LOCK first":         {"", []string{"o"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			one, two := connection(t, e.url), connection(t, e.url)
			for _, c := range []*pgconn.PgConn{one, two} {
				exec(t, c, "BEGIN")
				if tt.before != "" {
					exec(t, c, tt.before)
				}
			}
			exec(t, one, lock)
			locked := make(chan error, 1)
			go func() {
				_, err := two.Exec(t.Context(), lock).ReadAll()
				locked <- err
			}()
			waits(t, e)
			load(t, one, look)
			if err := <-locked; err != nil {
				t.Fatal(err)
			}
			load(t, two, look)
			e.is(t, tt.loaded, tt.loaded)
		})
	}
}

// load does what Load does after LOCK.
func load(t *testing.T, c *pgconn.PgConn, look string) {
	t.Helper()
	if len(exec(t, c, look)) == 0 {
		exec(t, c, "INSERT INTO events VALUES ('o')")
		exec(t, c, "INSERT INTO ledger VALUES ('o')")
	}
	exec(t, c, "COMMIT")
}

// waits waits until somebody waits for a lock.
func waits(t *testing.T, e engine) {
	t.Helper()
	c := connection(t, e.url)
	for exec(t, c, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")[0] == "0" {
		time.Sleep(10 * time.Millisecond)
	}
}

// Two loaders at once, both by Load.
func TestTwoLoaders(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	errs := make(chan error, 2)
	for range 2 {
		d := e.database(t)
		go func() {
			errs <- d.Load(t.Context(), copies("INSERT INTO events SELECT 'o' FROM pg_sleep(0.3)", "o"))
		}()
	}
	known := new(redshiftarchive.KnownError)
	if one, two := <-errs, <-errs; (one == nil) == (two == nil) || !errors.As(errors.Join(one, two), &known) {
		t.Errorf("%v; %v", one, two)
	}
	e.is(t, []string{"o"}, []string{"o"})
}

// severed is a connection that ends before the statement that has a text, or when its
// answer comes.
type severed struct {
	net.Conn

	at    string
	after bool
	cut   *atomic.Bool // once
	lost  atomic.Bool
}

func (s *severed) Write(b []byte) (int, error) {
	if strings.Contains(string(b), s.at) && s.cut.CompareAndSwap(false, true) {
		if !s.after {
			_ = s.Close()
			return 0, net.ErrClosed
		}
		s.lost.Store(true)
	}
	return s.Conn.Write(b)
}

func (s *severed) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if s.lost.Load() && err == nil {
		_ = s.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// The connection ends at each step: what is said to be undone is, and the next try leaves each
// object loaded once.
func TestConnectionLoss(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"BEGIN", "LOCK TABLE", "SELECT object", "INSERT INTO events", "INSERT INTO ledger", "COMMIT"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after: %v", at, after), func(t *testing.T) {
				t.Parallel()
				e := newEngine(t)
				cut := new(atomic.Bool)
				d := e.database(t, func(c *pgwire.Config) {
					c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
						conn, err := new(net.Dialer).DialContext(ctx, network, address)
						return &severed{Conn: conn, at: at, after: after, cut: cut}, err
					}
				})
				in := copies("INSERT INTO events VALUES ('o')", "o")
				f := faultOf(t, d.Load(t.Context(), in))
				if f.Code != "Redshift.ConnectionFailed" || f.Undone != (at != "COMMIT") {
					t.Errorf("%v, undone: %v", f, f.Undone)
				}
				err := d.Load(t.Context(), in)
				known := new(redshiftarchive.KnownError)
				if isDone := at == "COMMIT" && after; isDone && !errors.As(err, &known) || !isDone && err != nil {
					t.Error(err)
				}
				e.is(t, []string{"o"}, []string{"o"})
			})
		}
	}
}

// A COPY that is given up is cancelled.
func TestCancel(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	limited, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	f := faultOf(t, e.database(t).Load(limited, copies("INSERT INTO events SELECT 'o' FROM pg_sleep(600)", "o")))
	if !f.Undone || f.Code != "Redshift.ConnectionFailed" {
		t.Error(f)
	}
	c := connection(t, e.url)
	for exec(t, c, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()")[0] != "0" {
		time.Sleep(10 * time.Millisecond) // the test's own limit ends it
	}
	e.is(t, nil, nil)
}

// Transactions that change one row, both after they have read it, are a conflict.
func TestConflict(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	setup := connection(t, e.url)
	exec(t, setup, "CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)")
	other := connection(t, e.url)
	exec(t, other, "BEGIN")
	exec(t, other, "UPDATE counter SET n = 1")
	errs := make(chan error, 1)
	d := e.database(t)
	go func() { errs <- d.Load(t.Context(), copies("UPDATE counter SET n = 2", "o")) }()
	waits(t, e)
	exec(t, other, "COMMIT")
	f := faultOf(t, <-errs)
	if f.SQLState != "40001" || !f.Undone || !strings.Contains(f.Message, "the next try") {
		t.Error(f)
	}
	e.is(t, nil, nil)
}

// Check finds what is missing, and leaves no trace.
func TestCheckPostgreSQL(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	c := connection(t, e.url)
	role := fmt.Sprintf("r%d", time.Now().UnixNano())
	exec(t, c, "CREATE ROLE "+role+" LOGIN; GRANT INSERT ON events TO "+role)
	d := e.database(t, func(c *pgwire.Config) { c.Login = &account{user: role, password: password} })
	for _, tt := range []struct {
		tables redshiftarchive.Tables
		want   string
	}{
		{redshiftarchive.Tables{Table: "events"}, ""},
		{redshiftarchive.Tables{Table: "public.events", Columns: []string{"object"}}, ""},
		{redshiftarchive.Tables{Table: "events", Columns: []string{"object", "other"}}, "Redshift.ColumnNotFound"},
		{redshiftarchive.Tables{Table: "nothing"}, "Redshift.TableNotFound"},
		{redshiftarchive.Tables{Table: "nowhere.events"}, "Redshift.SchemaNotFound"},
		{redshiftarchive.Tables{Table: "ledger"}, "Redshift.InsufficientPrivilege"},
		{redshiftarchive.Tables{Table: "events", Ledger: "ledger"}, "Redshift.InsufficientPrivilege"},
	} {
		err := d.Check(t.Context(), tt.tables)
		if (err == nil) != (tt.want == "") || err != nil && faultOf(t, err).Code != tt.want {
			t.Errorf("%+v: %v; want %s", tt.tables, err, tt.want)
		}
	}
	exec(t, c, "GRANT SELECT, INSERT, UPDATE ON ledger TO "+role)
	if err := d.Check(t.Context(), redshiftarchive.Tables{Table: "events", Ledger: "ledger"}); err != nil {
		t.Error(err)
	}
	if err := d.Load(t.Context(), copies("INSERT INTO events VALUES ('o')", "o")); err != nil {
		t.Errorf("with the rights that Check asks for: %v", err)
	}
}
