package kcl

import (
	"context"
	"errors"
	"runtime/debug"
)

// guarded turns the panics of a processor into errors that are *PanicError, and
// the errors that it returns into userErrors.
type guarded struct{ p RecordProcessor }

// userError is an error that a processor returned. It has no Unwrap: what a
// processor says, be it ErrTrimmed, must not be taken for this library's own.
type userError struct{ err error }

func (e *userError) Error() string { return e.err.Error() }

// fromUser wraps the error of a processor; GiveUp's stays one.
func fromUser(err error) error {
	if err == nil {
		return nil
	}
	if isGiveUp(err) {
		return &giveUpError{&userError{err}}
	}
	return &userError{err}
}

// original returns what a processor returned.
func original(err error) error {
	if e, ok := errors.AsType[*userError](err); ok {
		return e.err
	}
	return err
}

func (g guarded) Initialize(ctx context.Context, in InitializationInput) (err error) {
	defer catch(&err)
	return fromUser(g.p.Initialize(ctx, in))
}

func (g guarded) ProcessRecords(ctx context.Context, in ProcessRecordsInput) (err error) {
	defer catch(&err)
	return fromUser(g.p.ProcessRecords(ctx, in))
}

func (g guarded) LeaseLost(ctx context.Context, in LeaseLostInput) (err error) {
	defer catch(&err)
	g.p.LeaseLost(ctx, in)
	return nil
}

func (g guarded) ShardEnded(ctx context.Context, in ShardEndedInput) (err error) {
	defer catch(&err)
	return fromUser(g.p.ShardEnded(ctx, in))
}

func (g guarded) ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) (err error) {
	defer catch(&err)
	return fromUser(g.p.ShutdownRequested(ctx, in))
}

// catch is deferred: it makes *err of a panic.
func catch(err *error) {
	if v := recover(); v != nil { //nolint:revive // catch is what is deferred
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}

func isPanic(err error) bool {
	_, ok := errors.AsType[*PanicError](err)
	return ok
}

func isGiveUp(err error) bool {
	_, ok := errors.AsType[*giveUpError](err)
	return ok
}
