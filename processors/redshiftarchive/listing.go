package redshiftarchive

import (
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
)

const (
	fullList  = 1000   // keys of a list behind which there may be more
	maxDigits = 4      // that are looked at of the names of markers
	maxKeys   = 64_000 // of markers, beyond which a look does not go on
	hexDigits = "0123456789abcdef"
)

// errHidden means that there may be markers which no list shows, since others are left.
var errHidden = errors.New("so many are there that cannot be loaded here that others behind them may not be seen: see to what put them there; load them where they belong, or remove them")

// listing lists markers.
type listing struct {
	*run

	keys     map[string]struct{}
	isHidden bool // some may not be listed, for all that lists show is left
}

// list returns keys of markers. A list has up to 1,000, in the order of UUIDs, which is none of
// time; if it is full, what lies behind is looked for by the digit that the UUIDs of plans begin with.
// So the oldest of up to 16,000 is seen. Where such a list is full too, and most of it is left,
// as by a loader that others need and have not, it goes on by the next digit: else what is left would
// hide what can be loaded. Otherwise what it shows is loaded, and gives room to what is behind.
func (r *run) list(ctx context.Context) (keys []string, isHidden bool, err error) {
	page, err := r.listBelow(ctx, "")
	if err != nil {
		return nil, false, err
	}
	l := &listing{run: r, keys: make(map[string]struct{}, len(page))}
	l.add(page)
	if len(page) >= fullList {
		err = l.behind(ctx, "")
	}
	return r.settings.markersOf(slices.Sorted(maps.Keys(l.keys))), l.isHidden, err
}

func (l *listing) add(page []string) {
	for _, key := range page {
		l.keys[key] = struct{}{}
	}
}

// behind lists what begins with some digits, by the digit that follows.
func (l *listing) behind(ctx context.Context, digits string) error {
	var pages [len(hexDigits)][]string
	var lists errgroup.Group // of at most parallelCalls
	for i, digit := range hexDigits {
		lists.Go(func() (err error) {
			pages[i], err = l.listBelow(ctx, digits+string(digit))
			return err
		})
	}
	if err := lists.Wait(); err != nil {
		return err //nolint:wrapcheck // it says what it is about
	}
	for i, page := range pages {
		l.add(page)
		switch {
		case len(page) < fullList || !l.isMostlyLeft(page):
		case len(digits)+1 == maxDigits || len(l.keys) >= maxKeys:
			l.isHidden = true
		default:
			if err := l.behind(ctx, digits+hexDigits[i:i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// isMostlyLeft reports whether most of the markers cannot be loaded.
func (l *listing) isMostlyLeft(keys []string) bool {
	n := 0
	for _, key := range keys {
		if l.left[key].isLeft() {
			n++
		}
	}
	return n > len(keys)/2
}

func (r *run) listBelow(ctx context.Context, digits string) ([]string, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	return r.store.List(ctx, r.settings.markerBucket, r.settings.markerPrefix+digits) //nolint:wrapcheck // it says what it is about
}
