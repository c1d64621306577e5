package processors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/shardmill/shardmill/internal/deadline"
)

// all does something to each of these objects, side by side and however long it
// takes: rounds of tries, each with all objects that are not done yet. One that fails
// does not hold up the others. When it returns nil all are done.
func (s *objectSink) all(ctx context.Context, doing string, list []*object, isDone func(*object) bool, do func(context.Context, *object) error) error {
	doing = fmt.Sprintf("%s %d objects", doing, len(list))
	return s.try.until(ctx, doing, s.every, func(ctx context.Context) error {
		left := slices.DeleteFunc(slices.Clone(list), isDone)
		slices.SortStableFunc(left, func(a, b *object) int { return cmp.Compare(a.puts, b.puts) }) // what failed comes last
		err := s.round(ctx, left, do)
		left = slices.DeleteFunc(left, isDone)
		if err == nil && len(left) > 0 {
			err = errNoReturn
		}
		if err != nil {
			return fmt.Errorf("%d of %d: %w", len(left), len(list), err)
		}
		return nil
	})
}

// lookAll finds out which of these objects are in the store.
func (s *objectSink) lookAll(ctx context.Context, list []*object) error {
	return s.all(ctx, "looking for", list, func(o *object) bool { return o.looked }, s.lookOnce)
}

// errNoReturn means that what was called for an object has not come back.
var errNoReturn = errors.New("a call of the store, or of a hook, did not return")

// attempt stores what f returns, or that it did not: whatever the store or a hook does,
// it is not taken for success.
func attempt(err *error, f func() error) {
	*err = errNoReturn // if f ends the goroutine
	defer func() {
		if v := recover(); v != nil {
			*err = fmt.Errorf("%w: panic: %v\n%s", errNoReturn, v, debug.Stack())
		}
	}()
	*err = f()
}

// round makes one try with each object. It begins no more of them once as many have
// failed as run at once, or one for good: then it is not about one object. It returns
// when all that it began have ended, with one of their errors.
func (s *objectSink) round(ctx context.Context, list []*object, do func(context.Context, *object) error) error {
	var running sync.WaitGroup
	var mu sync.Mutex
	var failed int
	var worst error
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failed++
		if worst == nil || isFinal(err) && !isFinal(worst) {
			worst = err
		}
	}
	isOver := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return failed >= cap(s.slots) || isFinal(worst)
	}
	for _, o := range list {
		if isOver() || deadline.Enter(ctx, s.slots) != nil {
			break
		}
		running.Go(func() {
			var err error
			defer func() {
				<-s.slots
				if err != nil {
					note(err)
				}
			}()
			attempt(&err, func() error { return do(ctx, o) })
		})
	}
	running.Wait()
	if worst == nil && ctx.Err() != nil {
		worst = context.Cause(ctx)
	}
	return worst
}
