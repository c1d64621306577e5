//go:build conformance

package esarchive_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// toSign is a request, as testdata/sigv4.py reads it.
type toSign struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Body    string            `json:"body"` // base64
	Headers map[string]string `json:"headers"`
	Key     string            `json:"key"`
	Secret  string            `json:"secret"`
	Token   string            `json:"token"`
	Region  string            `json:"region"`
	Service string            `json:"service"`
	At      int64             `json:"at"`
}

// TestBotocore: 10,000 requests are signed here and by botocore, and what is signed and the
// signatures are the same. What is not compared, as no request of ours has it: paths with
// empty segments, "." or "..", which botocore makes canonical and Go's signer does not; and
// queries without a "=", which Go writes anew before it signs, and sends so.
//
// botocore is told what we send: the query in our order and spelling, the host without a
// default port, the digest of the body.
func TestBotocore(t *testing.T) {
	t.Parallel()
	python := os.Getenv("SIGV4_PYTHON")
	if python == "" {
		t.Fatal("SIGV4_PYTHON is not set; run scripts/conformance.sh")
	}
	const n = 10_000
	r := rand.New(rand.NewPCG(13, 25))
	var in bytes.Buffer
	all, ours := make([]toSign, n), make([]http.Header, n)
	for i := range n {
		all[i], ours[i] = signedRequest(t, r)
		line, err := json.Marshal(all[i])
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	command := exec.CommandContext(t.Context(), python, "testdata/sigv4.py")
	command.Stdin, command.Stderr = &in, os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for i := range n {
		var theirs map[string]string
		if !lines.Scan() {
			t.Fatalf("botocore signed %d of %d", i, n)
		}
		if err := json.Unmarshal(lines.Bytes(), &theirs); err != nil {
			t.Fatal(err)
		}
		for name, want := range theirs {
			if got := ours[i].Get(name); got != want || want == "" && name != "x-amz-security-token" {
				t.Fatalf("%s of request %d is %s, botocore's %s; the request is %+v", name, i, got, want, all[i])
			}
		}
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// text is made of what must be escaped, and what must not be.
func text(r *rand.Rand, most int) string {
	alphabet := []rune("abcXYZ019-_.~ !*'(),;:@&=+$/?#[]%\"<>\\^`{|}äß水🙂")
	var b strings.Builder
	for range r.IntN(most) + 1 {
		b.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// signedRequest makes a request and signs it.
func signedRequest(t *testing.T, r *rand.Rand) (toSign, http.Header) {
	t.Helper()
	scheme := pick(r, "https", "https", "http")
	host := pick(r, "search-x.us-east-1.es.amazonaws.com", "abc.eu-west-1.aoss.amazonaws.com", "vpc-x-y.us-gov-west-1.es.amazonaws.com", "127.0.0.1", "localhost", "[2001:db8::1]")
	u := &url.URL{Scheme: scheme, Host: host + pick(r, "", "", ":443", ":80", ":9200"), Path: "/"}
	for range r.IntN(4) {
		segment := strings.ReplaceAll(text(r, 12), "/", "_")
		if segment == "." || segment == ".." {
			segment = "_bulk"
		}
		u.Path = strings.TrimSuffix(u.Path, "/") + "/" + segment + pick(r, "", "", "/")
	}
	query := url.Values{}
	for range r.IntN(4) {
		query.Add(pick(r, "filter_path", "pretty", "q", text(r, 8)), pick(r, "", "errors,items.*.status", text(r, 20)))
	}
	u.RawQuery = query.Encode()
	if len(query) == 0 && r.IntN(2) == 0 {
		u.RawQuery = "filter_path=errors,items.*.status,items.*.error,error,status" // as ours is written
	}
	var body []byte
	headers := map[string]string{}
	if method := r.IntN(3); method > 0 {
		body = []byte(text(r, 500))
		headers["Content-Type"] = pick(r, "application/x-ndjson", "application/json", "application/json; charset=UTF-8", "text/plain  ;  a = b")
		if method == 2 {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write(body)
			_ = w.Close()
			body, headers["Content-Encoding"] = b.Bytes(), "gzip"
		}
	}
	s := toSign{
		Method: pick(r, "GET", "POST", "PUT", "HEAD", "DELETE"), Body: base64.StdEncoding.EncodeToString(body), Headers: headers,
		Key: fmt.Sprintf("AKIA%016X", r.Uint64()), Secret: text(r, 40), Token: pick(r, "", fmt.Sprintf("IQoJ%x//+=", r.Uint64())),
		Region: pick(r, "us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"), Service: pick(r, "es", "aoss"), At: r.Int64N(4e9),
	}
	request := (&http.Request{Method: s.Method, URL: u, Header: http.Header{"User-Agent": {"x"}, "Accept-Encoding": {"gzip"}, "Connection": {"keep-alive"}}}).WithContext(t.Context())
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	auth := esarchive.SigV4{Region: s.Region, Service: s.Service}
	keys := aws.Credentials{AccessKeyID: s.Key, SecretAccessKey: s.Secret, SessionToken: s.Token}
	if err := auth.Sign(t.Context(), request, body, keys, time.Unix(s.At, 0)); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(body)
	headers["X-Amz-Content-SHA256"] = hex.EncodeToString(digest[:])
	s.URL = u.Scheme + "://" + request.Host + u.EscapedPath() // and the query, as it is sent
	if u.RawQuery != "" {
		s.URL += "?" + u.RawQuery
	}
	return s, request.Header
}
