package processors

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
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
// clock, chance or configuration is fixed there.
type sealer struct {
	names
	identity  exactlyonce.Identity
	hashRange exactlyonce.HashRange
	buckets   []string // that a plan may name; the first one is where objects go
	format    container.Format
	planned   bool // exactly once
	newUUID   func() exactlyonce.UUID
	sink      *objectSink
}

// seal returns the cut of g, which follows the checkpoint after. After an error
// g is still the caller's.
func (s *sealer) seal(g gathered, after checkpoint.ExtendedSequenceNumber, reason string) (*cut, error) {
	at := g.oldest
	if at.IsZero() {
		at = time.Now()
	}
	id := s.newUUID()
	key, err := s.key(at, id, s.format)
	if err != nil {
		return nil, err
	}
	o := &object{
		bucket: s.buckets[0], key: key, id: id, format: s.format,
		records: g.body.records, bytes: g.body.bytes, body: g.body, ifAbsent: s.planned,
	}
	c := &cut{parcel: &objects{sink: s.sink, list: []*object{o}, oldest: g.oldest}, last: g.last, reason: reason}
	if !s.planned {
		return c, nil
	}
	c.state, err = s.encode(exactlyonce.Plan{
		Identity:     s.identity,
		UUID:         id,
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
