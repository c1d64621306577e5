package pgwire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Config says which database it is, and who logs in.
type Config struct {
	// URL is Firehose's ClusterJDBCURL: "jdbc:redshift://HOST:PORT/DATABASE", or with
	// postgresql; required. HOST is that of a cluster or a workgroup, as Firehose has it, or
	// a loopback address. Options that follow are refused, but for those that say what is
	// so anyway: ssl=true, sslmode=verify-full, tcpKeepAlive=true.
	URL string

	// ClusterEndpoint is "HOST:PORT" to connect to instead of the URL's, which may then have
	// any host. Default "". The certificate must name its host; if it is a loopback
	// address, as of a tunnel, the URL's.
	ClusterEndpoint string

	Login Login // who logs in; required

	RootCAs []byte // certificates of authorities, PEM; default Amazon's and the system's. With some, loopback addresses have TLS too

	// ConnectTimeout is for how long a connection may take, with TLS and login. Default 30 s.
	ConnectTimeout time.Duration

	// StatementTimeout is for how long each statement may take but COPY, and the LOCK of a
	// ledger, which another loader may hold for as long as its COPY takes: these two have as
	// long as the try. Default 2 min.
	StatementTimeout time.Duration

	// Dial opens connections. Default a net.Dialer's, with TCP keepalive every 30 s.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Login tells who logs in. It is safe for concurrent use. Those of package login are some.
type Login interface {
	// Credentials returns user name and password. It is asked for each connection, ends by
	// itself, and its error has no secrets. What it returns is good until expires, if that is not zero.
	Credentials(ctx context.Context) (user, password string, expires time.Time, err error)

	// Refused tells that the database refused what was returned last.
	Refused()
}

// Database is a database that each try connects to. One goroutine at a time calls it.
type Database struct {
	cfg    Config
	target target
	tls    *tls.Config // nil for none
}

// New checks a Config. It does no I/O. The error names all that is wrong.
func New(c Config) (*Database, error) {
	var faults []error
	t, err := newTarget(c.URL, c.ClusterEndpoint)
	if err != nil {
		faults = append(faults, err)
	}
	if c.Login == nil {
		faults = append(faults, errors.New("the login is missing: set Username and Password, a secret, or login"))
	}
	for name, d := range map[string]time.Duration{"ConnectTimeout": c.ConnectTimeout, "StatementTimeout": c.StatementTimeout} {
		if d < 0 {
			faults = append(faults, fmt.Errorf("%s is %v; it must not be negative", name, d))
		}
	}
	if len(c.RootCAs) > 0 && !x509.NewCertPool().AppendCertsFromPEM(c.RootCAs) {
		faults = append(faults, errors.New("RootCAs (caFile) has no certificate in PEM"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	d := &Database{cfg: c.withDefaults(), target: t}
	if t.serverName != "" && (!t.isLoopback || len(c.RootCAs) > 0) {
		d.tls = &tls.Config{ServerName: t.serverName, MinVersion: tls.VersionTLS12}
	}
	return d, nil
}

func (c Config) withDefaults() Config {
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 30 * time.Second
	}
	if c.StatementTimeout == 0 {
		c.StatementTimeout = 2 * time.Minute
	}
	if c.Dial == nil {
		const often = 30 * time.Second // gateways forget what is silent for some minutes
		c.Dial = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: often, Interval: often, Count: 4}}).DialContext
	}
	return c
}

// connConfig is pgconn's, with nothing from the environment, as PGPASSWORD or PGSSLMODE
// would be.
func (d *Database) connConfig(user, password string) (*pgconn.Config, error) {
	c, err := pgconn.ParseConfig("host=127.0.0.1 port=1 user=u dbname=d password=p sslmode=disable connect_timeout=30 target_session_attrs=any " +
		"sslrootcert='' sslcert='' sslkey='' passfile='' min_protocol_version=3.0 max_protocol_version=3.0")
	if err != nil {
		return nil, fmt.Errorf("the environment has settings for PostgreSQL that cannot be read; unset PGSERVICE and what else begins with PG: %w", err)
	}
	if d.tls != nil && d.tls.RootCAs == nil {
		d.tls.RootCAs = authorities(d.cfg.RootCAs) // not in New: the system's are files
	}
	c.Host, c.Port, c.Database, c.User, c.Password = d.target.host, d.target.port, d.target.database, user, password
	c.TLSConfig, c.Fallbacks, c.SSLNegotiation, c.SSLCertMode = d.tls, nil, "", "disable"
	c.RuntimeParams = map[string]string{"application_name": "shardmill", "client_encoding": "UTF8"}
	c.MinProtocolVersion, c.MaxProtocolVersion, c.ChannelBinding, c.RequireAuth = "3.0", "3.0", "disable", ""
	c.ConnectTimeout = 0 // open has it
	c.MaxProtocolMessageBodyLen = 16 << 20
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // Dial looks it up
	return c, nil
}

var _ redshiftarchive.Database = (*Database)(nil)
