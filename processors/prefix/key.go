package prefix

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxKey is how many bytes a key of S3 may have.
const maxKey = 1024

// upwards is what wrongKey says of a key that leads elsewhere.
const upwards = `has ".." between slashes` //nolint:gosec // no credentials

// CheckKey refuses keys that S3 does not take, or that name another place to
// who reads them as a path or a line of text: of no or more than 1024 bytes, not
// UTF-8, with a control character, or with ".." between slashes. Any prefix
// will do.
func CheckKey(key string) error {
	if why := wrongKey(key); why != "" {
		return fmt.Errorf("%.255q: it %s", key, why)
	}
	return nil
}

func wrongKey(key string) string {
	switch {
	case key == "" || len(key) > maxKey:
		return fmt.Sprintf("has %d bytes, must have 1-%d", len(key), maxKey)
	case !utf8.ValidString(key):
		return "is not UTF-8"
	case strings.ContainsFunc(key, unicode.IsControl):
		return "has a control character"
	case slices.Contains(strings.Split(key, "/"), ".."):
		return upwards
	}
	return ""
}
