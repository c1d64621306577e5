package s3d_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// FuzzRequests sends any request, as far as HTTP lets it through: no panic, no
// fault of the server, errors that S3's clients can read, and afterwards a
// bucket whose listing is true.
func FuzzRequests(f *testing.F) {
	const sum = "x-amz-checksum-crc32:+3QauA==\r\n\r\n" // of "hello shards"
	for _, r := range [][4]string{
		{"PUT", "/bucket/key", "Content-Type: a/b\nX-Amz-Meta-A: b\nIf-None-Match: *", "content"},
		{"PUT", "/bucket/seed", "If-Match: \"0\"\nContent-MD5: AAAA", "content"},
		{"PUT", "/bucket/key", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nX-Amz-Decoded-Content-Length: 12\nX-Amz-Trailer: x-amz-checksum-crc32", "c\r\nhello shards\r\n0\r\n" + sum},
		{"PUT", "/bucket/key", "X-Amz-Copy-Source: /bucket/seed\nX-Amz-Metadata-Directive: REPLACE", ""},
		{"PUT", "/bucket/key?partNumber=1&uploadId=UPLOAD", "X-Amz-Checksum-Sha256: AAAA", "part"},
		{"POST", "/bucket/key?uploadId=UPLOAD", "If-None-Match: *", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"x\"</ETag></Part></CompleteMultipartUpload>"},
		{"GET", "/bucket/key?uploadId=UPLOAD&max-parts=1&part-number-marker=0", "", ""},
		{"DELETE", "/bucket/key?uploadId=UPLOAD", "", ""},
		{"POST", "/bucket/key?uploads", "X-Amz-Checksum-Algorithm: CRC32", ""},
		{"GET", "/bucket?uploads&max-uploads=1&key-marker=a&prefix=k&delimiter=%2F", "", ""},
		{"GET", "/bucket/seed", "Range: bytes=1-2\nIf-None-Match: \"x\"\nX-Amz-Checksum-Mode: ENABLED", ""},
		{"GET", "/bucket/seed", "Range: bytes=-99999999999999999999", ""},
		{"HEAD", "/bucket/seed", "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT", ""},
		{"GET", "/bucket?list-type=2&prefix=s&delimiter=%2F&max-keys=1&continuation-token=eA&start-after=a&encoding-type=url", "", ""},
		{"GET", "/bucket?marker=a&max-keys=-1", "", ""},
		{"GET", "/bucket?location", "", ""},
		{"GET", "/", "", ""},
		{"POST", "/bucket?delete", "", "<Delete><Object><Key>seed</Key></Object><Quiet>true</Quiet></Delete>"},
		{"PUT", "/other", "", "<CreateBucketConfiguration/>"},
		{"DELETE", "/bucket/seed?versionId=null", "", ""},
		{"DELETE", "/bucket", "", ""},
		{"PUT", "/bucket/..%2F..%2Fup", "", "x"},
		{"PUT", "/bucket/%00%ff", "X-Amz-Meta-\x80: \xff", "x"},
		{"OPTIONS", "/bucket/seed", "Origin: a", ""},
	} {
		f.Add(r[0], r[1], r[2], []byte(r[3]))
	}
	f.Fuzz(func(t *testing.T, method, target, headers string, body []byte) {
		server := newServer(t, s3d.Options{Dir: t.TempDir()})
		put(t, server, "seed", "content")
		_, id, _ := strings.Cut(do(t, server, http.MethodPost, path("key")+"?uploads", nil).body, "<UploadId>")
		id, _, _ = strings.Cut(id, "<")
		request, ok := requestOf(t, method, strings.ReplaceAll(target, "UPLOAD", id), headers, body)
		if !ok {
			return
		}
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, request)
		checkAnswer(t, request, recorder)
		checkBucket(t, server)
	})
}

// requestOf makes a request as net/http's server would, or says that it would
// have refused it.
func requestOf(t *testing.T, method, target, headers string, body []byte) (*http.Request, bool) {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil || !strings.HasPrefix(target, "/") {
		return nil, false
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1/", bytes.NewReader(body))
	if err != nil {
		return nil, false
	}
	request.URL = u
	request.RequestURI = target
	for line := range strings.SplitSeq(headers, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		legal := func(r rune) bool { return r > ' ' && r < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }
		if name == "" || strings.TrimFunc(name, legal) != "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			continue
		}
		request.Header.Add(name, strings.TrimSpace(value))
	}
	return request, true
}

