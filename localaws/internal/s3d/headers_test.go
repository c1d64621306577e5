package s3d_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// TestHeadersByName has headers that ask for what the server does not do: each
// is refused by name, and nothing is stored.
func TestHeadersByName(t *testing.T) {
	t.Parallel()
	const mine = "000000000000"
	for header, code := range map[string]string{
		"X-Amz-Tagging: a=b":                                      "NotImplemented",
		"X-Amz-Server-Side-Encryption: aws:kms":                   "NotImplemented",
		"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: k":          "NotImplemented",
		"X-Amz-Server-Side-Encryption: aws:kms:dsse":              "NotImplemented",
		"X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256": "NotImplemented",
		"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled: true":   "NotImplemented",
		"X-Amz-Storage-Class: GLACIER":                            "NotImplemented",
		"X-Amz-Object-Lock-Mode: GOVERNANCE":                      "NotImplemented",
		"X-Amz-Write-Offset-Bytes: 7":                             "NotImplemented",
		"X-Amz-Mfa: 1 2":                                          "NotImplemented",
		"X-Amz-If-Match-Size: 7":                                  "NotImplemented",
		"X-Amz-Something-New: 1":                                  "NotImplemented",
		"X-Amz-Acl: public-read":                                  "AccessControlListNotSupported",
		"X-Amz-Grant-Read: id=1":                                  "AccessControlListNotSupported",
		"X-Amz-Expected-Bucket-Owner: 111111111111":               "AccessDenied",
		"X-Amz-Content-Sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NM":  "InvalidArgument",
		"X-Amz-Acl: bucket-owner-full-control":                    "",
		"X-Amz-Content-Sha256: UNSIGNED-PAYLOAD":                  "",
		"X-Amz-Server-Side-Encryption: AES256":                    "",
		"X-Amz-Storage-Class: STANDARD":                           "",
		"X-Amz-Expected-Bucket-Owner: " + mine:                    "",
		"X-Amz-Request-Payer: requester":                          "",
		"X-Amz-Website-Redirect-Location: /a":                     "",
		"X-Amz-Te: append-md5":                                    "",
		"X-Other: 1":                                              "",
	} {
		for _, target := range []struct{ method, path string }{{http.MethodPut, "bucket/key"}, {http.MethodPost, "bucket/key?uploads"}} {
			server := newServer(t, s3d.Options{})
			response := do(t, server, target.method, target.path, strings.NewReader(""), header)
			name, _, _ := strings.Cut(header, ":")
			if response.code() != code || (code != "" && !strings.Contains(response.body, strings.ToLower(name))) {
				t.Errorf("%s, %s: %d %s, want %q and the name", header, target.path, response.status, response.body, code)
			}
			if content, h := get(t, server, "key"); code != "" && h != nil {
				t.Errorf("%s: stored was %q", header, content)
			}
		}
	}
}

// TestEncryptionComesBack has the one encryption that all objects of S3 have.
func TestEncryptionComesBack(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	put(t, server, "key", "content", "X-Amz-Server-Side-Encryption: AES256")
	if _, h := get(t, server, "key"); h.Get("X-Amz-Server-Side-Encryption") != "AES256" {
		t.Errorf("the object has headers %v", h)
	}
}

// TestParametersByName has what a request asks for elsewhere than in headers.
func TestParametersByName(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	put(t, server, "key", "content")
	const deletion = "<Delete><Object><Key>key</Key><ETag>x</ETag></Object></Delete>"
	for _, row := range []struct{ method, target, body, name string }{
		{http.MethodPost, "bucket?delete", deletion, "ETag"},
	} {
		response := do(t, server, row.method, row.target, strings.NewReader(row.body))
		if response.status != http.StatusNotImplemented || !strings.Contains(response.body, row.name) {
			t.Errorf("%s %s: %d %s, want 501 and %s", row.method, row.target, response.status, response.body, row.name)
		}
	}
	copied := do(t, server, http.MethodPut, "bucket/to", nil, "X-Amz-Copy-Source: bucket/key?versionId=1")
	if copied.code() != "NotImplemented" {
		t.Errorf("a copy of a version: %d %s", copied.status, copied.body)
	}
	if content, _ := get(t, server, "key"); content != "content" {
		t.Errorf("the object is %q", content)
	}
}

// TestMetadataCase has the names of metadata as they go over a connection:
// clients that keep case, as Python's do, see them so.
func TestMetadataCase(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	put(t, server, "key", "content", "X-Amz-Meta-Some-Plan: p1")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/bucket/key", nil))
	const name = "x-amz-meta-some-plan"
	if got := w.Header()[name]; !slices.Equal(got, []string{"p1"}) { //nolint:staticcheck // the case is the point
		t.Errorf("the headers are %v, want x-amz-meta-some-plan", w.Header())
	}
}

// TestRanges has ranges that S3 takes, ignores and refuses.
func TestRanges(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	put(t, server, "key", "0123456789")
	put(t, server, "empty", "")
	for _, row := range []struct {
		key, header string
		status      int
		want        string
	}{
		{"key", "bytes=2-4", 206, "234"},
		{"key", "bytes=9-", 206, "9"},
		{"key", "bytes=-20", 206, "0123456789"},
		{"key", "bytes=-0", 416, "InvalidRange"},
		{"key", "bytes=10-", 416, "InvalidRange"},
		{"key", "bytes=4-2", 200, "0123456789"},
		{"key", "bytes=0-1,3-4", 200, "0123456789"},
		{"key", "lines=0-1", 200, "0123456789"},
		{"key", "bytes=99999999999999999999-", 200, "0123456789"},
		{"empty", "bytes=0-", 416, "InvalidRange"},
		{"empty", "", 200, ""},
	} {
		r := do(t, server, http.MethodGet, "bucket/"+row.key, nil, "Range: "+row.header)
		if got := r.body; r.status != row.status || (got != row.want && r.code() != row.want) {
			t.Errorf("%s of %s: %d %s, want %d %s", row.header, row.key, r.status, got, row.status, row.want)
		}
		head := do(t, server, http.MethodHead, "bucket/"+row.key, nil, "Range: "+row.header)
		if head.status != row.status || head.body != "" || (row.status < 300 && head.header.Get("Content-Range") != r.header.Get("Content-Range")) {
			t.Errorf("HEAD with %s of %s: %d %q, want %d", row.header, row.key, head.status, head.body, row.status)
		}
	}
}

