package kinesisd

import (
	"crypto/md5" //nolint:gosec // the service places records by MD5
	"encoding/binary"
	"math/big"
	"math/bits"
)

// hash128 is a place in the key space of a stream, 0 to 2^128-1.
type hash128 struct{ high, low uint64 }

// hashOf is the place of a partition key: its MD5, read as a big-endian number.
func hashOf(partitionKey []byte) hash128 {
	sum := md5.Sum(partitionKey) //nolint:gosec // see the import
	return hash128{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])}
}

// parseHash reads a decimal hash key; ok is false when it is not a number or
// outside the key space.
func parseHash(text []byte) (h hash128, ok bool) {
	if len(text) == 0 || len(text) > 39 || (text[0] == '0' && len(text) > 1) {
		return hash128{}, false
	}
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			return hash128{}, false
		}
		over, low := bits.Mul64(h.low, 10)
		low, carry := bits.Add64(low, uint64(digit-'0'), 0)
		top, high := bits.Mul64(h.high, 10)
		high, carry = bits.Add64(high, over, carry)
		if top != 0 || carry != 0 {
			return hash128{}, false
		}
		h = hash128{high, low}
	}
	return h, true
}

func (h hash128) compare(other hash128) int {
	switch {
	case h == other:
		return 0
	case h.high < other.high, h.high == other.high && h.low < other.low:
		return -1
	default:
		return 1
	}
}

// next is the place after h; the one after the last is 0.
func (h hash128) next() hash128 {
	low, carry := bits.Add64(h.low, 1, 0)
	return hash128{h.high + carry, low}
}

// previous is the place before h; the one before 0 is the last.
func (h hash128) previous() hash128 {
	low, borrow := bits.Sub64(h.low, 1, 0)
	return hash128{h.high - borrow, low}
}

func (h hash128) String() string {
	n := new(big.Int).SetUint64(h.high)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(h.low)).String()
}

// evenRanges gives where each of n equal parts of the key space begins; the
// last part also has the remainder.
func evenRanges(n int) []hash128 {
	size := new(big.Int).Lsh(big.NewInt(1), 128)
	size.Div(size, big.NewInt(int64(n)))
	starts := make([]hash128, n)
	for i := range starts {
		start := new(big.Int).Mul(size, big.NewInt(int64(i)))
		var bytes [16]byte
		start.FillBytes(bytes[:])
		starts[i] = hash128{binary.BigEndian.Uint64(bytes[:8]), binary.BigEndian.Uint64(bytes[8:])}
	}
	return starts
}
