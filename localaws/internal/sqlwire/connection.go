package sqlwire

import (
	"context"
	"crypto/md5" //nolint:gosec // it is the protocol's
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

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
