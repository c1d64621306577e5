package processors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// octetStream is the Content-Type of whatever Firehose puts.
const octetStream = "application/octet-stream"

// object is one that a cut puts, with a body that is finished.
type object struct {
	exactlyonce.Target

	id             exactlyonce.UUID // of the plan; its metadata says so
	role           Role
	contentType    string
	encoding       string    // Content-Encoding
	records, bytes int64     // that the body is made of, or is to be
	oldest         time.Time // arrival of the oldest of these
	ifAbsent       bool

	content io.ReaderAt // of which size bytes from offset on are the body; nil if it need not be put
	offset  int64
	size    int64

	puts   int  // tries so far
	stored bool // a try was answered with success
	looked bool // the store was asked whether it has it
	found  bool // it had
}

// objectOf is the object of a plan of kind R that is already there, unless it gets a
// body.
func objectOf(pl exactlyonce.Plan) (*object, container.Format) {
	format, _ := container.Coded(pl.Codec) // Decode refuses what is none
	return &object{
		Target: exactlyonce.Target{Bucket: pl.Bucket, Key: pl.Key}, id: pl.UUID, role: RoleDelivery, contentType: octetStream, encoding: format.Encoding,
		records: pl.Records, bytes: pl.Bytes, oldest: pl.FirstArrival, ifAbsent: true,
	}, format
}

// fill gives the object a body, which is finished.
func (o *object) fill(b *body) {
	o.content, o.size = b.spool, b.spool.Size()
}

// durable reports whether the object is known to be in the store.
func (o *object) durable() bool { return o.stored || o.found }

// idle reports whether no request can still be reading the body: there was none,
// or one that was answered with success, so that all of it had been read.
func (o *object) idle() bool { return o.puts == 0 || o.puts == 1 && o.stored }

// single is the parcel of one object.
type single struct {
	sink   *objectSink
	object *object
	body   *body
}

func (*single) loading() *loading                   { return nil }
func (*single) seal(context.Context) error          { return nil } // nothing to seal: a replay makes it again
func (p *single) publish(ctx context.Context) error { return p.sink.publish(ctx, p.object) }
func (p *single) release()                          { p.body.release(p.object.idle(), p.sink.log) }

func (p *single) committed(_ context.Context, reason string) { p.sink.delivered(p.object, reason) }

func (p *single) held() BufferedEvent {
	return BufferedEvent{
		Records: p.object.records, Bytes: p.object.bytes, Held: p.body.spool.Held(), Freshness: ageOf(p.object.oldest, time.Now()),
	}
}

// objectSink puts the objects of one shard into a store.
type objectSink struct {
	store     ObjectStore
	keyOf     func(Role) string // the key that encrypts an object
	slots     chan struct{}     // one for each put of a bundle's objects, of all shards
	try       *tries
	every     time.Duration // before a put is repeated
	trusted   func() error  // whether the shard's lease is; nil before Initialize
	multipart bool          // of what is delivered, and of what could not be
	hooks     Hooks
	shardID   string
	log       *zap.Logger
}

// publish puts an object, however long it takes. When it returns nil the
// object is durable.
func (s *objectSink) publish(ctx context.Context, o *object) error {
	return s.try.until(ctx, "putting "+o.Bucket+"/"+o.Key, s.every, func(ctx context.Context) error { return s.attempt(ctx, o) })
}

// attempt makes one try to put an object.
func (s *objectSink) attempt(ctx context.Context, o *object) error {
	if err := s.trusted(); err != nil {
		return err
	}
	err := s.try.once(ctx, "putting "+o.Bucket+"/"+o.Key, putTimeout(o.size), func(ctx context.Context) error { return s.put(ctx, o) })
	if err != nil && s.hooks.PutFailed != nil {
		s.hooks.PutFailed(PutFailedEvent{ShardID: s.shardID, Bucket: o.Bucket, Key: o.Key, Role: o.role, Attempt: o.puts, Err: err})
	}
	return err
}

