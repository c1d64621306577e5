//go:build purego

package decode

import "encoding/base64"

func decodeBase64(dst, src []byte) (n int, ok bool) {
	n, err := base64.StdEncoding.Decode(dst, src)
	return n, err == nil
}
