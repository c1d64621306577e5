//go:build purego

package decode

func decodeBase64(dst, src []byte) (n int, ok bool) { return decodeStd(dst, src) }
