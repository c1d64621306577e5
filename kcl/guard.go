package kcl

import (
	"context"
	"errors"
	"runtime/debug"
)

// guarded turns the panics of a processor into errors that are *PanicError.
type guarded struct{ p RecordProcessor }

func (g guarded) Initialize(ctx context.Context, in InitializationInput) (err error) {
	defer catch(&err)
	return g.p.Initialize(ctx, in)
}

func (g guarded) ProcessRecords(ctx context.Context, in ProcessRecordsInput) (err error) {
	defer catch(&err)
	return g.p.ProcessRecords(ctx, in)
}

func (g guarded) LeaseLost(ctx context.Context, in LeaseLostInput) (err error) {
	defer catch(&err)
	g.p.LeaseLost(ctx, in)
	return nil
}

func (g guarded) ShardEnded(ctx context.Context, in ShardEndedInput) (err error) {
	defer catch(&err)
	return g.p.ShardEnded(ctx, in)
}

func (g guarded) ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) (err error) {
	defer catch(&err)
	return g.p.ShutdownRequested(ctx, in)
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
