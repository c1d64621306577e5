package processors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// object is one that a cut puts, with a body that is finished.
type object struct {
	bucket, key    string
	id             exactlyonce.UUID // of the plan; its metadata says so
	format         container.Format
	records, bytes int64 // as planned
	body           *body // nil if it need not be put
	ifAbsent       bool
	size           int64 // of the body as put
	puts           int   // tries so far
	stored         bool  // a try was answered with success
	found          bool  // the store had it already
}

// objectOf is the object of a plan that is already there, unless it gets a body.
func objectOf(pl exactlyonce.Plan) *object {
	format, _ := container.Coded(pl.Codec) // Decode refuses what is none
	return &object{bucket: pl.Bucket, key: pl.Key, id: pl.UUID, format: format, records: pl.Records, bytes: pl.Bytes, ifAbsent: true}
}

// durable reports whether the object is known to be in the store.
func (o *object) durable() bool { return o.stored || o.found }

// reusable reports whether no request can still be reading the body: there was
// none, or one that was answered with success, so that all of it had been read.
func (o *object) reusable() bool { return o.puts == 0 || o.puts == 1 && o.stored }

func (o *object) release(log *zap.Logger) {
	if o.body != nil {
		o.body.release(o.reusable(), log)
	}
}

// objects is a parcel of objects.
type objects struct {
	sink   *objectSink
	list   []*object
	oldest time.Time // arrival of the oldest record in them
}

// publish puts those that are not durable yet, one after another.
func (p *objects) publish(ctx context.Context) error {
	for _, o := range p.list {
		if o.durable() {
			continue
		}
		if err := p.sink.publish(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (p *objects) committed(reason string) {
	for _, o := range p.list {
		p.sink.delivered(o, p.oldest, reason)
	}
}

func (p *objects) release() {
	for _, o := range p.list {
		o.release(p.sink.log)
	}
}

func (p *objects) held() BufferedEvent {
	var e BufferedEvent
	for _, o := range p.list {
		e.add(o.body)
	}
	e.Freshness = ageOf(p.oldest, time.Now())
	return e
}

// objectSink puts the objects of one shard into a store.
type objectSink struct {
	store   ObjectStore
	try     *tries
	every   time.Duration // before a put is repeated
	trusted func() error  // whether the shard's lease is; nil before Initialize
	hooks   Hooks
	shardID string
	log     *zap.Logger
}

// publish puts an object, however long it takes. When it returns nil the
// object is durable.
func (s *objectSink) publish(ctx context.Context, o *object) error {
	doing := "putting " + o.bucket + "/" + o.key
	return s.try.until(ctx, doing, s.every, func(ctx context.Context) error {
		if err := s.trusted(); err != nil {
			return err
		}
		o.size = o.body.spool.Size()
		err := s.try.once(ctx, doing, putTimeout(o.size), func(ctx context.Context) error { return s.put(ctx, o) })
		if err != nil && s.hooks.PutFailed != nil {
			s.hooks.PutFailed(PutFailedEvent{ShardID: s.shardID, Bucket: o.bucket, Key: o.key, Attempt: o.puts, Err: err})
		}
		return err
	})
}

// put tries once.
func (s *objectSink) put(ctx context.Context, o *object) error {
	o.puts++
	err := s.store.Put(ctx, Object{
		Bucket: o.bucket, Key: o.key, Body: o.body.spool.Reader(),
		ContentType:     "application/octet-stream",
		ContentEncoding: o.format.Encoding,
		Metadata:        map[string]string{MetadataPlan: o.id.String()},
		IfAbsent:        o.ifAbsent,
	})
	o.stored = err == nil
	if o.ifAbsent && errors.Is(err, ErrExists) {
		err = s.look(ctx, o)
		if err == nil && !o.found {
			err = errors.New("the object that was in the way is gone")
		}
	}
	return err
}

// lookUntil is look, repeated until the store tells.
func (s *objectSink) lookUntil(ctx context.Context, o *object) error {
	doing := "looking for " + o.bucket + "/" + o.key
	return s.try.until(ctx, doing, s.every, func(ctx context.Context) error {
		return s.try.once(ctx, doing, putTimeout(0), func(ctx context.Context) error { return s.look(ctx, o) })
	})
}

// look finds out whether the object is in the store. Its error is final if
// another one has the key.
func (s *objectSink) look(ctx context.Context, o *object) error {
	metadata, exists, err := s.store.Head(ctx, o.bucket, o.key)
	if err != nil {
		return fmt.Errorf("looking for the object: %w", err)
	}
	state := exactlyonce.JudgeKey(metadata[MetadataPlan], exists, o.id)
	if state == exactlyonce.KeyTaken {
		s.log.Error("another object has the key of a prepared cut; move it away or abandon the prepared checkpoint",
			zap.String("bucket", o.bucket), zap.String("key", o.key))
		return kcl.GiveUp(fmt.Errorf("%w: %s/%s, plan %v", ErrKeyTaken, o.bucket, o.key, o.id))
	}
	o.found = state == exactlyonce.KeyOurs
	return nil
}

// delivered tells of an object whose cut is committed.
func (s *objectSink) delivered(o *object, oldest time.Time, reason string) {
	e := DeliveredEvent{
		ShardID: s.shardID, Bucket: o.bucket, Key: o.key,
		Records: o.records, Bytes: o.bytes, Freshness: ageOf(oldest, time.Now()),
		Reason: reason, ObjectBytes: o.size, Puts: o.puts, Found: o.found,
	}
	if o.stored { // fewer than planned, if some have expired
		e.Records, e.Bytes = o.body.records, o.body.bytes
	}
	s.log.Info("object delivered", zap.String("key", e.Key), zap.Int64("records", e.Records), zap.Int64("bytes", e.Bytes),
		zap.Int64("object_bytes", e.ObjectBytes), zap.String("reason", reason), zap.Duration("freshness", e.Freshness))
	if s.hooks.Delivered != nil {
		s.hooks.Delivered(e)
	}
}

// putTimeout bounds one try, so that a connection that hangs is given up: a
// minute, and what the size takes at 1 MiB a second.
func putTimeout(size int64) time.Duration {
	return time.Minute + time.Duration(size/mib)*time.Second
}
