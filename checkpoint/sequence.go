package checkpoint

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Sentinel sequence numbers, spelled as the Java KCL stores them in the lease
// table's checkpoint attribute. Their sub-sequence number is always 0.
const (
	AtTimestamp = "AT_TIMESTAMP" // records that arrived at or after an instant
	TrimHorizon = "TRIM_HORIZON" // the oldest record the shard still has
	Latest      = "LATEST"       // only records put after reading began
	ShardEnd    = "SHARD_END"    // every record of the shard is done
)

// ExtendedSequenceNumber is a place in a shard: a Kinesis sequence number and,
// for a record that the KPL packed with others, its index within that record.
//
// The zero value is no place at all: it sorts before every other.
// Source: KCL ExtendedSequenceNumber.
type ExtendedSequenceNumber struct {
	SequenceNumber    string // decimal digits, or a sentinel
	SubSequenceNumber int64  // 0 for a record that is not aggregated
}

// Clone returns e with a string of its own: that of a record is part of a longer
// one, which it keeps in memory.
func (e ExtendedSequenceNumber) Clone() ExtendedSequenceNumber {
	e.SequenceNumber = strings.Clone(e.SequenceNumber)
	return e
}

// IsZero reports whether e is no place at all.
func (e ExtendedSequenceNumber) IsZero() bool { return e == ExtendedSequenceNumber{} }

// IsShardEnd reports whether e says that the whole shard is done.
func (e ExtendedSequenceNumber) IsShardEnd() bool { return e.SequenceNumber == ShardEnd }

// IsSentinel reports whether e is a sentinel instead of a record's place.
func (e ExtendedSequenceNumber) IsSentinel() bool { return sentinelRank(e.SequenceNumber) != 0 }

// IsRecord reports whether e is the place of a record: digits, not a sentinel.
func (e ExtendedSequenceNumber) IsRecord() bool { return isDigits(e.SequenceNumber) }

// IsOutside reports whether e is the place of a record that cannot lie in the
// shard whose first and last sequence numbers are given; "" is unknown, or, of the
// last one, that the shard is open. A last one that is not above the first, as
// some servers report it, is taken as unknown.
func (e ExtendedSequenceNumber) IsOutside(first, last string) bool {
	switch {
	case !e.IsRecord() || first == "":
		return false
	case CompareDecimal(e.SequenceNumber, first) < 0:
		return true
	}
	return last != "" && CompareDecimal(last, first) > 0 && CompareDecimal(e.SequenceNumber, last) > 0
}

// Validate returns an error that is [ErrInvalid] unless e is a record's place
// with a sub-sequence number of at least 0, or a sentinel with exactly 0.
func (e ExtendedSequenceNumber) Validate() error {
	switch {
	case e.IsSentinel() && e.SubSequenceNumber != 0:
		return fmt.Errorf("%w: %s with sub-sequence number %d; a sentinel has 0", ErrInvalid, e.SequenceNumber, e.SubSequenceNumber)
	case e.IsSentinel():
		return nil
	case !e.IsRecord():
		return fmt.Errorf("%w: sequence number %q; it must be decimal digits or one of TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END", ErrInvalid, e.SequenceNumber)
	case e.SubSequenceNumber < 0:
		return fmt.Errorf("%w: sub-sequence number %d; it must be at least 0", ErrInvalid, e.SubSequenceNumber)
	}
	return nil
}

// Compare returns -1, 0 or +1 as e comes before, at or after f in the shard.
//
// The order is Java's: AT_TIMESTAMP, TRIM_HORIZON, LATEST, then records by the
// value of their number, which is wider than 64 bits, and then by sub-sequence
// number, then SHARD_END. What is neither digits nor a sentinel sorts first, by
// its text; Java throws there.
func (e ExtendedSequenceNumber) Compare(f ExtendedSequenceNumber) int {
	re, rf := rank(e.SequenceNumber), rank(f.SequenceNumber)
	if re != rf || re != rankRecord {
		return cmp.Or(
			cmp.Compare(re, rf),
			strings.Compare(e.SequenceNumber, f.SequenceNumber),
			cmp.Compare(e.SubSequenceNumber, f.SubSequenceNumber),
		)
	}
	return cmp.Or(
		CompareDecimal(e.SequenceNumber, f.SequenceNumber),
		cmp.Compare(e.SubSequenceNumber, f.SubSequenceNumber),
	)
}

// String returns the form used in logs and in checkpointTimestampFor's
// readers: "49590…/3" for a sub-sequence number other than 0, else the bare
// sequence number.
func (e ExtendedSequenceNumber) String() string {
	if e.SubSequenceNumber == 0 {
		return e.SequenceNumber
	}
	return e.Full()
}

// Full returns "sequence/sub", with the sub-sequence number even if it is 0.
func (e ExtendedSequenceNumber) Full() string {
	return e.SequenceNumber + "/" + strconv.FormatInt(e.SubSequenceNumber, 10)
}

// CompareDecimal compares two unsigned decimal numbers of any width by value.
// Both must consist of digits.
func CompareDecimal(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// Ranks of a sequence number's kind in the order of Compare.
const (
	rankOther = iota
	rankAtTimestamp
	rankTrimHorizon
	rankLatest
	rankRecord
	rankShardEnd
)

func rank(s string) int {
	if r := sentinelRank(s); r != 0 {
		return r
	}
	if isDigits(s) {
		return rankRecord
	}
	return rankOther
}

func sentinelRank(s string) int {
	switch s {
	case AtTimestamp:
		return rankAtTimestamp
	case TrimHorizon:
		return rankTrimHorizon
	case Latest:
		return rankLatest
	case ShardEnd:
		return rankShardEnd
	default:
		return 0
	}
}

// isDigits reports whether s consists of decimal digits, eight at a time: every
// record's sequence number, of 56, is asked. Of a digit the high half is 3, and
// still is after 6 were added.
func isDigits(s string) bool {
	const high, threes = 0xf0f0_f0f0_f0f0_f0f0, 0x3030_3030_3030_3030
	b := []byte(s)
	for ; len(b) >= 8; b = b[8:] {
		v := binary.LittleEndian.Uint64(b)
		if v&high != threes || (v+0x0606_0606_0606_0606)&high != threes {
			return false
		}
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
