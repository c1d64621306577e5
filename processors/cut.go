package processors

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// planDigest is the rule of the digests in the plans that archivers write.
const planDigest = exactlyonce.XXH3

// cut is a closed cut on its way through its steps. Its fields say how far it is, so
// that its delivery can go on after an error.
type cut struct {
	parcel // nil while it is open

	open     *unindexed // its documents, while not each of them has an outcome; nil else
	state    []byte     // the plan; every try of the prepare stores these bytes
	last     checkpoint.Position
	reason   string // why it closed
	progress exactlyonce.Progress
	prepared *checkpoint.PreparedCheckpoint

	announcement []byte // what the row is to hold instead of state once all of it is there, if it is to be loaded
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
	marking   *marking // nil if nothing is to be loaded

	indexing   func(d *documents) Indexing // nil without an index
	failedType string                      // the error-output-type of documents
}

// closing is a cut that is being closed.
type closing struct {
	*sealer
	gathered

	ctx   context.Context  //nolint:containedctx // of the call that closes the cut
	plan  exactlyonce.Plan // what all kinds have; contents.pack adds the rest
	state []byte           // what the row is to hold of it; none if there is nothing to be put, or no plan is needed
}

// release gives back what it holds.
func (c *cut) release() {
	if c.open != nil {
		c.open.release()
		return
	}
	c.parcel.release()
}

// held returns what it holds.
func (c *cut) held() BufferedEvent {
	if c.open != nil {
		return c.open.held()
	}
	return c.parcel.held()
}

// seal returns the cut of g, which follows the checkpoint after. What g holds is the
// cut's, or given back.
func (s *sealer) seal(ctx context.Context, g gathered, after checkpoint.ExtendedSequenceNumber, reason string) (*cut, error) {
	c := &closing{sealer: s, gathered: g, ctx: ctx}
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
	made := &cut{last: g.last, reason: reason}
	if made.open = g.contents.unindexed(c); made.open != nil {
		made.progress.Documents = true
		return made, nil
	}
	if err := made.pack(c); err != nil {
		g.contents.release(true, s.sink.log)
		return nil, err
	}
	return made, nil
}

// close makes what is put of a cut whose documents have an outcome each.
func (c *cut) close(ctx context.Context) error {
	o := c.open
	o.closing.ctx = ctx
	if err := o.note(); err != nil {
		return err
	}
	if err := c.pack(o.closing); err != nil {
		if ctx.Err() == nil {
			err = kcl.GiveUp(err)
		}
		return err
	}
	c.open, c.progress.Indexed = nil, true
	return nil
}

// pack makes the parcel, and the plan of it.
func (c *cut) pack(from *closing) (err error) {
	if c.parcel, err = from.contents.pack(from); err == nil {
		c.state = from.state
		c.progress.Planned, c.progress.Bundled = len(c.state) > 0, from.plan.Bundle != nil
		if l := c.loading(); l != nil && from.marking.awaits {
			c.progress.Loading, c.announcement = true, from.plan.Announce(l.marker.Target).Encode()
		}
	}
	return err
}

// pack implements contents.
func (b *body) pack(c *closing) (parcel, error) {
	if err := b.finish(); err != nil {
		return nil, err
	}
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
	if err := c.encode(); err != nil {
		return nil, err
	}
	return &single{sink: c.sink, object: o, body: b}, nil
}

// instant is what a key says of a record that arrived at at.
func instant(at time.Time) time.Time {
	if at.IsZero() {
		return time.Now()
	}
	return at
}

// encode makes what the row is to hold of the plan, which is complete. A plan that a
// successor with this configuration would not finish must not get there.
func (c *closing) encode() error {
	pl := &c.plan
	if isEmpty := pl.Bucket == "" && pl.Bundle == nil; isEmpty || !c.planned {
		return nil
	}
	state := pl.Encode()
	pending := checkpoint.Prepared{At: pl.Last, State: state}
	if verdict, _, err := exactlyonce.Judge(&pending, pl.After, c.identity, c.buckets); verdict != exactlyonce.Redo {
		return fmt.Errorf("a plan of ours is %v: %w", verdict, err)
	}
	if len(state) > exactlyonce.MaxBytes && pl.Bundle != nil {
		pl.Bundle.Objects = nil // the index has them
		state = pl.Encode()
	}
	c.state = state
	return nil
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
