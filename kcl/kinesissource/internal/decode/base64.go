package decode

import "encoding/base64"

// chunk is how many characters are decoded at once, into scratch, before they are
// written where they stood: so much that was not decoded yet is never written to.
const chunk = 8 << 10

type scratch [chunk / 4 * 3]byte

// decodeInPlace decodes base64 where it stands, and returns the data: the first
// bytes of b. If b is not base64 as a Kinesis server writes it, with padding and
// without line breaks, it returns false, and b means what it meant before.
func decodeInPlace(b []byte, s *scratch) (data []byte, ok bool) {
	n := 0
	for done := 0; done < len(b); {
		src := b[done:min(len(b), done+chunk)]
		want := len(src) / 4 * 3
		if done+len(src) == len(b) {
			want -= padding(src)
		}
		got, ok := decodeBase64(s[:], src)
		if !ok || got != want || len(src)%4 != 0 {
			encodeInPlace(b[:done], n)
			return nil, false
		}
		copy(b[n:], s[:got])
		n += got
		done += len(src)
	}
	return b[:n:n], true
}

// encodeInPlace undoes decodeInPlace: the first n bytes of b are data that was
// base64 as long as b.
func encodeInPlace(b []byte, n int) {
	copy(b, base64.StdEncoding.AppendEncode(nil, b[:n]))
}

func padding(b []byte) int {
	n := 0
	for n < 2 && n < len(b) && b[len(b)-1-n] == '=' {
		n++
	}
	return n
}

// decodeStd is decodeBase64 by the standard library alone.
func decodeStd(dst, src []byte) (n int, ok bool) {
	n, err := base64.StdEncoding.Decode(dst, src)
	return n, err == nil
}
