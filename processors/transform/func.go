package transform

import (
	"context"
	"runtime/debug"
)

// arnPrefix begins the ARNs of what is no Lambda function.
const arnPrefix = "urn:shardmill:transform:"

// URN names a transform that is no Lambda function, so that the lines of error objects
// keep their shape: "urn:shardmill:transform:" and its name.
func URN(name string) string { return arnPrefix + name }

// Func returns f as a Function whose ARN is [URN] of name. f may be called side by side,
// must end soon after its ctx is done, and says of each record of the batch by its ID what
// becomes of it. Its error is about the whole batch, as is its panic: a
// Lambda.FunctionError, which is tried again.
func Func(name string, f func(ctx context.Context, b *Batch) ([]Result, error)) Function {
	return function{URN(name), f}
}

type function struct {
	arn string
	f   func(context.Context, *Batch) ([]Result, error)
}

// Transform implements Function.
func (f function) Transform(ctx context.Context, b *Batch) ([]Result, error) { return f.f(ctx, b) }

// ARN implements Function.
func (f function) ARN() string { return f.arn }

// Each returns a Function that calls f with one record of a batch after another. The ID
// of what f returns is set here. If f panics that record alone fails, with
// Lambda.FunctionError, and is not tried again: the others of its batch are not to
// suffer. When ctx is done f is not called any more.
func Each(name string, f func(ctx context.Context, r *Record) Result) Function {
	return Func(name, func(ctx context.Context, b *Batch) ([]Result, error) {
		results := make([]Result, len(b.Records))
		for i := range b.Records {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx) //nolint:wrapcheck // it is what was given
			}
			results[i] = each(ctx, f, &b.Records[i])
		}
		return results, nil
	})
}

func each(ctx context.Context, f func(context.Context, *Record) Result, r *Record) (result Result) {
	id := r.ID
	defer func() {
		if v := recover(); v != nil {
			fault := FunctionError(&panicError{v, debug.Stack()})
			fault.Retry = false
			result = Result{Fault: fault}
		}
		result.ID = id
	}()
	return f(ctx, r)
}
