package kinesisd

import (
	"errors"
	"math"
	"math/bits"
	"time"
)

// lastIndex is the index in the EndingSequenceNumber of a closed shard; no
// record reaches it.
const lastIndex = math.MaxInt64

const (
	sequenceDigits  = 56
	sequenceVersion = 2
	tenTo19         = 10_000_000_000_000_000_000 // the largest power of ten in 64 bits
)

var errNotASequence = errors.New("not a sequence number")

// sequence is a sequence number taken apart; the package comment has its
// layout.
type sequence struct {
	created uint64 // 36 bits: second in which the shard was created
	index   uint64 // of the record in its shard, from 1; 0 is the shard's start
	seconds uint64 // 40 bits: second of arrival
	shard   uint32
}

// words gives the 192 bits that hold the number, the lowest first.
func (q sequence) words() (low, middle, high uint64) {
	low = sequenceVersion | uint64(q.shard)<<4 | q.seconds<<36
	middle = q.seconds<<24>>52 | q.index<<20
	high = q.index>>44 | q.created<<28>>8 | sequenceVersion<<56
	return low, middle, high
}

func (q sequence) appendTo(text []byte) []byte {
	low, middle, high := q.words()
	var groups [3]uint64 // of 19 digits, the lowest first
	for i := range groups {
		var rest uint64
		high, rest = bits.Div64(0, high, tenTo19)
		middle, rest = bits.Div64(rest, middle, tenTo19)
		low, rest = bits.Div64(rest, low, tenTo19)
		groups[i] = rest
	}
	start := len(text)
	text = append(text, "00000000000000000000000000000000000000000000000000000000"...)
	digits := text[start:]
	for i := sequenceDigits - 1; i >= 0; i-- {
		group := &groups[(sequenceDigits-1-i)/19]
		digits[i] = byte('0' + *group%10)
		*group /= 10
	}
	return text
}

func (q sequence) String() string { return string(q.appendTo(nil)) }

// parseSequence takes a sequence number apart. It refuses what does not have
// the layout, the low nibble and the version included.
func parseSequence(text string) (sequence, error) {
	if len(text) != sequenceDigits {
		return sequence{}, errNotASequence
	}
	var low, middle, high uint64
	for _, digit := range []byte(text) {
		if digit < '0' || digit > '9' {
			return sequence{}, errNotASequence
		}
		var carry, over uint64
		over, low = bits.Mul64(low, 10)
		low, carry = bits.Add64(low, uint64(digit-'0'), 0)
		next, product := bits.Mul64(middle, 10)
		middle, carry = bits.Add64(product, over, carry)
		high = high*10 + next + carry // 56 digits have fewer than 187 bits
	}
	q := sequence{
		created: high << 8 >> 28,
		index:   high<<44 | middle>>20,
		seconds: low>>36 | middle<<52>>24,
		shard:   uint32(low >> 4),
	}
	if l, m, h := q.words(); l != low || m != middle || h != high {
		return sequence{}, errNotASequence
	}
	return q, nil
}

// seconds gives t as the whole seconds that sequence numbers hold.
func seconds(t time.Time) uint64 { return uint64(max(0, t.Unix())) }
