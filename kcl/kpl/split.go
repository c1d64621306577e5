package kpl

import (
	"crypto/md5" //nolint:gosec // the format's checksum; nothing relies on it for security
	"errors"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

const magic = "\xf3\x89\x9a\xc2"

// Field numbers of the messages.
const (
	fieldPartitionKeys = 1
	fieldHashKeys      = 2
	fieldRecords       = 3

	fieldPartitionKeyIndex = 1
	fieldHashKeyIndex      = 2
	fieldData              = 3
	fieldTags              = 4

	fieldTagKey = 1
)

// Why Split takes nothing out of a record's data. With each of them the data
// is one record, to be delivered as it is; a retry cannot help.
var (
	// ErrPlain means that the data does not begin with the magic bytes: it is
	// no aggregated record at all. All the others do begin with them.
	ErrPlain = errors.New("no aggregated record")

	// ErrShort means that at most 16 bytes follow the magic.
	ErrShort = errors.New("aggregated record too short")

	// ErrDigest means that the MD5 does not match.
	ErrDigest = errors.New("aggregated record with a wrong digest")

	// ErrMalformed means that the protobuf cannot be read, or that a required
	// field is missing, whatever the indexes are.
	ErrMalformed = errors.New("aggregated record with malformed content")

	// ErrIndex means that a user record names a key that is not in the table.
	// The Java KCL delivers the user records before it and loses the rest.
	ErrIndex = errors.New("aggregated record with an index outside its key table")
)

// UserRecord is one of the records in an aggregated record.
type UserRecord struct {
	PartitionKey string // as put: not checked to be UTF-8

	// ExplicitHashKey is a decimal number if HasExplicitHashKey and the
	// producer was right.
	ExplicitHashKey    string
	HasExplicitHashKey bool

	Data []byte
}

// IsAggregated reports whether data begins with the magic bytes of an
// aggregated record. Split may still refuse it.
func IsAggregated(data []byte) bool {
	return len(data) >= len(magic) && string(data[:len(magic)]) == magic
}

// Split appends the user records of an aggregated record to dst, in order: a
// record's sub-sequence number is its index among those appended. Their Data
// aliases data; their keys are copies. It holds all of them at once, and one of
// 64 bytes may come of 6 bytes of data: for data that nobody vouches for use a
// Splitter.
//
// An aggregated record may have no user record at all; then, as in Java, it
// appends none and returns no error.
//
// Errors: ErrPlain, ErrShort, ErrDigest, ErrMalformed, ErrIndex, never wrapped.
// Then dst is returned as it was, and data is one record like any other.
// It allocates nothing unless the digest matches.
func Split(dst []UserRecord, data []byte) ([]UserRecord, error) {
	if !IsAggregated(data) {
		return dst, ErrPlain // most records are
	}
	s, err := NewSplitter(data)
	if err != nil {
		return dst, err
	}
	dst = slices.Grow(dst, s.Len())
	for u, ok := s.Next(); ok; u, ok = s.Next() {
		dst = append(dst, u)
	}
	return dst, nil
}

// content returns the message of an aggregated record, if the digest is its.
func content(data []byte) ([]byte, error) {
	if !IsAggregated(data) {
		return nil, ErrPlain
	}
	rest := data[len(magic):]
	if len(rest) <= md5.Size {
		return nil, ErrShort
	}
	end := len(rest) - md5.Size
	if md5.Sum(rest[:end]) != [md5.Size]byte(rest[end:]) { //nolint:gosec // the format's checksum
		return nil, ErrDigest
	}
	return rest[:end], nil
}

// layout is what a message consists of.
type layout struct {
	partitionKeys, hashKeys, records int
	tablesEnd                        int // where the last field of a table ends
}

// measure counts the fields of a message, and makes sure that next and readEntry
// cannot fail on it and that each index is within its table. It takes no memory.
// A message that cannot be read is malformed whatever its indexes are, as for a
// parser of the whole.
func measure(message []byte) (layout, error) {
	var l layout
	var lastKey, lastHash uint64 // the largest indexes
	anyHash := false
	for rest := message; len(rest) > 0; {
		var f field
		var err error
		if f, rest, err = next(rest); err != nil {
			return l, err
		}
		switch {
		case f.is(fieldPartitionKeys, protowire.BytesType):
			l.partitionKeys++
			l.tablesEnd = len(message) - len(rest)
		case f.is(fieldHashKeys, protowire.BytesType):
			l.hashKeys++
			l.tablesEnd = len(message) - len(rest)
		case f.is(fieldRecords, protowire.BytesType):
			e, err := readEntry(f.bytes)
			if err != nil {
				return l, err
			}
			l.records++
			lastKey, lastHash, anyHash = max(lastKey, e.keyIndex), max(lastHash, e.hashIndex), anyHash || e.hasHash
		}
	}
	if l.records > 0 && lastKey >= uint64(l.partitionKeys) || anyHash && lastHash >= uint64(l.hashKeys) {
		return l, ErrIndex
	}
	return l, nil
}

// entry is a user record as it is written: with indexes instead of keys.
type entry struct {
	keyIndex, hashIndex uint64
	hasHash             bool
	data                []byte
}

// readEntry reads a user record.
func readEntry(b []byte) (entry, error) {
	if e, ok := readUsual(b); ok {
		return e, nil
	}
	var e entry
	var hasKey, hasData bool
	for len(b) > 0 {
		var f field
		var err error
		if f, b, err = next(b); err != nil {
			return e, err
		}
		switch {
		case f.is(fieldPartitionKeyIndex, protowire.VarintType):
			e.keyIndex, hasKey = f.varint, true
		case f.is(fieldHashKeyIndex, protowire.VarintType):
			e.hashIndex, e.hasHash = f.varint, true
		case f.is(fieldData, protowire.BytesType):
			e.data, hasData = slices.Clip(f.bytes), true
		case f.is(fieldTags, protowire.BytesType):
			if err := checkTag(f.bytes); err != nil {
				return e, err
			}
		}
	}
	if !hasKey || !hasData {
		return e, ErrMalformed
	}
	return e, nil
}

// checkTag makes sure that a tag is one: a parser of the whole message, as Java
// has it, refuses the message otherwise.
func checkTag(b []byte) error {
	hasKey := false
	for len(b) > 0 {
		var f field
		var err error
		if f, b, err = next(b); err != nil {
			return err
		}
		hasKey = hasKey || f.is(fieldTagKey, protowire.BytesType)
	}
	if !hasKey {
		return ErrMalformed
	}
	return nil
}

// field is one field of a message. A field with a number or wire type that the
// format does not have is skipped, as protobuf wants it.
type field struct {
	number protowire.Number
	wire   protowire.Type
	varint uint64 // if wire is VarintType
	bytes  []byte // if wire is BytesType
}

func (f field) is(number protowire.Number, wire protowire.Type) bool {
	return f.number == number && f.wire == wire
}

// next reads the first field of b and returns what follows it.
func next(b []byte) (f field, rest []byte, err error) {
	if number, data, rest, ok := readUsualBytes(b); ok {
		return field{number: number, wire: protowire.BytesType, bytes: data}, rest, nil
	}
	number, wire, n := protowire.ConsumeTag(b)
	if n < 0 {
		return field{}, nil, ErrMalformed
	}
	f.number, f.wire, b = number, wire, b[n:]
	switch wire {
	case protowire.VarintType:
		f.varint, n = protowire.ConsumeVarint(b)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(number, wire, b)
	}
	if n < 0 {
		return field{}, nil, ErrMalformed
	}
	return f, b[n:], nil
}
