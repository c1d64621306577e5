// Package deadline ends calls that are never answered.
//
// A fixed time does not do: an answer of 10 MiB on a slow link takes minutes and
// is well, and a connection that is open and silent, or drips a byte a second,
// is not. So a call has its limit until its answer begins. From then on the
// answer must progress, by [Bytes] in [Within].
//
// Calls nest. A loop that makes several requests for one step starts a call for
// the step; each request within it that begins, progresses or ends is a sign of
// life, which starts the step's limit anew. Who looks on from outside asks
// [Call.Silent] how long ago the last one was.
package deadline

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// What the body of an answer must bring: at least Bytes in Within, or its end.
const (
	Bytes  = 64 << 10
	Within = 10 * time.Second
)

// Error is the cause of the end of a call's context: its limit has passed.
type Error struct {
	Limit time.Duration
	Body  bool // the answer had begun, and came too slowly
}

func (e *Error) Error() string {
	if e.Body {
		return fmt.Sprintf("the answer stopped coming: less than %d KiB in %v", Bytes>>10, Within)
	}
	return fmt.Sprintf("no answer within %v", e.Limit)
}

// Timeout makes the error one of net.Error's kind.
func (e *Error) Timeout() bool { return true }

// Call is one call that may never be answered. It is safe for concurrent use.
type Call struct {
	parent *Call
	limit  time.Duration
	whole  bool // the limit is for all of the answer
	cancel context.CancelCauseFunc

	mu    sync.Mutex // guards what follows
	timer *time.Timer
	due   time.Time
	alive time.Time     // the last sign of life
	left  time.Duration // of the limit, while the body comes
	body  bool
	bytes int // of the body since the last sign of life
	over  bool
}

type key struct{}

// Start begins a call that may take limit until its answer begins. The context
// returned ends then, with an *Error as its cause. End must be called.
func Start(ctx context.Context, limit time.Duration) (context.Context, *Call) {
	return start(ctx, &Call{limit: limit, parent: of(ctx)})
}

// StartWhole begins a call whose answer must have ended within limit, however
// it comes. It is for answers that drip on purpose: S3 sends blanks while it
// puts an object together from its parts.
func StartWhole(ctx context.Context, limit time.Duration) (context.Context, *Call) {
	return start(ctx, &Call{limit: limit, parent: of(ctx), whole: true})
}

func start(ctx context.Context, c *Call) (context.Context, *Call) {
	limit := c.limit
	ctx, c.cancel = context.WithCancelCause(context.WithValue(ctx, key{}, c))
	now := time.Now()
	c.mu.Lock() // expire may run before timer is set
	c.alive, c.due = now, now.Add(limit)
	c.timer = time.AfterFunc(limit, c.expire)
	c.mu.Unlock()
	c.parent.beat()
	return ctx, c
}

// of returns the innermost call of ctx, or nil.
func of(ctx context.Context) *Call {
	c, _ := ctx.Value(key{}).(*Call)
	return c
}

// Bounded reports whether ctx ends by itself: it has a deadline, or is a call's.
func Bounded(ctx context.Context) bool {
	_, ok := ctx.Deadline()
	return ok || of(ctx).runs() && ctx.Done() != nil
}

// Beat is a sign of life from whoever waits on purpose within a call, such as
// for a limit of the service, or for memory while an answer is not read. Without a
// call in ctx it does nothing.
func Beat(ctx context.Context) {
	c := of(ctx)
	c.rest()
	c.beat()
}

// Enter waits, alive, until slots has room, and takes it. The error is the cause of
// ctx's end, if that came first.
func Enter(ctx context.Context, slots chan<- struct{}) error {
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for ctx.Err() == nil {
		select {
		case slots <- struct{}{}:
			return nil
		case <-beat.C:
			Beat(ctx)
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx) //nolint:wrapcheck // it is what was given
}

// rest lets what is left of an answer take as long to come as if it began now.
func (c *Call) rest() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body {
		c.extend(Within)
	}
}

// End ends the call and its context.
func (c *Call) End() {
	c.mu.Lock()
	c.over = true
	c.timer.Stop()
	c.mu.Unlock()
	c.cancel(context.Canceled)
	c.parent.beat()
}

// Keep ends the call like End, but leaves its context to end with the one that
// Start was given: for whoever was called and goes on with it.
func (c *Call) Keep() {
	c.mu.Lock()
	c.over = true
	c.timer.Stop()
	c.mu.Unlock()
	c.parent.beat()
}

// runs reports whether the call, or one around it, is not over.
func (c *Call) runs() bool {
	for ; c != nil; c = c.parent {
		c.mu.Lock()
		over := c.over
		c.mu.Unlock()
		if !over {
			return true
		}
	}
	return false
}

// Silent returns how long ago the call's last sign of life was.
func (c *Call) Silent() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.alive)
}

// Limit returns the limit that the call was started with.
func (c *Call) Limit() time.Duration { return c.limit }

// Explain adds to the error of a call whose context has passed its limit that it
// was that. Of any other it returns err. ctx is the one that Start returned, or
// descends from it.
func Explain(ctx context.Context, err error) error {
	if late, ok := context.Cause(ctx).(*Error); ok && err != nil { //nolint:errorlint // a cause is what was given
		return fmt.Errorf("%w: %w", late, err)
	}
	return err
}

// beat starts the limit anew, and those of the calls around it.
func (c *Call) beat() {
	for ; c != nil; c = c.parent {
		c.mu.Lock()
		c.alive = time.Now()
		if !c.body {
			c.extend(c.limit)
		}
		c.mu.Unlock()
	}
}

// extend lets the call live for d from now. c.mu is held.
func (c *Call) extend(d time.Duration) {
	if c.over {
		return
	}
	c.due = time.Now().Add(d)
	c.timer.Reset(d)
}

func (c *Call) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	if left := time.Until(c.due); left > 0 {
		c.timer.Reset(left)
		return
	}
	c.cancel(&Error{Limit: c.limit, Body: c.body})
}

// answered notes that the answer has begun.
func (c *Call) answered() {
	c.mu.Lock()
	c.alive = time.Now()
	if !c.whole {
		c.left = max(0, time.Until(c.due))
		c.body, c.bytes = true, 0
		c.extend(Within)
	}
	c.mu.Unlock()
	c.parent.beat()
}

// received notes n bytes of the body, and whether that was all. A body that was
// closed early is all there is.
func (c *Call) received(n int, all bool) {
	if c.progressed(n, all) {
		c.parent.beat()
	}
}

// progressed reports whether what came is a sign of life.
func (c *Call) progressed(n int, all bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whole {
		c.alive = time.Now()
		return true
	}
	c.bytes += n
	if !c.body || !all && c.bytes < Bytes {
		return false
	}
	c.alive, c.bytes = time.Now(), c.bytes%Bytes // what is more counts for the next
	if all {
		c.body = false
		c.extend(c.left) // for what follows, such as another try
	} else {
		c.extend(Within)
	}
	return true
}
