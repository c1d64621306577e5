// Command shardmill archives Kinesis streams to S3 as Amazon Data Firehose
// does, each record in exactly one object. `shardmill help` is its reference.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	s := stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	go obey(signals, cancel, os.Exit, s)
	os.Exit(run(ctx, os.Args[1:], s))
}

// impatient is how long after the first signal another one ends the process.
// Before, it is the same one said twice: by a supervisor, or by a shell to the
// process and to its group.
const impatient = time.Second

// obey ends the context by the first signal and the process by a later one.
func obey(signals <-chan os.Signal, cancel context.CancelCauseFunc, exit func(int), s stdio) {
	first := <-signals
	begun := time.Now()
	cancel(signalError{first})
	if first == os.Interrupt {
		s.notef("finishing; again, a second later, ends at once\n")
	}
	for again := range signals {
		if time.Since(begun) >= impatient {
			exit(signalError{again}.code())
		}
	}
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
