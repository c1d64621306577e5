package esarchive

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// credentialsTimeout is how long credentials may take to be had.
const credentialsTimeout = 30 * time.Second

// signedHeaders are those headers of a request that are signed, beside the host and what
// signing adds. No other one is: a header of one hop (Connection, Transfer-Encoding), or
// one that a proxy may change (Accept-Encoding, User-Agent), would break the signature on
// its way. Neither is Content-Length: the digest of the body has it, and HTTP/2 may go
// without. OpenSearch Serverless refuses what has it signed.
func signedHeaders() []string { return []string{"Content-Type", "Content-Encoding"} }

// Authenticate implements Auth. It sets X-Amz-Content-Sha256, which OpenSearch Serverless
// wants to be there and to be signed, X-Amz-Date, X-Amz-Security-Token and Authorization,
// and orders the query as it is signed. The clock is the machine's.
func (s SigV4) Authenticate(ctx context.Context, r *http.Request, body []byte) error {
	if s.Credentials == nil {
		return errors.New("SigV4.Credentials is nil; set a provider of credentials")
	}
	credentials, err := within(ctx, s.Credentials.Retrieve)
	switch {
	case err != nil:
		return fmt.Errorf("the credentials could not be had: %w", err)
	case !credentials.HasKeys():
		return errors.New("the credentials are empty")
	}
	return s.sign(ctx, r, body, credentials, time.Now())
}

// sign signs a request with credentials that were had.
func (s SigV4) sign(ctx context.Context, r *http.Request, body []byte, credentials aws.Credentials, at time.Time) error {
	digest := sha256.Sum256(body)
	hash := hex.EncodeToString(digest[:])
	r.Host = wireHost(r)
	toSign := &http.Request{Method: r.Method, URL: r.URL, Host: r.Host, Header: http.Header{"X-Amz-Content-Sha256": {hash}}}
	for _, name := range signedHeaders() {
		if value := r.Header.Get(name); value != "" {
			toSign.Header.Set(name, value)
		}
	}
	if err := v4.NewSigner().SignHTTP(ctx, credentials, toSign, hash, s.Service, s.Region, at); err != nil {
		return fmt.Errorf("the request could not be signed: %w", err)
	}
	r.Header.Del("X-Amz-Security-Token") // of a try with other credentials
	maps.Copy(r.Header, toSign.Header)
	return nil
}

// wireHost is the Host that the server sees: without a port that the scheme implies.
func wireHost(r *http.Request) string {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	return withoutDefaultPort(r.URL.Scheme, host)
}

func withoutDefaultPort(scheme, host string) string {
	_, port, err := net.SplitHostPort(host)
	if err != nil || port != map[string]string{"http": "80", "https": "443"}[scheme] {
		return strings.TrimSuffix(host, ":")
	}
	return host[:len(host)-len(port)-1] // with the brackets of an address
}

// Authenticate implements Auth.
func (b Basic) Authenticate(ctx context.Context, r *http.Request, _ []byte) error {
	if b.Credentials == nil {
		return errors.New("Basic.Credentials is nil; set a function")
	}
	p, err := within(ctx, b.login)
	switch {
	case err != nil:
		return fmt.Errorf("the user name and password could not be had: %w", err)
	case p.user == "" || p.password == "":
		return errors.New("the user name or the password is empty")
	case strings.Contains(p.user, ":"):
		return errors.New("the user name has a colon, which basic authentication cannot say")
	}
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.password)))
	return nil
}

// login is what Basic says.
type login struct{ user, password string }

func (b Basic) login(ctx context.Context) (login, error) {
	user, password, err := b.Credentials(ctx)
	return login{user, password}, err
}

// Authenticate implements Auth.
func (k APIKey) Authenticate(ctx context.Context, r *http.Request, _ []byte) error {
	if k.Key == nil {
		return errors.New("APIKey.Key is nil; set a function")
	}
	key, err := within(ctx, k.Key)
	switch {
	case err != nil:
		return fmt.Errorf("the API key could not be had: %w", err)
	case key == "":
		return errors.New("the API key is empty")
	case strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }):
		return errors.New("the API key has spaces, or what is no ASCII; set it in its encoded form, in base64")
	}
	r.Header.Set("Authorization", "ApiKey "+key)
	return nil
}

// within calls f, whose context ends after credentialsTimeout, and which has to heed it: see
// patience.
func within[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeoutCause(ctx, credentialsTimeout, errLate())
	defer cancel()
	v, err := f(limited)
	if err != nil && limited.Err() != nil {
		err = context.Cause(limited)
	}
	return v, err
}
