package processors

import (
	"context"
	"errors"
	"fmt"
	"io"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/spool"
)

// carryOn finishes an earlier holder's sealed cut: it puts what is in the bundle and
// is not in the store yet, and commits, or announces it and returns what awaits the load.
// It reads nothing of the stream, and asks no configuration but which buckets there may
// be, and what the checkpoint waits for.
func (s *successor) carryOn(ctx context.Context, in kcl.InitializationInput, pl exactlyonce.Plan) (*cut, error) {
	b, err := s.fetch(ctx, pl)
	switch {
	case errors.Is(err, exactlyonce.ErrNewer) || errors.Is(err, exactlyonce.ErrBroken):
		return nil, s.refuse(fmt.Errorf("the bundle %s/%s: %w", pl.Bundle.Bucket, pl.Bundle.Key, err))
	case errors.Is(err, exactlyonce.ErrBucket) || errors.Is(err, exactlyonce.ErrKey):
		return nil, s.refuse(fmt.Errorf("%w; %s", err, remedyOf(err)))
	case err != nil:
		return nil, err
	case b == nil:
		return s.lost(ctx, in, pl)
	}
	defer b.release()
	if err := s.sink.lookAll(ctx, b.list); err != nil {
		return nil, err
	}
	if err := b.publish(ctx); err != nil {
		return nil, err
	}
	var marker *exactlyonce.Target
	if m := b.marker(); m != nil {
		marker = &m.Target
	}
	left, err := s.conclude(ctx, in, pl, marker)
	if err != nil {
		return nil, err
	}
	s.log.Info("cut of an earlier holder finished", zap.String("key", pl.Bundle.Key), zap.Int64("records", pl.Records), zap.Int("objects", len(b.list)))
	b.committed(ctx, reasonRedo)
	return left, nil
}

// conclude commits a cut whose objects are there, or announces it, if it has a marker and
// is to be loaded before that.
func (s *successor) conclude(ctx context.Context, in kcl.InitializationInput, pl exactlyonce.Plan, marker *exactlyonce.Target) (*cut, error) {
	if marker == nil || s.marking == nil || !s.marking.awaits {
		if marker != nil && !s.marking.finds(*marker) {
			s.sink.foreign(*marker)
		}
		return nil, s.commit(ctx, in, pl)
	}
	announced := pl.Announce(*marker)
	left, err := s.goOn(in, announced)
	if err != nil {
		return nil, err
	}
	return left, s.try.announce(ctx, left.prepared, announced.Encode())
}

// fetch returns what is in a plan's bundle, nil if that is gone.
func (s *successor) fetch(ctx context.Context, pl exactlyonce.Plan) (*bundle, error) {
	u := pl.Bundle
	b := &bundle{sink: s.sink, spool: s.shop.spools.Open(), records: pl.Records, bytes: pl.Bytes, oldest: pl.FirstArrival}
	b.staging = &staging{bucket: u.Bucket, store: s.sink.store, try: s.try, log: s.log}
	b.self = &object{Target: exactlyonce.Target{Bucket: u.Bucket, Key: u.Key}, id: pl.UUID, role: RoleBundle, size: u.Size}
	isGone, err := s.download(ctx, u, b.spool)
	var x exactlyonce.Index
	if err == nil && !isGone {
		x, err = readIndex(pl, b.spool, s.buckets)
	}
	if err == nil && !isGone {
		b.unpack(x, true)
		err = b.check(ctx, x)
	}
	if isGone || err != nil {
		b.release()
		return nil, err
	}
	return b, nil
}

// download copies a bundle to a spool, as often as it takes: each try goes on where
// the one before stopped.
func (s *successor) download(ctx context.Context, u *exactlyonce.Bundle, to *spool.Spool) (isGone bool, err error) {
	doing := "reading the bundle " + u.Bucket + "/" + u.Key
	err = s.try.until(ctx, doing, s.sink.every, func(ctx context.Context) error {
		left := u.Size - to.Size()
		err := s.try.once(ctx, doing, putTimeout(left), func(ctx context.Context) error {
			return s.sink.store.Get(ctx, u.Bucket, u.Key, to.Size(), left, onDisk{to})
		})
		switch {
		case errors.Is(err, ErrNotFound):
			isGone = true
			return nil
		case errors.Is(err, ErrRange):
			return kcl.GiveUp(fmt.Errorf("%w: the bundle is shorter than planned: %w", exactlyonce.ErrBroken, err))
		case to.Err() != nil:
			return kcl.GiveUp(fmt.Errorf("keeping it: %w", to.Err()))
		}
		return err
	})
	return isGone, err
}

// onDisk refuses what would stay in memory, because the spool cannot go to its file.
type onDisk struct{ *spool.Spool }

func (d onDisk) Write(b []byte) (int, error) {
	if err := d.Err(); err != nil {
		return 0, err
	}
	return d.Spool.Write(b) //nolint:wrapcheck // never fails
}

func readIndex(pl exactlyonce.Plan, from io.ReaderAt, buckets []string) (exactlyonce.Index, error) {
	b := make([]byte, pl.Bundle.IndexSize)
	if _, err := from.ReadAt(b, pl.Bundle.Size-pl.Bundle.IndexSize); err != nil {
		return exactlyonce.Index{}, fmt.Errorf("reading the index of a bundle: %w", err)
	}
	return exactlyonce.JudgeIndex(*pl.Bundle, pl.UUID, b, buckets)
}

// lost deals with a plan whose bundle somebody else has removed. If each object is
// known, and there, the cut is done. Else nobody can say which records are in an
// object, and none may be lost: the cut's records are delivered again.
func (s *successor) lost(ctx context.Context, in kcl.InitializationInput, pl exactlyonce.Plan) (*cut, error) {
	u := pl.Bundle
	list := make([]*object, 0, len(u.Objects))
	for _, to := range u.Objects {
		list = append(list, &object{Target: to, id: pl.UUID})
	}
	if err := s.sink.lookAll(ctx, list); err != nil {
		return nil, err
	}
	isThere := len(list) > 0
	for _, o := range list {
		isThere = isThere && o.found
	}
	if isThere {
		s.log.Warn("the bundle of a prepared cut is gone, but all of its objects are there", zap.String("bucket", u.Bucket), zap.String("key", u.Key))
		var marker *exactlyonce.Target
		if m, ok := pl.Marker(); ok {
			marker = &m
		}
		return s.conclude(ctx, in, pl, marker)
	}
	s.log.Error("exactly once is broken: the bundle of a prepared cut is gone, and its records are delivered again",
		zap.String("bucket", u.Bucket), zap.String("key", u.Key), zap.Int64("records", pl.Records), zap.Int64("objects", u.Count),
		zap.Stringer("first", pl.First), zap.Stringer("last", pl.Last))
	if s.hooks.BundleLost != nil {
		s.hooks.BundleLost(BundleLostEvent{ShardID: s.shardID, Bucket: u.Bucket, Key: u.Key, Objects: u.Count, Records: pl.Records})
	}
	return nil, s.try.write(ctx, "clearing the plan of a lost bundle", in.Checkpointer.Clear)
}
