package leaseadmin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/lease"
)

// HeldError says that a lease is held by somebody who lives.
type HeldError struct {
	Key   string
	Owner string        // "" if the row came, went or was released meanwhile
	Ago   time.Duration // it was renewed less than so long ago
}

func (e *HeldError) Error() string {
	if e.Owner == "" {
		return fmt.Sprintf("lease %s was changed less than %v ago: a worker runs; stop it first", e.Key, e.Ago)
	}
	return fmt.Sprintf("lease %s is held by %s, which renewed it less than %v ago: stop that worker first", e.Key, e.Owner, e.Ago)
}

// Owned reports whether one of the leases has an owner.
func Owned(rows []lease.Lease) bool {
	for _, row := range rows {
		if row.Owner != "" || row.CheckpointOwner != "" {
			return true
		}
	}
	return false
}

// Life returns how long an owner of one of the rows may go without renewing: the
// larger one of what the owners say of themselves and failover, since not every
// owner does.
func Life(rows []lease.Lease, failover time.Duration) time.Duration {
	for _, row := range rows {
		failover = max(failover, row.FailoverTime)
	}
	return failover
}

// Quiet watches rows that were just read until life has passed in which nobody
// wrote them, and returns them as they are then. It reads them several times, and
// ends with the first write that it sees.
//
// Errors: HeldError; read's; context.Cause(ctx).
func Quiet(ctx context.Context, rows []lease.Lease, life time.Duration, read func(context.Context) ([]lease.Lease, error)) ([]lease.Lease, error) {
	const looks = 5
	for range looks {
		if err := pause.For(ctx, life/looks+1); err != nil { // and 1 ns, for what the division drops
			return nil, err
		}
		now, err := read(ctx)
		if err != nil {
			return nil, err
		}
		if held := moved(rows, now); held != nil {
			held.Ago = life / looks
			return nil, held
		}
		rows = now
	}
	return rows, nil
}

// moved returns the lease that changed between two reads, or nil.
func moved(before, now []lease.Lease) *HeldError {
	seen := make(map[string]lease.Lease, len(before))
	for _, row := range before {
		seen[row.Key] = row
	}
	for _, row := range now {
		was, ok := seen[row.Key]
		delete(seen, row.Key)
		if !ok || was.Counter != row.Counter || was.Owner != row.Owner || was.CheckpointOwner != row.CheckpointOwner {
			return &HeldError{Key: row.Key, Owner: row.Owner}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		return &HeldError{Key: key}
	}
	return nil
}
