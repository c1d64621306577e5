package archiver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// maxSecret is how many bytes a file with a secret may have, maxAuthorities one with
// certificates.
const (
	maxSecret      = 16 << 10
	maxAuthorities = 4 << 20
)

// ResolveDomain returns the domain that a configuration names, and none if it names
// endpoints. It asks Amazon OpenSearch Service, which needs es:DescribeDomain, and ends by
// itself.
func ResolveDomain(ctx context.Context, cfg aws.Config, d *config.Documents) (esarchive.Domain, error) {
	if d.DomainARN == "" {
		return esarchive.Domain{}, nil
	}
	return esarchive.ResolveDomain(ctx, cfg, d.DomainARN)
}

// NewIndex returns the index that documents go to. domain is what ResolveDomain
// returned. It reads the file of certificates; those with secrets are read for each
// request, so that they may change. With cfg requests are signed, if they are to be.
func NewIndex(cfg aws.Config, d *config.Documents, domain esarchive.Domain, log *zap.Logger) (*esarchive.Index, error) {
	c := d.Cluster
	c.Logger = log
	if domain.Endpoint != "" {
		c.Endpoints, c.DomainEngine = []string{domain.Endpoint}, domain.Engine
	}
	authorities, err := readAuthorities(d.CAFile)
	if err != nil {
		return nil, err
	}
	c.RootCAs = authorities
	switch a := d.Access; a.Kind {
	case config.AccessSigV4:
		region := cmp.Or(d.Region, cfg.Region)
		if region == "" {
			return nil, errors.New("nothing says in which region the cluster is, for which requests are signed; set AWS_REGION")
		}
		c.Auth = esarchive.SigV4{Credentials: cfg.Credentials, Region: region, Service: d.SigningService()}
	case config.AccessBasic:
		c.Auth = esarchive.Basic{Credentials: func(context.Context) (user, password string, err error) {
			password, err = reveal(a.Password)
			return a.Username, password, err
		}}
	case config.AccessAPIKey:
		c.Auth = esarchive.APIKey{Key: func(context.Context) (string, error) { return reveal(a.APIKey) }}
	case config.AccessNone:
	}
	return esarchive.New(c)
}

// TrialIndex returns an index that tells what it would do, and sends nothing: it reaches
// no cluster, and knows no secret.
func TrialIndex(d *config.Documents, log *zap.Logger) (*esarchive.Index, error) {
	c := d.Cluster
	c.Logger = log
	if d.DomainARN != "" {
		c.Endpoints = []string{"https://domain.invalid"} // it is looked up when it is to be used
	}
	return esarchive.New(c)
}

// readAuthorities returns the certificates of shardmill.caFile; nil if there is none.
func readAuthorities(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	authorities, err := readAll(name, maxAuthorities)
	if err != nil {
		return nil, fmt.Errorf("shardmill.caFile: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("shardmill.caFile: %s has no certificate in PEM", name)
	}
	return authorities, nil
}

// reveal returns a secret; of a file its one line.
func reveal(s config.Secret) (string, error) {
	if s.File == "" {
		return s.Reveal(), nil
	}
	data, err := readAll(s.File, maxSecret)
	if err != nil {
		return "", err
	}
	line := bytes.TrimRight(data, "\r\n")
	switch {
	case len(line) == 0:
		return "", fmt.Errorf("%s is empty; it must have one line, the secret", s.File)
	case bytes.ContainsAny(line, "\r\n\x00"):
		return "", fmt.Errorf("%s has several lines; it must have one, the secret", s.File)
	}
	return string(line), nil
}

// readAll returns a file, which has so many bytes at most. What is no regular file, such as a
// FIFO, is refused: nobody can say when it ends.
func readAll(name string, most int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	data, err := readRegular(f, most)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes; is it the right file?", name, most)
	}
	return data, nil
}

// readRegular returns at most one byte more than most of a regular file.
func readRegular(f *os.File, most int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file; name one, or a link to one", f.Name())
	}
	return io.ReadAll(io.LimitReader(f, most+1))
}
