package processors

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/zeebo/xxh3"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/spool"
)

// bundle is the parcel of a cut that has several objects. All their bodies are in one
// spool, and an index of them behind: what is staged. With AtLeastOnce nothing is.
type bundle struct {
	sink    *objectSink
	staging *staging
	self    *object // what is staged; nil if nothing is
	spool   *spool.Spool
	list    []*object

	records, bytes int64 // of the cut
	oldest         time.Time
	tally          *ProcessedEvent // nil for an earlier holder's
	indexed        *IndexedEvent   // nil without documents
}

// copyBytes is how much of a log is copied into a body at once.
const copyBytes = 64 << 10

// pack implements contents: it makes the bodies, one after another.
func (o *outputs) pack(c *closing) (parcel, error) {
	tally := o.tally // not all that o holds
	b := &bundle{indexed: o.indexed, sink: c.sink, staging: c.staging, spool: o.shop.spools.Open(), records: c.records, bytes: c.bytes, oldest: c.oldest, tally: &tally}
	for _, e := range o.begun {
		if e.lane.role == exactlyonce.Delivery {
			tally.Objects++
		}
	}
	x, err := o.bodies(c, b.spool)
	if err != nil {
		closeSpool(b.spool, true, c.sink.log)
		return nil, err
	}
	c.marking.mark(&x, b.spool)
	if err := b.spool.Err(); err != nil {
		c.sink.log.Warn("spool file cannot be used: the bodies of a cut stay in memory", zap.Error(err))
	}
	b.unpack(x, c.planned)
	if c.planned && len(x.Objects) > 0 {
		c.plan.Bundle = b.stage(x)
	}
	if err := c.encode(); err != nil {
		closeSpool(b.spool, true, c.sink.log)
		return nil, err
	}
	o.release(true, c.sink.log)
	return b, nil
}

// bodies writes the bodies of all objects to a spool, and returns what they are.
func (o *outputs) bodies(c *closing, to *spool.Spool) (exactlyonce.Index, error) {
	x := exactlyonce.Index{UUID: c.id}
	buf := make([]byte, copyBytes)
	digest := xxh3.New128()
	for _, e := range o.begun {
		digest.Reset()
		from, id := to.Size(), c.newUUID()
		key, err := e.key(id)
		if err != nil {
			return x, err
		}
		if err := e.body(c.ctx, o.shop, id, o.log, io.MultiWriter(to, digest), buf); err != nil {
			return x, err
		}
		x.Objects = append(x.Objects, exactlyonce.Object{
			Target: exactlyonce.Target{Bucket: e.lane.bucket, Key: key},
			Role:   e.lane.role, Size: to.Size() - from, Digest: digest.Sum128().Bytes(),
			ContentType: octetStream, ContentEncoding: e.lane.format.Encoding,
			Records: e.records, Bytes: e.bytes, Oldest: e.oldest,
		})
	}
	return x, nil
}

// unpack makes the objects that an index is of.
func (b *bundle) unpack(x exactlyonce.Index, ifAbsent bool) {
	var offset int64
	for _, e := range x.Objects {
		b.list = append(b.list, &object{
			Target: e.Target, id: x.UUID, role: roleOf(e.Role), contentType: e.ContentType, encoding: e.ContentEncoding, records: e.Records, bytes: e.Bytes, oldest: e.Oldest,
			ifAbsent: ifAbsent, content: b.spool, offset: offset, size: e.Size,
		})
		offset += e.Size
	}
}

// stage completes what is to be staged, and returns what a plan says of it.
func (b *bundle) stage(x exactlyonce.Index) *exactlyonce.Bundle {
	index := x.Encode()
	_, _ = b.spool.Write(index) // never fails
	b.self = &object{
		Target: b.staging.target(x.UUID), id: x.UUID, role: RoleBundle, contentType: octetStream, records: b.records, bytes: b.bytes, oldest: b.oldest,
		ifAbsent: true, content: b.spool, size: b.spool.Size(),
	}
	return &exactlyonce.Bundle{
		Bucket: b.self.Bucket, Key: b.self.Key, Size: b.self.size, IndexSize: int64(len(index)), Index: exactlyonce.Sum(index),
		Count: int64(len(x.Objects)), Objects: x.Targets(),
	}
}

func (b *bundle) seal(ctx context.Context) error { return b.sink.publish(ctx, b.self) }

// publish puts the marker when all others are durable: what it names is there then.
func (b *bundle) publish(ctx context.Context) error {
	m, others := b.marker(), b.list
	if m != nil {
		others = others[:len(others)-1]
	}
	if err := b.sink.all(ctx, "putting", others, (*object).durable, b.sink.attempt); err != nil {
		return err
	}
	if m == nil || m.durable() {
		return nil
	}
	return b.sink.publish(ctx, m)
}

// loading implements parcel.
func (b *bundle) loading() *loading {
	m := b.marker()
	if m == nil {
		return nil
	}
	return &loading{sink: b.sink, marker: &object{Target: m.Target, id: m.id, role: RoleMarker, oldest: m.oldest}}
}

// marker returns the marker, the last object, nil if there is none.
func (b *bundle) marker() *object {
	if n := len(b.list); n > 0 && b.list[n-1].role == RoleMarker {
		return b.list[n-1]
	}
	return nil
}

func (b *bundle) committed(ctx context.Context, reason string) {
	if b.tally != nil {
		b.sink.processed(*b.tally, b.records, b.bytes)
	}
	if b.indexed != nil {
		b.sink.indexed(*b.indexed, b.oldest, reason)
	}
	for _, o := range b.list {
		if o.role != RoleMarker {
			b.sink.delivered(o, reason)
		}
	}
	if b.self != nil {
		b.staging.discard(ctx, b.self.Key)
	}
}

func (b *bundle) release() {
	idle := b.self == nil || b.self.idle()
	for _, o := range b.list {
		idle = idle && o.idle()
	}
	closeSpool(b.spool, idle, b.sink.log)
}

func (b *bundle) held() BufferedEvent {
	return BufferedEvent{Records: b.records, Bytes: b.bytes, Held: b.spool.Held() + objectBytes*int64(len(b.list)), Freshness: ageOf(b.oldest, time.Now())}
}

// check compares each body with its digest.
func (b *bundle) check(ctx context.Context, x exactlyonce.Index) error {
	digest := xxh3.New128()
	buf := make([]byte, copyBytes)
	for i, o := range b.list {
		digest.Reset()
		for at := int64(0); at < o.size; at += copyBytes {
			deadline.Beat(ctx)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			part := buf[:min(o.size-at, copyBytes)]
			if _, err := o.content.ReadAt(part, o.offset+at); err != nil {
				return fmt.Errorf("reading what was staged: %w", err)
			}
			_, _ = digest.Write(part) // never fails
		}
		if digest.Sum128().Bytes() != x.Objects[i].Digest {
			return fmt.Errorf("%w: the body of %s/%s is not the one that was staged", exactlyonce.ErrBroken, o.Bucket, o.Key)
		}
	}
	return nil
}
