package kcl

import (
	"errors"
	"fmt"

	"github.com/shardmill/shardmill/lease"
)

// ErrLeaseLost is lease.ErrLost: the shard is no longer this worker's.
var ErrLeaseLost = lease.ErrLost

// ErrShutdown is the cause of what ends because Run's context is done.
var ErrShutdown = errors.New("worker is shutting down")

// ErrShutdownTimeout is the cause of a processor's context that ended because
// it did not stop within Config.ShutdownTimeout.
var ErrShutdownTimeout = errors.New("shutdown timeout")

// ErrStopping is what a processor's call returns that was ended by Stopping of its input.
// It is no failure: it is not repeated, counted or told. What the call did not accept is
// processed again by the next holder of the lease, and is not to be checkpointed: that are all of its
// records, or, with FailedAt, that record and those after it.
var ErrStopping = errors.New("the processor's last call is due")

// GiveUp wraps the error of a processor to say that another try cannot help.
// It returns nil if err is nil.
func GiveUp(err error) error {
	if err == nil {
		return nil
	}
	return &giveUpError{err}
}

// IsGiveUp reports whether err is, or wraps, an error of GiveUp.
func IsGiveUp(err error) bool {
	_, ok := errors.AsType[*giveUpError](err)
	return ok
}

type giveUpError struct{ err error }

func (e *giveUpError) Error() string { return e.err.Error() }
func (e *giveUpError) Unwrap() error { return e.err }

// PanicError is the error that a panic becomes in code that the library calls.
// A call that ends its goroutine, by runtime.Goexit as t.FailNow does, counts
// as one.
type PanicError struct {
	Call  string // what panicked: processor, factory, DeadLetter, or the name of a hook
	Value any    // what panic was called with; after a Goexit an error that says so
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string { return fmt.Sprintf("%s panicked: %v", e.Call, e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
