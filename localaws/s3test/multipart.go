package s3test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const minPart = 5 << 20

// upload is a multipart upload in progress.
type upload struct {
	bucket

	key   string
	id    *string
	parts []types.CompletedPart
}

func (b bucket) begin(t *testing.T, key string) *upload {
	t.Helper()
	out, err := b.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: b.name, Key: &key, Metadata: map[string]string{"plan": "p1"},
		ContentType: aws.String("application/octet-stream"), ContentEncoding: aws.String("gzip"),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		t.Fatalf("beginning an upload of %s: %v", key, err)
	}
	return &upload{bucket: b, key: key, id: out.UploadId}
}

func (u *upload) part(t *testing.T, number int32, content []byte) {
	t.Helper()
	out, err := u.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: u.name, Key: &u.key, UploadId: u.id, PartNumber: &number, Body: bytes.NewReader(content),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		t.Fatalf("uploading part %d of %s: %v", number, u.key, err)
	}
	u.parts = slices.DeleteFunc(u.parts, func(p types.CompletedPart) bool { return *p.PartNumber == number })
	u.parts = append(u.parts, types.CompletedPart{PartNumber: &number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	slices.SortFunc(u.parts, func(x, y types.CompletedPart) int { return int(*x.PartNumber - *y.PartNumber) })
}

func (u *upload) complete(t *testing.T, ifNoneMatch *string) (*s3.CompleteMultipartUploadOutput, error) {
	t.Helper()
	return u.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: u.name, Key: &u.key, UploadId: u.id, IfNoneMatch: ifNoneMatch,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
}

func testMultipart(t *testing.T, b bucket) {
	t.Helper()
	one, two := bytesOf(minPart, 'a'), bytesOf(1000, 'b')
	u := b.begin(t, "big/object.gz")
	u.part(t, 1, one)
	u.part(t, 2, two)
	b.hasNot(t, u.key)
	if keys := b.list(t, &s3.ListObjectsV2Input{}); len(keys) > 0 {
		t.Errorf("an unfinished upload is listed: %v", keys)
	}
	done, err := u.complete(t, nil)
	if err != nil {
		t.Fatalf("completing: %v", err)
	}
	b.has(t, u.key, string(one)+string(two))
	head, err := b.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: b.name, Key: &u.key})
	if err != nil {
		t.Fatalf("heading: %v", err)
	}
	if got := aws.ToString(head.ETag); !strings.HasSuffix(got, `-2"`) || got != aws.ToString(done.ETag) {
		t.Errorf("ETag is %s at HEAD and %s at complete, want the same, ending in -2", got, aws.ToString(done.ETag))
	}
	if head.Metadata["plan"] != "p1" || aws.ToString(head.ContentEncoding) != "gzip" {
		t.Errorf("metadata is %v and encoding %q, want those of the upload", head.Metadata, aws.ToString(head.ContentEncoding))
	}
	list, err := b.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: b.name})
	if err != nil || len(list.Contents) != 1 || aws.ToString(list.Contents[0].ETag) != aws.ToString(head.ETag) {
		t.Errorf("the list has %+v, %v; want the object with ETag %s", list.Contents, err, aws.ToString(head.ETag))
	}
}

func testPartOrder(t *testing.T, b bucket) {
	t.Helper()
	u := b.begin(t, "key")
	u.part(t, 7, []byte("the end"))
	u.part(t, 3, bytesOf(minPart, 'x'))
	u.part(t, 3, bytesOf(minPart, 'y'))
	if _, err := u.complete(t, nil); err != nil {
		t.Fatalf("completing: %v", err)
	}
	b.has(t, "key", string(bytesOf(minPart, 'y'))+"the end")
}

func testTooSmall(t *testing.T, b bucket) {
	t.Helper()
	u := b.begin(t, "key")
	u.part(t, 1, bytesOf(minPart-1, 'x'))
	u.part(t, 2, []byte("the end"))
	_, err := u.complete(t, nil)
	wantCode(t, err, "EntityTooSmall")
	wantStatus(t, err, 400)
	b.hasNot(t, "key")
}

