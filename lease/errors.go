package lease

import (
	"errors"
	"fmt"
)

var (
	// ErrLost means that the row is no longer what the caller passed: another
	// worker took, evicted or deleted it, or the trust in it ran out. It is
	// final for that holding: a retry cannot help, the holder must stop.
	ErrLost = errors.New("lease lost")

	// ErrExists is returned by Create when the key already has a row.
	ErrExists = errors.New("lease already exists")

	// ErrNotFound is returned by Get when the key has no row.
	ErrNotFound = errors.New("no such lease")

	// ErrThrottled means that the table refused the request for lack of
	// capacity. Nothing was written. Back off and retry.
	ErrThrottled = errors.New("lease table throttled")

	// ErrAccessDenied means that the service refused the credentials, that they
	// do not permit the operation, or that there are none. Nothing was written. It
	// may pass: they expire and are renewed, and policies change.
	ErrAccessDenied = errors.New("access denied")

	// ErrTableNotFound means that there is no lease table, or none any more.
	// Nothing was written.
	ErrTableNotFound = errors.New("lease table not found")

	// ErrInvalidState means that the table cannot be used as it is: of another
	// shape, or spoken to in a protocol we do not speak; or that the arguments are
	// such as no row may have. A retry cannot help until someone changes that.
	ErrInvalidState = errors.New("lease table unusable")
)

// UnreadableError is the ErrInvalidState of one row: it is there, and malformed.
// Whoever decides something must take its lease for begun, unfinished and not to
// be had.
type UnreadableError struct {
	Key string
	Err error // which attribute, and what it must be
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("lease %s cannot be read: %v", e.Key, e.Err)
}

// Is makes errors.Is(err, ErrInvalidState) true.
func (e *UnreadableError) Is(target error) bool { return target == ErrInvalidState }

// IsUnreadable reports whether err says that a row is there and malformed.
func IsUnreadable(err error) bool {
	_, ok := errors.AsType[*UnreadableError](err)
	return ok
}

// LostError is the ErrLost that says what the row holds now.
type LostError struct {
	Key string
	Now *Lease // nil: the row is gone, or was not read
}

func (e *LostError) Error() string {
	if e.Now == nil {
		return fmt.Sprintf("lease %s lost", e.Key)
	}
	return fmt.Sprintf("lease %s lost: now owner %q, counter %d", e.Key, e.Now.Owner, e.Now.Counter)
}

// Is makes errors.Is(err, ErrLost) true.
func (e *LostError) Is(target error) bool { return target == ErrLost }
