package lease

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// update is a conditional write of a row. set is given the row and changes no
// more than what the write sets; doing it twice is doing it once.
type update struct {
	allowed func(row Lease) bool
	stays   func(row Lease) bool // what set does not set but the writer's own row has; nil: nothing
	set     func(row Lease) Lease
}

// updateHeld makes a write that only who holds the lease may make, and that
// leaves it held.
func (m *Mem) updateHeld(ctx context.Context, op string, held Lease, set func(Lease) Lease) (Lease, error) {
	next, err := held.Next()
	if err != nil {
		return Lease{}, fmt.Errorf("%s: %w", op, err)
	}
	return m.update(ctx, op, held.Key, update{
		allowed: heldIn(held),
		stays: func(row Lease) bool {
			return held.Holder() != "" && row.Owner == held.Owner && row.Instance == held.Instance && row.CheckpointOwner == held.CheckpointOwner
		},
		set: func(row Lease) Lease {
			row = set(row)
			row.Counter = next
			return row
		},
	})
}

// heldIn returns the condition that a row is held as the value says.
func heldIn(held Lease) func(Lease) bool {
	return func(row Lease) bool {
		return held.Holder() != "" && row.Counter == held.Counter && row.CheckpointOwner == held.CheckpointOwner &&
			(held.CheckpointOwner != "" || row.Owner == held.Owner)
	}
}

func (m *Mem) update(ctx context.Context, op, key string, u update) (Lease, error) {
	var row Lease
	err := m.write(ctx, op, key, func() error {
		old, ok := m.rows[key]
		if !ok {
			return m.lost(key)
		}
		row = u.set(copyOf(old))
		// A row that the write would not change is the one it left before.
		happened := (u.stays == nil || u.stays(old)) && reflect.DeepEqual(row, old)
		if !u.allowed(old) && !happened {
			return m.lost(key)
		}
		m.set(row)
		row = copyOf(m.rows[key])
		return nil
	})
	if err != nil {
		return Lease{}, err
	}
	return row, nil
}

// write runs f under the lock, between the two calls of Fault.
func (m *Mem) write(ctx context.Context, op, key string, f func() error) error {
	fault := m.Fault
	if fault == nil {
		fault = func(context.Context, string, string, bool) error { return nil }
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := fault(ctx, op, key, false); err != nil {
		return err
	}
	if err := m.locked(f); err != nil {
		return err
	}
	return fault(ctx, op, key, true)
}

func (m *Mem) locked(f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f()
}

func (m *Mem) set(l Lease) {
	if m.rows == nil {
		m.rows = make(map[string]Lease)
	}
	m.rows[l.Key] = copyOf(l)
}

func (m *Mem) lost(key string) error {
	row, ok := m.rows[key]
	if !ok {
		return &LostError{Key: key}
	}
	row = copyOf(row)
	return &LostError{Key: key, Now: &row}
}

// creatable returns an error that is ErrInvalidState if no table can hold l.
func creatable(l Lease) error {
	switch err := l.Checkpoint.Validate(); {
	case l.Key == "":
		return fmt.Errorf("%w: a lease needs a key", ErrInvalidState)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInvalidState, err)
	case l.Range.half():
		return fmt.Errorf("%w: a hash range needs both ends", ErrInvalidState)
	}
	return nil
}

func (r HashRange) half() bool { return (r.Start == "") != (r.End == "") }

// copyOf returns l as a table keeps it: it shares nothing with l, what is empty
// is absent, times are in milliseconds, and who has an owner was not released.
func copyOf(l Lease) Lease {
	if l.Owner != "" {
		l.Released = Plain
	}
	l.Parents, l.Children = present(l.Parents), present(l.Children)
	l.Checkpoint = inMillis(l.Checkpoint)
	if l.Pending != nil {
		l.Pending = &checkpoint.Prepared{At: l.Pending.At, State: present(l.Pending.State)}
	}
	return l
}

func present[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}

func inMillis(p checkpoint.Position) checkpoint.Position {
	if !p.Arrival.IsZero() {
		p.Arrival = time.UnixMilli(p.Arrival.UnixMilli()).UTC()
	}
	return p
}
