package kcl

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
)

// calls makes one session's calls of code that is not this library's: its
// factory's, its processor's and Config.DeadLetter's. They run one after another
// on a goroutine of their own, for nothing can stop a goroutine that calls
// runtime.Goexit, as t.FailNow does: it ends with the call, and with nothing
// else, and another one makes the next call.
type calls struct {
	timeout   time.Duration // 0: none
	warnAfter time.Duration
	log       *zap.Logger
	begin     func(doing string, call *deadline.Call) (end func()) // notes what is being done

	timer *time.Timer
	todo  chan func() error // nil: there is no goroutine
	done  chan result       // unbuffered: the caller always waits
	wg    sync.WaitGroup
}

// result is how a call ended.
type result struct {
	err  error
	lost bool // and its goroutine with it
}

// errGoexit is the Value of the PanicError of a call that ended its goroutine.
var errGoexit = errors.New("runtime.Goexit was called, as t.FailNow does")

// newCalls returns calls. Close them.
func newCalls(timeout, warnAfter time.Duration, log *zap.Logger, begin func(string, *deadline.Call) func()) *calls {
	c := &calls{timeout: timeout, warnAfter: warnAfter, log: log, begin: begin, done: make(chan result)}
	c.timer = time.NewTimer(c.warnAfter)
	c.timer.Stop()
	return c
}

// close ends the goroutine. No call is made after it.
func (c *calls) close() {
	if c.todo != nil {
		close(c.todo)
	}
	c.wg.Wait()
}

// limited makes a call whose context ends after Config.CallTimeout, if there is
// one. It returns a userError, GiveUp's, or a *PanicError.
func (c *calls) limited(ctx context.Context, name, whose string, f func(context.Context) error) error {
	if c.timeout <= 0 {
		return c.run(name, whose, nil, func() error { return fromUser(f(ctx)) })
	}
	ctx, call := deadline.Start(ctx, c.timeout)
	defer call.End()
	return c.run(name, whose, call, func() error { return fromUser(deadline.Explain(ctx, f(ctx))) })
}

// keeping is limited for a call whose context is the callee's until ctx ends, if
// the call succeeds. One that succeeds after its limit has failed: its context is dead.
func (c *calls) keeping(ctx context.Context, name, whose string, f func(context.Context) error) error {
	if c.timeout <= 0 {
		return c.limited(ctx, name, whose, f)
	}
	ctx, call := deadline.Start(ctx, c.timeout)
	err := c.run(name, whose, call, func() error {
		err := f(ctx)
		if late, ok := context.Cause(ctx).(*deadline.Error); ok && err == nil { //nolint:errorlint // a cause is what was given
			err = late
		}
		return fromUser(deadline.Explain(ctx, err))
	})
	if err != nil {
		call.End()
		return err
	}
	call.Keep()
	return nil
}

// run makes a call and waits for its end, however long it takes: whoever is
// called may be using what it was given. One that takes long is logged.
func (c *calls) run(name, whose string, call *deadline.Call, f func() error) error {
	end := c.begin(name, call)
	defer end()
	begun := time.Now()
	c.timer.Reset(c.warnAfter)
	defer c.timer.Stop()
	if c.todo == nil {
		c.todo = make(chan func() error)
		todo := c.todo
		c.wg.Go(func() { c.serve(todo) })
	}
	c.todo <- f
	for {
		select {
		case r := <-c.done:
			if r.lost {
				c.todo = nil
			}
			if p, ok := r.err.(*PanicError); ok { //nolint:errorlint // attempt's own
				p.Call = whose
			}
			return r.err
		case <-c.timer.C:
			c.log.Warn("call runs long", zap.String("call", name), zap.Duration("duration", time.Since(begun)))
			c.timer.Reset(warnAgain)
		}
	}
}

// warnAgain is how often a call that runs long is logged after the first time.
const warnAgain = time.Minute

// serve makes calls until todo is closed, or until one of them ends the
// goroutine.
func (c *calls) serve(todo <-chan func() error) {
	var r result
	defer func() {
		if !r.lost {
			return
		}
		if r.err == nil {
			r.err = &PanicError{Value: errGoexit, Stack: debug.Stack()}
		}
		c.done <- r
	}()
	for f := range todo {
		r = result{lost: true} // if attempt does not return
		attempt(f, &r.err)
		r.lost = false
		c.done <- r
	}
}

// attempt stores what f returns, or its panic. If f ends the goroutine attempt
// does not return, and what is stored is the panic of a function that f
// deferred, if any.
func attempt(f func() error, err *error) {
	defer func() {
		if v := recover(); v != nil {
			*err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	*err = f()
}

// apart calls f on a goroutine of its own, waits for its end and returns its
// panic, or that it ended its goroutine.
func apart(whose string, f func()) error {
	r := result{lost: true}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() {
			if r.lost && r.err == nil {
				r.err = &PanicError{Value: errGoexit, Stack: debug.Stack()}
			}
		}()
		attempt(func() error { f(); return nil }, &r.err)
		r.lost = false
	})
	wg.Wait()
	if p, ok := r.err.(*PanicError); ok { //nolint:errorlint // attempt's own
		p.Call = whose
	}
	return r.err
}
