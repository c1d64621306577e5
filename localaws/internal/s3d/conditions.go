package s3d

import (
	"net/http"
	"strings"
	"time"
)

// preconditions are those that a request makes on an object it reads, copies,
// overwrites or deletes; "" where it makes none.
type preconditions struct {
	ifMatch, ifNoneMatch               string
	ifModifiedSince, ifUnmodifiedSince string
}

// preconditionsOf reads the headers If-…, with what is before their names.
func preconditionsOf(h http.Header, before string) preconditions {
	return preconditions{
		ifMatch: h.Get(before + "If-Match"), ifNoneMatch: h.Get(before + "If-None-Match"),
		ifModifiedSince: h.Get(before + "If-Modified-Since"), ifUnmodifiedSince: h.Get(before + "If-Unmodified-Since"),
	}
}

// copySource begins the headers that are about the source of a copy.
const copySource = "X-Amz-Copy-Source-"

func preconditionFailed(header string) error {
	return refuse(http.StatusPreconditionFailed, "PreconditionFailed",
		"At least one of the pre-conditions you specified did not hold (%s)", header)
}

// checkWrite says whether a write or delete may go on over what is there now,
// which may be nil.
func (c preconditions) checkWrite(now *object) error {
	switch {
	case c.ifNoneMatch != "" && c.ifNoneMatch != "*":
		return notImplemented("If-None-Match with a value other than *")
	case c.ifNoneMatch != "" && now != nil:
		return preconditionFailed("If-None-Match")
	case c.ifMatch != "" && now == nil:
		return noSuchKey()
	case c.ifMatch != "" && !matchesETag(c.ifMatch, now.ETag):
		return preconditionFailed("If-Match")
	}
	return nil
}

// checkRead says whether an object may be read, and if so whether the client
// has it already. An ETag counts more than a time.
func (c preconditions) checkRead(o *object) (unchanged bool, err error) {
	modified := o.Modified.Truncate(time.Second)
	switch {
	case c.ifMatch != "":
		if !matchesETag(c.ifMatch, o.ETag) {
			return false, preconditionFailed("If-Match")
		}
	case c.ifUnmodifiedSince != "":
		if since, err := http.ParseTime(c.ifUnmodifiedSince); err == nil && modified.After(since) {
			return false, preconditionFailed("If-Unmodified-Since")
		}
	}
	switch {
	case c.ifNoneMatch != "":
		return matchesETag(c.ifNoneMatch, o.ETag), nil
	case c.ifModifiedSince != "":
		since, err := http.ParseTime(c.ifModifiedSince)
		return err == nil && !modified.After(since), nil
	}
	return false, nil
}

// checkCopy says whether an object may be copied.
func (c preconditions) checkCopy(o *object) error {
	unchanged, err := c.checkRead(o)
	if err == nil && unchanged {
		return preconditionFailed("x-amz-copy-source-if-none-match or x-amz-copy-source-if-modified-since")
	}
	return err
}

// matchesETag reports whether a header that lists ETags, with or without
// quotes, or has * for any, has that of an object.
func matchesETag(header, etag string) bool {
	for listed := range strings.SplitSeq(header, ",") {
		listed = strings.Trim(strings.TrimPrefix(strings.TrimSpace(listed), "W/"), `"`)
		if listed == "*" || listed == etag {
			return true
		}
	}
	return false
}
