package pgwire_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// What no error may have.
const (
	password = "Canary7of7the7Passage7X3f9"
	keyID    = "ASIACANARYOFTHEKEY01"
	key      = "canary/of+the+secret+key/0123456789"
	token    = "canaryOfTheToken//////////wEaCXVzLWVhc3QtMSJHMEUCIQD="
)

// kind is what happens to a statement.
type kind string

const (
	fails      kind = "fails"       // ERROR, which quotes the statement
	fatal      kind = "FATAL"       // before it is done, and the connection ends
	fatalAfter kind = "FATAL after" // it is done
	cut        kind = "cut"
	cutAfter   kind = "cut after"
	hang       kind = "hang"
	hangAfter  kind = "hang after"
	garbage    kind = "garbage"     // an answer that nobody can read, before it is done
	other      kind = "other"       // another message than one expects
	garbled    kind = "cut in text" // ERROR, which quotes a part of the statement
)

func kinds() []kind {
	return []kind{fails, fatal, fatalAfter, cut, cutAfter, hang, hangAfter, garbage, other, garbled}
}

// database is a server for one table, into which COPY puts the object that it names, and a
// ledger of it. The zero value has neither TLS nor faults.
type database struct {
	tls    *tls.Config
	noTLS  bool // it answers N
	tcp    bool // over loopback, for what writes on both sides at once
	refuse func(user, password string) *pgproto3.ErrorResponse
	faults map[string]kind // by the first word of a statement; each happens once
	answer func(sql string) []pgproto3.BackendMessage
	raw    []byte // what it answers to COPY, before it ends the connection

	serving sync.WaitGroup

	mu        sync.Mutex // guards what follows
	lock      chan struct{}
	loaded    []string
	ledger    []string
	seen      []string // statements
	startup   []map[string]string
	cancelled int
	conns     []net.Conn
}

// dial is a Config's Dial.
func (d *database) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	if d.tcp {
		var err error
		if near, far, err = overTCP(ctx); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock == nil {
		d.lock = make(chan struct{}, 1)
	}
	d.conns = append(d.conns, near, far)
	d.serving.Go(func() {
		defer far.Close()
		(&backend{database: d, conn: far}).serve()
	})
	return near, nil
}

func overTCP(ctx context.Context) (near, far net.Conn, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if near, err = new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String()); err == nil {
		far, err = l.Accept()
	}
	return near, far, err
}

// end ends all connections, and waits.
func (d *database) end(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	for _, c := range d.conns {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.serving.Wait()
}

// is returns what is committed.
func (d *database) is() (loaded, ledger, seen []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.loaded), slices.Clone(d.ledger), slices.Clone(d.seen)
}

func (d *database) fault(verb string) kind {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.faults[verb]
	delete(d.faults, verb)
	return k
}

// backend is one connection.
type backend struct {
	*database

	conn   net.Conn
	wire   *pgproto3.Backend
	status byte // of the transaction: I, T, E
	locked bool
	copied []string // not committed
	marked []string
}

func (b *backend) serve() {
	if !b.start() {
		return
	}
	b.status = 'I'
	defer b.unlock()
	for {
		msg, err := b.wire.Receive()
		if err != nil {
			return
		}
		q, isQuery := msg.(*pgproto3.Query)
		if !isQuery || !b.query(q.String) {
			return
		}
	}
}

// start is the beginning of a connection, to the login.
func (b *backend) start() bool {
	head := make([]byte, 8)
	if _, err := io.ReadFull(b.conn, head); err != nil {
		return false
	}
	switch binary.BigEndian.Uint32(head[4:]) {
	case 80877103: // SSLRequest
		if b.noTLS {
			_, _ = b.conn.Write([]byte("N"))
			_, _ = io.Copy(io.Discard, b.conn)
			return false
		}
		_, _ = b.conn.Write([]byte("S"))
		b.conn = tls.Server(b.conn, b.tls)
		if _, err := io.ReadFull(b.conn, head); err != nil {
			return false
		}
	case 80877102: // CancelRequest
		b.mu.Lock()
		defer b.mu.Unlock()
		b.cancelled++
		return false
	}
	b.wire = pgproto3.NewBackend(io.MultiReader(strings.NewReader(string(head)), b.conn), b.conn)
	msg, err := b.wire.ReceiveStartupMessage()
	startup, isStartup := msg.(*pgproto3.StartupMessage)
	if err != nil || !isStartup {
		return false
	}
	b.mu.Lock()
	b.startup = append(b.startup, startup.Parameters)
	b.mu.Unlock()
	switch b.fault("login") { //nolint:exhaustive // the others are of statements
	case hang, hangAfter:
		_, _ = io.Copy(io.Discard, b.conn)
		return false
	case cut, cutAfter:
		return false
	case garbage, other:
		_, _ = b.conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n" + password))
		return false
	}
	return b.login(startup.Parameters["user"])
}

func (b *backend) login(user string) bool {
	b.send(&pgproto3.AuthenticationCleartextPassword{})
	_ = b.wire.SetAuthType(pgproto3.AuthTypeCleartextPassword)
	msg, err := b.wire.Receive()
	p, isPassword := msg.(*pgproto3.PasswordMessage)
	if err != nil || !isPassword {
		return false
	}
	if b.refuse != nil {
		if refusal := b.refuse(user, p.Password); refusal != nil {
			b.send(refusal)
			return false
		}
	}
	b.send(&pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "8.0.2"}, &pgproto3.BackendKeyData{ProcessID: 4711, SecretKey: []byte{1, 2, 3, 4}}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	return true
}

