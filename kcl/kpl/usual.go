package kpl

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Tags of a user record's fields, which are one byte each.
const (
	tagPartitionKeyIndex = fieldPartitionKeyIndex<<3 | byte(protowire.VarintType)
	tagHashKeyIndex      = fieldHashKeyIndex<<3 | byte(protowire.VarintType)
	tagData              = fieldData<<3 | byte(protowire.BytesType)
)

// readUsual reads a user record that is written as every known producer does: its
// fields once each, in the order of their numbers, without tags. Of any other it
// returns false.
func readUsual(b []byte) (e entry, ok bool) {
	if e.keyIndex, b, ok = readIndex(b, tagPartitionKeyIndex); !ok {
		return entry{}, false
	}
	if len(b) > 0 && b[0] == tagHashKeyIndex {
		if e.hashIndex, b, ok = readIndex(b, tagHashKeyIndex); !ok {
			return entry{}, false
		}
		e.hasHash = true
	}
	size, b, ok := readIndex(b, tagData)
	if !ok || size != uint64(len(b)) {
		return entry{}, false
	}
	e.data = slices.Clip(b)
	return e, true
}

// readUsualBytes reads a field of bytes whose tag is one byte.
func readUsualBytes(b []byte) (number protowire.Number, data, rest []byte, ok bool) {
	if len(b) == 0 || b[0]&7 != byte(protowire.BytesType) || b[0] < 1<<3 || b[0] >= 0x80 {
		return 0, nil, nil, false
	}
	size, rest, ok := readIndex(b, b[0])
	if !ok || size > uint64(len(rest)) {
		return 0, nil, nil, false
	}
	return protowire.Number(b[0] >> 3), rest[:size], rest[size:], true
}

// readIndex reads a tag and the number of at most 28 bits after it.
func readIndex(b []byte, tag byte) (n uint64, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return 0, nil, false
	}
	for i, c := range b[1:min(5, len(b))] {
		if n |= uint64(c&0x7f) << (7 * i); c < 0x80 {
			return n, b[i+2:], true
		}
	}
	return 0, nil, false
}