func (s *objectSink) put(ctx context.Context, o *object) error {
	o.puts++
	err := s.store.Put(ctx, Object{
		Bucket: o.Bucket, Key: o.Key, Body: io.NewSectionReader(o.content, o.offset, o.size),
		ContentType:     o.contentType,
		ContentEncoding: o.encoding,
		Metadata:        map[string]string{MetadataPlan: o.id.String()},
		AWSKMSKeyARN:    s.keyOf(o.role),
		IfAbsent:        o.ifAbsent,
		Multipart:       s.multipart && (o.role == RoleDelivery || o.role == RoleFailed),
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
	return s.try.until(ctx, "looking for "+o.Bucket+"/"+o.Key, s.every, func(ctx context.Context) error { return s.lookOnce(ctx, o) })
}

func (s *objectSink) lookOnce(ctx context.Context, o *object) error {
	return s.try.once(ctx, "looking for "+o.Bucket+"/"+o.Key, putTimeout(0), func(ctx context.Context) error { return s.look(ctx, o) })
}

// look finds out whether the object is in the store. Its error is final if
// another one has the key.
func (s *objectSink) look(ctx context.Context, o *object) error {
	metadata, exists, err := s.store.Head(ctx, o.Bucket, o.Key)
	if err != nil {
		return fmt.Errorf("looking for the object: %w", err)
	}
	state := exactlyonce.JudgeKey(metadata[MetadataPlan], exists, o.id)
	if state == exactlyonce.KeyTaken {
		s.log.Error("another object has the key of a prepared cut; move it away or abandon the prepared checkpoint",
			zap.String("bucket", o.Bucket), zap.String("key", o.Key))
		return kcl.GiveUp(fmt.Errorf("%w: %s/%s, plan %v", ErrKeyTaken, o.Bucket, o.Key, o.id))
	}
	o.looked, o.found = true, state == exactlyonce.KeyOurs
	return nil
}

// delivered tells of an object whose cut is committed.
func (s *objectSink) delivered(o *object, reason string) {
	e := DeliveredEvent{
		ShardID: s.shardID, Bucket: o.Bucket, Key: o.Key, Role: o.role,
		Records: o.records, Bytes: o.bytes, Freshness: ageOf(o.oldest, time.Now()),
		Reason: reason, ObjectBytes: o.size, Puts: o.puts, Found: o.found,
	}
	s.log.Info("object delivered", zap.String("key", e.Key), zap.String("role", string(o.role)), zap.Int64("records", e.Records), zap.Int64("bytes", e.Bytes),
		zap.Int64("object_bytes", e.ObjectBytes), zap.String("reason", reason), zap.Duration("freshness", e.Freshness))
	if s.hooks.Delivered != nil {
		s.hooks.Delivered(e)
	}
}

// processed tells what became of the records of a cut that is committed.
func (s *objectSink) processed(e ProcessedEvent, records, bytes int64) {
	e.ShardID, e.Records, e.Bytes = s.shardID, records, bytes
	for failure, n := range e.Failed {
		s.log.Warn("records failed, and are in an error object", zap.String("error_output_type", failure), zap.Int64("records", n))
	}
	if s.hooks.Processed != nil {
		s.hooks.Processed(e)
	}
}

// indexed tells what became of the documents of a cut that is committed.
func (s *objectSink) indexed(e IndexedEvent, oldest time.Time, reason string) {
	e.ShardID, e.Freshness, e.Reason = s.shardID, ageOf(oldest, time.Now()), reason
	s.log.Info("documents indexed", zap.Int64("documents", e.Documents), zap.Int64("bytes", e.Bytes), zap.Int64("superseded", e.Superseded),
		zap.Int64("failed", e.Failed), zap.Int64("requests", e.Requests), zap.String("reason", reason), zap.Duration("freshness", e.Freshness))
	if s.hooks.Indexed != nil {
		s.hooks.Indexed(e)
	}
}

// putTimeout bounds one try, so that a connection that hangs is given up: a
// minute, and what the size takes at 1 MiB a second.
func putTimeout(size int64) time.Duration {
	return time.Minute + time.Duration(size/mib)*time.Second
}