func testWrongParts(t *testing.T, b bucket) {
	t.Helper()
	u := b.begin(t, "key")
	u.part(t, 1, []byte("content"))
	right := u.parts
	for _, row := range []struct {
		parts []types.CompletedPart
		code  string
	}{
		{[]types.CompletedPart{{PartNumber: aws.Int32(2), ETag: right[0].ETag, ChecksumCRC32: right[0].ChecksumCRC32}}, "InvalidPart"},
		{[]types.CompletedPart{{
			PartNumber: aws.Int32(1), ETag: aws.String(`"00000000000000000000000000000000"`), ChecksumCRC32: right[0].ChecksumCRC32,
		}}, "InvalidPart"},
	} {
		u.parts = row.parts
		_, err := u.complete(t, nil)
		wantCode(t, err, row.code)
	}
	u.parts = right
	if _, err := u.complete(t, nil); err != nil {
		t.Errorf("completing with the right parts: %v", err)
	}
	b.has(t, "key", "content")
	u.key, u.id = "another", aws.String("00000000-0000-0000-0000-000000000000")
	_, err := u.complete(t, nil)
	wantCode(t, err, "NoSuchUpload")
}

func testListUploads(t *testing.T, b bucket) {
	t.Helper()
	one, two := b.begin(t, "one"), b.begin(t, "two")
	list, err := b.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: b.name})
	if err != nil {
		t.Fatalf("listing uploads: %v", err)
	}
	if len(list.Uploads) != 2 || *list.Uploads[0].UploadId != *one.id || *list.Uploads[1].Key != two.key {
		t.Errorf("the uploads are %+v, want those of one and two", list.Uploads)
	}
	one.part(t, 1, []byte("first"))
	one.part(t, 2, []byte("second"))
	parts, err := b.ListParts(t.Context(), &s3.ListPartsInput{Bucket: b.name, Key: &one.key, UploadId: one.id})
	if err != nil {
		t.Fatalf("listing parts: %v", err)
	}
	if len(parts.Parts) != 2 || *parts.Parts[1].Size != 6 || *parts.Parts[1].ETag != *one.parts[1].ETag {
		t.Errorf("the parts are %+v, want two, the second of 6 bytes", parts.Parts)
	}
}

func testAbort(t *testing.T, b bucket) {
	t.Helper()
	u := b.begin(t, "key")
	u.part(t, 1, []byte("content"))
	_, err := b.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: b.name, Key: &u.key, UploadId: u.id})
	if err != nil {
		t.Fatalf("aborting: %v", err)
	}
	_, err = u.complete(t, nil)
	wantCode(t, err, "NoSuchUpload")
	b.hasNot(t, "key")
}

func testConditionalComplete(t *testing.T, b bucket) {
	t.Helper()
	u := b.begin(t, "key")
	u.part(t, 1, []byte("in parts"))
	b.put(t, "key", "was first")
	_, err := u.complete(t, aws.String("*"))
	wantCode(t, err, "PreconditionFailed")
	wantStatus(t, err, 412)
	b.has(t, "key", "was first")
	v := b.begin(t, "free")
	v.part(t, 1, []byte("in parts"))
	if _, err := v.complete(t, aws.String("*")); err != nil {
		t.Fatalf("completing on nothing: %v", err)
	}
	b.has(t, "free", "in parts")
}

func testOneCompleteWins(t *testing.T, b bucket) {
	t.Helper()
	const key = "contested"
	var uploads []*upload
	for i := range 8 {
		u := b.begin(t, key)
		u.part(t, 1, fmt.Appendf(nil, "upload %d", i))
		uploads = append(uploads, u)
	}
	var winners atomic.Int32
	var winner atomic.Value
	together(t, 16, func(i int) error {
		content := fmt.Sprintf("upload %d", i%8)
		attempt := func() error { _, err := uploads[i%8].complete(t, aws.String("*")); return err }
		if i >= 8 {
			content = fmt.Sprintf("put %d", i)
			attempt = func() error { return b.putIfAbsent(t, key, content) }
		}
		err := attempt()
		for range 100 {
			if err == nil || !isConflict(err) {
				break
			}
			err = attempt()
		}
		return countWinner(err, &winners, &winner, content)
	})
	if winners.Load() != 1 {
		t.Fatalf("%d of 16 won, want 1", winners.Load())
	}
	b.has(t, key, fmt.Sprint(winner.Load()))
}

// countWinner counts a conditional write that succeeded; one that lost is no
// error.
func countWinner(err error, winners *atomic.Int32, winner *atomic.Value, content string) error {
	if err == nil {
		winners.Add(1)
		winner.Store(content)
		return nil
	}
	if statusOf(err) == 412 {
		return nil
	}
	return fmt.Errorf("a loser got %w, want 412", err)
}

func isConflict(err error) bool { return statusOf(err) == 409 }

func statusOf(err error) int {
	if answer, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}
