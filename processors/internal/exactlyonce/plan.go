package exactlyonce

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// Plan describes one cut and what is made of it. That is one object, whose body is a
// function of the cut's records and of the plan: the records' data in order, each
// followed by the delimiter, compressed with the codec. Or it is what a bundle has.
type Plan struct {
	Identity Identity
	UUID     UUID // also the object's metadata; says whose an object is

	After       checkpoint.ExtendedSequenceNumber // the checkpoint at the time of the prepare
	First, Last checkpoint.ExtendedSequenceNumber // of the cut's records, both included

	FirstArrival, LastArrival time.Time // of these records; whole milliseconds, UTC; zero if unknown

	Records int64 // how many the cut has; at least 1
	Bytes   int64 // of their data, together

	// Awaits is set in a plan that is announced, and what follows it is not: each object
	// of the cut is in the store, and the cut is to be committed once this one, its
	// marker, is gone.
	Awaits *Target

	// Bundle is set in the plan of a sealed cut, and what follows it is not.
	Bundle *Bundle

	Digest    Digest
	HashRange HashRange // with which aggregated records were split

	Bucket, Key string // literal
	Codec       uint8  // of a container.Format
	Delimiter   string // follows each record: a newline, or "" for none
}

// Bundle is the object that has the bodies of all objects of a sealed cut, and an
// index of them at its end.
type Bundle struct {
	Bucket, Key string
	Size        int64    // of all of it
	IndexSize   int64    // of the index
	Index       [16]byte // the index's XXH3-128, seed 0, highest byte first

	// Objects are the cut's, if there is room for them: for the case that the
	// bundle is lost. Count is how many it has.
	Count   int64
	Objects []Target
}

// Announce returns the plan that takes the place of p, that of a sealed cut, when all of
// its objects are in the store.
func (p Plan) Announce(marker Target) Plan {
	p.Bundle, p.Awaits = nil, &marker
	return p
}

// Marker returns where the marker of a sealed cut goes, if it has one that the plan names:
// no other object has the key of the plan's UUID.
func (p Plan) Marker() (Target, bool) {
	if p.Bundle == nil || len(p.Bundle.Objects) == 0 {
		return Target{}, false
	}
	last := p.Bundle.Objects[len(p.Bundle.Objects)-1]
	return last, strings.HasSuffix(last.Key, "/"+p.UUID.String())
}

// Target is where an object goes.
type Target struct{ Bucket, Key string }

// HashRange is kcl.ReplayOptions, which decides which user records of an
// aggregated record count. The zero value means that all do.
type HashRange struct {
	Start, End string
	Rule       uint8 // a kcl.HashRangeRule, by its Wire number; less than 16
	Faults     uint8 // a kcl.KPLFaults, by its Wire number; less than 16
}

// maxRule is the largest HashRange.Rule that a plan of this version may have.
// A version that knows fewer refuses the plan as ErrNewer: with another rule
// than the plan's it would read other records again.
const maxRule = 3

// MaxCodec is the largest Codec that a plan of this version may have. A version
// that knows fewer refuses the plan as ErrNewer.
const MaxCodec = 5

// UUID is a universally unique identifier.
type UUID [16]byte

// NewUUID makes a version 4 UUID of 16 random bytes.
func NewUUID(random [16]byte) UUID {
	random[6] = random[6]&0x0f | 0x40
	random[8] = random[8]&0x3f | 0x80
	return random
}

// String returns the 36 lower-case characters.
func (u UUID) String() string {
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// IsUUID reports whether s is what String returns of some UUID.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		isDash, isHex := c == '-', '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
		if atDash := i == 8 || i == 13 || i == 18 || i == 23; atDash && !isDash || !atDash && !isHex {
			return false
		}
	}
	return true
}

// Identity says which lease row a plan belongs to: digests of names, so that a
// plan stays small however long they are. A plan in another row was copied
// there.
type Identity struct {
	row    [16]byte // of lease table, stream name and shard ID
	stream [16]byte // of the stream's ARN; zero if it was not known
}

// NewIdentity returns the identity of a lease row. streamARN may be "";
// streamName may be if streamARN is not.
func NewIdentity(table, streamName, streamARN, shardID string) Identity {
	if streamName == "" {
		_, streamName, _ = strings.Cut(streamARN, ":stream/")
	}
	id := Identity{row: shortened(table, streamName, shardID)}
	if streamARN != "" {
		id.stream = shortened(streamARN)
	}
	return id
}

// Matches reports whether both are of one row. A stream's ARN that only one
// of them knows is not compared.
func (id Identity) Matches(other Identity) bool {
	var unknown [16]byte
	return id.row == other.row && (id.stream == other.stream || id.stream == unknown || other.stream == unknown)
}

// Sum returns a digest of all that is known of the row: of two rows whose stream's ARN
// is known it differs.
func (id Identity) Sum() [16]byte { return shortened(string(id.row[:]), string(id.stream[:])) }

func shortened(parts ...string) [16]byte {
	var b []byte
	for _, s := range parts {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}
