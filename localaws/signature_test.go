package localaws_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/localaws"
)

// TestSignaturesOfOthers has requests that this module's SDK did not sign: the
// examples of S3's documentation of Signature Version 4, and what the SDK for
// Java sent.
func TestSignaturesOfOthers(t *testing.T) {
	t.Parallel()
	const (
		empty      = "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		documented = "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
		example    = "examplebucket.s3.amazonaws.com"
	)
	for _, row := range []struct {
		name, at, method, host, uri string
		headers                     []string
		credential, signed, by      string
		status                      int
	}{
		{
			"documented, GET of an object", "20130524T000000Z", "GET", example, "/test.txt",
			[]string{empty, "Range: bytes=0-9"},
			documented, "host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", 404,
		},
		{
			"documented, PUT of an object", "20130524T000000Z", "PUT", example, "/test%24file.text",
			[]string{
				"x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
				"Date: Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class: REDUCED_REDUNDANCY",
			},
			documented, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd", 501,
		},
		{
			"documented, a parameter without value", "20130524T000000Z", "GET", example, "/?lifecycle",
			[]string{empty},
			documented, "host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", 501,
		},
		{
			"documented, two parameters", "20130524T000000Z", "GET", example, "/?max-keys=2&prefix=J",
			[]string{empty},
			documented, "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", 404,
		},
		{
			"documented, a presigned URL", "20130524T000000Z", "GET", example,
			"/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
				"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
				"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
			nil, "", "", "", 404,
		},
		{
			"Java's CreateMultipartUpload, a length of 0", "20261128T204614Z", "POST", "127.0.0.1:4600", "/java-bucket/multi?uploads",
			[]string{
				empty, "amz-sdk-invocation-id: 2a3d24a0-f0f6-9cd9-8cea-d02ffc89a277", "amz-sdk-request: attempt=1; max=4",
				"Content-Type: binary/octet-stream", "Content-Length: 0",
			},
			"Credential=local/20261128/us-east-1/s3/aws4_request",
			"amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-content-sha256;x-amz-date",
			"01c482032c7fd87793ca919d8fea27d22cfa466d38e7c1d4467f5260184baf4d", 200,
		},
		{
			"the host is not signed", "20130524T000000Z", "GET", example, "/test.txt",
			[]string{empty},
			documented, "x-amz-content-sha256;x-amz-date", "00", 400,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				at, err := time.Parse("20060102T150405Z", row.at)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Until(at))
				stack := newStack(t, localaws.Options{Hosts: []string{"s3.amazonaws.com"}, Credentials: map[string]string{
					"local": "local", "AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
				}})
				r := httptest.NewRequestWithContext(t.Context(), row.method, row.uri, http.NoBody)
				r.Host = row.host
				for _, header := range row.headers {
					name, value, _ := strings.Cut(header, ": ")
					r.Header.Set(name, value)
				}
				if row.signed != "" {
					r.Header.Set("X-Amz-Date", row.at)
					r.Header.Set("Authorization", "AWS4-HMAC-SHA256 "+row.credential+",SignedHeaders="+row.signed+",Signature="+row.by)
				}
				w := httptest.NewRecorder()
				stack.ServeHTTP(w, r)
				if w.Code != row.status {
					t.Errorf("%d %s, want %d", w.Code, w.Body, row.status)
				}
			})
		})
	}
}

// TestSignaturesByTheRules has signatures that somebody with the secret made
// otherwise than the rules say: the day of the scope is that of the date, and the
// names of headers are sorted, in lower case and there once.
func TestSignaturesByTheRules(t *testing.T) {
	t.Parallel()
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	sum := func(key, text string) string {
		h := hmac.New(sha256.New, []byte(key))
		_, _ = h.Write([]byte(text)) // a hash takes everything
		return string(h.Sum(nil))
	}
	for _, row := range []struct {
		name, day, signed string
		status            int
		code              string
	}{
		{"by the rules", "20261128", "host;x-amz-content-sha256;x-amz-date", 404, "NoSuchBucket"},
		{"a year", "2026", "host;x-amz-content-sha256;x-amz-date", 400, "AuthorizationHeaderMalformed"},
		{"no day", "", "host;x-amz-content-sha256;x-amz-date", 400, "AuthorizationHeaderMalformed"},
		{"another order", "20261128", "x-amz-date;host;x-amz-content-sha256", 403, "SignatureDoesNotMatch"},
		{"upper case", "20261128", "Range;host;x-amz-content-sha256;x-amz-date", 403, "SignatureDoesNotMatch"},
		{"a name twice", "20261128", "host;host;x-amz-content-sha256;x-amz-date", 403, "SignatureDoesNotMatch"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
				time.Sleep(time.Until(at))
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/bucket/key", http.NoBody)
				r.Header = http.Header{"Range": {"bytes=0-9"}, "X-Amz-Content-Sha256": {empty}, "X-Amz-Date": {at.Format("20060102T150405Z")}}
				lines := []string{"GET", "/bucket/key", ""}
				for name := range strings.SplitSeq(row.signed, ";") {
					value := r.Header.Get(name)
					if name == "host" {
						value = r.Host
					}
					lines = append(lines, name+":"+value)
				}
				hash := sha256.Sum256([]byte(strings.Join(append(lines, "", row.signed, empty), "\n")))
				scope, key := row.day+"/us-east-1/s3/aws4_request", "AWS4local"
				for part := range strings.SplitSeq(scope, "/") {
					key = sum(key, part)
				}
				signature := sum(key, "AWS4-HMAC-SHA256\n"+r.Header.Get("X-Amz-Date")+"\n"+scope+"\n"+hex.EncodeToString(hash[:]))
				r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/"+scope+", SignedHeaders="+row.signed+", Signature="+hex.EncodeToString([]byte(signature)))
				w := httptest.NewRecorder()
				newStack(t, localaws.Options{StrictBuckets: true}).ServeHTTP(w, r)
				if w.Code != row.status || !strings.Contains(w.Body.String(), "<Code>"+row.code+"</Code>") {
					t.Errorf("%d %s, want %d %s", w.Code, w.Body, row.status, row.code)
				}
			})
		})
	}
}
