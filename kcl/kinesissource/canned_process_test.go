package kinesissource_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// asProcess, if set, makes this test binary a process that a benchmark needs
// beside it, which is measured by itself, or not at all.
const asProcess = "SHARDMILL_TEST_AS_PROCESS"

func TestMain(m *testing.M) {
	var err error
	switch as := os.Getenv(asProcess); as {
	case "":
		os.Exit(m.Run())
	case "server":
		err = serveCanned(os.Stdin, os.Stdout)
	case "worker":
		err = workAlone(os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("%s is %q", asProcess, as)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process starts this binary as another process, which ends when its input does,
// at the end of the test.
func process(tb testing.TB, as string, input any) (output *json.Decoder) {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), self)
	cmd.Env = append(os.Environ(), asProcess+"="+as)
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("the process %q: %v", as, err)
		}
	})
	if err := json.NewEncoder(in).Encode(input); err != nil {
		tb.Fatal(err)
	}
	return json.NewDecoder(out)
}

// transport is a way to a canned server.
type transport struct {
	Name string
	URL  string
	Root []byte // the certificate that signed the server's, in PEM
	H2   bool
}

// options are those of a client of the SDK that goes that way.
func (t transport) options() kinesis.Options {
	return cannedOptions(t.URL, awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(t.Root)
		tr.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		tr.ForceAttemptHTTP2 = t.H2
	}))
}

func cannedOptions(url string, c aws.HTTPClient) kinesis.Options {
	return kinesis.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		BaseEndpoint: aws.String(url), HTTPClient: c,
	}
}

// serveCanned serves canned streams in each way until in ends, and tells out how
// to reach them.
func serveCanned(in io.Reader, out io.Writer) error {
	handler := newCanned()
	plain, h1, h2 := httptest.NewServer(handler), httptest.NewUnstartedServer(handler), httptest.NewUnstartedServer(handler)
	h2.EnableHTTP2 = true
	h1.StartTLS()
	h2.StartTLS()
	root := func(s *httptest.Server) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	}
	if err := json.NewEncoder(out).Encode([]transport{
		{Name: "plain", URL: plain.URL}, {Name: "TLS-h1", URL: h1.URL, Root: root(h1)}, {Name: "TLS-h2", URL: h2.URL, Root: root(h2), H2: true},
	}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in) // the end of the process is the servers', too
	return err
}

// startCanned starts a canned server in a process of its own, so that what it
// computes is not counted.
func startCanned(tb testing.TB) []transport {
	tb.Helper()
	var ways []transport
	if err := process(tb, "server", nil).Decode(&ways); err != nil {
		tb.Fatal(err)
	}
	return ways
}
