package redshiftarchive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors"
)

const (
	readAgain   = time.Minute     // before a marker that is left, as it could not be read, is read again
	failsFor    = 5 * time.Minute // that reads of a marker may fail before it is left
	failsInARow = 16              // that end a look: it is not about these markers then
)

// leftMarker is a marker that this loader cannot load, or could not read yet.
type leftMarker struct {
	since    time.Time // when it was read first
	tried    time.Time // when it was read last
	told     time.Time // when it was told last that it is left; zero: it is not, as yet
	isUnread bool      // it is left since it cannot be read
}

func (l leftMarker) isLeft() bool { return !l.told.IsZero() }

// rests returns for how long it is not read again.
func (l leftMarker) rests() time.Duration {
	switch {
	case !l.isLeft():
		return 0
	case l.isUnread:
		return readAgain
	}
	return tellLeft
}

// toRead returns the markers that are to be read: those that were not, and those that were and are not
// known, the one that was longest ago first. None is read that is to be deleted.
func (r *run) toRead(keys []string) (fresh, again []string) {
	for _, key := range keys {
		_, isKnown := r.known[key]
		_, isSettled := r.settled[key]
		l, isTried := r.left[key]
		switch {
		case isKnown || isSettled:
		case !isTried:
			fresh = append(fresh, key)
		case time.Since(l.tried) >= l.rests():
			again = append(again, key)
		}
	}
	slices.SortStableFunc(again, func(a, b string) int { return r.left[a].tried.Compare(r.left[b].tried) })
	return fresh, again
}

// reading reads markers.
type reading struct {
	*run

	mu      sync.Mutex // guards what follows, and what is known of markers
	isAgain bool       // they were read before
	inARow  int        // reads that have failed
	cut     int        // reads that the end of the look ended
	trouble error      // of the last read that failed
}

// read reads markers, as far as the look goes: its end, many failures in a row, or the end of trust
// end it. What could not be read is left to the next look.
func (r *run) read(ctx context.Context, keys []string) error {
	fresh, again := r.toRead(keys)
	x := &reading{run: r}
	unread := x.all(ctx, fresh)
	x.isAgain = true
	x.all(ctx, again)
	if unread += x.cut; x.trouble == nil && unread > 0 && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%d of %d could not be read within the %v of a look", unread, len(fresh)+len(again), lookLimit)
	}
	return x.trouble
}

// all reads markers, and returns how many of them it did not come to.
func (x *reading) all(ctx context.Context, keys []string) (unread int) {
	var reads errgroup.Group
	reads.SetLimit(parallelCalls)
	defer func() { _ = reads.Wait() }() // none has an error
	for i, key := range keys {
		if x.isOver() || x.may(ctx) != nil {
			return len(keys) - i
		}
		reads.Go(func() error { x.one(ctx, key); return nil })
	}
	return 0
}

// isOver reports whether the bucket is to be left alone for a while.
func (x *reading) isOver() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.inARow >= failsInARow
}

// one reads a marker, and notes what it has.
func (x *reading) one(ctx context.Context, key string) {
	call, cancel := context.WithTimeoutCause(ctx, readLimit, &deadline.Error{Limit: readLimit})
	defer cancel()
	body, err := x.store.Read(call, x.settings.markerBucket, key, maxMarker)
	var m processors.Marker
	var refusal error
	if err == nil {
		m, refusal = x.settings.parse(body)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case err == nil && refusal == nil:
		x.inARow = 0
		delete(x.left, key)
		x.known[key] = marked{key, m.Objects}
	case err == nil:
		x.inARow = 0
		x.leave(key, refusal, false)
	case errors.Is(err, processors.ErrNotFound): // another loader deleted it
		delete(x.left, key)
	case errors.Is(err, processors.ErrRange):
		x.leave(key, err, false)
	case ctx.Err() != nil:
		x.cut++
	default:
		x.failed(key, err)
	}
}

// failed notes a read that failed. A marker that may not be read is left: others may be. So is one
// whose reads fail for long.
func (x *reading) failed(key string, err error) {
	isRefused := errors.Is(err, processors.ErrAccessDenied)
	if x.isAgain || !isRefused { // each is asked for once, however many are refused
		x.inARow++
	}
	l, ok := x.left[key]
	if l.tried = time.Now(); !ok {
		l.since = l.tried
	}
	x.left[key] = l
	if isRefused || l.isLeft() || time.Since(l.since) >= failsFor {
		x.leave(key, err, true)
		return
	}
	x.trouble = err
}

// leave notes that a marker cannot be loaded, and tells it at once and once an hour, and that its objects
// are staged and not loaded.
func (r *run) leave(key string, why error, isUnread bool) {
	l, now := r.left[key], time.Now()
	l.tried, l.isUnread = now, isUnread
	isTold := l.isLeft() && now.Sub(l.told) < tellLeft
	if !isTold {
		l.told = now
	}
	if r.left[key] = l; isTold {
		return
	}
	remedy := "see to what put it there, and remove it"
	switch {
	case isUnread:
		remedy = "have it readable; it is read again each minute"
	case errors.Is(why, processors.ErrNewerMarker):
		remedy = "load it with a newer version"
	case errors.Is(why, errForeign):
		remedy = "leave it to the loader of those, and have no two of them share both DeliveryStreamName and staging; if there is none any more, as the application or the stream was changed, load its objects by hand and delete it"
	}
	r.log.Error("marker cannot be loaded; its objects are left staged", zap.String("key", key), zap.String("remedy", remedy), zap.Error(why))
}
