package kpl

import (
	"crypto/md5" //nolint:gosec // the format's checksum; nothing relies on it for security

	"google.golang.org/protobuf/encoding/protowire"
)

// DefaultMaxBytes is the largest record that a stream takes unless it was told
// otherwise: data and partition key together.
const DefaultMaxBytes = 1 << 20

// Aggregator packs user records into one aggregated record. The zero value is
// ready to use. It is not safe for concurrent use.
//
// The bytes are those of AWS' aggregation libraries for Python and Node. The
// one for Java gives each user record an explicit hash key; for its bytes, set
// the explicit hash key to HashKey(PartitionKey) where there is none.
type Aggregator struct {
	// MaxBytes is how large the aggregated record may become, with the
	// partition key it is put with. Default: DefaultMaxBytes.
	MaxBytes int

	first       UserRecord // without its data
	count       int
	keyIndexes  map[string]uint64
	hashIndexes map[string]uint64

	// The three parts of the message, encoded. In this order they are the
	// order of the fields' numbers, as every protobuf library writes it.
	keys, hashes, records []byte
}

// Add appends u, whose data it copies. It returns false, and changes nothing,
// if the aggregated record would become too large: put what there is, Reset,
// and add u again. If Add refuses u on an empty Aggregator, u is too large to
// be aggregated.
func (a *Aggregator) Add(u UserRecord) bool {
	keyIndex, newKey := lookUp(a.keyIndexes, u.PartitionKey)
	hashIndex, newHash := uint64(0), false
	if u.HasExplicitHashKey {
		hashIndex, newHash = lookUp(a.hashIndexes, u.ExplicitHashKey)
	}
	size := recordSize(keyIndex, hashIndex, u)
	total := a.Size() + putKeySize(a, u) + 1 + protowire.SizeBytes(size)
	if newKey {
		total += 1 + protowire.SizeBytes(len(u.PartitionKey))
	}
	if newHash {
		total += 1 + protowire.SizeBytes(len(u.ExplicitHashKey))
	}
	if total > a.maxBytes() {
		return false
	}
	if newKey {
		a.keyIndexes = remember(a.keyIndexes, u.PartitionKey)
		a.keys = appendBytes(a.keys, fieldPartitionKeys, u.PartitionKey)
	}
	if newHash {
		a.hashIndexes = remember(a.hashIndexes, u.ExplicitHashKey)
		a.hashes = appendBytes(a.hashes, fieldHashKeys, u.ExplicitHashKey)
	}
	a.appendRecord(keyIndex, hashIndex, size, u)
	if a.count == 0 {
		a.first = u
		a.first.Data = nil
	}
	a.count++
	return true
}

// Len returns how many user records were added.
func (a *Aggregator) Len() int { return a.count }

// Size returns how many bytes Append appends.
func (a *Aggregator) Size() int {
	return len(magic) + len(a.keys) + len(a.hashes) + len(a.records) + md5.Size
}

// PartitionKey returns the partition key to put the aggregated record with:
// that of the first user record.
func (a *Aggregator) PartitionKey() string { return a.first.PartitionKey }

// ExplicitHashKey returns the explicit hash key to put the aggregated record
// with, that of the first user record, and whether there is one.
func (a *Aggregator) ExplicitHashKey() (key string, ok bool) {
	return a.first.ExplicitHashKey, a.first.HasExplicitHashKey
}

// Append appends the aggregated record to dst, or nothing if no user record was
// added. The Aggregator is unchanged.
func (a *Aggregator) Append(dst []byte) []byte {
	if a.count == 0 {
		return dst
	}
	dst = append(dst, magic...)
	start := len(dst)
	dst = append(dst, a.keys...)
	dst = append(dst, a.hashes...)
	dst = append(dst, a.records...)
	sum := md5.Sum(dst[start:]) //nolint:gosec // the format's checksum
	return append(dst, sum[:]...)
}

// Reset forgets all user records and keeps the buffers.
func (a *Aggregator) Reset() {
	clear(a.keyIndexes)
	clear(a.hashIndexes)
	a.first, a.count = UserRecord{}, 0
	a.keys, a.hashes, a.records = a.keys[:0], a.hashes[:0], a.records[:0]
}

func (a *Aggregator) maxBytes() int {
	if a.MaxBytes <= 0 {
		return DefaultMaxBytes
	}
	return a.MaxBytes
}

func (a *Aggregator) appendRecord(keyIndex, hashIndex uint64, size int, u UserRecord) {
	b := protowire.AppendTag(a.records, fieldRecords, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = protowire.AppendTag(b, fieldPartitionKeyIndex, protowire.VarintType)
	b = protowire.AppendVarint(b, keyIndex)
	if u.HasExplicitHashKey {
		b = protowire.AppendTag(b, fieldHashKeyIndex, protowire.VarintType)
		b = protowire.AppendVarint(b, hashIndex)
	}
	b = protowire.AppendTag(b, fieldData, protowire.BytesType)
	a.records = protowire.AppendBytes(b, u.Data)
}

// recordSize returns the size of a Record message. Each tag is one byte.
func recordSize(keyIndex, hashIndex uint64, u UserRecord) int {
	n := 1 + protowire.SizeVarint(keyIndex) + 1 + protowire.SizeBytes(len(u.Data))
	if u.HasExplicitHashKey {
		n += 1 + protowire.SizeVarint(hashIndex)
	}
	return n
}

// putKeySize returns the size of the partition key that the aggregated record
// is put with once u is in it.
func putKeySize(a *Aggregator, u UserRecord) int {
	if a.count == 0 {
		return len(u.PartitionKey)
	}
	return len(a.first.PartitionKey)
}

func lookUp(indexes map[string]uint64, key string) (index uint64, isNew bool) {
	if index, ok := indexes[key]; ok {
		return index, false
	}
	return uint64(len(indexes)), true
}

func remember(indexes map[string]uint64, key string) map[string]uint64 {
	if indexes == nil {
		indexes = map[string]uint64{}
	}
	indexes[key] = uint64(len(indexes))
	return indexes
}

func appendBytes(b []byte, number protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), s)
}
