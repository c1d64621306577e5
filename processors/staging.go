package processors

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// staging is where the bundles of one shard are. One goroutine uses it. The nil one
// is that of a shard whose cuts have one object.
type staging struct {
	bucket string
	prefix string // of this shard's bundles alone
	store  ObjectStore
	try    *tries
	log    *zap.Logger

	unnamed bool // the stream's ARN is not known: the prefix may be another application's, too

	listed []string // that no plan of this holder names, and none of another can
	warned bool
}

// target returns where a plan's bundle goes.
func (s *staging) target(id exactlyonce.UUID) exactlyonce.Target {
	return exactlyonce.Target{Bucket: s.bucket, Key: s.prefix + id.String()}
}

// stagingPrefix returns what the keys of a shard's bundles begin with. The digest
// keeps applications apart that have one name, in two accounts or regions: a sweep
// must not see the other's bundles.
func stagingPrefix(prefix, application, shardID string, id exactlyonce.Identity) string {
	sum := id.Sum()
	return Bundles(prefix, application) + shardID + "-" + hex.EncodeToString(sum[:8]) + "/"
}

// Bundles returns what the keys of all bundles of an application begin with, below the
// prefix of Config.Staging: what a lifecycle rule for bundles is to have. It is never one of
// markers.
func Bundles(prefix, application string) string {
	if application == markersDir {
		application += "-" // else a sweep of its bundles could see markers, and delete them
	}
	return prefix + application + "/"
}

// list notes what crashes have left. It is called when the shard's plan is settled and
// no cut is closed yet: until this holder has made another write of the row, that
// somebody else has the lease cannot be excluded, and what is listed may be his.
func (s *staging) list(ctx context.Context) {
	if s == nil {
		return
	}
	s.listed = nil
	if s.unnamed {
		s.log.Warn("bundles that crashes have left are not looked for, as the stream's ARN is not known", zap.String("prefix", s.prefix))
		return
	}
	s.once(ctx, "listing what is left of bundles", func(ctx context.Context) error {
		all, err := s.store.List(ctx, s.bucket, s.prefix)
		for _, key := range all {
			if s.isBundle(key) {
				s.listed = append(s.listed, key)
			} else {
				s.log.Error("an object that is no bundle is among bundles, and stays there", zap.String("key", key))
			}
		}
		return err
	})
}

// isBundle reports whether a key can be that of one of this shard's bundles.
func (s *staging) isBundle(key string) bool {
	id, ok := strings.CutPrefix(key, s.prefix)
	return ok && exactlyonce.IsUUID(id)
}

// sweep deletes what was listed, after a write of the row that was confirmed: whoever
// put these bundles has lost the lease, and no plan will name them.
func (s *staging) sweep(ctx context.Context) {
	if s == nil {
		return
	}
	for len(s.listed) > 0 && s.remove(ctx, s.listed[0]) {
		s.log.Info("bundle deleted that no plan names", zap.String("key", s.listed[0]))
		s.listed = s.listed[1:]
	}
}

// stagingTimeout bounds what is only tidying, and holds up the shard.
const stagingTimeout = 10 * time.Second

// maxListed is how many bundles that could not be deleted are remembered.
const maxListed = 1000

// discard deletes the bundle of a cut that is committed. That it stays is no fault of
// the delivery, so it is tried once; the next sweep tries again.
func (s *staging) discard(ctx context.Context, key string) {
	if !s.remove(ctx, key) && len(s.listed) < maxListed {
		s.listed = append(s.listed, key)
	}
}

func (s *staging) remove(ctx context.Context, key string) bool {
	return s.once(ctx, "deleting a bundle", func(ctx context.Context) error { return s.store.Delete(ctx, s.bucket, key) })
}

func (s *staging) once(ctx context.Context, doing string, f func(context.Context) error) bool {
	err := s.try.once(ctx, doing, stagingTimeout, f)
	deadline.Beat(ctx)
	if err == nil || ctx.Err() != nil {
		return err == nil
	}
	level := zap.DebugLevel
	if !s.warned {
		level, s.warned = zap.WarnLevel, true
	}
	s.log.Log(level, "bundles may be left behind; a lifecycle rule for their prefix removes them", zap.String("operation", doing),
		zap.String("bucket", s.bucket), zap.String("prefix", s.prefix), zap.Error(err))
	return false
}
