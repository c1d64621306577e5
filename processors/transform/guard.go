package transform

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

const (
	grace   = 10 * time.Second // for a call to return, after its ctx has ended
	maxLeft = 16               // calls that are left behind, before the next one waits
)

// errGoexit means that a Function ended its goroutine.
var errGoexit = errors.New("it ended its goroutine, as by runtime.Goexit")

// panicError is what a Function panicked with.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guard makes calls of a Function, which end whatever it does.
type guard struct {
	f       Function
	timeout time.Duration
	log     *zap.Logger
	left    *atomic.Int64 // calls that are left behind
}

func newGuard(f Function, o Options) guard {
	return guard{f: f, timeout: o.Timeout, log: o.Logger, left: new(atomic.Int64)}
}

// answered is what a call returned.
type answered struct {
	results []Result
	err     error
}

// call is one that is under way, on a goroutine of its own.
type call struct {
	begun  time.Time
	answer chan answered // has room for it

	mu     sync.Mutex // guards what follows
	isOver bool
	behind func() // what to do when it returns after all; nil unless it is left behind
}

// end notes what the call returned.
func (c *call) end(a answered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isOver = true
	c.answer <- a
	if c.behind != nil {
		c.behind()
	}
}

// do returns what the Function does, or an error that says why not, and how long that
// took. Neither the wait for other calls counts, nor an answer after the limit.
func (g *guard) do(ctx context.Context, b *Batch) ([]Result, time.Duration, error) {
	if err := g.room(ctx); err != nil {
		return nil, 0, err
	}
	callCtx, leave, err := g.enter(ctx)
	if err != nil {
		return nil, 0, err
	}
	callCtx, cancel := context.WithTimeoutCause(callCtx, g.timeout, &deadline.Error{Limit: g.timeout})
	defer cancel()
	c := &call{begun: time.Now(), answer: make(chan answered, 1)}
	go func() {
		a := answered{err: errGoexit}
		defer func() {
			if v := recover(); v != nil {
				a = answered{err: &panicError{v, debug.Stack()}}
			}
			leave()
			c.end(a)
		}()
		a.results, a.err = g.f.Transform(callCtx, b)
	}()
	a := g.wait(ctx, callCtx, c)
	if callCtx.Err() != nil {
		a = answered{err: late(callCtx, a.err)}
	}
	return a.results, time.Since(c.begun), a.err
}

// enter waits for the Function's other calls, if it is a Queue.
func (g *guard) enter(ctx context.Context) (call context.Context, leave func(), err error) {
	q, ok := g.f.(Queue)
	if !ok {
		return ctx, func() {}, nil
	}
	call, leave, err = q.Enter(ctx)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it is the Function's own
	}
	return call, leave, nil
}

// wait returns what comes of a call: of its limit nothing, if it does not end with it.
func (g *guard) wait(ctx, callCtx context.Context, c *call) answered {
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	over, overdue := callCtx.Done(), (<-chan time.Time)(nil) // the latter once it is to end
	warned := c.begun
	for {
		select {
		case a := <-c.answer:
			return a
		case <-over:
			over, overdue = nil, time.After(grace)
		case <-overdue:
			return g.abandon(c)
		case now := <-beat.C:
			deadline.Beat(ctx)
			if now.Sub(warned) >= warnInterval {
				warned = now
				g.log.Warn("no answer yet", zap.String("operation", "transform"), zap.Duration("waited", now.Sub(c.begun)), zap.Duration("limit", g.timeout))
			}
		}
	}
}

// abandon leaves a call behind, unless it returns in this instant.
func (g *guard) abandon(c *call) answered {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isOver {
		return <-c.answer
	}
	const left = "transform does not return though its time is over: its call is left behind, and what it holds with it"
	g.left.Add(1)
	g.log.Error(left, zap.Duration("duration", time.Since(c.begun)), zap.Int64("left_behind", g.left.Load()))
	quiet := pause.Remind(warnInterval, warnInterval, func(time.Duration) {
		g.log.Error(left, zap.Duration("duration", time.Since(c.begun)), zap.Int64("left_behind", g.left.Load()))
	})
	c.behind = func() {
		quiet()
		g.log.Warn("a call that was left behind has returned; its answer is not used", zap.Duration("duration", time.Since(c.begun)), zap.Int64("left_behind", g.left.Add(-1)))
	}
	return answered{}
}

// room waits, alive, until not too many calls are left behind.
func (g *guard) room(ctx context.Context) error {
	var warned time.Time
	for g.left.Load() >= maxLeft {
		if now := time.Now(); warned.IsZero() || now.Sub(warned) >= warnInterval {
			warned = now
			g.log.Error("too many calls of the transform do not return: no other one begins before one of them has", zap.Int64("left_behind", g.left.Load()))
		}
		if err := rest(ctx, beatInterval); err != nil {
			return err
		}
	}
	return nil
}

// late is the error of a call whose time is over: its own if that says which it is.
func late(callCtx context.Context, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		return e
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return FunctionTimedOut(context.Cause(callCtx))
	}
	return FunctionTimedOut(deadline.Explain(callCtx, err))
}