// checkAnswer: what goes wrong is the client's fault or a thing that this
// server does not have, and it is said in XML with a code.
func checkAnswer(t *testing.T, r *http.Request, got *httptest.ResponseRecorder) {
	t.Helper()
	if got.Code >= http.StatusInternalServerError && got.Code != http.StatusNotImplemented {
		t.Errorf("%s %s %v: %d %s", r.Method, r.URL, r.Header, got.Code, got.Body)
	}
	if r.Method == http.MethodHead || got.Code == http.StatusNotModified {
		return
	}
	if got.Code >= http.StatusBadRequest {
		var e struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
		}
		if err := xml.Unmarshal(got.Body.Bytes(), &e); err != nil || e.Code == "" {
			t.Errorf("%s %s %v: %d without a code, %v: %q", r.Method, r.URL, r.Header, got.Code, err, got.Body)
		}
	}
	if length := got.Header().Get("Content-Length"); length != "" && length != strconv.Itoa(got.Body.Len()) {
		t.Errorf("%s %s: %s bytes announced, %d sent", r.Method, r.URL, length, got.Body.Len())
	}
}

// listed is an object in a listing.
type listed struct {
	Key, ETag string
	Size      int
}

// listOf returns the whole listing of the bucket, if there is one.
func listOf(t *testing.T, server *s3d.Server) (objects []listed) {
	t.Helper()
	answer := do(t, server, http.MethodGet, "bucket?list-type=2", nil)
	if answer.code() == "NoSuchBucket" {
		return nil
	}
	var page struct{ Contents []listed }
	if err := xml.Unmarshal([]byte(answer.body), &page); err != nil || answer.status != http.StatusOK {
		t.Fatalf("listing: %d %v: %q", answer.status, err, answer.body)
	}
	return page.Contents
}

// checkBucket: each object that is listed is there, as it is listed. Keys are
// listed in XML, which cannot say all of them.
func checkBucket(t *testing.T, server *s3d.Server) {
	t.Helper()
	for _, o := range listOf(t, server) {
		if strings.ContainsRune(o.Key, utf8.RuneError) {
			continue // a character that XML does not have
		}
		content, h := get(t, server, o.Key)
		if h == nil || len(content) != o.Size || h.Get("ETag") != o.ETag {
			t.Errorf("listed is %+v, but there is %q with %v", o, content, h)
		}
		if sum := etagOf(content); h != nil && !strings.Contains(o.ETag, "-") && o.ETag != sum {
			t.Errorf("%q has ETag %s, its content has %s", o.Key, o.ETag, sum)
		}
	}
}

func etagOf(content string) string {
	sum := md5.Sum([]byte(content))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// FuzzKeys puts objects under any two keys, on disk and in memory. Both servers
// give the same answers, another one that reads the directory gives them too,
// and nothing is written outside of it.
func FuzzKeys(f *testing.F) {
	for _, keys := range [][2]string{
		{"a", "a/b"},
		{"a/", "a"},
		{"../x", ".."},
		{"/", "//"},
		{".meta/bucket/a", "a"},
		{"a\x00", "a\xff"},
		{"é", "e\u0301"},
		{"con", "A"},
		{strings.Repeat("n", 256), strings.Repeat("d/", 500)},
		{"a/../b", "b"},
		{"a/./b", "a//b"},
		{".hidden/b", ".tmp/x"},
		{"%2e%2e/x", "+ &<>'\""},
		{"a\\b", "\r\n"},
	} {
		f.Add(keys[0], keys[1], []byte("content"), []byte{})
	}
	f.Fuzz(func(t *testing.T, first, second string, one, two []byte) {
		root := t.TempDir()
		dir := filepath.Join(root, "s3")
		onDisk, inMemory := newServer(t, s3d.Options{Dir: dir}), newServer(t, s3d.Options{})
		want := map[string]string{}
		for _, o := range []struct {
			key  string
			body []byte
		}{{first, one}, {second, two}} {
			if o.key == "" {
				continue // that would be the bucket
			}
			status, again := put(t, onDisk, o.key, string(o.body)), put(t, inMemory, o.key, string(o.body))
			if good := utf8.ValidString(o.key) && len(o.key) <= 1024; status != again || (status == http.StatusOK) != good {
				t.Fatalf("key %q: %d on disk, %d in memory", o.key, status, again)
			}
			if status == http.StatusOK {
				want[o.key] = string(o.body)
			}
		}
		wantObjects(t, "disk", onDisk, want)
		wantObjects(t, "memory", inMemory, want)
		restarted := restart(t, onDisk, dir)
		wantObjects(t, "restarted", restarted, want)
		wantOnly(t, root, "s3")
		if do(t, restarted, http.MethodDelete, path(first), nil).status == http.StatusNoContent {
			delete(want, first)
		}
		wantObjects(t, "after a delete", restarted, want)
		wantObjects(t, "restarted after a delete", restart(t, restarted, dir), want)
	})
}

func wantObjects(t *testing.T, name string, server *s3d.Server, want map[string]string) {
	t.Helper()
	for key, content := range want {
		if got, h := get(t, server, key); h == nil || got != content {
			t.Errorf("%s: key %q has %q, want %q", name, key, got, content)
		}
	}
	if n := len(listOf(t, server)); n != len(want) {
		t.Errorf("%s: %d objects are listed, want %d", name, n, len(want))
	}
	checkBucket(t, server)
}

// wantOnly: a directory has the named entry and no other.
func wantOnly(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the directory has %v, %v", entries, err)
	}
}

