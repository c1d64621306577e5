package s3d_test

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

type page struct {
	IsTruncated           bool
	NextContinuationToken string
	Contents              []struct{ Key string }
	CommonPrefixes        []struct{ Prefix string }
}

func (p page) names() []string {
	var names []string
	for _, c := range p.Contents {
		names = append(names, c.Key)
	}
	for _, c := range p.CommonPrefixes {
		names = append(names, c.Prefix)
	}
	slices.Sort(names)
	return names
}

// list returns the names on the first page of a listing.
func list(t *testing.T, server *s3d.Server, query string) []string {
	t.Helper()
	return readPage(t, server, query).names()
}

func readPage(t *testing.T, server *s3d.Server, query string) page {
	t.Helper()
	response := do(t, server, http.MethodGet, "bucket?"+query, nil)
	var p page
	if err := xml.Unmarshal([]byte(response.body), &p); err != nil {
		t.Fatalf("reading the list: %v", err)
	}
	return p
}

// TestListing compares pages of every size with a plain model.
func TestListing(t *testing.T) {
	t.Parallel()
	name := rapid.StringMatching(`[ab/]{1,5}`)
	rapid.Check(t, func(r *rapid.T) {
		server := newServer(t, s3d.Options{})
		keys := rapid.SliceOfNDistinct(name, 0, 20, rapid.ID[string]).Draw(r, "keys")
		do(t, server, http.MethodPut, "bucket", nil)
		for _, key := range keys {
			put(t, server, key, "")
		}
		prefix := rapid.StringMatching(`[ab/]{0,2}`).Draw(r, "prefix")
		delimiter := rapid.SampledFrom([]string{"", "/", "a"}).Draw(r, "delimiter")
		size := rapid.IntRange(1, 7).Draw(r, "size")
		query := url.Values{"list-type": {"2"}, "prefix": {prefix}, "delimiter": {delimiter}, "max-keys": {strconv.Itoa(size)}}
		var got []string
		for {
			p := readPage(t, server, query.Encode())
			names := p.names()
			if len(names) > size || (p.IsTruncated && len(names) < size) {
				r.Fatalf("a page of %d names, truncated %v; want %d", len(names), p.IsTruncated, size)
			}
			got = append(got, names...)
			if !p.IsTruncated {
				break
			}
			query.Set("continuation-token", p.NextContinuationToken)
		}
		if diff := cmp.Diff(rollUp(keys, prefix, delimiter), got); diff != "" {
			r.Fatalf("prefix %q, delimiter %q, pages of %d (-want +got):\n%s", prefix, delimiter, size, diff)
		}
	})
}

func rollUp(keys []string, prefix, delimiter string) []string {
	var names []string
	for _, key := range keys {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, delimiter); i >= 0 && delimiter != "" {
			key = prefix + rest[:i+len(delimiter)]
		}
		names = append(names, key)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
