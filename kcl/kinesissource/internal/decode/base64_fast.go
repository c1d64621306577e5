//go:build !purego

package decode

import "github.com/segmentio/asm/base64"

// decodeBase64 decodes src into dst, which has room for it, and returns how many
// bytes that are. Line breaks may be passed over: the caller knows how many bytes
// it wants. With the build tag purego it is the standard library's.
func decodeBase64(dst, src []byte) (n int, ok bool) {
	n, err := base64.StdEncoding.Decode(dst, src)
	return n, err == nil
}
