package kpl

import "google.golang.org/protobuf/encoding/protowire"

// Splitter takes one aggregated record apart, user record by user record. What
// it holds is the keys: 16 bytes and its text for each. A copy of a Splitter
// goes on by itself from where it was made. It is not safe for concurrent use.
type Splitter struct {
	rest                    []byte // of the message: the user records that are still to come
	partitionKeys, hashKeys []string
	left, bytes             int
}

// NewSplitter checks the whole of an aggregated record before it returns the
// first part of it: a record is taken apart as a whole, or not at all.
//
// Errors: those of Split. It allocates nothing unless the record is good.
func NewSplitter(data []byte) (Splitter, error) {
	message, err := content(data)
	if err != nil {
		return Splitter{}, err
	}
	l, err := measure(message)
	if err != nil {
		return Splitter{}, err
	}
	if err := l.check(message); err != nil {
		return Splitter{}, err
	}
	s := Splitter{rest: message, left: l.records, bytes: l.tablesEnd + 16*(l.partitionKeys+l.hashKeys)}
	s.partitionKeys, s.hashKeys = l.readTables(message)
	return s, nil
}

// check makes sure that readEntry cannot fail on any user record.
func (l layout) check(message []byte) error {
	for rest := message; len(rest) > 0; {
		var f field
		f, rest, _ = next(rest) // measure saw it
		if !f.is(fieldRecords, protowire.BytesType) {
			continue
		}
		if _, err := readEntry(f.bytes, l.partitionKeys, l.hashKeys); err != nil {
			return err
		}
	}
	return nil
}

// Len returns how many user records are still to come.
func (s *Splitter) Len() int { return s.left }

// Bytes returns how much memory the keys take.
func (s *Splitter) Bytes() int { return s.bytes }

// Next returns the next user record, as Split would, and false if there is none
// left.
func (s *Splitter) Next() (UserRecord, bool) {
	for len(s.rest) > 0 {
		var f field
		f, s.rest, _ = next(s.rest) // measure saw it
		if !f.is(fieldRecords, protowire.BytesType) {
			continue
		}
		e, _ := readEntry(f.bytes, len(s.partitionKeys), len(s.hashKeys)) // check saw it
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
