package exactlyonce

import (
	"crypto/sha256"
	"hash"

	"github.com/zeebo/xxh3"
)

// DigestRule is how records become a digest. Its number is the format of the
// plans that have such digests.
type DigestRule uint8

// The rules.
const (
	NoDigest DigestRule = 0 // Decode refuses a plan that has none
	SHA256   DigestRule = 1
	XXH3     DigestRule = 2 // 128 bits
)

// size returns how many bytes of a sum there are by the rule, 0 if it is not known.
func (r DigestRule) size() int {
	switch r {
	case SHA256:
		return sha256.Size
	case XXH3:
		return 16
	default:
		return 0
	}
}

// Digest is what a plan remembers of the records that its object is made of,
// beside their number and bytes. Those by different rules differ.
type Digest struct {
	Rule DigestRule
	Sum  [sha256.Size]byte // a shorter one is followed by zeros
}

// Digester makes the digest of records. One goroutine uses it.
type Digester struct {
	rule   DigestRule
	hash   hash.Hash
	record [16]byte // the latest one's own digest
}

// NewDigester returns one that has seen no record, or nil for NoDigest and rules
// that are not known.
func NewDigester(rule DigestRule) *Digester {
	switch rule {
	case SHA256:
		return &Digester{rule: rule, hash: sha256.New()}
	case XXH3:
		return &Digester{rule: rule, hash: xxh3.New128()}
	default:
		return nil
	}
}

// Add takes a record's data, which it does not keep.
func (d *Digester) Add(data []byte) {
	if d.rule == XXH3 {
		d.record = xxh3.Hash128(data).Bytes()
		data = d.record[:]
	}
	d.hash.Write(data) // never fails
}

// Digest returns the digest of what was added. More may be added.
func (d *Digester) Digest() Digest {
	sum := Digest{Rule: d.rule}
	d.hash.Sum(sum.Sum[:0])
	return sum
}
