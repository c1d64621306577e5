package redshiftarchive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/shardmill/shardmill/processors"
)

const (
	maxMarker     = 4 << 20 // bytes of a marker
	parallelCalls = 16      // reads of markers, and deletions, at once
)

// leftMarker is a marker that this loader cannot load.
type leftMarker struct {
	told time.Time
}

// look returns what is staged, as far as one list of markers shows it. It makes one try of each
// call. With the error, which is told, it returns what could be had.
func (r *run) look(ctx context.Context) ([]marked, error) {
	keys, err := r.list(ctx)
	if err != nil {
		r.trouble("listing markers", err)
		return nil, err
	}
	delete(r.told, "listing markers")
	r.forget(keys)
	err = r.read(ctx, slices.DeleteFunc(slices.Clone(keys), r.isRead))
	var staged []marked
	for _, key := range keys {
		if m, ok := r.known[key]; ok {
			staged = append(staged, m)
		}
	}
	r.waiting.Markers, r.waiting.Left = len(keys), len(r.left)
	return staged, err
}

// trouble tells of a call that failed and will be repeated.
func (l *Loader) trouble(doing string, err error) {
	if l.due(doing, tellInterval) {
		l.log.Warn("failed, will be repeated", zap.String("operation", doing), zap.Error(err))
	}
}

// isRead reports whether a marker need not be read: it was, or it is to be deleted.
func (r *run) isRead(key string) bool {
	_, isKnown := r.known[key]
	_, isSettled := r.settled[key]
	l, isLeft := r.left[key]
	return isKnown || isSettled || isLeft && time.Since(l.told) < tellLeft
}

// forget forgets markers that are gone. One that is to be deleted, and is gone, was deleted.
func (r *run) forget(keys []string) {
	there := make(map[string]bool, len(keys))
	for _, key := range keys {
		there[key] = true
	}
	for key := range r.known {
		if _, isSettled := r.settled[key]; !there[key] || isSettled {
			delete(r.known, key)
		}
	}
	for key := range r.left {
		if !there[key] {
			delete(r.left, key)
		}
	}
}

// list returns keys of markers. A list has up to 1,000, in the order of UUIDs, which is none of
// time; if it is full, what lies behind is looked for by what the UUIDs of plans begin with. So
// the oldest of up to 16,000 is seen, and markers that are left hold up nothing.
func (r *run) list(ctx context.Context) ([]string, error) {
	keys, err := r.listBelow(ctx, "")
	if err != nil || len(keys) < fullList {
		return r.settings.markersOf(keys), err
	}
	for _, digit := range "0123456789abcdef" {
		more, err := r.listBelow(ctx, string(digit))
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
	}
	slices.Sort(keys)
	return r.settings.markersOf(slices.Compact(keys)), nil
}

// markersOf returns the keys but for the markers' prefix itself, a "folder" that some tools put.
func (s *settings) markersOf(keys []string) []string {
	return slices.DeleteFunc(keys, func(key string) bool { return key == s.markerPrefix })
}

// fullList is how many keys a list has behind which there may be more.
const fullList = 1000

func (r *run) listBelow(ctx context.Context, digit string) ([]string, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	return r.store.List(ctx, r.settings.markerBucket, r.settings.markerPrefix+digit) //nolint:wrapcheck // it says what it is about
}

// read reads markers. One whose read fails is left for the next look.
func (r *run) read(ctx context.Context, keys []string) error {
	var reads errgroup.Group
	reads.SetLimit(parallelCalls)
	var mu sync.Mutex // guards what follows
	bodies, failed := make(map[string][]byte, len(keys)), make(map[string]error)
	for _, key := range keys {
		reads.Go(func() error {
			ctx, cancel := limited(ctx)
			defer cancel()
			body, err := r.store.Read(ctx, r.settings.markerBucket, key, maxMarker)
			mu.Lock()
			defer mu.Unlock()
			if bodies[key] = body; err != nil {
				failed[key] = err
			}
			return nil
		})
	}
	_ = reads.Wait() // none has an error
	var trouble error
	for _, key := range keys {
		switch err := failed[key]; {
		case err == nil:
			r.parse(key, bodies[key])
		case errors.Is(err, processors.ErrNotFound): // another loader deleted it
		case errors.Is(err, processors.ErrRange):
			r.leave(key, err)
		default:
			trouble = err
		}
	}
	if trouble != nil {
		r.trouble("reading markers", trouble)
	} else {
		delete(r.told, "reading markers")
	}
	return trouble
}

// parse notes what a marker has.
func (r *run) parse(key string, body []byte) {
	m, err := r.settings.parse(body)
	if err != nil {
		r.leave(key, err)
		return
	}
	delete(r.left, key)
	r.known[key] = marked{key, m.Objects}
}

// parse returns a marker, or why it cannot be loaded.
func (s *settings) parse(body []byte) (processors.Marker, error) {
	m, err := processors.ParseMarker(body)
	if err != nil {
		return m, err //nolint:wrapcheck // it says what it is about
	}
	if want := s.Staging.DeliveryStreamName; m.DeliveryStreamName != want {
		return m, fmt.Errorf("%w: it is of the delivery stream %q, not %q", errForeign, m.DeliveryStreamName, want)
	}
	if err := m.CheckSource(s.Application, s.Stream); err != nil {
		return m, fmt.Errorf("%w: %w", errForeign, err)
	}
	for _, o := range m.Objects {
		if err := s.checkObject(o); err != nil {
			return m, err
		}
	}
	return m, nil
}

// errForeign means that a marker is for another loader.
var errForeign = errors.New("marker of others")

// checkObject refuses an object that no archiver of the delivery stream stages: COPY would read it for
// whoever can put markers.
func (s *settings) checkObject(o processors.MarkedObject) error {
	if _, err := literal(o.URL()); err != nil {
		return fmt.Errorf("the URL of an object %w", err)
	}
	isStaged := o.Bucket == s.Staging.Bucket && strings.HasPrefix(o.Key, s.Staging.Prefix)
	if !isStaged && !slices.Contains(s.Staging.FormerBuckets, o.Bucket) {
		return fmt.Errorf("the object %.300q is not in bucket %s below %q; if Bucket or Prefix was changed, have its bucket among FormerBuckets until it is loaded", o.URL(), s.Staging.Bucket, s.Staging.Prefix)
	}
	return nil
}

// leave notes that a marker cannot be loaded, at once and once an hour, and that its objects
// are staged and not loaded.
func (r *run) leave(key string, why error) {
	r.left[key] = leftMarker{time.Now()}
	remedy := "see to what put it there, and remove it"
	switch {
	case errors.Is(why, processors.ErrNewerMarker):
		remedy = "load it with a newer version"
	case errors.Is(why, errForeign):
		remedy = "leave it to the loader of those, and have no two of them share both DeliveryStreamName and staging; if there is none any more, as the application or the stream was changed, load its objects by hand and delete it"
	}
	r.log.Error("marker cannot be loaded; its objects are left staged", zap.String("key", key), zap.String("remedy", remedy), zap.Error(why))
}
