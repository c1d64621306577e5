package processors

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/prefix"
)

// planDigest is the rule of the digests in the plans that archivers write.
const planDigest = exactlyonce.XXH3

// cut is a closed cut on its way through prepare, publish and commit. Its
// fields say how far it is, so that its delivery can go on after an error.
type cut struct {
	parcel

	state     []byte // the plan; every try of the prepare stores these bytes
	last      checkpoint.Position
	reason    string // why it closed
	prepared  *checkpoint.PreparedCheckpoint
	published bool
}

// sealer makes a cut of what a buffer gathered. Everything that depends on
// clock, chance or configuration is fixed there, but the cut's UUID: that was
// drawn when its body was opened.
type sealer struct {
	names
	identity  exactlyonce.Identity
	hashRange exactlyonce.HashRange
	buckets   []string // that a plan may name; the first one is where objects go
	format    container.Format
	delimiter string
	planned   bool // exactly once
	sink      *objectSink
}

// seal returns the cut of g, which follows the checkpoint after. After an error
// g is still the caller's.
func (s *sealer) seal(g gathered, after checkpoint.ExtendedSequenceNumber, reason string) (*cut, error) {
	at := g.first.Arrival
	if at.IsZero() {
		at = time.Now()
	}
	o := &object{
		bucket: s.buckets[0], key: s.key(at, g.id, s.format), id: g.id, format: s.format,
		records: g.body.records, bytes: g.body.bytes, body: g.body, ifAbsent: s.planned,
	}
	c := &cut{parcel: &objects{sink: s.sink, list: []*object{o}, oldest: g.oldest}, last: g.last, reason: reason}
	if !s.planned {
		return c, nil
	}
	var err error
	c.state, err = s.encode(exactlyonce.Plan{
		Identity:     s.identity,
		UUID:         g.id,
		After:        after,
		First:        g.first.ExtendedSequenceNumber,
		Last:         g.last.ExtendedSequenceNumber,
		FirstArrival: g.first.Arrival,
		LastArrival:  g.last.Arrival,
		Records:      o.records,
		Bytes:        o.bytes,
		Digest:       g.body.digest(),
		HashRange:    s.hashRange,
		Bucket:       o.bucket,
		Key:          o.key,
		Codec:        s.format.Codec,
		Delimiter:    s.delimiter,
	})
	return c, err
}

// encode returns what the row is to hold of a plan. A plan that a successor with
// this configuration would not finish must not get there.
func (s *sealer) encode(pl exactlyonce.Plan) ([]byte, error) {
	state := pl.Encode()
	pending := checkpoint.Prepared{At: pl.Last, State: state}
	if verdict, _, err := exactlyonce.Judge(&pending, pl.After, s.identity, s.buckets); verdict != exactlyonce.Redo {
		return nil, fmt.Errorf("a plan of ours is %v: %w", verdict, err)
	}
	return state, nil
}

// names are what the key of an object is made of.
type names struct {
	prefix  prefix.Prefix
	stream  string // the delivery stream
	version int
}

// key returns the key of an object whose first record arrived at at, in
// Firehose's grammar. One instant gives both what stands before the name, and
// the name.
// Source: Firehose "Amazon S3 object name format".
func (n names) key(at time.Time, id exactlyonce.UUID, f container.Format) string {
	return n.prefix.At(at) + n.name(at, id, f)
}

func (n names) name(at time.Time, id exactlyonce.UUID, f container.Format) string {
	return fmt.Sprintf("%s-%d-%s-%s%s", n.stream, n.version, at.UTC().Format("2006-01-02-15-04-05"), id, f.Extension)
}

// longest returns a key that has as many bytes as one of these names ever has.
func (n names) longest(f container.Format) string {
	return n.prefix.Longest() + n.name(time.Time{}, exactlyonce.UUID{}, f)
}

func randomUUID() exactlyonce.UUID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return exactlyonce.NewUUID(b)
}

func ageOf(arrival, now time.Time) time.Duration {
	if arrival.IsZero() {
		return 0
	}
	return max(now.Sub(arrival), 0)
}
