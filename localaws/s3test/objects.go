package s3test

import (
	"crypto/md5" //nolint:gosec // S3's ETag is MD5
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

func testRoundTrip(t *testing.T, b bucket) {
	t.Helper()
	const content = `{"word":"shard"}` + "\n"
	metadata := map[string]string{"plan-uuid": "0b1c2d3e", "shard": "shardId-000000000000"}
	put, err := b.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: b.name, Key: aws.String("a/b.gz"), Body: strings.NewReader(content), Metadata: metadata,
		ContentType: aws.String("application/octet-stream"), ContentEncoding: aws.String("gzip"),
		CacheControl: aws.String("no-cache"), ContentDisposition: aws.String("attachment"),
	})
	if err != nil {
		t.Fatalf("putting: %v", err)
	}
	b.has(t, "a/b.gz", content)
	head, err := b.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: b.name, Key: aws.String("a/b.gz")})
	if err != nil {
		t.Fatalf("heading: %v", err)
	}
	md5Sum := fmt.Sprintf(`"%x"`, md5.Sum([]byte(content))) //nolint:gosec // S3's ETag is MD5
	for _, row := range []struct{ name, got, want string }{
		{"length", strconv.FormatInt(aws.ToInt64(head.ContentLength), 10), strconv.Itoa(len(content))},
		{"type", aws.ToString(head.ContentType), "application/octet-stream"},
		{"encoding", aws.ToString(head.ContentEncoding), "gzip"},
		{"cache control", aws.ToString(head.CacheControl), "no-cache"},
		{"disposition", aws.ToString(head.ContentDisposition), "attachment"},
		{"ETag of HEAD", aws.ToString(head.ETag), md5Sum},
		{"ETag of PUT", aws.ToString(put.ETag), md5Sum},
	} {
		if row.got != row.want {
			t.Errorf("%s is %q, want %q", row.name, row.got, row.want)
		}
	}
	if !maps.Equal(head.Metadata, metadata) {
		t.Errorf("metadata is %v, want %v", head.Metadata, metadata)
	}
	if age := time.Since(aws.ToTime(head.LastModified)); age < -time.Minute || age > time.Minute {
		t.Errorf("last modified %v ago, want now", age)
	}
}

func testEmpty(t *testing.T, b bucket) {
	t.Helper()
	b.put(t, "empty", "")
	b.has(t, "empty", "")
}

func testOverwrite(t *testing.T, b bucket) {
	t.Helper()
	_, err := b.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: b.name, Key: aws.String("key"), Body: strings.NewReader("old and longer"),
		Metadata: map[string]string{"old": "yes"}, ContentEncoding: aws.String("gzip"),
	})
	if err != nil {
		t.Fatalf("putting: %v", err)
	}
	b.put(t, "key", "new")
	b.has(t, "key", "new")
	head, err := b.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: b.name, Key: aws.String("key")})
	if err != nil {
		t.Fatalf("heading: %v", err)
	}
	if len(head.Metadata) > 0 || aws.ToString(head.ContentEncoding) != "" {
		t.Errorf("metadata %v and encoding %q of the old object were kept", head.Metadata, aws.ToString(head.ContentEncoding))
	}
}

func testMissing(t *testing.T, b bucket) {
	t.Helper()
	b.hasNot(t, "nothing")
	_, err := b.GetObject(t.Context(), &s3.GetObjectInput{Bucket: b.name, Key: aws.String("nothing")})
	if _, ok := errors.AsType[*types.NoSuchKey](err); !ok {
		t.Errorf("got error %v, want NoSuchKey", err)
	}
	wantStatus(t, err, 404)
}

func testBuckets(t *testing.T, b bucket) {
	t.Helper()
	if _, err := b.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: b.name}); err != nil {
		t.Errorf("heading the bucket: %v", err)
	}
	list, err := b.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil {
		t.Fatalf("listing buckets: %v", err)
	}
	found := slices.ContainsFunc(list.Buckets, func(x types.Bucket) bool { return aws.ToString(x.Name) == *b.name })
	if !found {
		t.Errorf("bucket %s is not in the list", *b.name)
	}
	_, err = b.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: b.name})
	wantCode(t, err, "BucketAlreadyOwnedByYou")
	b.put(t, "key", "content")
	_, err = b.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: b.name})
	wantCode(t, err, "BucketNotEmpty")
	if _, err = b.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: b.name, Key: aws.String("key")}); err != nil {
		t.Fatalf("deleting the object: %v", err)
	}
	if _, err = b.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: b.name}); err != nil {
		t.Errorf("deleting the bucket: %v", err)
	}
}

