package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// localLimit is how long a process may serve a test, should nobody end it.
const localLimit = 5 * time.Minute

// local runs the command in a process of its own until the test ends. It
// returns its endpoint, what it printed, and its standard error, to be read
// after kill.
func local(tb testing.TB, args ...string) (endpoint, printed string, kill func() string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), localLimit)
	cmd, _, errs := program(ctx, tb, nil, append([]string{"local"}, args...)...)
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	kill = func() string {
		cancel() // kills it
		_ = cmd.Wait()
		return errs.String()
	}
	tb.Cleanup(func() { kill() })
	var lines strings.Builder
	for scan := bufio.NewScanner(out); scan.Scan(); {
		lines.WriteString(scan.Text() + "\n")
		if _, value, ok := strings.Cut(scan.Text(), "export AWS_ENDPOINT_URL_S3="); ok {
			endpoint = value
		}
		if strings.Contains(scan.Text(), "AWS_EC2_METADATA_DISABLED") {
			break
		}
	}
	if endpoint == "" {
		tb.Fatalf("it did not serve: stdout\n%sstderr\n%s", &lines, kill())
	}
	return endpoint, lines.String(), kill
}

// TestLocalDirInUse has two processes that want one directory, and a third
// after the first was killed.
func TestLocalDirInUse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "objects")
	_, _, kill := local(t, "--listen", "127.0.0.1:0", "--dir", dir)
	want := fmt.Sprintf("shardmill: another process keeps its objects in %s; stop that one, or choose another directory with --dir\n", dir)
	input := write(t, "lines", "a line\n")
	for _, args := range [][]string{
		{"local", "--listen", "127.0.0.1:0", "--dir", dir},
		{"archive", "--local", "--dir", dir, input},
	} {
		if r := shardmill(t, t.Context(), "", args...); r.code != 1 || r.err != want {
			t.Errorf("%v: exit %d, stderr %s", args, r.code, r.err)
		}
	}
	kill()
	if r := shardmill(t, t.Context(), "", "archive", "--local", "--dir", dir, input); r.code != 0 {
		t.Errorf("after the first was killed: exit %d, stderr %s", r.code, r.err)
	}
}

// TestLocalBeyondLoopback has the warnings of a server that others can reach.
func TestLocalBeyondLoopback(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		args []string
		want bool
	}{
		{"public keys on loopback", []string{"--listen", "127.0.0.1:0"}, false},
		{"public keys everywhere", []string{"--listen", "0.0.0.0:0"}, true},
		{"own keys everywhere", []string{"--listen", "0.0.0.0:0", "--credentials", "me:s'e:c"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, printed, kill := local(t, append(row.args, "--dir", t.TempDir())...)
			// The warning precedes the first answer.
			if got := strings.Contains(serving(t, printed, kill), "its keys are public"); got != row.want {
				t.Errorf("the warning was given: %v, want %v", got, row.want)
			}
		})
	}
}

// serving waits until a server answers, and returns what it has said by then.
func serving(t *testing.T, printed string, kill func() string) string {
	t.Helper()
	_, rest, _ := strings.Cut(printed, "AWS_ENDPOINT_URL_S3=http://")
	address, _, _ := strings.Cut(rest, "\n")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	answer(t, "http://127.0.0.1:"+port, "127.0.0.1")
	return kill()
}

// answer is the status that a host's name has at an endpoint.
func answer(t *testing.T, endpoint, host string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/bucket/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "The host ") {
		return http.StatusForbidden
	}
	return http.StatusOK // it came as far as the signature
}

// TestLocalNames has the names by which it is called, and the secret as a shell
// reads it.
func TestLocalNames(t *testing.T) {
	t.Parallel()
	endpoint, printed, _ := local(t, "--listen", "127.0.0.1:0", "--dir", t.TempDir(), "--hosts", "shardmill, other", "--credentials", "me:s'e:c $x")
	for host, want := range map[string]int{"shardmill:1": 200, "bucket.other": 200, "localhost": 200, "elsewhere": 403} {
		if got := answer(t, endpoint, host); got != want {
			t.Errorf("%s: %d, want %d", host, got, want)
		}
	}
	shell := exec.CommandContext(t.Context(), "/bin/sh", "-c", printed+`printf '%s %s' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY"`)
	shell.Env = os.Environ()
	if got, err := shell.Output(); err != nil || string(got) != "me s'e:c $x" {
		t.Errorf("a shell reads %q, %v", got, err)
	}
}

// TestLocalStrictBuckets puts into a bucket that was made at the start, and
// into another.
func TestLocalStrictBuckets(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		flags []string
		code  string // of a put into the other
	}{{"by default", nil, ""}, {"strict", []string{"--strict-buckets"}, "NoSuchBucket"}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			endpoint, _, _ := local(t, append(row.flags, "--listen", "127.0.0.1:0", "--dir", t.TempDir(), "--buckets", "made")...)
			client := s3.New(s3.Options{
				Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true, Retryer: aws.NopRetryer{},
				Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
			})
			for bucket, want := range map[string]string{"made": "", "other": row.code} {
				_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("key"), Body: strings.NewReader("content")})
				refusal, _ := errors.AsType[smithy.APIError](err)
				if (err != nil) != (want != "") || (refusal != nil && refusal.ErrorCode() != want) {
					t.Errorf("a put into %s gives %v, want %q", bucket, err, want)
				}
			}
		})
	}
}

// TestListenLocal has addresses of IPv4, which are not listened to at those of
// IPv6 besides.
func TestListenLocal(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"0.0.0.0", "127.0.0.1"} {
		l, err := listenLocal(t.Context(), want+":0")
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := net.SplitHostPort(l.Addr().String()); got != want {
			t.Errorf("it listens at %s, want %s", got, want)
		}
		_ = l.Close()
	}
}
