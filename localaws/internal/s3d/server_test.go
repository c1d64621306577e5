package s3d_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// TestUnknownSubresources has requests that must not be taken for others.
func TestUnknownSubresources(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	put(t, server, "key", "content")
	for _, row := range []struct{ method, target string }{
		{http.MethodPut, "bucket/key?tagging"},
		{http.MethodPut, "bucket/key?acl"},
		{http.MethodDelete, "bucket/key?versionId=1"},
		{http.MethodPut, "bucket?lifecycle"},
		{http.MethodDelete, "bucket?policy"},
		{http.MethodPost, "bucket/key?restore"},
		{http.MethodPost, "bucket"},
		{http.MethodPatch, "bucket/key"},
	} {
		response := do(t, server, row.method, row.target, strings.NewReader("<x/>"))
		if code := response.code(); response.status != http.StatusNotImplemented || code != "NotImplemented" {
			t.Errorf("%s %s: status %d, code %q; want 501 NotImplemented", row.method, row.target, response.status, code)
		}
	}
	if content, _ := get(t, server, "key"); content != "content" {
		t.Errorf("the object holds %q", content)
	}
}

// TestBuckets has buckets that were not created: to look for one does not make
// it, to put into it does unless buckets are strict.
func TestBuckets(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		strict bool
		bucket string
		status int
	}{
		{"a bucket comes to be when something is put into it", false, "new-bucket", 200},
		{"with strict buckets it does not", true, "new-bucket", 404},
		{"a bucket with a bad name does not", false, "Bad_Bucket", 400},
		{"nor does a directory's parent", false, "..", 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			server := newServer(t, s3d.Options{StrictBuckets: row.strict, Dir: dir})
			look := func(want int) {
				for _, target := range []string{"", "?list-type=2", "?list-type=1", "?location", "?uploads", "/key", "/key?uploadId=1"} {
					for _, method := range []string{http.MethodHead, http.MethodGet} {
						response := do(t, server, method, row.bucket+target, nil)
						if found := response.status != http.StatusNotFound; found && want == 404 && response.code() != "NotImplemented" && response.status != 501 {
							t.Errorf("%s %s: status %d, want %d", method, target, response.status, want)
						}
					}
				}
			}
			look(http.StatusNotFound)
			if made, err := os.ReadDir(filepath.Join(dir, row.bucket)); err == nil && row.bucket != ".." {
				t.Errorf("to look for it has made the bucket, with %v", made)
			}
			for _, target := range []string{"/key", "/copied"} {
				response := do(t, server, http.MethodPut, row.bucket+target, strings.NewReader("content"))
				if response.status != row.status {
					t.Errorf("putting: status %d, want %d", response.status, row.status)
				}
			}
			if got := do(t, server, http.MethodHead, row.bucket, nil).status; (got == 200) != (row.status == 200) {
				t.Errorf("after the put it is headed with %d", got)
			}
		})
	}
}

func TestWriteLog(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{WriteLog: 3})
	for i := range 5 {
		put(t, server, fmt.Sprint("key", i), "content")
	}
	put(t, server, "key4", "other", "If-None-Match: *")
	get(t, server, "key4")
	log := server.Writes()
	if len(log) != 3 {
		t.Fatalf("the log has %d writes, want 3", len(log))
	}
	first, last := log[0], log[2]
	if first.Key != "key3" || first.Op != "PutObject" || first.Size != 7 || first.Status != 200 || first.Conditional {
		t.Errorf("the oldest is %+v, want that of key3", first)
	}
	if last.Key != "key4" || last.Status != 412 || !last.Conditional || last.Size != 0 || last.ETag != "" {
		t.Errorf("the latest is %+v, want the one that was refused", last)
	}
}

