package processors

import (
	"cmp"
	"context"
	"io"
	"strings"
	"time"

	"github.com/zeebo/xxh3"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// jsonType is the Content-Type of a marker.
const jsonType = "application/json"

// marking is how cuts say that they can be loaded; nil if they do not.
type marking struct {
	source         Marker // without objects
	bucket, prefix string // of markers
	awaits         bool   // the checkpoint waits until a marker is gone
}

func (s *settings) marking(shard kcl.ShardInfo) *marking {
	if s.Load == nil {
		return nil
	}
	bucket, prefix := s.Markers()
	source := Marker{DeliveryStreamName: s.DeliveryStreamName, Application: shard.Table, Stream: cmp.Or(shard.StreamARN, shard.StreamName)}
	return &marking{source: source, bucket: bucket, prefix: prefix, awaits: s.Load.CommitOn == CommitOnLoad}
}

// mark appends the marker of what is delivered to the objects of x, and its body to those
// of them. There is none if nothing is delivered.
func (m *marking) mark(x *exactlyonce.Index, to io.Writer) {
	if m == nil {
		return
	}
	o := exactlyonce.Object{
		Target: exactlyonce.Target{Bucket: m.bucket, Key: m.prefix + x.UUID.String()}, Role: exactlyonce.Marker, ContentType: jsonType,
	}
	says := m.source
	for _, e := range x.Objects {
		if e.Role != exactlyonce.Delivery {
			continue
		}
		says.Objects = append(says.Objects, MarkedObject{
			Bucket: e.Bucket, Key: e.Key, Size: e.Size, Digest: e.Digest, Records: e.Records, Bytes: e.Bytes, Oldest: e.Oldest,
		})
		o.Records, o.Bytes = o.Records+e.Records, o.Bytes+e.Bytes
		if o.Oldest.IsZero() || e.Oldest.Before(o.Oldest) {
			o.Oldest = e.Oldest
		}
	}
	if len(says.Objects) == 0 {
		return
	}
	body := says.Encode()
	_, _ = to.Write(body) // never fails
	o.Size, o.Digest = int64(len(body)), xxh3.Hash128(body).Bytes()
	x.Objects = append(x.Objects, o)
}

// loading is what is left of a cut of which all is in the store: its marker, until that is
// gone.
type loading struct {
	sink    *objectSink
	marker  *object
	foreign bool // no loader of what is configured here finds the marker
}

// finds reports whether a loader of what is configured finds a marker.
func (m *marking) finds(t exactlyonce.Target) bool {
	return m != nil && t.Bucket == m.bucket && strings.HasPrefix(t.Key, m.prefix)
}

// foreignRemedy is what a person must do about a marker that no loader of what is configured finds.
const foreignRemedy = "run a loader with the former staging and DeliveryStreamName, or load its objects by hand and delete it then"

func (s *objectSink) foreign(t exactlyonce.Target) {
	s.log.Error("marker of a former configuration: no loader with this one finds it", zap.String("bucket", t.Bucket), zap.String("marker", t.Key), zap.String("remedy", foreignRemedy))
}

func (*loading) seal(context.Context) error        { return nil }
func (*loading) publish(context.Context) error     { return nil }
func (*loading) release()                          {}
func (l *loading) loading() *loading               { return l }
func (*loading) committed(context.Context, string) {}

// held implements parcel: what it is of is durable, and nothing of it is in memory.
func (*loading) held() BufferedEvent { return BufferedEvent{} }

// staged gives back what a cut has that only awaits its load, and tells of it, once.
func (c *cut) staged(ctx context.Context) *loading {
	from, left := c.parcel, c.loading()
	if from != left {
		c.parcel = left
		from.release()
		from.committed(ctx, c.reason)
	}
	return left
}

// goOn returns an earlier holder's cut that is announced, and awaits its load.
func (s *successor) goOn(in kcl.InitializationInput, pl exactlyonce.Plan) (*cut, error) {
	prepared, err := s.resume(in, pl)
	if err != nil {
		return nil, err
	}
	return &cut{
		parcel:   &loading{sink: s.sink, marker: &object{Target: *pl.Awaits, id: pl.UUID, role: RoleMarker, oldest: pl.FirstArrival}, foreign: !s.marking.finds(*pl.Awaits)},
		last:     checkpoint.Position{ExtendedSequenceNumber: pl.Last, Arrival: pl.LastArrival},
		reason:   reasonRedo,
		progress: exactlyonce.Progress{Planned: true, Prepared: true, Published: true, Loading: true, Announced: true},
		prepared: prepared,
	}, nil
}

// announce returns nil only if the row is known to say that all of a cut is in the
// store. Until then nothing but the same write is tried.
func (t *tries) announce(ctx context.Context, prepared *checkpoint.PreparedCheckpoint, state []byte) error {
	return t.write(ctx, "announcing that a cut is staged", func(ctx context.Context) error { return prepared.Replace(ctx, state) })
}

// await returns nil when the marker is gone, however long that takes. It says that it
// waits, at once and each minute.
func (l *loading) await(ctx context.Context) error {
	s, o := l.sink, l.marker
	e := AwaitingEvent{ShardID: s.shardID, Bucket: o.Bucket, Key: o.Key, Since: time.Now(), Oldest: o.oldest, Foreign: l.foreign}
	defer s.awaiting(AwaitingEvent{ShardID: s.shardID, Bucket: o.Bucket, Key: o.Key})
	for told := (time.Time{}); ; {
		if now := time.Now(); told.IsZero() || now.Sub(told) >= warnInterval {
			told = now
			s.log.Info("staged, waiting to be loaded", zap.String("bucket", o.Bucket), zap.String("marker", o.Key), zap.Time("since", e.Since))
			s.awaiting(e)
			if l.foreign {
				s.foreign(o.Target)
			}
		}
		if err := s.lookUntil(ctx, o); err != nil {
			return err
		}
		if !o.found {
			s.log.Info("loaded", zap.String("marker", o.Key), zap.Duration("waited", time.Since(e.Since)))
			return nil
		}
		rest(ctx, pause.Around(ctx, "look for the marker of "+s.shardID, s.every, 0.2))
	}
}

// leave tells that a shutdown leaves the wait to the next holder, and what is behind it.
func (l *loading) leave(behind BufferedEvent) {
	l.sink.log.Info("a load is left to the next holder of the lease, who also reads again what follows it",
		zap.String("bucket", l.marker.Bucket), zap.String("marker", l.marker.Key), zap.Int64("records", behind.Records))
}

func (s *objectSink) awaiting(e AwaitingEvent) {
	if s.hooks.Awaiting != nil {
		s.hooks.Awaiting(e)
	}
}
