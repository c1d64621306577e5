package pgwire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
)

// authority returns a certificate for a host, and the PEM of who signed it: itself.
func authority(t *testing.T, host string) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(host); ip != nil {
		c.DNSNames, c.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// The certificate must be of a known authority and name the host, and there is no way without.
func TestTLS(t *testing.T) {
	t.Parallel()
	const (
		host = "c.abc.us-east-1.redshift.amazonaws.com"
		url  = "jdbc:redshift://" + host + ":5439/dev"
	)
	for name, tt := range map[string]struct {
		url, endpoint, certified string
		noTLS, isUnknown         bool
		want                     string // the code; "" for success
	}{
		"good":                            {url: url, certified: host},
		"of another host":                 {url: url, certified: "other.example", want: "Redshift.SslFailure"},
		"of an unknown authority":         {url: url, certified: host, isUnknown: true, want: "Redshift.SslFailure"},
		"refused":                         {url: url, certified: host, noTLS: true, want: "Redshift.SslNotSupported"},
		"another endpoint":                {url: url, endpoint: "warehouse.example:5439", certified: "warehouse.example"},
		"another endpoint, the cluster's": {url: url, endpoint: "warehouse.example:5439", certified: host, want: "Redshift.SslFailure"},
		"through a tunnel":                {url: url, endpoint: "127.0.0.1:15439", certified: host},
		"loopback with an authority":      {url: "jdbc:redshift://127.0.0.1:5439/dev", certified: "127.0.0.1"},
		"loopback, of another":            {url: "jdbc:redshift://127.0.0.1:5439/dev", certified: host, want: "Redshift.SslFailure"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certificate, roots := authority(t, tt.certified)
			if tt.isUnknown {
				_, roots = authority(t, tt.certified)
			}
			d := &database{tls: &tls.Config{Certificates: []tls.Certificate{certificate}}, noTLS: tt.noTLS, tcp: true}
			db := connectTo(t, d, func(c *pgwire.Config) { c.URL, c.ClusterEndpoint, c.RootCAs = tt.url, tt.endpoint, roots })
			err := db.Load(t.Context(), try(false))
			d.end(t)
			if tt.want == "" && err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				return
			}
			if f := faultOf(t, err); f.Code != tt.want || !f.Undone {
				t.Errorf("%v, undone: %v", err, f.Undone)
			}
			hasNoSecret(t, err)
			if len(d.startup) > 0 {
				t.Error("went on without TLS")
			}
		})
	}
}

// A tunnel to a cluster has TLS without any authority of one's own.
func TestTunnelHasTLS(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{noTLS: true}
		err := connectTo(t, d, func(c *pgwire.Config) {
			c.URL, c.ClusterEndpoint = "jdbc:redshift://c.abc.us-east-1.redshift.amazonaws.com:5439/dev", "localhost:15439"
		}).Load(t.Context(), try(false))
		d.end(t)
		if f := faultOf(t, err); f.Code != "Redshift.SslNotSupported" {
			t.Error(err)
		}
	})
}

// What is refused is told to the login, once; what fails otherwise is not.
func TestLogin(t *testing.T) {
	t.Parallel()
	refuse := func(code, message string) func(string, string) *pgproto3.ErrorResponse {
		return func(user, p string) *pgproto3.ErrorResponse {
			return &pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: strings.NewReplacer("USER", user, "PASSWORD", p).Replace(message)}
		}
	}
	for name, tt := range map[string]struct {
		refuse  func(user, password string) *pgproto3.ErrorResponse
		err     error // of the login
		code    string
		refused int
	}{
		"wrong password":     {refuse: refuse("28P01", `password authentication failed for user "USER"`), code: "Redshift.AuthenticationFailed", refused: 1},
		"Redshift's":         {refuse: refuse("28000", `password authentication failed for user "USER" with PASSWORD`), code: "Redshift.AuthenticationFailed", refused: 1},
		"no TLS where it is": {refuse: refuse("28000", `no pg_hba.conf entry for host "::1", user "USER", database "dev", SSL off`), code: "Redshift.SslFailure"},
		"no such database":   {refuse: refuse("3D000", `database "dev" does not exist`), code: "Redshift.DatabaseNotFound"},
		"full":               {refuse: refuse("53300", `too many connections for database "dev"`), code: "Redshift.TooManyConnectionsException"},
		"not to be had":      {err: errors.New("the secret cannot be read: " + password), code: "Redshift.AuthenticationFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &database{refuse: tt.refuse}
				who := &account{user: "loader", password: password, err: tt.err}
				err := connectTo(t, d, func(c *pgwire.Config) { c.Login = who }).Load(t.Context(), try(true))
				d.end(t)
				hasNoSecret(t, err)
				if f := faultOf(t, err); f.Code != tt.code || !f.Undone || who.refusals() != tt.refused {
					t.Errorf("%v, undone: %v, %d refusals", err, f.Undone, who.refusals())
				}
			})
		})
	}
}

