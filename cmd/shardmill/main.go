// Command shardmill archives Kinesis streams to S3 as Amazon Data Firehose
// does, each record in exactly one object. `shardmill help` is its reference.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(signalError{<-signals})
		os.Exit(signalError{<-signals}.code()) // the second one ends at once
	}()
	os.Exit(run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ os.Signal }

func (e signalError) Error() string { return "stopped by " + e.String() }

// code is the shell's exit code for a process that the signal ended.
func (e signalError) code() int {
	if s, ok := e.Signal.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return exitFailed
}

// signalCode returns the exit code of the signal that ended ctx, if one did.
func signalCode(ctx context.Context) (int, bool) {
	e, ok := errors.AsType[signalError](context.Cause(ctx))
	if !ok {
		return 0, false
	}
	return e.code(), true
}
