package lease

import (
	"strings"

	"github.com/shardmill/shardmill/checkpoint"
)

// HashRange is the part of the hash key space that a shard serves: decimal
// numbers in 0..2^128-1, both inclusive. The zero value is unknown.
type HashRange struct{ Start, End string }

// IsZero reports whether the range is unknown.
func (r HashRange) IsZero() bool { return r == HashRange{} }

// Equal reports whether both are the same range: the numbers count, not how they
// are written. One that is unknown equals no other than an unknown one.
func (r HashRange) Equal(other HashRange) bool {
	return r.IsZero() == other.IsZero() &&
		checkpoint.CompareDecimal(r.Start, other.Start) == 0 && checkpoint.CompareDecimal(r.End, other.End) == 0
}

// Shard is one shard of a stream, as a listing of them shows it. Leases are made
// from it, and compared with it.
// Source: Kinesis API Shard.
type Shard struct {
	ID                     string
	ParentIDs              []string // one after a split, two after a merge; parents may be gone already
	Range                  HashRange
	StartingSequenceNumber string // "" if unknown
	EndingSequenceNumber   string // "" while the shard is open
}

// IsOpen reports whether records may still be put into the shard.
func (s Shard) IsOpen() bool { return s.EndingSequenceNumber == "" }

// IsShardID reports whether a lease key is the ID of a shard, as Kinesis names
// them.
func IsShardID(key string) bool {
	number, ok := strings.CutPrefix(key, "shardId-")
	return ok && isDigits(number)
}

// IsMultiStreamKey reports whether a lease key is that of a Java application that
// reads several streams: account:stream:epoch:shard. No worker of this package
// takes such a lease.
// Source: KCL MultiStreamLease.getLeaseKey, StreamIdentifier.serialize.
func IsMultiStreamKey(key string) bool {
	parts := strings.Split(key, ":")
	return len(parts) == 4 && isDigits(parts[0]) && parts[1] != "" && isDigits(parts[2]) && parts[3] != ""
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
