package main

import (
	"context"
	"io"
)

// interruptible is a reader that returns the cause of its context once that is
// done, also while a Read of the one below is waiting for a terminal. The
// goroutine that waits is left then: it ends with the process, since nothing
// else can end a read from standard input.
type interruptible struct {
	ctx context.Context //nolint:containedctx // the reader's scope
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		buf := make([]byte, len(p)) // p is the caller's again if the wait ends early
		n, err := i.r.Read(buf)
		done <- result{buf[:n], err}
	}()
	select {
	case r := <-done:
		return copy(p, r.data), r.err
	case <-i.ctx.Done():
		return 0, context.Cause(i.ctx)
	}
}