// TestChunkedBodies has aws-chunked bodies, whole and broken.
func TestChunkedBodies(t *testing.T) {
	t.Parallel()
	const sum = "x-amz-checksum-crc32:+3QauA==\r\n\r\n" // of "hello shards"
	for _, row := range []struct {
		name, body string
		length     string
		code       string
	}{
		{"one chunk and its trailer", "c\r\nhello shards\r\n0\r\n" + sum, "12", ""},
		{"several chunks", "5\r\nhello\r\n7;ext=1\r\n shards\r\n0\r\n" + sum, "12", ""},
		{"a wrong checksum", "c\r\nhello shardX\r\n0\r\n" + sum, "12", "BadDigest"},
		{"a longer trailer than there can be", "c\r\nhello shards\r\n0\r\na:b\r\nc:d\r\n" + sum, "12", "IncompleteBody"},
		{"more after the trailer", "c\r\nhello shards\r\n0\r\n" + sum + "x", "12", "IncompleteBody"},
		{"no trailer", "c\r\nhello shards\r\n0\r\n\r\n", "12", "BadDigest"},
		{"another length than announced", "c\r\nhello shards\r\n0\r\n" + sum, "13", "IncompleteBody"},
		{"more than announced", "c\r\nhello shards\r\n0\r\n" + sum, "3", "IncompleteBody"},
		{"no length", "c\r\nhello shards\r\n0\r\n" + sum, "", "MissingContentLength"},
		{"cut in a chunk", "c\r\nhello", "12", "IncompleteBody"},
		{"cut after a chunk", "c\r\nhello shards\r\n", "12", "IncompleteBody"},
		{"a chunk that is longer than it says", "5\r\nhello shards\r\n0\r\n" + sum, "12", "IncompleteBody"},
		{"no hexadecimal size", "zz\r\nhello shards\r\n0\r\n" + sum, "12", "IncompleteBody"},
		{"a negative size", "-1\r\nhello shards\r\n0\r\n" + sum, "12", "IncompleteBody"},
		{"nothing", "", "12", "IncompleteBody"},
		{"a line without end", strings.Repeat("1", 100_000), "12", "IncompleteBody"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, s3d.Options{})
			response := do(t, server, http.MethodPut, path("key"), strings.NewReader(row.body),
				"X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length: "+row.length,
				"X-Amz-Trailer: x-amz-checksum-crc32", "Content-Encoding: gzip,aws-chunked")
			if got := response.code(); got != row.code {
				t.Errorf("the answer is %d %q, want %q", response.status, got, row.code)
			}
			content, h := get(t, server, "key")
			if row.code != "" && content != "NoSuchKey" && content != "NoSuchBucket" {
				t.Errorf("stored was %q", content)
			}
			if row.code == "" && (content != "hello shards" || h.Get("Content-Encoding") != "gzip") {
				t.Errorf("stored was %q with encoding %q", content, h.Get("Content-Encoding"))
			}
		})
	}
}

// TestBrokenConnection has a client that breaks off in the middle of a body.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{Dir: t.TempDir(), WriteLog: 1})
	served := make(chan struct{}, 1)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(w, r)
		served <- struct{}{}
	}))
	t.Cleanup(front.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(conn, "PUT /bucket/key HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly the beginning")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	<-served
	if code, _ := get(t, server, "key"); code != "NoSuchKey" {
		t.Errorf("the key has %q, want nothing", code)
	}
	if log := server.Writes(); len(log) != 1 || log[0].Status != 400 {
		t.Errorf("the log is %+v, want one write with status 400", log)
	}
}

// TestTwoTrailers has a body that announces more trailers than there are.
func TestTwoTrailers(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	r := do(t, server, http.MethodPut, path("key"), strings.NewReader("1\r\nx\r\n0\r\n\r\n"),
		"X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length: 1",
		"X-Amz-Trailer: x-amz-checksum-crc32, x-amz-checksum-crc32c")
	if r.code() != "MalformedTrailerError" {
		t.Errorf("the answer is %d %s, want MalformedTrailerError", r.status, r.code())
	}
}

// TestHugeBody has a length that no body should have.
func TestHugeBody(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "http://127.0.0.1/bucket/key", strings.NewReader("x"))
	request.ContentLength = 6 << 30
	recorder := httptest.NewRecorder()
	server.ServeHTTP(recorder, request)
	if response := (reply{body: recorder.Body.String()}); response.code() != "EntityTooLarge" {
		t.Errorf("status %d, want EntityTooLarge", recorder.Code)
	}
}
