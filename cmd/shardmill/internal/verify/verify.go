// Package verify tells whether what was put is what objects hold: each record
// once, in any order, in constant memory.
package verify

import (
	"crypto/sha256"
	"encoding/binary"
)

// buckets is how many parts a Multiset has, by hash; a second pass needs to
// look only at records of parts that differ.
const buckets = 1 << 12

// Multiset is the digest of a collection of records in any order: the sum of
// their SHA-256 in four lanes, and a coarse one for each part. Two collections
// with the same digest hold the same records equally often, but for an accident
// less likely than a broken machine. The zero value is of no records.
type Multiset struct {
	Records, Bytes int64

	lanes [4]uint64
	parts [buckets]part
}

type part struct {
	n   int32
	sum uint64
}

// Hash is what a Multiset knows of a record.
type Hash [sha256.Size]byte

// HashOf returns the hash of a record.
func HashOf(record []byte) Hash { return sha256.Sum256(record) }

func (h Hash) part() int { return int(binary.LittleEndian.Uint16(h[30:]) % buckets) }

// Add adds a record.
func (m *Multiset) Add(record []byte) {
	h := HashOf(record)
	m.Records++
	m.Bytes += int64(len(record))
	for i := range m.lanes {
		m.lanes[i] += binary.LittleEndian.Uint64(h[8*i:])
	}
	p := &m.parts[h.part()]
	p.n++
	p.sum += binary.LittleEndian.Uint64(h[:])
}

// Equal reports whether both hold the same records equally often.
func (m *Multiset) Equal(o *Multiset) bool {
	return m.Records == o.Records && m.Bytes == o.Bytes && m.lanes == o.lanes
}

// Differs reports whether the two differ in the part of a record with hash h.
// Of Multisets that are not Equal some part differs.
func (m *Multiset) Differs(o *Multiset, h Hash) bool { return m.parts[h.part()] != o.parts[h.part()] }

// Difference finds the records that one collection has more often than the
// other, when both are gone through again.
type Difference struct {
	put, got *Multiset
	count    map[Hash]int // how often more it was put than got
	full     bool
}

// maxTracked bounds the memory of a Difference.
const maxTracked = 200_000

// NewDifference returns what compares the records of two Multisets.
func NewDifference(put, got *Multiset) *Difference {
	return &Difference{put: put, got: got, count: make(map[Hash]int)}
}

// Got notes a record of an object. All come before those of Put.
func (d *Difference) Got(record []byte) {
	h := HashOf(record)
	if d.put.Differs(d.got, h) {
		d.note(h, -1)
	}
}

// Put reports whether a record that was put is missing from the objects.
func (d *Difference) Put(record []byte) (missing bool) {
	h := HashOf(record)
	if !d.put.Differs(d.got, h) {
		return false
	}
	if d.count[h] < 0 {
		d.count[h]++
		return false
	}
	return !d.full
}

// Extra returns how many records the objects have more than were put, after
// all were noted.
func (d *Difference) Extra() (n int) {
	for _, c := range d.count {
		n += max(0, -c)
	}
	return n
}

// Full reports whether there were too many records to compare, so that the
// result is not whole.
func (d *Difference) Full() bool { return d.full }

func (d *Difference) note(h Hash, by int) {
	if _, known := d.count[h]; !known && len(d.count) >= maxTracked {
		d.full = true
		return
	}
	d.count[h] += by
}
