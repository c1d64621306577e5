package kpl

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Splitter takes one aggregated record apart, user record by user record, and
// then others: see Reset. What it holds is the keys: 16 bytes and its text for
// each. The zero value holds none. A copy of a Splitter goes on by itself from
// where it was made, until either is Reset or cleared. It is not safe for concurrent use.
type Splitter struct {
	rest                    []byte // of the message: the user records that are still to come
	partitionKeys, hashKeys []string
	left, bytes             int

	table []string         // of which the keys are the first part
	texts *strings.Builder // of several records' keys; nil until a second record
	again bool             // this is not the first record
}

// NewSplitter checks the whole of an aggregated record before it returns the
// first part of it: a record is taken apart as a whole, or not at all.
//
// Errors: those of Split. It allocates nothing unless the record is good.
func NewSplitter(data []byte) (Splitter, error) {
	var s Splitter
	err := s.Reset(data)
	return s, err
}

// Reset begins with another record, as NewSplitter does, and keeps the room that
// it has for keys: so the records of a page cost next to no allocation. User
// records that Next returned stay as they are. After an error s holds no record.
func (s *Splitter) Reset(data []byte) error {
	s.Clear()
	message, err := content(data)
	if err != nil {
		return err
	}
	l, err := measure(message)
	if err != nil {
		return err
	}
	s.rest, s.left, s.bytes = message, l.records, l.tablesEnd+16*(l.partitionKeys+l.hashKeys)
	s.readTables(message, l)
	s.again = true
	return nil
}

// Clear lets go of the record and of its keys, and keeps the room for others.
func (s *Splitter) Clear() {
	clear(s.table)
	s.table = s.table[:0]
	s.rest, s.partitionKeys, s.hashKeys, s.left, s.bytes = nil, nil, nil, 0, 0
}

// readTables reads the key tables. All keys are parts of one string, so that
// they cost two allocations at most however many they are: every known producer
// writes the tables first.
func (s *Splitter) readTables(message []byte, l layout) {
	head := s.text(message[:l.tablesEnd])
	s.table = slices.Grow(s.table, l.partitionKeys+l.hashKeys)[:l.partitionKeys+l.hashKeys]
	s.partitionKeys, s.hashKeys = s.table[:0:l.partitionKeys], s.table[l.partitionKeys:l.partitionKeys]
	for rest := message[:l.tablesEnd]; len(rest) > 0; {
		var f field
		f, rest, _ = next(rest) // measure saw it
		end := len(head) - len(rest)
		switch {
		case f.is(fieldPartitionKeys, protowire.BytesType):
			s.partitionKeys = append(s.partitionKeys, head[end-len(f.bytes):end])
		case f.is(fieldHashKeys, protowire.BytesType):
			s.hashKeys = append(s.hashKeys, head[end-len(f.bytes):end])
		}
	}
}

// textRoom is the size of the strings that the keys of several records are parts
// of: as much stays in memory as long as one of these keys does.
const textRoom = 4 << 10

// text returns a copy of b. From the second record on that is a part of a string
// of several, if b is not large.
func (s *Splitter) text(b []byte) string {
	if !s.again || len(b) > textRoom/2 {
		return string(b)
	}
	if s.texts == nil || textRoom-s.texts.Len() < len(b) {
		s.texts = new(strings.Builder)
		s.texts.Grow(textRoom)
	}
	begin := s.texts.Len()
	s.texts.Write(b)
	return s.texts.String()[begin:]
}

// Len returns how many user records are still to come.
func (s *Splitter) Len() int { return s.left }

// Bytes returns how much memory the keys of the record take.
func (s *Splitter) Bytes() int { return s.bytes }

// Room returns how much memory s takes beside Bytes, for the keys of records to
// come.
func (s *Splitter) Room() int {
	n := 16 * (cap(s.table) - len(s.table))
	if s.texts != nil {
		n += textRoom
	}
	return n
}

// Next returns the next user record, as Split would, and false if there is none
// left.
func (s *Splitter) Next() (UserRecord, bool) {
	for len(s.rest) > 0 {
		var f field
		f, s.rest, _ = next(s.rest) // measure saw it
		if !f.is(fieldRecords, protowire.BytesType) {
			continue
		}
		e, _ := readEntry(f.bytes) // measure saw it
		s.left--
		u := UserRecord{PartitionKey: s.partitionKeys[e.keyIndex], HasExplicitHashKey: e.hasHash, Data: e.data}
		if e.hasHash {
			u.ExplicitHashKey = s.hashKeys[e.hashIndex]
		}
		return u, true
	}
	return UserRecord{}, false
}

// kplKey is the partition key with which the KPL puts what it packed: its
// aggregated records go by their explicit hash key.
const kplKey = "a"

// IsKPL reports whether it was the KPL that packed the record, as far as its
// form tells: put with the partition key that the KPL gives what it packed, of
// two user records or more, and with another key on the first one, which other
// producers put it with. Ask before the first Next.
//
// The KPL puts a user record again that was stored in a shard it does not belong
// to. Nobody else does.
// Source: KPL KinesisRecord::partition_key, KinesisRecord::serialize.
func (s *Splitter) IsKPL(partitionKey string) bool {
	if partitionKey != kplKey || s.left < 2 {
		return false
	}
	ahead := *s
	first, _ := ahead.Next()
	return first.PartitionKey != kplKey
}
