package judge

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Connecting returns what it means that there is no connection. Nothing was asked, so it is
// Undone.
func Connecting(err error, s Secrets) *redshiftarchive.Fault {
	f := &redshiftarchive.Fault{Code: "Redshift.ConnectionFailed", Undone: true}
	remedy := "check ClusterJDBCURL, or clusterEndpoint, and that the cluster lets this machine in: security group, public access, not paused"
	var (
		record    tls.RecordHeaderError
		alert     tls.AlertError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verifying *tls.CertificateVerificationError
	)
	switch text := err.Error(); {
	case strings.Contains(text, "server refused TLS connection"):
		f.Code, remedy = "Redshift.SslNotSupported", "there is no way to go without TLS, but to a loopback address: use a port of a server that offers it"
	case errors.As(err, &authority), errors.As(err, &name), errors.As(err, &invalid), errors.As(err, &verifying):
		f.Code, remedy = "Redshift.SslFailure", "the server's certificate was not accepted: if it is not of an authority that this system knows, such as Amazon's, name its certificate in caFile; the host must be one that the certificate names"
	case errors.As(err, &record), errors.As(err, &alert), strings.Contains(text, "tls error"):
		f.Code, remedy = "Redshift.SslFailure", "the TLS handshake failed; a middlebox, or a server that speaks something else, may be at that address"
	}
	f.Message = "connecting: " + join(s.Redact(err.Error()), remedy)
	return f
}

// Lost returns what it means that a connection ended, or did not answer in time, while
// something was done.
func Lost(doing string, err error, s Secrets) *redshiftarchive.Fault {
	return &redshiftarchive.Fault{Code: "Redshift.ConnectionFailed", Message: doing + ": " + s.Redact(err.Error())}
}

// Login returns what it means that there is no user name or password.
func Login(err error, s Secrets) *redshiftarchive.Fault {
	return &redshiftarchive.Fault{Code: "Redshift.AuthenticationFailed", Message: "login: " + s.Redact(err.Error()), Undone: true}
}
