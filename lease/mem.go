package lease

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// Mem is a Table in memory: the model that other tables are tested against.
// The zero value is an empty table. It keeps times to the millisecond, as the
// real one does.
type Mem struct {
	// Fault, if set, is called before (applied false) and after (applied true)
	// each write, on the caller's goroutine; the caller gets its error. It may
	// also sleep: a slow network. An error from the second call is a lost
	// answer: the write has happened and the caller cannot know it. A write
	// whose condition fails has no second call.
	//
	// op is take, renew, checkpoint, prepare, release, create, createChild,
	// annotate or delete; key is the row that is written.
	Fault func(ctx context.Context, op, key string, applied bool) error

	mu   sync.Mutex // guards rows; not held while Fault runs
	rows map[string]Lease
}

var _ Table = (*Mem)(nil)

// Ensure implements Table; a Mem is always ready.
func (m *Mem) Ensure(context.Context) error { return nil }

// Put makes l the row of its key as it is, on no condition: what a Java worker
// or an operator did. Fault is not called.
func (m *Mem) Put(l Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(l)
}

// List implements Store; the rows are in the order of their keys, and all can be
// read.
func (m *Mem) List(ctx context.Context) ([]Lease, []*UnreadableError, error) {
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("listing leases: %w", context.Cause(ctx))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Lease, 0, len(m.rows))
	for _, key := range slices.Sorted(maps.Keys(m.rows)) {
		out = append(out, copyOf(m.rows[key]))
	}
	return out, nil, nil
}

// Get implements Store.
func (m *Mem) Get(ctx context.Context, key string) (Lease, error) {
	if ctx.Err() != nil {
		return Lease{}, fmt.Errorf("getting lease %s: %w", key, context.Cause(ctx))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.rows[key]
	if !ok {
		return Lease{}, fmt.Errorf("getting lease %s: %w", key, ErrNotFound)
	}
	return copyOf(row), nil
}

// Take implements Store.
func (m *Mem) Take(ctx context.Context, seen Lease, by Claim) (Lease, error) {
	if err := by.Validate(); err != nil {
		return Lease{}, fmt.Errorf("taking lease %s: %w", seen.Key, err)
	}
	next, err := seen.Next()
	if err != nil {
		return Lease{}, fmt.Errorf("taking: %w", err)
	}
	return m.update(ctx, "take", seen.Key, update{
		allowed: func(row Lease) bool { return row.Counter == seen.Counter },
		set: func(row Lease) Lease {
			row.Owner, row.Instance, row.FailoverTime = by.Owner, by.Instance, by.FailoverTime.Truncate(time.Millisecond)
			if seen.Owner != "" && seen.Owner != by.Owner {
				row.OwnerSwitches = seen.NextSwitches()
			}
			if !by.Identity.IsZero() {
				row.Identity = by.Identity
			}
			row.CheckpointOwner, row.Released = "", Plain
			row.Counter = next
			return row
		},
	})
}

// Renew implements Store.
func (m *Mem) Renew(ctx context.Context, held Lease) (Lease, error) {
	return m.updateHeld(ctx, "renew", held, func(row Lease) Lease { return row })
}

// Checkpoint implements Store.
func (m *Mem) Checkpoint(ctx context.Context, held Lease, at checkpoint.Position) (Lease, error) {
	if err := at.Validate(); err != nil {
		return Lease{}, fmt.Errorf("checkpointing lease %s: %w: %w", held.Key, ErrInvalidState, err)
	}
	return m.updateHeld(ctx, "checkpoint", held, func(row Lease) Lease {
		row.Checkpoint, row.OwnerSwitches, row.Pending = inMillis(at), 0, nil
		if !held.Identity.IsZero() {
			row.Identity = held.Identity
		}
		return row
	})
}

// Prepare implements Store.
func (m *Mem) Prepare(ctx context.Context, held Lease, p checkpoint.Prepared) (Lease, error) {
	if err := p.At.Validate(); err != nil {
		return Lease{}, fmt.Errorf("preparing a checkpoint of lease %s: %w: %w", held.Key, ErrInvalidState, err)
	}
	return m.updateHeld(ctx, "prepare", held, func(row Lease) Lease {
		row.Pending = copyOf(Lease{Pending: &p}).Pending
		return row
	})
}

// Release implements Store. In a hand-off it ends the hand-off: the owner that
// the lease was promised to keeps it.
func (m *Mem) Release(ctx context.Context, held Lease, why ReleaseReason) (Lease, error) {
	next, err := held.Next()
	if err != nil {
		return Lease{}, fmt.Errorf("releasing: %w", err)
	}
	return m.update(ctx, "release", held.Key, update{
		allowed: heldIn(held),
		stays: func(row Lease) bool {
			return held.Holder() != "" && (held.CheckpointOwner == "" || row.Owner == held.Owner)
		},
		set: func(row Lease) Lease {
			if held.CheckpointOwner == "" {
				row.Owner, row.Released = "", why
			}
			row.CheckpointOwner, row.Instance, row.FailoverTime = "", "", 0
			row.Counter = next
			return row
		},
	})
}

// Create implements Registry.
func (m *Mem) Create(ctx context.Context, l Lease) error {
	if err := creatable(l); err != nil {
		return fmt.Errorf("creating lease %s: %w", l.Key, err)
	}
	return m.write(ctx, "create", l.Key, func() error {
		if _, ok := m.rows[l.Key]; ok {
			return fmt.Errorf("creating lease %s: %w", l.Key, ErrExists)
		}
		m.set(l.Fresh())
		return nil
	})
}

// CreateChild implements Registry.
func (m *Mem) CreateChild(ctx context.Context, parent, child Lease) error {
	if err := creatable(child); err != nil {
		return fmt.Errorf("creating lease %s, child of %s: %w", child.Key, parent.Key, err)
	}
	return m.write(ctx, "createChild", child.Key, func() error {
		row, ok := m.rows[parent.Key]
		free := parent.Holder() == "" && row.Holder() == "" && row.Counter == parent.Counter
		if !ok || !free && !heldIn(parent)(row) {
			return m.lost(parent.Key)
		}
		if _, ok := m.rows[child.Key]; !ok {
			m.set(child.Fresh())
		}
		return nil
	})
}

// Annotate implements Registry.
func (m *Mem) Annotate(ctx context.Context, key string, children []string, r HashRange) error {
	if r.half() {
		return fmt.Errorf("annotating lease %s: %w: a hash range needs both ends", key, ErrInvalidState)
	}
	return m.write(ctx, "annotate", key, func() error {
		row, ok := m.rows[key]
		if !ok {
			return fmt.Errorf("annotating lease %s: %w", key, ErrNotFound)
		}
		if len(children) > 0 {
			row.Children = children
		}
		if !r.IsZero() {
			row.Range = r
		}
		m.set(row)
		return nil
	})
}

// Delete implements Registry.
func (m *Mem) Delete(ctx context.Context, seen Lease) error {
	return m.write(ctx, "delete", seen.Key, func() error {
		row, ok := m.rows[seen.Key]
		if ok && (!row.Finished() || row.Counter != seen.Counter) {
			return m.lost(seen.Key)
		}
		delete(m.rows, seen.Key)
		return nil
	})
}
