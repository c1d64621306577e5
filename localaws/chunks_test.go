package localaws_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// TestChunkSigner has the example of S3's documentation of chunked uploads.
func TestChunkSigner(t *testing.T) {
	t.Parallel()
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	sign := localaws.ChunkSigner(at, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	before := "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
	for _, row := range []struct {
		bytes int
		want  string
	}{
		{65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"},
		{1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"},
		{0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"},
	} {
		sum := sha256.Sum256(bytes.Repeat([]byte("a"), row.bytes))
		if before = sign(s3d.SignedChunk, before, sum[:]); before != row.want {
			t.Errorf("the chunk of %d bytes has signature %s, want %s", row.bytes, before, row.want)
		}
	}
}

// TestSignedChunks puts a body in chunks that are signed one by one, whole and
// altered.
func TestSignedChunks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		trailer  bool
		old, new string // a change of the body; "" for none
		status   int
	}{
		{"whole", false, "", "", 200},
		{"whole, with a trailer", true, "", "", 200},
		{"a chunk was changed", false, "hello", "jello", 403},
		{"a signature was changed", false, "chunk-signature=", "chunk-signature=0", 403},
		{"a signature was left out", false, ";chunk-signature=", ";x=", 403},
		{"the trailer's signature was left out", true, "x-amz-trailer-signature", "x-other", 403},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stack := newStack(t, localaws.Options{})
			r := signedChunks(t, "hello shards", row.trailer, func(body string) string {
				return strings.Replace(body, row.old, row.new, 1)
			})
			w := httptest.NewRecorder()
			stack.ServeHTTP(w, r)
			if w.Code != row.status {
				t.Errorf("%d %s, want %d", w.Code, w.Body, row.status)
			}
		})
	}
}

// signedChunks is a PutObject whose body comes in two chunks and an empty one.
func signedChunks(t *testing.T, content string, trailer bool, change func(string) string) *http.Request {
	t.Helper()
	at := time.Now().UTC()
	mode := "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "http://127.0.0.1/bucket/key", nil)
	if trailer {
		mode += "-TRAILER"
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
	}
	r.Header.Set("X-Amz-Content-Sha256", mode)
	r.Header.Set("X-Amz-Decoded-Content-Length", strconv.Itoa(len(content)))
	key := aws.Credentials{AccessKeyID: localaws.DefaultAccessKeyID, SecretAccessKey: localaws.DefaultSecretAccessKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), key, r, mode, "s3", "us-east-1", at); err != nil {
		t.Fatal(err)
	}
	_, before, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	sign := localaws.ChunkSigner(at, localaws.DefaultSecretAccessKey)
	var body strings.Builder
	for _, chunk := range []string{content[:5], content[5:], ""} {
		sum := sha256.Sum256([]byte(chunk))
		before = sign(s3d.SignedChunk, before, sum[:])
		fmt.Fprintf(&body, "%x;chunk-signature=%s\r\n%s", len(chunk), before, chunk)
		if chunk != "" {
			body.WriteString("\r\n")
		}
	}
	if trailer {
		crc := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(content)))
		line := "x-amz-checksum-crc32:" + base64.StdEncoding.EncodeToString(crc)
		sum := sha256.Sum256([]byte(line + "\n"))
		fmt.Fprintf(&body, "%s\r\nx-amz-trailer-signature:%s\r\n", line, sign(s3d.SignedTrailer, before, sum[:]))
	}
	text := change(body.String() + "\r\n")
	again := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "http://127.0.0.1/bucket/key", strings.NewReader(text))
	again.Header = r.Header
	return again
}