// A connection that comes to nothing ends, and says where to.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]func(ctx context.Context) error{
		"refused":  func(context.Context) error { return errors.New("connect: connection refused by " + password) },
		"silent":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"no login": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &database{faults: map[string]kind{"login": hang}}
				db := connectTo(t, d, func(c *pgwire.Config) {
					if dial != nil {
						c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, dial(ctx) }
					}
				})
				begun := time.Now()
				err := db.Load(t.Context(), try(false))
				took := time.Since(begun)
				d.end(t)
				hasNoSecret(t, err)
				if f := faultOf(t, err); f.Code != "Redshift.ConnectionFailed" || !f.Undone || !strings.Contains(f.Message, "127.0.0.1:5439") || took > 31*time.Second {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}

// Nothing is taken from the environment, where other programs have their settings.
func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "192.0.2.1", "PGPORT": "1", "PGUSER": "other", "PGPASSWORD": password, "PGDATABASE": "other", "PGOPTIONS": "-c search_path=other", "PGTZ": "Asia/Tokyo",
		"PGAPPNAME": "other", "PGSSLMODE": "require", "PGSSLROOTCERT": "/nowhere", "PGCONNECT_TIMEOUT": "1", "PGTARGETSESSIONATTRS": "read-only", "PGMAXPROTOCOLVERSION": "3.2",
	} {
		t.Setenv(name, value)
	}
	d := &database{tcp: true}
	if err := connectTo(t, d).Load(t.Context(), try(true)); err != nil {
		t.Fatal(err)
	}
	d.end(t)
	if diff := cmp.Diff([]map[string]string{{"user": "loader", "database": "dev", "application_name": "shardmill", "client_encoding": "UTF8"}}, d.startup); diff != "" {
		t.Error(diff)
	}
	t.Setenv("PGSERVICE", "nothing")
	err := connectTo(t, d).Load(t.Context(), try(true))
	if f := faultOf(t, err); !f.Undone || !strings.Contains(f.Message, "unset PGSERVICE") {
		t.Error(err)
	}
	hasNoSecret(t, err)
}

// panicky is a connection that panics when it is used so often.
type panicky struct {
	net.Conn

	after int
}

func (p *panicky) Write(b []byte) (int, error) {
	if p.after--; p.after < 0 {
		panic("at " + string(b) + password)
	}
	return p.Conn.Write(b)
}

// A panic of the driver, or of what dials, is a fault.
func TestDriverPanics(t *testing.T) {
	t.Parallel()
	for after := range 5 { // the startup, the password, BEGIN, LOCK, SELECT
		t.Run(strconv.Itoa(after), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := new(database)
				err := connectTo(t, d, func(c *pgwire.Config) {
					c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
						conn, err := d.dial(ctx, network, address)
						return &panicky{conn, after}, err
					}
				}).Load(t.Context(), try(true))
				d.end(t)
				if f := faultOf(t, err); !f.Undone || !strings.Contains(f.Message, "the driver panicked") {
					t.Error(err)
				}
				hasNoSecret(t, err)
			})
		})
	}
}
