package kpl

import (
	"cmp"
	"crypto/md5" //nolint:gosec // Kinesis hashes keys with it; nothing relies on it for security
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
)

// ErrHashRange means that a hash range is not two decimal numbers in
// 0..2^128-1 of which the first is not the larger one.
var ErrHashRange = errors.New("invalid hash range")

// HashRange is the part of the hash key space that a shard serves. The zero
// value is unknown, and contains every record.
type HashRange struct {
	start, end hashKey
	known      bool
}

// ParseHashRange returns the range from start to end, both included: decimal
// numbers as ListShards returns them.
func ParseHashRange(start, end string) (HashRange, error) {
	s, okS := parseHashKey(start)
	e, okE := parseHashKey(end)
	if !okS || !okE || s.tooLarge || e.tooLarge || s.compare(e) > 0 {
		return HashRange{}, fmt.Errorf("%w: %q to %q", ErrHashRange, start, end)
	}
	return HashRange{start: s, end: e, known: true}, nil
}

// Contains reports whether u's hash key is in the range: its explicit hash key
// if it has one, else the MD5 of its partition key as a number.
//
// A user record whose explicit hash key is no decimal number is in every
// range, so that it is not lost: Java loses it and those after it.
func (r HashRange) Contains(u UserRecord) bool {
	if !r.known || r.isWhole() && !u.HasExplicitHashKey {
		return true
	}
	k := hashOf(u.PartitionKey)
	if u.HasExplicitHashKey {
		var ok bool
		if k, ok = parseHashKey(u.ExplicitHashKey); !ok {
			return true
		}
	}
	return r.start.compare(k) <= 0 && k.compare(r.end) <= 0
}

func (r HashRange) isWhole() bool {
	return r.start == hashKey{} && r.end == hashKey{hi: 1<<64 - 1, lo: 1<<64 - 1}
}

// ContainsAll reports whether every user record that s has yet to return is in
// the range. s does not move.
//
// A record straddles the range when its producer's shard map was older than a
// reshard: the producer packed it for the parent shard, and it was stored in
// one of the children. The KPL then puts those user records again that do not
// belong to that child, and only those: for it the others are delivered. So to
// keep each user record that the range Contains, with the index it has, loses
// and repeats nothing; the Java KCL drops the whole record, and loses the
// others. What another producer packed is not put again at all: see IsKPL.
//
// Source: Java KCL AggregatorUtil.deaggregate; KPL
// Retrier::succeed_if_correct_shard.
func (r HashRange) ContainsAll(s Splitter) bool {
	for u, ok := s.Next(); ok; u, ok = s.Next() {
		if !r.Contains(u) {
			return false
		}
	}
	return true
}

// HashKey returns the hash key that Kinesis gives a partition key: its MD5 as a
// decimal number.
func HashKey(partitionKey string) string {
	sum := md5.Sum([]byte(partitionKey)) //nolint:gosec // as Kinesis does
	return new(big.Int).SetBytes(sum[:]).String()
}

// hashKey is a number of 128 bits.
type hashKey struct {
	hi, lo   uint64
	tooLarge bool // 2^128 or more: hi and lo are 0
}

func hashOf(partitionKey string) hashKey {
	sum := md5.Sum([]byte(partitionKey)) //nolint:gosec // as Kinesis does
	return hashKey{hi: binary.BigEndian.Uint64(sum[:8]), lo: binary.BigEndian.Uint64(sum[8:])}
}

// parseHashKey reads a decimal number. It returns false if s has anything but
// digits, or nothing.
func parseHashKey(s string) (k hashKey, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return hashKey{}, false
		}
		k = k.appendDigit(uint64(s[i] - '0'))
	}
	return k, s != ""
}

func (k hashKey) appendDigit(digit uint64) hashKey {
	over, hi := bits.Mul64(k.hi, 10)
	carry, lo := bits.Mul64(k.lo, 10)
	lo, c := bits.Add64(lo, digit, 0)
	hi, over2 := bits.Add64(hi, carry, c)
	if k.tooLarge || over != 0 || over2 != 0 {
		return hashKey{tooLarge: true}
	}
	return hashKey{hi: hi, lo: lo}
}

func (k hashKey) compare(other hashKey) int {
	switch {
	case k.tooLarge && !other.tooLarge:
		return 1
	case !k.tooLarge && other.tooLarge:
		return -1
	}
	return cmp.Or(cmp.Compare(k.hi, other.hi), cmp.Compare(k.lo, other.lo))
}
