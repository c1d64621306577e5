package kcl

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
)

// guarded is a processor whose panics become errors that are *PanicError, and
// the errors that it returns userErrors.
type guarded struct {
	p     RecordProcessor
	calls *calls
}

// What a PanicError's Call says of the code that is called by calls.
const (
	callProcessor  = "processor"
	callFactory    = "factory"
	callDeadLetter = "DeadLetter"
)

// userError is an error that a processor returned. It has no Unwrap: what a
// processor says, be it ErrTrimmed, must not be taken for this library's own.
type userError struct{ err error }

func (e *userError) Error() string { return e.err.Error() }

// fromUser wraps the error of a processor; GiveUp's stays one, and what misuses a
// checkpointer becomes one: the next try would make the same mistake.
func fromUser(err error) error {
	if err == nil {
		return nil
	}
	if IsGiveUp(err) || checkpoint.IsMisuse(err) {
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

// newGuarded has f make the processor of a shard.
func newGuarded(c *calls, f ProcessorFactory, info ShardInfo) (guarded, error) {
	g := guarded{calls: c}
	if err := c.run(callFactory, callFactory, nil, func() error { g.p = f(info); return nil }); err != nil {
		return g, fmt.Errorf("making a processor: %w", err)
	}
	if g.p == nil {
		return g, errNoProcessor
	}
	return g, nil
}

// errNoProcessor means that a factory has a fault.
var errNoProcessor = errors.New("the ProcessorFactory returned nil instead of a processor")

func (g guarded) Initialize(ctx context.Context, in InitializationInput) error {
	return g.calls.keeping(ctx, "Initialize", callProcessor, func(ctx context.Context) error { return g.p.Initialize(ctx, in) })
}

func (g guarded) ProcessRecords(ctx context.Context, in ProcessRecordsInput) error {
	return g.calls.limited(ctx, "ProcessRecords", callProcessor, func(ctx context.Context) error { return g.p.ProcessRecords(ctx, in) })
}

func (g guarded) LeaseLost(ctx context.Context, in LeaseLostInput) error {
	return g.calls.limited(ctx, "LeaseLost", callProcessor, func(ctx context.Context) error { g.p.LeaseLost(ctx, in); return nil })
}

func (g guarded) ShardEnded(ctx context.Context, in ShardEndedInput) error {
	return g.calls.limited(ctx, "ShardEnded", callProcessor, func(ctx context.Context) error { return g.p.ShardEnded(ctx, in) })
}

func (g guarded) ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) error {
	return g.calls.limited(ctx, "ShutdownRequested", callProcessor, func(ctx context.Context) error { return g.p.ShutdownRequested(ctx, in) })
}

// isPanic reports whether it was the processor that panicked: it gets no call
// any more.
func isPanic(err error) bool {
	p, ok := errors.AsType[*PanicError](err)
	return ok && p.Call == callProcessor
}

// panicStack returns the stack of a panic for the log, also of one that the
// processor returned as an error.
func panicStack(err error) zap.Field {
	for _, e := range []error{err, original(err)} {
		if p, ok := errors.AsType[*PanicError](e); ok {
			return zap.ByteString("stack", p.Stack)
		}
	}
	return zap.Skip()
}
