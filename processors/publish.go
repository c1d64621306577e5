package processors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// object is what publish puts: a plan, and a body that is finished.
type object struct {
	plan     exactlyonce.Plan
	body     *body
	ifAbsent bool
	size     int64 // of the body as put
	puts     int   // tries so far
	stored   bool  // a try was answered with success
	found    bool  // the store had it already
}

// reusable reports whether no request can still be reading the body: there was
// none, or one that was answered with success, so that all of it had been read.
func (o *object) reusable() bool { return o.puts == 0 || o.puts == 1 && o.stored }

// publish puts the object, however long it takes. When it returns nil the
// object is durable.
func (p *processor) publish(ctx context.Context, o *object) error {
	doing := "putting " + o.plan.Bucket + "/" + o.plan.Key
	return p.repeat(ctx, doing, p.RetryInterval, func(ctx context.Context) error {
		if err := p.trusted(); err != nil {
			return err
		}
		o.size = o.body.spool.Size()
		err := p.bounded(ctx, doing, putTimeout(o.size), func(ctx context.Context) error { return p.put(ctx, o) })
		if err != nil && p.Hooks.PutFailed != nil {
			p.Hooks.PutFailed(PutFailedEvent{ShardID: p.shard.ShardID, Bucket: o.plan.Bucket, Key: o.plan.Key, Attempt: o.puts, Err: err})
		}
		return err
	})
}

// put tries once.
func (p *processor) put(ctx context.Context, o *object) error {
	o.puts++
	err := p.store.Put(ctx, Object{
		Bucket: o.plan.Bucket, Key: o.plan.Key, Body: o.body.spool.Reader(),
		ContentType:     "application/octet-stream",
		ContentEncoding: contentEncoding(o.plan.Codec),
		Metadata:        map[string]string{MetadataPlan: o.plan.UUID.String()},
		IfAbsent:        o.ifAbsent,
	})
	o.stored = err == nil
	if o.ifAbsent && errors.Is(err, ErrExists) {
		o.found, err = p.isDelivered(ctx, o.plan)
		if err == nil && !o.found {
			err = errors.New("the object that was in the way is gone")
		}
	}
	return err
}

// isDelivered reports whether the plan's object is in the store. It returns an
// error that is final if another one has its key.
func (p *processor) isDelivered(ctx context.Context, pl exactlyonce.Plan) (bool, error) {
	metadata, exists, err := p.store.Head(ctx, pl.Bucket, pl.Key)
	if err != nil {
		return false, fmt.Errorf("looking for the object: %w", err)
	}
	switch exactlyonce.JudgeKey(metadata[MetadataPlan], exists, pl.UUID) {
	case exactlyonce.KeyFree:
		return false, nil
	case exactlyonce.KeyOurs:
		return true, nil
	default:
		p.log.Error("another object has the key of a prepared cut; move it away or abandon the prepared checkpoint",
			zap.String("bucket", pl.Bucket), zap.String("key", pl.Key))
		return false, stop(fmt.Errorf("%w: %s/%s, plan %v", ErrKeyTaken, pl.Bucket, pl.Key, pl.UUID))
	}
}

// putTimeout bounds one try, so that a connection that hangs is given up: a
// minute, and what the size takes at 1 MiB a second.
func putTimeout(size int64) time.Duration {
	return time.Minute + time.Duration(size/mib)*time.Second
}
