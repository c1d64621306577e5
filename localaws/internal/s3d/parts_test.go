package s3d_test

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// uploadParts makes an object of parts with checksums. Their numbers have gaps.
func uploadParts(t *testing.T, server *s3d.Server, contents ...string) (completed reply) {
	t.Helper()
	_, rest, _ := strings.Cut(do(t, server, http.MethodPost, path("key")+"?uploads", nil, "X-Amz-Checksum-Algorithm: SHA1").body, "<UploadId>")
	id, _, _ := strings.Cut(rest, "<")
	var list strings.Builder
	list.WriteString("<CompleteMultipartUpload>")
	for i, content := range contents {
		sum := sha1.Sum([]byte(content))
		digest := base64.StdEncoding.EncodeToString(sum[:])
		r := do(t, server, http.MethodPut, fmt.Sprintf("%s?partNumber=%d&uploadId=%s", path("key"), 6*i+1, id),
			strings.NewReader(content), "X-Amz-Checksum-Sha1: "+digest)
		fmt.Fprintf(&list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><ChecksumSHA1>%s</ChecksumSHA1></Part>",
			6*i+1, r.header.Get("ETag"), digest)
	}
	return do(t, server, http.MethodPost, path("key")+"?uploadId="+id, strings.NewReader(list.String()+"</CompleteMultipartUpload>"))
}

// TestPartNumber reads objects by the number of their parts, as they were put
// and as they were loaded from a directory.
func TestPartNumber(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := newServer(t, s3d.Options{Dir: dir})
	first := strings.Repeat("1", 5<<20)
	uploadParts(t, server, first, "22")
	put(t, server, "whole", "content")
	put(t, server, "empty", "")
	put(t, server, "copy", "", "X-Amz-Copy-Source: bucket/key")
	for range 2 {
		for _, row := range []struct {
			target, header string
			status         int
			span, count    string
			want           string // the body, or the code
		}{
			{"key?partNumber=1", "", 206, "bytes 0-5242879/5242882", "2", first},
			{"key?partNumber=7", "", 206, "bytes 5242880-5242881/5242882", "2", "22"},
			{"key?partNumber=2", "", 416, "bytes */5242882", "", "InvalidPartNumber"},
			{"key?partNumber=0", "", 400, "bytes */5242882", "", "InvalidArgument"},
			{"key?partNumber=1", "Range: bytes=0-1", 400, "bytes */5242882", "", "InvalidRequest"},
			{"whole?partNumber=1", "", 206, "bytes 0-6/7", "", "content"},
			{"whole?partNumber=2", "", 416, "bytes */7", "", "InvalidPartNumber"},
			{"empty?partNumber=1", "", 200, "", "", ""},
			{"copy?partNumber=2", "", 416, "bytes */5242882", "", "InvalidPartNumber"},
		} {
			r := do(t, server, http.MethodGet, "bucket/"+row.target, nil, row.header)
			got := r.body
			if r.status >= 400 {
				got = r.code()
			}
			if r.status != row.status || got != row.want || r.header.Get("Content-Range") != row.span || r.header.Get("X-Amz-Mp-Parts-Count") != row.count {
				t.Errorf("%s %s: %d %.80q %v, want %d %.20q, %s of %s", row.target, row.header, r.status, got, r.header, row.status, row.want, row.span, row.count)
			}
		}
		server = restart(t, server, dir)
	}
}

// TestChecksumOfParts has an upload's answer tell the object's checksum.
func TestChecksumOfParts(t *testing.T) {
	t.Parallel()
	server := newServer(t, s3d.Options{})
	r := uploadParts(t, server, "content")
	sum := do(t, server, http.MethodHead, path("key"), nil, "X-Amz-Checksum-Mode: ENABLED").header.Get("X-Amz-Checksum-Sha1")
	if want := "<ChecksumSHA1>" + sum + "</ChecksumSHA1><ChecksumType>COMPOSITE<"; !strings.HasSuffix(sum, "-1") || !strings.Contains(r.body, want) {
		t.Errorf("the answer is %s, want %s", r.body, want)
	}
}
