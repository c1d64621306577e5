package pgwire

import (
	"crypto/x509"
	_ "embed"
)

// amazon are the authorities that sign Redshift's certificates.
// Source: Redshift's management guide, "Connect using SSL".
//
//go:embed amazon.pem
var amazon []byte

// authorities returns those of some certificates, or, without any, Amazon's and those that
// the system has, of which an image may have none.
func authorities(pem []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	if len(pem) == 0 {
		pem = amazon
		if system, err := x509.SystemCertPool(); err == nil {
			pool = system
		}
	}
	pool.AppendCertsFromPEM(pem) // New has seen that it has some
	return pool
}