// FuzzChunked compares the reading of an aws-chunked body with a plain one.
func FuzzChunked(f *testing.F) {
	for _, body := range []string{
		"c\r\nhello shards\r\n0\r\n\r\n", "5\r\nhello\r\n7;ext=1\r\n shards\r\n0\r\n\r\n", "0\r\n\r\n", "5\nhello\n0\n\n", "05\r\nhello\r\n00\r\n\r\n", "5\r\nhello0\r\n\r\n",
		"5\r\nhello\r\n0\r\na:b\r\n\r\nrest", "5\r\nhello\r\n0\r\na:b\r\nc:d\r\n\r\n", "5\r\nhello\r\n0\r\na:b\r\nc:d\r\ne:f\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "7fffffffffffffff\r\nx", "1\r\n\r\r\n0\r\n\r\n", "5\r\nhello\r\n0", "5\r\nhello\r\n-1\r\n\r\n", "5\r\nhello\r\nand\r\n0\r\n\r\n", "5\r\nhelloand\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "",
	} {
		f.Add([]byte(body), 5)
	}
	f.Fuzz(func(t *testing.T, body []byte, announced int) {
		server := newServer(t, s3d.Options{})
		answer := do(t, server, http.MethodPut, path("key"), bytes.NewReader(body),
			"X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", fmt.Sprintf("X-Amz-Decoded-Content-Length: %d", announced))
		content, err := unchunk(body)
		good := err == nil && len(content) == announced
		if got := answer.status == http.StatusOK; got != good {
			t.Fatalf("%q: %d %s, want %q, %v", body, answer.status, answer.code(), content, err)
		}
		if stored, _ := get(t, server, "key"); good && stored != string(content) {
			t.Errorf("%q: stored is %q, want %q", body, stored, content)
		}
	})
}

// trailer accepts up to two lines and an empty one, or the end of the body
// instead of that, and nothing more.
func trailer(text []byte) error {
	for range 3 {
		line, rest, found := bytes.Cut(text, []byte("\n"))
		if !found || len(bytes.TrimSuffix(line, []byte("\r"))) == 0 {
			if found && len(rest) > 0 {
				return errors.New("more than a trailer")
			}
			return nil
		}
		text = rest
	}
	return errors.New("a long trailer")
}

// unchunk decodes the form that chunkReader documents, all at once.
func unchunk(body []byte) (content []byte, err error) {
	for {
		line, rest, found := bytes.Cut(body, []byte("\n"))
		digits, _, _ := strings.Cut(string(bytes.TrimSuffix(line, []byte("\r"))), ";")
		size, err := strconv.ParseInt(digits, 16, 64)
		switch {
		case !found || err != nil || size < 0:
			return nil, errors.New("no size")
		case size == 0:
			return content, trailer(rest)
		case size > int64(len(rest)):
			return nil, io.ErrUnexpectedEOF
		}
		content = append(content, rest[:size]...)
		end, rest, found := bytes.Cut(rest[size:], []byte("\n"))
		if !found || !slices.Contains([]string{"", "\r"}, string(end)) {
			return nil, errors.New("no end of a chunk")
		}
		body = rest
	}
}
