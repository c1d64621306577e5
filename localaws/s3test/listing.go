package s3test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// list returns the keys of all pages, and fails if a page is longer than asked
// for.
func (b bucket) list(t *testing.T, in *s3.ListObjectsV2Input) []string {
	t.Helper()
	in.Bucket = b.name
	var keys []string
	pages := s3.NewListObjectsV2Paginator(b, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatalf("listing: %v", err)
		}
		if limit := int(aws.ToInt32(in.MaxKeys)); limit > 0 && len(page.Contents)+len(page.CommonPrefixes) > limit {
			t.Errorf("a page has %d keys and %d prefixes, more than %d", len(page.Contents), len(page.CommonPrefixes), limit)
		}
		for _, p := range page.CommonPrefixes {
			keys = append(keys, *p.Prefix)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

func testPaging(t *testing.T, b bucket) {
	t.Helper()
	var want []string
	for i := range 1105 {
		want = append(want, fmt.Sprintf("orders/%04d", i))
	}
	together(t, 8, func(worker int) error {
		for i := worker; i < len(want); i += 8 {
			_, err := b.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: b.name, Key: &want[i], Body: strings.NewReader("content"),
			})
			if err != nil {
				return fmt.Errorf("putting %s: %w", want[i], err)
			}
		}
		return nil
	})
	b.put(t, "other", "content")
	first, err := b.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: b.name, Prefix: aws.String("orders/")})
	if err != nil {
		t.Fatalf("listing: %v", err)
	}
	if len(first.Contents) != 1000 || !aws.ToBool(first.IsTruncated) || aws.ToInt32(first.KeyCount) != 1000 {
		t.Errorf("the first page has %d keys, truncated %v", len(first.Contents), aws.ToBool(first.IsTruncated))
	}
	for _, size := range []int32{0, 1000, 100, 1104, 1} {
		in := &s3.ListObjectsV2Input{Prefix: aws.String("orders/")}
		wanted := want
		if size == 1 {
			in.StartAfter, wanted = &want[1099], want[1100:]
		}
		if size > 0 {
			in.MaxKeys = &size
		}
		if got := b.list(t, in); !slices.Equal(got, wanted) {
			t.Errorf("pages of %d: got %d keys, want %d in order", size, len(got), len(wanted))
		}
	}
}

func testDelimiter(t *testing.T, b bucket) {
	t.Helper()
	for _, key := range []string{"2026/11/a", "2026/11/b", "2026/12/a", "2026/12/b", "2026/file", "2027/01/a", "top"} {
		b.put(t, key, "content")
	}
	for _, row := range []struct {
		prefix string
		want   []string
	}{
		{"", []string{"2026/", "2027/", "top"}},
		{"2026/", []string{"2026/11/", "2026/12/", "2026/file"}},
		{"2026/1", []string{"2026/11/", "2026/12/"}},
		{"2026/11/", []string{"2026/11/a", "2026/11/b"}},
		{"none/", nil},
	} {
		for _, size := range []int32{1, 2, 1000} {
			got := b.list(t, &s3.ListObjectsV2Input{Prefix: &row.prefix, Delimiter: aws.String("/"), MaxKeys: &size})
			if !slices.Equal(got, row.want) {
				t.Errorf("below %q by %d: got %v, want %v", row.prefix, size, got, row.want)
			}
		}
	}
}

func testStartAfter(t *testing.T, b bucket) {
	t.Helper()
	for _, key := range []string{"a", "b", "c"} {
		b.put(t, key, "content")
	}
	for _, row := range []struct {
		after string
		want  []string
	}{
		{"a", []string{"b", "c"}}, {"aa", []string{"b", "c"}}, {"c", nil}, {"A", []string{"a", "b", "c"}},
	} {
		if got := b.list(t, &s3.ListObjectsV2Input{StartAfter: &row.after}); !slices.Equal(got, row.want) {
			t.Errorf("after %q: got %v, want %v", row.after, got, row.want)
		}
	}
}
