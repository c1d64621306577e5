package redshiftarchive

import (
	"cmp"
	"slices"
	"time"

	"github.com/shardmill/shardmill/processors"
)

// Bounds of a batch, unless one marker exceeds them: with the second one the statements of
// a ledger fit into 100 KB, the most that the Data API takes.
const (
	maxObjects  = 1000
	maxURLBytes = 64 << 10
)

// marked is a marker that was read.
type marked struct {
	key     string
	objects []processors.MarkedObject
}

// oldest returns the arrival of the oldest record; zero if one is not known.
func (m marked) oldest() time.Time { return oldestOf(m.objects) }

func oldestOf(objects []processors.MarkedObject) time.Time {
	if len(objects) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(objects, func(a, b processors.MarkedObject) int { return a.Oldest.Compare(b.Oldest) }).Oldest
}

// batch is what one manifest lists.
type batch struct {
	markers []string                  // their keys
	objects []processors.MarkedObject // none twice
}

// nextBatch returns what is to be loaded next of what is staged: the oldest first, as much as
// fits, and one marker at least if there is one. Objects without a time come first.
func nextBatch(staged []marked) batch {
	staged = slices.Clone(staged)
	slices.SortFunc(staged, func(a, b marked) int {
		return cmp.Or(a.oldest().Compare(b.oldest()), cmp.Compare(a.key, b.key))
	})
	var b batch
	bytes, has := 0, make(map[string]bool)
	for _, m := range staged {
		var more []processors.MarkedObject
		moreBytes := 0
		for _, o := range m.objects {
			if url := o.URL(); !has[url] {
				has[url] = true
				more, moreBytes = append(more, o), moreBytes+len(url)
			}
		}
		if len(b.markers) > 0 && (len(b.objects)+len(more) > maxObjects || bytes+moreBytes > maxURLBytes) {
			break
		}
		b.markers, b.objects, bytes = append(b.markers, m.key), append(b.objects, more...), bytes+moreBytes
	}
	return b
}

// without returns the objects but for those with these URLs.
func without(objects []processors.MarkedObject, urls []string) []processors.MarkedObject {
	gone := make(map[string]bool, len(urls))
	for _, url := range urls {
		gone[url] = true
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o processors.MarkedObject) bool { return gone[o.URL()] })
}

func urlsOf(objects []processors.MarkedObject) []string {
	urls := make([]string, len(objects))
	for i, o := range objects {
		urls[i] = o.URL()
	}
	return urls
}

// sums returns what objects were made of.
func sums(objects []processors.MarkedObject) (records, bytes int64) {
	for _, o := range objects {
		records, bytes = records+o.Records, bytes+o.Bytes
	}
	return records, bytes
}