func testRange(t *testing.T, b bucket) {
	t.Helper()
	b.put(t, "key", "0123456789")
	for _, row := range []struct{ spec, want, contentRange string }{
		{"bytes=2-4", "234", "bytes 2-4/10"},
		{"bytes=7-", "789", "bytes 7-9/10"},
		{"bytes=-3", "789", "bytes 7-9/10"},
		{"bytes=8-100", "89", "bytes 8-9/10"},
	} {
		out, err := b.GetObject(t.Context(), &s3.GetObjectInput{Bucket: b.name, Key: aws.String("key"), Range: &row.spec})
		if err != nil {
			t.Fatalf("getting %s: %v", row.spec, err)
		}
		got, err := io.ReadAll(out.Body)
		err = errors.Join(err, out.Body.Close())
		if err != nil || string(got) != row.want || aws.ToString(out.ContentRange) != row.contentRange {
			t.Errorf("%s is %q of %q, %v; want %q of %q", row.spec, got, aws.ToString(out.ContentRange), err, row.want, row.contentRange)
		}
	}
	_, err := b.GetObject(t.Context(), &s3.GetObjectInput{Bucket: b.name, Key: aws.String("key"), Range: aws.String("bytes=10-")})
	wantStatus(t, err, 416)
}

func testDelete(t *testing.T, b bucket) {
	t.Helper()
	b.put(t, "a/key", "content")
	for range 2 {
		_, err := b.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: b.name, Key: aws.String("a/key")})
		if err != nil {
			t.Fatalf("deleting: %v", err)
		}
		b.hasNot(t, "a/key")
	}
	if keys := b.list(t, &s3.ListObjectsV2Input{}); len(keys) > 0 {
		t.Errorf("after deleting the list has %v", keys)
	}
}

func testDeleteObjects(t *testing.T, b bucket) {
	t.Helper()
	var ids []types.ObjectIdentifier
	for _, key := range []string{"a", "b", "c"} {
		b.put(t, key, key)
		ids = append(ids, types.ObjectIdentifier{Key: &key})
	}
	out, err := b.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: b.name, Delete: &types.Delete{Objects: ids[:2]}})
	if err != nil || len(out.Errors) > 0 {
		t.Fatalf("deleting: %v, %v", err, out)
	}
	if got := b.list(t, &s3.ListObjectsV2Input{}); !slices.Equal(got, []string{"c"}) {
		t.Errorf("left are %v, want only c", got)
	}
}

func testCopy(t *testing.T, b bucket) {
	t.Helper()
	_, err := b.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: b.name, Key: aws.String("from"), Body: strings.NewReader("content"), Metadata: map[string]string{"kept": "yes"},
	})
	if err != nil {
		t.Fatalf("putting: %v", err)
	}
	_, err = b.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: b.name, Key: aws.String("to"), CopySource: aws.String(*b.name + "/from"),
	})
	if err != nil {
		t.Fatalf("copying: %v", err)
	}
	b.has(t, "to", "content")
	head, err := b.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: b.name, Key: aws.String("to")})
	if err != nil || head.Metadata["kept"] != "yes" {
		t.Errorf("the copy has metadata %v, %v; want kept=yes", head.Metadata, err)
	}
}

func testOddKeys(t *testing.T, b bucket) {
	t.Helper()
	keys := []string{
		"year=2026/hour=09/a b+c.gz", "ünïcode/日本", "percent%2Fescaped", "!firehose/'quoted'&co", "question?mark", "a~b(c)*d",
	}
	for _, key := range keys {
		b.put(t, key, "content of "+key)
	}
	for _, key := range keys {
		b.has(t, key, "content of "+key)
	}
	slices.Sort(keys)
	if got := b.list(t, &s3.ListObjectsV2Input{}); !slices.Equal(got, keys) {
		t.Errorf("the list has %q, want %q", got, keys)
	}
}

// testNestedKeys has keys that an S3 on plain files may refuse, but must not
// confuse.
func testNestedKeys(t *testing.T, b bucket) {
	t.Helper()
	b.put(t, "a/b", "file")
	_, err := b.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: b.name, Key: aws.String("a/b/c"), Body: strings.NewReader("below it"),
	})
	if err != nil {
		wantCode(t, err, "ObjectParentIsFile", "InvalidArgument")
	} else {
		b.has(t, "a/b/c", "below it")
	}
	b.has(t, "a/b", "file")
}

// together runs f n times at once.
func together(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	var group errgroup.Group
	for i := range n {
		group.Go(func() error { return f(i) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
