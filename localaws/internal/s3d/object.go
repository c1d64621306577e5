package s3d

import (
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"
)

// object is what the index knows of one object. It never changes once it is
// in the index; an overwrite puts another in its place.
type object struct {
	Key      string            `json:"key"`
	Size     int64             `json:"size"`
	ETag     string            `json:"etag"` // without quotes
	Modified time.Time         `json:"modified"`
	Headers  map[string]string `json:"headers"`          // canonical name to value, as GET returns them
	Hidden   bool              `json:"hidden,omitempty"` // on disk, but not under its key
	Parts    []partSize        `json:"parts,omitempty"`  // in order, if it was uploaded in parts
	chunks   chunks            // content, if it is in memory
}

// partSize is a part of an object, by the number that it was uploaded with.
type partSize struct {
	Number int   `json:"number"`
	Size   int64 `json:"size"`
}

// bucket is one bucket's objects, in the order that S3 lists them.
type bucket struct {
	created time.Time
	keys    []string // sorted bytewise
	objects map[string]*object

	settings Settings
	versions []version // oldest first, if it keeps any
}

func newBucket(created time.Time) *bucket {
	return &bucket{created: created, objects: make(map[string]*object)}
}

func (b *bucket) put(o *object) {
	if _, ok := b.objects[o.Key]; !ok {
		i, _ := slices.BinarySearch(b.keys, o.Key)
		b.keys = slices.Insert(b.keys, i, o.Key)
	}
	b.objects[o.Key] = o
	b.remember(o, false)
}

func (b *bucket) remove(key string) {
	if _, ok := b.objects[key]; !ok {
		return
	}
	delete(b.objects, key)
	i, _ := slices.BinarySearch(b.keys, key)
	b.keys = slices.Delete(b.keys, i, i+1)
}

// load replaces the bucket's content by objects in any order.
func (b *bucket) load(objects map[string]*object) {
	b.objects = objects
	b.keys = slices.Sorted(maps.Keys(objects))
}

// listing is one page of a bucket.
type listing struct {
	objects   []*object
	prefixes  []string
	truncated bool
	next      string // last key or common prefix of a truncated page
}

// list returns up to limit keys and common prefixes that begin with prefix and
// come after the marker. Keys that have the delimiter after the prefix are
// rolled up into one common prefix; a marker that is one stands for all of
// its keys.
func (b *bucket) list(prefix, delimiter, after string, limit int) listing {
	var l listing
	i := sort.SearchStrings(b.keys, max(prefix, after))
	for i < len(b.keys) {
		key := b.keys[i]
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			break
		}
		common := ""
		if head, _, found := strings.Cut(rest, delimiter); found && delimiter != "" {
			common = prefix + head + delimiter
		}
		if key == after || (common != "" && common == after) {
			i = b.skip(i, common)
			continue
		}
		if len(l.objects)+len(l.prefixes) == limit {
			l.truncated = limit > 0
			break
		}
		if common != "" {
			l.prefixes = append(l.prefixes, common)
			l.next = common
		} else {
			l.objects = append(l.objects, b.objects[key])
			l.next = key
		}
		i = b.skip(i, common)
	}
	if !l.truncated {
		l.next = ""
	}
	return l
}

// skip is the place after key i, or after all keys that begin with common.
func (b *bucket) skip(i int, common string) int {
	i++
	if common == "" {
		return i
	}
	return i + sort.Search(len(b.keys)-i, func(n int) bool {
		return !strings.HasPrefix(b.keys[i+n], common)
	})
}

// objectHeaders are the headers of a PutObject or CreateMultipartUpload that
// belong to the object and come back with it.
func objectHeaders(h http.Header) (map[string]string, error) {
	kept := make(map[string]string)
	userBytes := 0
	for name, values := range h {
		value := strings.Join(values, ",")
		switch {
		case strings.HasPrefix(name, "X-Amz-Meta-"):
			userBytes += len(name) - len("X-Amz-Meta-") + len(value)
			kept[name] = value
		case name == "Content-Encoding":
			if value = withoutChunked(values); value != "" {
				kept[name] = value
			}
		case isObjectHeader(name) && value != "":
			kept[name] = value
		}
	}
	if userBytes > 2048 {
		return nil, refuse(http.StatusBadRequest, "MetadataTooLarge",
			"Your metadata headers exceed the maximum allowed metadata size.")
	}
	if kept["Content-Type"] == "" {
		kept["Content-Type"] = "binary/octet-stream"
	}
	return kept, nil
}

func isObjectHeader(name string) bool {
	switch name {
	case "Content-Type", "Content-Disposition", "Content-Language", "Cache-Control", "Expires",
		encryptionHeader, keyHeader, "X-Amz-Website-Redirect-Location":
		return true
	}
	return false
}

// isKept reports whether an object may have a header of that name.
func isKept(name string) bool {
	return isObjectHeader(name) || name == "Content-Encoding" || strings.HasPrefix(name, "X-Amz-Meta-") || strings.HasPrefix(name, checksumHeader)
}

// withoutChunked is a Content-Encoding less the aws-chunked that describes the
// transfer and not the object.
func withoutChunked(values []string) string {
	var kept []string
	for encoding := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && encoding != "aws-chunked" {
			kept = append(kept, encoding)
		}
	}
	return strings.Join(kept, ",")
}