func (b *backend) send(messages ...pgproto3.BackendMessage) {
	for _, m := range messages {
		b.wire.Send(m)
	}
	_ = b.wire.Flush()
}

// query answers a statement, and reports whether the connection goes on.
func (b *backend) query(sql string) bool {
	verb, _, _ := strings.Cut(sql, " ")
	b.mu.Lock()
	b.seen = append(b.seen, sql)
	b.mu.Unlock()
	if verb == "COPY" && b.raw != nil {
		_, _ = b.conn.Write(b.raw)
		return false
	}
	ready := &pgproto3.ReadyForQuery{TxStatus: b.status}
	switch b.fault(verb) {
	case fails:
		b.fail()
		ready.TxStatus = b.status
		b.send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000", Message: "cannot do " + sql, Detail: sql, Hint: sql}, ready)
		return true
	case garbled:
		b.fail()
		ready.TxStatus = b.status
		b.send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42601", Message: `syntax error at or near "` + parts(sql) + `"`}, ready)
		return true
	case fatalAfter:
		b.do(verb, sql)
		b.send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "terminating connection due to administrator command: " + sql})
		return false
	case fatal:
		b.send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "terminating connection due to administrator command: " + sql})
		return false
	case cutAfter:
		b.do(verb, sql)
		return false
	case cut:
		return false
	case hangAfter:
		b.do(verb, sql)
		_, _ = io.Copy(io.Discard, b.conn)
		return false
	case hang:
		_, _ = io.Copy(io.Discard, b.conn)
		return false
	case garbage:
		_, _ = b.conn.Write([]byte("T\x00\x00\x00\x06\x7f\xff" + password))
		return false
	case other:
		b.send(&pgproto3.DataRow{Values: [][]byte{[]byte(password)}}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, ready)
		return true
	}
	answers := b.do(verb, sql)
	ready.TxStatus = b.status
	b.send(append(answers, ready)...)
	return true
}

// parts are pieces of a statement, as a database quotes them that cuts it somewhere.
func parts(sql string) string {
	var out []string
	for i := 5; i+40 < len(sql); i += 37 {
		out = append(out, sql[i:i+25])
	}
	return strings.Join(out, " ")
}

// fail is an error within a transaction.
func (b *backend) fail() {
	if b.status == 'T' {
		b.status = 'E'
	}
}

// do does what a statement says.
func (b *backend) do(verb, sql string) []pgproto3.BackendMessage {
	if b.answer != nil {
		if answers := b.answer(sql); answers != nil {
			if _, isError := answers[0].(*pgproto3.ErrorResponse); isError {
				b.fail()
			}
			return answers
		}
	}
	tag := verb
	if b.status == 'E' && verb != "COMMIT" && verb != "ROLLBACK" {
		return []pgproto3.BackendMessage{&pgproto3.ErrorResponse{Severity: "ERROR", Code: "25P02", Message: "current transaction is aborted, commands ignored until end of transaction block"}}
	}
	switch verb {
	case "BEGIN":
		b.status = 'T'
	case "LOCK":
		select {
		case b.lock <- struct{}{}:
			b.locked = true
		case <-time.After(time.Hour):
		}
		tag = "LOCK TABLE"
	case "SELECT":
		return b.selected(sql)
	case "COPY":
		b.copied = append(b.copied, object(sql))
		if b.status == 'I' {
			b.commit()
		}
	case "INSERT":
		b.marked = append(b.marked, literals(sql)[0])
		tag = "INSERT 0 1"
	case "COMMIT":
		if b.status == 'E' {
			tag = "ROLLBACK"
		} else {
			b.commit()
		}
		b.status = 'I'
		b.unlock()
	case "ROLLBACK":
		b.copied, b.marked, b.status = nil, nil, 'I'
		b.unlock()
	}
	return []pgproto3.BackendMessage{&pgproto3.CommandComplete{CommandTag: []byte(tag)}}
}

func (b *backend) selected(sql string) []pgproto3.BackendMessage {
	answers := []pgproto3.BackendMessage{&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("object"), DataTypeOID: 1043, DataTypeSize: -1}}}}
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, l := range b.ledger {
		if slices.Contains(literals(sql), l) {
			answers = append(answers, &pgproto3.DataRow{Values: [][]byte{[]byte(l)}})
			n++
		}
	}
	return append(answers, &pgproto3.CommandComplete{CommandTag: []byte("SELECT")})
}

func (b *backend) commit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loaded = append(b.loaded, b.copied...)
	b.ledger = append(b.ledger, b.marked...)
	b.copied, b.marked = nil, nil
}

func (b *backend) unlock() {
	if b.locked {
		<-b.lock
		b.locked = false
	}
}

// object is what a COPY of these tests loads.
func object(sql string) string { return literals(sql)[0] }

func literals(sql string) []string {
	var out []string
	for i, part := range strings.Split(sql, "'") {
		if i%2 == 1 {
			out = append(out, part)
		}
	}
	return out
}