// TestListingParameters has what a ListObjectsV2 asks for besides keys.
func TestListingParameters(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	put(t, server, "a b+c/\x01&", "content")
	var page struct {
		KeyCount, MaxKeys *int
		EncodingType      string
		Contents          []struct {
			Key   string
			Owner struct{ ID string }
		}
	}
	read := func(query string) {
		page.Contents = nil
		if err := xml.Unmarshal([]byte(do(t, server, http.MethodGet, "bucket?list-type=2&"+query, nil).body), &page); err != nil {
			t.Fatal(err)
		}
	}
	read("encoding-type=url&fetch-owner=true")
	if len(page.Contents) != 1 || page.Contents[0].Key != "a%20b%2Bc/%01%26" || page.Contents[0].Owner.ID != "000000000000" || page.EncodingType != "url" {
		t.Errorf("the list is %+v", page)
	}
	read("max-keys=0")
	if len(page.Contents) != 0 || page.KeyCount == nil || *page.KeyCount != 0 || page.MaxKeys == nil || *page.MaxKeys != 0 {
		t.Errorf("the list of no keys is %+v", page)
	}
	for _, query := range []string{"max-keys=x", "max-keys=-1", "encoding-type=xml", "continuation-token=%25", "continuation-token="} {
		if r := do(t, server, http.MethodGet, "bucket?list-type=2&"+query, nil); r.code() != "InvalidArgument" {
			t.Errorf("%s: %d %s, want InvalidArgument", query, r.status, r.body)
		}
	}
}

// TestConditionalDeletes has the keys and ETags that a delete may be for.
func TestConditionalDeletes(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	put(t, server, "key", "content")
	for _, row := range []struct {
		key, match string
		status     int
	}{
		{"absent", "*", 404},
		{"absent", "x", 404},
		{"absent", "", 204},
		{"key", "x", 412},
		{"key", "*", 204},
	} {
		if r := do(t, server, http.MethodDelete, path(row.key), nil, "If-Match: "+row.match); r.status != row.status {
			t.Errorf("%s if %q: %d %s, want %d", row.key, row.match, r.status, r.body, row.status)
		}
	}
}

// uploaded begins an upload of a key whose one part is "content". What it
// returns completes it, with a part of some ETag.
func uploaded(t *testing.T, server *s3d.Server) (etag string, complete func(etag string, headers ...string) reply) {
	t.Helper()
	_, rest, _ := strings.Cut(do(t, server, http.MethodPost, path("key")+"?uploads", nil).body, "<UploadId>")
	id, _, _ := strings.Cut(rest, "<")
	etag = do(t, server, http.MethodPut, path("key")+"?partNumber=1&uploadId="+id, strings.NewReader("content")).header.Get("ETag")
	return etag, func(etag string, headers ...string) reply {
		text := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + etag + "</ETag></Part></CompleteMultipartUpload>"
		return do(t, server, http.MethodPost, path("key")+"?uploadId="+id, strings.NewReader(text), headers...)
	}
}

// TestOtherParts completes an upload again, with other parts than before.
func TestOtherParts(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	etag, complete := uploaded(t, server)
	if first, again, other := complete(etag).status, complete(etag).status, complete("x").status; first != 200 || again != 200 || other != 404 {
		t.Errorf("completed with %d, again with %d, with other parts with %d; want 200, 200 and 404", first, again, other)
	}
}

// TestObjectSize completes an upload and says how large it must be.
func TestObjectSize(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	etag, complete := uploaded(t, server)
	if r := complete(etag, "X-Amz-Mp-Object-Size: 8"); r.code() != "InvalidRequest" {
		t.Errorf("of 7 bytes as 8: %d %s, want InvalidRequest", r.status, r.body)
	}
	if content, h := get(t, server, "key"); h != nil {
		t.Errorf("stored was %q", content)
	}
	if r := complete(etag, "X-Amz-Mp-Object-Size: 7"); r.status != 200 {
		t.Errorf("of 7 bytes as 7: %d %s", r.status, r.body)
	}
}

// TestCopyMistakes has copies that S3 refuses.
func TestCopyMistakes(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	put(t, server, "key", "content")
	for _, row := range []struct {
		to, source, directive, code string
	}{
		{"to", "bucket", "", "InvalidArgument"},
		{"to", "bucket/%zz", "", "InvalidArgument"},
		{"to", "bucket/other", "", "NoSuchKey"},
		{"to", "other/key", "", "NoSuchBucket"},
		{"to", "bucket/key", "MERGE", "InvalidArgument"},
		{"key", "/bucket/key", "", "InvalidRequest"},
		{"key", "/bucket/key", "REPLACE", ""},
		{"to", "bucket/k%65y", "", ""},
	} {
		r := do(t, server, http.MethodPut, path(row.to), nil, "X-Amz-Copy-Source: "+row.source, "X-Amz-Metadata-Directive: "+row.directive)
		if r.code() != row.code {
			t.Errorf("%s to %s %s: %d %s, want %q", row.source, row.to, row.directive, r.status, r.body, row.code)
		}
	}
}
