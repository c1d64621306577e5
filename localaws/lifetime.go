package localaws

import (
	"context"
	"time"
)

// lifetime is a context that ends with a stack, for what belongs to the stack and to no
// call.
type lifetime struct{ stack *Stack }

// Deadline implements context.Context.
func (lifetime) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (l lifetime) Done() <-chan struct{} { return l.stack.closed }

// Err implements context.Context.
func (l lifetime) Err() error {
	select {
	case <-l.stack.closed:
		return context.Canceled
	default:
		return nil
	}
}

// Value implements context.Context.
func (lifetime) Value(any) any { return nil }
