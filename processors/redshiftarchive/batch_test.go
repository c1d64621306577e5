package redshiftarchive_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

type (
	marker  = redshiftarchive.Marked
	objects = []processors.MarkedObject
)

func TestNextBatch(t *testing.T) {
	t.Parallel()
	many := func(n, from int) (list objects) {
		for i := range n {
			list = append(list, object(from+i, 0))
		}
		return list
	}
	long := func(n int) objects { // of 40 KiB in URLs
		o := object(n, n)
		o.Key += strings.Repeat("x", 40<<10)
		return objects{o}
	}
	unknown := object(7, 0)
	unknown.Oldest = time.Time{}
	for _, row := range []struct {
		name    string
		staged  []marker
		markers string
		objects int
	}{
		{"nothing", nil, "", 0},
		{"all, the oldest first", []marker{{"b", objects{object(2, 2)}}, {"a", objects{object(3, 3)}}, {"c", objects{object(1, 1)}}}, "c b a", 3},
		{"a marker is as old as its oldest object", []marker{{"a", objects{object(2, 2)}}, {"b", objects{object(3, 3), object(1, 1)}}}, "b a", 3},
		{"of one age by key", []marker{{"b", objects{object(2, 1)}}, {"a", objects{object(1, 1)}}}, "a b", 2},
		{"without a time first", []marker{{"a", objects{object(1, 0)}}, {"b", objects{unknown}}}, "b a", 2},
		{"an object of two markers once", []marker{{"a", objects{object(1, 1), object(2, 1)}}, {"b", objects{object(2, 1), object(2, 1)}}}, "a b", 2},
		{"1,000 objects", []marker{{"a", many(999, 0)}, {"b", many(1, 5000)}, {"c", many(1, 6000)}}, "a b", 1000},
		{"not more than 1,000", []marker{{"a", many(999, 0)}, {"b", many(2, 5000)}, {"c", many(1, 6000)}}, "a", 999},
		{"what is there once more takes no room", []marker{{"a", many(1000, 0)}, {"b", many(5, 0)}}, "a b", 1000},
		{"one that is larger alone", []marker{{"a", many(1500, 0)}, {"b", many(1, 5000)}}, "a", 1500},
		{"64 KiB of URLs", []marker{{"a", long(1)}, {"b", long(2)}, {"c", objects{object(3, 3)}}}, "a", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			markers, urls := redshiftarchive.NextBatch(row.staged)
			if strings.Join(markers, " ") != row.markers || len(urls) != row.objects {
				t.Errorf("markers %q, %d objects; want %s, %d", markers, len(urls), row.markers, row.objects)
			}
		})
	}
}

// Whatever is staged, batches take all of it, each marker once, no object twice in one, within the bounds.
func TestBatchesTakeAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var staged []marker
		want := map[string]bool{}
		for i := range rapid.IntRange(0, 20).Draw(t, "markers") {
			m := marker{Key: fmt.Sprintf("%03d", i)}
			for range rapid.IntRange(1, rapid.SampledFrom([]int{2, 300, 1200}).Draw(t, "most")).Draw(t, "objects") {
				o := object(rapid.IntRange(0, 3000).Draw(t, "object"), rapid.IntRange(0, 59).Draw(t, "minute"))
				m.Objects = append(m.Objects, o)
				want[o.URL()] = true
			}
			staged = append(staged, m)
		}
		for len(staged) > 0 {
			markers, urls := redshiftarchive.NextBatch(staged)
			bytes, seen := 0, map[string]bool{}
			for _, url := range urls {
				if seen[url] {
					t.Fatalf("%s twice", url)
				}
				seen[url] = true
				delete(want, url)
				bytes += len(url)
			}
			if len(markers) == 0 || len(markers) > 1 && (len(urls) > 1000 || bytes > 64<<10) {
				t.Fatalf("%d markers, %d objects, %d bytes", len(markers), len(urls), bytes)
			}
			staged = slices.DeleteFunc(staged, func(m marker) bool {
				if !slices.Contains(markers, m.Key) {
					return false
				}
				for _, o := range m.Objects {
					if !seen[o.URL()] {
						t.Fatalf("%s of %s is left out", o.URL(), m.Key)
					}
				}
				return true
			})
		}
		if len(want) > 0 {
			t.Fatalf("left out: %v", want)
		}
	})
}

func TestManifest(t *testing.T) {
	t.Parallel()
	const url = "s3://b/logs/2016/02/25/13/orders-1-2016-02-25-13-00-00-U.gz"
	if got, want := redshiftarchive.ManifestBody(url), `{"entries":[{"url":"`+url+`","mandatory":true}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	urls := []string{"s3://b/a&b<c>", `s3://b/"q"`, "s3://b/ü 1%20+"}
	var got struct {
		Entries []struct {
			URL       string `json:"url"`
			Mandatory bool   `json:"mandatory"`
		} `json:"entries"`
	}
	text := redshiftarchive.ManifestBody(urls...)
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got.Entries) != 3 || !strings.Contains(text, "a&b<c>") {
		t.Fatalf("%s: %v", text, err)
	}
	for i, e := range got.Entries {
		if e.URL != urls[i] || !e.Mandatory {
			t.Errorf("%+v, want %s", e, urls[i])
		}
	}
}

// The name of a manifest has an instant in UTC, and no version; the prefix stands before it as it is.
func TestManifestKeys(t *testing.T) {
	t.Parallel()
	at := time.Date(2016, 2, 26, 1, 30, 5, 0, time.FixedZone("", 9*3600))
	seen := map[string]bool{}
	for _, prefix := range []string{"logs/", "logs", ""} {
		success, failed, id, err := redshiftarchive.ManifestKeys(changed(func(c *redshiftarchive.Config) { c.Staging.Prefix = prefix }), at)
		if err != nil {
			t.Fatal(err)
		}
		const name = "2016/02/25/16/orders-2016-02-25-16-30-05-"
		if success != prefix+"manifests/"+name+id || failed != prefix+"errors/manifests/"+name+id {
			t.Errorf("%q: %s, %s", prefix, success, failed)
		}
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) || seen[id] {
			t.Errorf("%s is no UUID of its own", id)
		}
		seen[id] = true
	}
}

func TestNextTry(t *testing.T) {
	t.Parallel()
	first := time.Now()
	for _, row := range []struct{ ended, retry, want int }{ // minutes; want 0: no try
		{0, 60, 5}, {4, 60, 5}, {5, 60, 10}, {7, 60, 10}, {54, 60, 55}, {56, 60, 60}, {60, 60, 0}, {59, 60, 60}, {67, 60, 0}, {66, 120, 70}, {0, 0, 0}, {0, 4, 0}, {0, 5, 5},
	} {
		minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
		at, isTried := redshiftarchive.NextTry(first, first.Add(minutes(row.ended)), minutes(row.retry))
		if isTried != (row.want > 0) || isTried && at.Sub(first) != minutes(row.want) {
			t.Errorf("ended %d, within %d: %v, %v; want %d", row.ended, row.retry, at.Sub(first), isTried, row.want)
		}
	}
}
