package s3test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func (b bucket) putIfAbsent(t *testing.T, key, content string) error {
	t.Helper()
	_, err := b.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: b.name, Key: &key, Body: strings.NewReader(content), IfNoneMatch: aws.String("*"),
	})
	return err
}

func testConditionalPut(t *testing.T, b bucket) {
	t.Helper()
	if err := b.putIfAbsent(t, "key", "first"); err != nil {
		t.Fatalf("putting on nothing: %v", err)
	}
	err := b.putIfAbsent(t, "key", "second")
	wantCode(t, err, "PreconditionFailed")
	wantStatus(t, err, 412)
	b.has(t, "key", "first")
	if _, err := b.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: b.name, Key: aws.String("key")}); err != nil {
		t.Fatalf("deleting: %v", err)
	}
	if err := b.putIfAbsent(t, "key", "third"); err != nil {
		t.Fatalf("putting after deleting: %v", err)
	}
	b.has(t, "key", "third")
}

// testOneWinner races writers of one key. A loser may also be told to try
// again (409); this test does.
func testOneWinner(t *testing.T, b bucket) {
	t.Helper()
	const key = "contested"
	var winners atomic.Int32
	var winner atomic.Value
	together(t, 16, func(i int) error {
		content := fmt.Sprintf("writer %d", i) + strings.Repeat(".", 100_000)
		err := b.putIfAbsent(t, key, content)
		for range 100 {
			if err == nil || !isConflict(err) {
				break
			}
			err = b.putIfAbsent(t, key, content)
		}
		return countWinner(err, &winners, &winner, content)
	})
	if winners.Load() != 1 {
		t.Fatalf("%d of 16 won, want 1", winners.Load())
	}
	b.has(t, key, fmt.Sprint(winner.Load()))
}

func testIfMatch(t *testing.T, b bucket) {
	t.Helper()
	first := b.put(t, "key", "first")
	put := func(etag *string, content string) error {
		_, err := b.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: b.name, Key: aws.String("key"), Body: strings.NewReader(content), IfMatch: etag,
		})
		return err
	}
	if err := put(first.ETag, "second"); err != nil {
		t.Fatalf("putting on the right ETag: %v", err)
	}
	wantCode(t, put(first.ETag, "third"), "PreconditionFailed")
	b.has(t, "key", "second")
}
