package s3test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// Features are what a server claims beyond the basic operations. Tests of what
// it does not claim are left out.
type Features struct {
	Signatures          bool // refuses a request that is signed with a wrong key
	Checksums           bool // refuses a body that differs from its checksum
	ConditionalComplete bool // honours If-None-Match on CompleteMultipartUpload
	ConditionalDelete   bool // honours If-Match on DeleteObject
	RepeatedComplete    bool // answers a CompleteMultipartUpload again as the first time
	RefusedBodies       bool // reads the body of what it refuses; else a client that still sends may see a reset connection
}

// All is every feature, as S3 has them.
func All() Features {
	return Features{
		Signatures: true, Checksums: true, ConditionalComplete: true, ConditionalDelete: true, RepeatedComplete: true, RefusedBodies: true,
	}
}

// Run checks the server that a client talks to. Every test uses a bucket of
// its own, with a random name, and leaves it there.
func Run(t *testing.T, client *s3.Client, features Features) {
	t.Helper()
	tests := []struct {
		name string
		run  func(t *testing.T, b bucket)
		want bool
	}{
		{"an object comes back with its bytes, headers and metadata", testRoundTrip, true},
		{"an empty object is an object", testEmpty, true},
		{"a put replaces the object and its metadata", testOverwrite, true},
		{"what is not there is answered with 404", testMissing, true},
		{"a bucket can be made, headed, listed and deleted", testBuckets, true},
		{"a range of an object is read", testRange, true},
		{"deleted objects are gone, and deleting again is no error", testDelete, true},
		{"several objects are deleted at once", testDeleteObjects, true},
		{"an object is copied with its metadata", testCopy, true},
		{"1,105 keys are listed page by page", testPaging, true},
		{"keys are rolled up at the delimiter, page by page", testDelimiter, true},
		{"a listing starts after a key", testStartAfter, true},
		{"keys with odd characters are kept as they are", testOddKeys, true},
		{"a key and keys below it can both be objects", testNestedKeys, true},
		{"a conditional put does not replace an object", testConditionalPut, true},
		{"one of 16 conditional puts wins", testOneWinner, true},
		{"a put on a wrong ETag does not replace the object", testIfMatch, true},
		{"a read on a wrong ETag or time is refused", testConditionalReads, true},
		{"a copy on a wrong ETag or time is refused", testConditionalCopy, true},
		{"a delete on a wrong ETag deletes nothing", testConditionalDelete, features.ConditionalDelete},
		{"a bucket without objects is listed", testEmptyListing, true},
		{"a bucket that is not there is not made by reading", testMissingBucket, true},
		{"a URL that was signed puts and gets", testPresigned, features.Signatures},
		{"parts of an object are copied into an upload", testCopyPart, true},
		{"an upload may be completed again", testRepeatedComplete, features.RepeatedComplete},
		{"an upload in parts makes one object", testMultipart, true},
		{"parts may come in any order and be replaced", testPartOrder, true},
		{"a part that is too small is refused", testTooSmall, true},
		{"parts that do not exist are refused", testWrongParts, true},
		{"uploads and their parts are listed", testListUploads, true},
		{"an aborted upload is gone", testAbort, true},
		{"a conditional complete does not replace an object", testConditionalComplete, features.ConditionalComplete},
		{"one of 16 conditional completes and puts wins", testOneCompleteWins, features.ConditionalComplete},
		{"a wrong checksum is refused and nothing is stored", testWrongChecksum, features.Checksums},
		{"a wrong checksum of a part is refused", testWrongPartChecksum, features.Checksums},
		{"right checksums of every algorithm are accepted", testRightChecksums, features.Checksums},
		{"a wrong secret is refused", testWrongSecret, features.Signatures},
		{"a large put with a wrong secret is answered", testLargeWrongSecret, features.Signatures && features.RefusedBodies},
		{"an unknown access key is refused", testUnknownKey, features.Signatures},
	}
	for _, test := range tests {
		if !test.want {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newBucket(t, client))
		})
	}
}

// bucket is a test's own bucket.
type bucket struct {
	*s3.Client
	name *string
}

func newBucket(t *testing.T, client *s3.Client) bucket {
	t.Helper()
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	b := bucket{client, aws.String("s3test-" + hex.EncodeToString(random[:]))}
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: b.name}); err != nil {
		t.Fatalf("creating bucket %s: %v", *b.name, err)
	}
	return b
}

func (b bucket) put(t *testing.T, key, content string) *s3.PutObjectOutput {
	t.Helper()
	out, err := b.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: b.name, Key: &key, Body: strings.NewReader(content),
	})
	if err != nil {
		t.Fatalf("putting %s: %v", key, err)
	}
	return out
}

func (b bucket) get(t *testing.T, key string) string {
	t.Helper()
	out, err := b.GetObject(t.Context(), &s3.GetObjectInput{Bucket: b.name, Key: &key})
	if err != nil {
		t.Fatalf("getting %s: %v", key, err)
	}
	content, err := io.ReadAll(out.Body)
	if err = errors.Join(err, out.Body.Close()); err != nil {
		t.Fatalf("reading %s: %v", key, err)
	}
	return string(content)
}

// has fails the test unless key holds content.
func (b bucket) has(t *testing.T, key, content string) {
	t.Helper()
	if got := b.get(t, key); got != content {
		t.Errorf("%s holds %.40q (%d bytes), want %.40q (%d bytes)", key, got, len(got), content, len(content))
	}
}

// hasNot fails the test if key is an object.
func (b bucket) hasNot(t *testing.T, key string) {
	t.Helper()
	_, err := b.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: b.name, Key: &key})
	wantStatus(t, err, 404)
}

// wantCode fails the test unless err is an answer of the server's with one of
// the codes. A network error is not an answer.
func wantCode(t *testing.T, err error, codes ...string) {
	t.Helper()
	answer, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("got error %v, want an API error of code %s", err, strings.Join(codes, " or "))
	}
	for _, code := range codes {
		if answer.ErrorCode() == code {
			return
		}
	}
	t.Fatalf("got API error %v, want code %s", err, strings.Join(codes, " or "))
}

// wantStatus fails the test unless err is an answer of the server's with a
// status.
func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	if !isStatus(err, status) {
		t.Fatalf("got error %v, want an answer with status %d", err, status)
	}
}

func isStatus(err error, status int) bool {
	answer, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	return ok && answer.HTTPStatusCode() == status
}

// bytesOf is n bytes that differ along the way and by seed.
func bytesOf(n int, seed byte) []byte {
	b := bytes.Repeat([]byte{seed}, n)
	for i := 0; i+4 <= n; i += 997 {
		b[i], b[i+1], b[i+2] = byte(i), byte(i>>8), byte(i>>16)
	}
	return b
}
