package processors

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// planDigest is the rule of the digests in the plans that archivers write.
const planDigest = exactlyonce.XXH3

// cut is a closed cut on its way through its steps. Its fields say how far it is, so
// that its delivery can go on after an error.
type cut struct {
	parcel

	state    []byte // the plan; every try of the prepare stores these bytes
	last     checkpoint.Position
	reason   string // why it closed
	progress exactlyonce.Progress
	prepared *checkpoint.PreparedCheckpoint
}

// sealer makes a cut of what a buffer gathered. Everything that depends on
// clock, chance or configuration is fixed there, but the cut's UUID: that was
// drawn when its body was opened.
type sealer struct {
	lanes     []lane // the first one is that of what is delivered
	identity  exactlyonce.Identity
	hashRange exactlyonce.HashRange
	buckets   []string                // that a plan may name
	planned   bool                    // exactly once
	newUUID   func() exactlyonce.UUID // of each object of a cut that has several
	sink      *objectSink
	staging   *staging // nil if cuts have one object
}

// closing is a cut that is being closed.
type closing struct {
	*sealer
	gathered

	ctx  context.Context  //nolint:containedctx // of the call that closes the cut
	plan exactlyonce.Plan // what all kinds have; contents.pack adds the rest
}

// seal returns the cut of g, which follows the checkpoint after. What g holds is the
// cut's, or given back.
func (s *sealer) seal(ctx context.Context, g gathered, after checkpoint.ExtendedSequenceNumber, reason string) (*cut, error) {
	c := closing{sealer: s, gathered: g, ctx: ctx}
	c.plan = exactlyonce.Plan{
		Identity:     s.identity,
		UUID:         c.id,
		After:        after,
		First:        g.first.ExtendedSequenceNumber,
		Last:         g.last.ExtendedSequenceNumber,
		FirstArrival: g.first.Arrival,
		LastArrival:  g.last.Arrival,
		Records:      g.records,
		Bytes:        g.bytes,
	}
	p, err := g.contents.pack(&c)
	if err != nil {
		g.contents.release(true, s.sink.log)
		return nil, err
	}
	made := &cut{parcel: p, last: g.last, reason: reason}
	if isEmpty := c.plan.Bucket == "" && c.plan.Bundle == nil; isEmpty || !s.planned {
		return made, nil
	}
	made.progress.Planned, made.progress.Bundled = true, c.plan.Bundle != nil
	if made.state, err = s.encode(c.plan); err != nil {
		p.release()
		return nil, err
	}
	return made, nil
}

// pack implements contents.
func (b *body) pack(c *closing) (parcel, error) {
	l := &c.lanes[0]
	key, err := l.key(instant(c.oldest), c.id, l.format)
	if err != nil {
		return nil, err
	}
	o := &object{
		Target: exactlyonce.Target{Bucket: l.bucket, Key: key}, id: c.id, role: RoleDelivery,
		contentType: octetStream, encoding: l.format.Encoding, records: b.records, bytes: b.bytes, oldest: c.oldest, ifAbsent: c.planned,
	}
	o.fill(b)
	c.plan.Digest, c.plan.HashRange = b.digest(), c.hashRange
	c.plan.Bucket, c.plan.Key, c.plan.Codec, c.plan.Delimiter = o.Bucket, o.Key, l.format.Codec, l.delimiter
	return &single{sink: c.sink, object: o, body: b}, nil
}

// instant is what a key says of a record that arrived at at.
func instant(at time.Time) time.Time {
	if at.IsZero() {
		return time.Now()
	}
	return at
}

// encode returns what the row is to hold of a plan. A plan that a successor with
// this configuration would not finish must not get there.
func (s *sealer) encode(pl exactlyonce.Plan) ([]byte, error) {
	state := pl.Encode()
	pending := checkpoint.Prepared{At: pl.Last, State: state}
	if verdict, _, err := exactlyonce.Judge(&pending, pl.After, s.identity, s.buckets); verdict != exactlyonce.Redo {
		return nil, fmt.Errorf("a plan of ours is %v: %w", verdict, err)
	}
	if len(state) > exactlyonce.MaxBytes && pl.Bundle != nil {
		pl.Bundle.Objects = nil // the index has them
		state = pl.Encode()
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
