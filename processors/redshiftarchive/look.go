package redshiftarchive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors"
)

const (
	maxMarker     = 4 << 20          // bytes of a marker
	parallelCalls = 16               // lists and reads of markers, and deletions, at once
	lookLimit     = time.Minute      // of one look: what it has not read then is left to the next one
	readLimit     = 20 * time.Second // of one read
)

// look returns what is staged, as far as one look shows it. It makes one try of each
// call. With the error, which is told, it returns what could be had.
func (r *run) look(ctx context.Context) ([]marked, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lookLimit, &deadline.Error{Limit: lookLimit})
	defer cancel()
	keys, isHidden, err := r.list(ctx)
	if err != nil {
		return nil, r.looked("listing markers", err)
	}
	if isHidden {
		err = errHidden
	}
	err = r.looked("listing markers", err)
	r.forget(keys)
	err = errors.Join(err, r.looked("reading markers", r.read(ctx, keys)))
	var staged []marked
	for _, key := range keys {
		if m, ok := r.known[key]; ok {
			staged = append(staged, m)
		}
	}
	r.waiting.Markers, r.waiting.Left = len(keys), 0
	for _, l := range r.left {
		if l.isLeft() {
			r.waiting.Left++
		}
	}
	return staged, err
}

// looked tells of what a look could not do, and returns an error that says what that is.
func (l *Loader) looked(doing string, err error) error {
	if err == nil {
		delete(l.told, doing)
		return nil
	}
	l.trouble(doing, err)
	return fmt.Errorf("%s: %w", doing, err)
}

// trouble tells of a call that failed and will be repeated.
func (l *Loader) trouble(doing string, err error) {
	if l.due(doing, tellInterval) {
		l.log.Warn("failed, will be repeated", zap.String("operation", doing), zap.Error(err))
	}
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

// markersOf returns the keys but for the markers' prefix itself, a "folder" that some tools put.
func (s *settings) markersOf(keys []string) []string {
	return slices.DeleteFunc(keys, func(key string) bool { return key == s.markerPrefix })
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
