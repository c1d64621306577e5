//go:build kill || search || redshift

package killtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/internal/deadline"
)

// services is a running `shardmill local`.
type services struct {
	t        *testing.T
	local    *process
	dir      string // of the objects
	endpoint string
	env      []string // for its clients
	kinesis  *kinesis.Client
	dynamodb *dynamodb.Client
}

func startServices(t *testing.T, dir string) *services {
	t.Helper()
	s := &services{t: t, dir: filepath.Join(dir, "objects")}
	var out lockedBuffer
	s.local = start(t, dir, "local", []string{"GOGC=50"}, &out, "local", "--listen", "127.0.0.1:0", "--control", "--dir", s.dir, "--buckets", bucket)
	eventually(t, "shardmill local to serve", 20*time.Second, func() bool {
		log, err := os.ReadFile(filepath.Join(dir, "local.log"))
		// What it prints and what it logs come by different ways.
		return err == nil && bytes.Contains(log, []byte("serving ")) && strings.Contains(out.String(), "AWS_EC2_METADATA_DISABLED=true\n")
	})
	for line := range strings.Lines(out.String()) {
		variable := strings.TrimPrefix(strings.TrimSpace(line), "export ")
		s.env = append(s.env, variable)
		if url, ok := strings.CutPrefix(variable, "AWS_ENDPOINT_URL_KINESIS="); ok {
			s.endpoint = url
		}
	}
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.endpoint, HTTPClient: deadline.Client(awshttp.NewBuildableClient(), time.Minute),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}
	s.kinesis = kinesis.NewFromConfig(cfg, func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} })
	s.dynamodb = dynamodb.NewFromConfig(cfg)
	return s
}

// fault is one of /_localaws/faults.
type fault struct {
	ID        int    `json:"id,omitempty"`
	Service   string `json:"service,omitempty"`
	Operation string `json:"operation,omitempty"`
	UserAgent string `json:"userAgent,omitempty"`
	Body      string `json:"body,omitempty"`
	Path      string `json:"path,omitempty"`
	Kind      string `json:"kind"`
	Duration  string `json:"duration,omitempty"`
	Status    int    `json:"status,omitempty"`
	After     int    `json:"after,omitempty"`
	Times     int    `json:"times,omitempty"`
	Hits      int    `json:"hits,omitempty"`
	Struck    bool   `json:"struck,omitempty"`
}

func (s *services) add(f fault) (added fault) {
	s.t.Helper()
	s.control(http.MethodPost, "faults", f, &added)
	return added
}

// look returns the fault as it is now.
func (s *services) look(f fault) fault {
	s.t.Helper()
	var all []fault
	s.control(http.MethodGet, "faults", nil, &all)
	for _, other := range all {
		if other.ID == f.ID {
			return other
		}
	}
	s.t.Fatalf("there is no fault %d", f.ID)
	return fault{}
}

// remove ends the fault and lets go on what it holds.
func (s *services) remove(f fault) {
	s.t.Helper()
	s.control(http.MethodDelete, fmt.Sprint("faults/", f.ID), nil, nil)
}

func (s *services) control(method, path string, body, into any) {
	s.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.endpoint+"/_localaws/"+path, bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode > 299 {
		s.t.Fatalf("%s %s: status %d, %v: %s", method, path, answer.StatusCode, err, text)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(text, into); err != nil {
		s.t.Fatal(err)
	}
}

// eachObject reads the objects that are files of a directory, that of a bucket.
func eachObject(t *testing.T, dir string, f func(key string, body []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		key, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(key), body)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a buffer that a process may still be writing to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// eventually waits until done reports true.
func eventually(t *testing.T, what string, within time.Duration, done func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", within, what)
		}
	}
}
