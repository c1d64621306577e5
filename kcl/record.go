package kcl

import (
	"bytes"
	"strings"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// Record is one record of a shard: as put, or one of those that the KPL packed
// into an aggregated record.
type Record struct {
	SequenceNumber string // decimal digits

	// SubSequenceNumber is the index within an aggregated record, else 0.
	SubSequenceNumber int64

	// ApproximateArrivalTimestamp is when Kinesis stored the record, to the
	// millisecond. It is not monotonic within a shard.
	ApproximateArrivalTimestamp time.Time

	PartitionKey    string
	ExplicitHashKey string // "" if none was given, or unknown

	// Data is what the producer put. It aliases a buffer that is used again after
	// the call it was passed to returns: Clone what you keep, and never write to
	// it. In tests it is overwritten with 0xDB then.
	Data []byte

	// Aggregated says that the record came out of an aggregated one.
	Aggregated bool

	// EncryptionType says how Kinesis encrypts the record where it is stored:
	// "NONE" or "KMS", or "" if the service did not tell. Data is never encrypted.
	EncryptionType string
}

// Position returns the place of the record, for Checkpointer.CheckpointAt. Clone it
// if you keep it for long: it keeps the strings of the record's page in memory.
func (r Record) Position() checkpoint.Position {
	return checkpoint.At(r.SequenceNumber, r.SubSequenceNumber, r.ApproximateArrivalTimestamp)
}

// Clone returns a copy of r that shares no memory with its page: strings are safe
// to keep without it, but each keeps those of all its page's records in memory.
func (r Record) Clone() Record {
	r.SequenceNumber, r.PartitionKey = strings.Clone(r.SequenceNumber), strings.Clone(r.PartitionKey)
	r.ExplicitHashKey, r.EncryptionType = strings.Clone(r.ExplicitHashKey), strings.Clone(r.EncryptionType)
	r.Data = bytes.Clone(r.Data)
	return r
}
