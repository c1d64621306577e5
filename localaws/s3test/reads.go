package s3test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// preconditions are those of a read, and what they give.
type preconditions struct {
	name                string
	match, noneMatch    *string
	modified, unchanged *time.Time
	status              int // 0: the object is read
}

// readRows have every condition that holds, and every one that does not.
func readRows(etag string) []preconditions {
	other, before, after := aws.String(`"0123456789abcdef0123456789abcdef"`), aws.Time(time.Now().Add(-time.Hour)), aws.Time(time.Now().Add(time.Hour))
	return []preconditions{
		{"If-Match holds", &etag, nil, nil, nil, 0},
		{"If-Match does not hold", other, nil, nil, nil, 412},
		{"If-None-Match holds", nil, other, nil, nil, 0},
		{"If-None-Match does not hold", nil, &etag, nil, nil, 304},
		{"If-Modified-Since holds", nil, nil, before, nil, 0},
		{"If-Unmodified-Since holds", nil, nil, nil, after, 0},
		{"If-Unmodified-Since does not hold", nil, nil, nil, before, 412},
	}
}

func testConditionalReads(t *testing.T, b bucket) {
	t.Helper()
	etag := aws.ToString(b.put(t, "key", "content").ETag)
	for _, row := range readRows(etag) {
		_, err := b.HeadObject(t.Context(), &s3.HeadObjectInput{
			Bucket: b.name, Key: aws.String("key"), IfMatch: row.match, IfNoneMatch: row.noneMatch,
			IfModifiedSince: row.modified, IfUnmodifiedSince: row.unchanged,
		})
		checkRead(t, "HEAD, "+row.name, err, row.status)
		out, err := b.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: b.name, Key: aws.String("key"), IfMatch: row.match, IfNoneMatch: row.noneMatch,
			IfModifiedSince: row.modified, IfUnmodifiedSince: row.unchanged,
		})
		checkRead(t, "GET, "+row.name, err, row.status)
		if err == nil {
			_ = out.Body.Close()
		}
	}
}

func checkRead(t *testing.T, name string, err error, status int) {
	t.Helper()
	if status == 0 {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	if err == nil {
		t.Errorf("%s: it was read, want status %d", name, status)
		return
	}
	wantStatus(t, err, status)
}

func testConditionalCopy(t *testing.T, b bucket) {
	t.Helper()
	etag := aws.ToString(b.put(t, "from", "content").ETag)
	for _, row := range readRows(etag) {
		_, err := b.CopyObject(t.Context(), &s3.CopyObjectInput{
			Bucket: b.name, Key: aws.String("to"), CopySource: aws.String(*b.name + "/from"),
			CopySourceIfMatch: row.match, CopySourceIfNoneMatch: row.noneMatch,
			CopySourceIfModifiedSince: row.modified, CopySourceIfUnmodifiedSince: row.unchanged,
		})
		if row.status == 304 && !isStatus(err, 304) { // which is versitygw's for it
			row.status = 412
		}
		checkRead(t, "COPY, "+row.name, err, row.status)
	}
}

func testConditionalDelete(t *testing.T, b bucket) {
	t.Helper()
	remove := func(etag string) error {
		_, err := b.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: b.name, Key: aws.String("key"), IfMatch: &etag})
		return err
	}
	first := aws.ToString(b.put(t, "key", "first").ETag)
	second := aws.ToString(b.put(t, "key", "second").ETag)
	wantCode(t, remove(first), "PreconditionFailed")
	b.has(t, "key", "second")
	if err := remove(second); err != nil {
		t.Fatalf("deleting on the right ETag: %v", err)
	}
	b.hasNot(t, "key")
}

func testEmptyListing(t *testing.T, b bucket) {
	t.Helper()
	out, err := b.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: b.name})
	if err != nil || out.KeyCount == nil || *out.KeyCount != 0 || aws.ToBool(out.IsTruncated) {
		t.Errorf("the list is %+v, %v; want a KeyCount of 0", out, err)
	}
}

func testMissingBucket(t *testing.T, b bucket) {
	t.Helper()
	name := *b.name + "-missing"
	for range 2 { // the first does not make it
		_, err := b.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &name})
		wantStatus(t, err, 404)
		_, err = b.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &name})
		wantCode(t, err, "NoSuchBucket")
		_, err = b.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &name, Key: aws.String("key")})
		wantCode(t, err, "NoSuchBucket")
	}
}

func testPresigned(t *testing.T, b bucket) {
	t.Helper()
	presign := s3.NewPresignClient(b.Client, func(o *s3.PresignOptions) { o.Expires = 5 * time.Minute })
	putting, err := presign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: b.name, Key: aws.String("a key")})
	if err != nil {
		t.Fatalf("presigning: %v", err)
	}
	if status, text := b.send(t, putting.Method, putting.URL, "content"); status != 200 {
		t.Fatalf("putting: %d %s", status, text)
	}
	b.has(t, "a key", "content")
	getting, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: b.name, Key: aws.String("a key")})
	if err != nil {
		t.Fatalf("presigning: %v", err)
	}
	if status, text := b.send(t, getting.Method, getting.URL, ""); status != 200 || text != "content" {
		t.Errorf("getting: %d %s", status, text)
	}
	if status, text := b.send(t, getting.Method, strings.Replace(getting.URL, "key", "kex", 1), ""); status != 403 {
		t.Errorf("getting another key: %d %s, want 403", status, text)
	}
}

// send sends a request that has its signature in its URL.
func (b bucket) send(t *testing.T, method, url, content string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	response, err := b.Options().HTTPClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return response.StatusCode, string(answer)
}

func testCopyPart(t *testing.T, b bucket) {
	t.Helper()
	content := bytesOf(minPart+1000, 'z')
	b.put(t, "from", string(content))
	u := b.begin(t, "to")
	for i, section := range []string{"bytes=0-5242879", "bytes=5242880-5243879"} {
		out, err := u.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
			Bucket: u.name, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(int32(i + 1)),
			CopySource: aws.String(*b.name + "/from"), CopySourceRange: &section,
		})
		if err != nil {
			t.Fatalf("copying %s: %v", section, err)
		}
		u.parts = append(u.parts, types.CompletedPart{
			PartNumber: aws.Int32(int32(i + 1)), ETag: out.CopyPartResult.ETag, ChecksumCRC32: out.CopyPartResult.ChecksumCRC32,
		})
	}
	if _, err := u.complete(t, nil); err != nil {
		t.Fatalf("completing: %v", err)
	}
	b.has(t, "to", string(content))
}

// testRepeatedComplete is what a client does whose answer was lost.
func testRepeatedComplete(t *testing.T, b bucket) {
	t.Helper()
	u := b.begin(t, "key")
	u.part(t, 1, []byte("content"))
	first, err := u.complete(t, aws.String("*"))
	if err != nil {
		t.Fatalf("completing: %v", err)
	}
	again, err := u.complete(t, aws.String("*"))
	if err != nil || aws.ToString(again.ETag) != aws.ToString(first.ETag) {
		t.Errorf("completing again: %+v, %v; want the answer of the first", again, err)
	}
	b.has(t, "key", "content")
}
