package leaseadmin

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// ParseAt reads where to set a lease: trim-horizon, latest, a record's
// SEQUENCE[/SUB], or a time of RFC 3339. LATEST has no instant yet.
func ParseAt(text string) (checkpoint.Position, error) {
	switch text {
	case "trim-horizon":
		return checkpoint.Sentinel(checkpoint.TrimHorizon), nil
	case "latest":
		return checkpoint.Sentinel(checkpoint.Latest), nil
	}
	if seq, sub, has := strings.Cut(text, "/"); digits(seq) {
		n, err := strconv.ParseInt(sub, 10, 64)
		if !has {
			n, err = 0, nil
		}
		if at := checkpoint.At(seq, n, time.Time{}); err == nil && at.Validate() == nil {
			return at, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return atTime(t), nil
	}
	return checkpoint.Position{}, fmt.Errorf("it must be trim-horizon, latest, SEQUENCE[/SUB], or a time such as %s", "2026-11-28T14:00:00Z")
}

func atTime(t time.Time) checkpoint.Position {
	at := checkpoint.Sentinel(checkpoint.AtTimestamp)
	at.Arrival = t
	return at
}

// SetInput is what PlanSet decides from.
type SetInput struct {
	Row        lease.Lease
	Leases     []lease.Lease // of the whole table; only the children's matter
	Unreadable []*lease.UnreadableError
	At         checkpoint.Position
	Now        time.Time
	Abandon    bool    // a pending checkpoint may be removed
	Stream     *Stream // what the row must fit; nil: it is not checked
}

// PlanSet decides what setting a lease that nobody holds makes of its row.
//
// A lease at LATEST gets the instant with it. Without one whoever takes it would
// begin at the tip of that later moment, and skip what was put in between.
//
// Errors: why it must not be, all reasons.
func PlanSet(in SetInput) (Change, error) {
	at := in.At
	if at.SequenceNumber == checkpoint.Latest {
		at.Arrival = in.Now
	}
	c := Change{Kind: Rewrites, Before: in.Row, After: freed(in.Row, at)}
	errs := []error{changeable(in.Row, in.Abandon)}
	if at.SequenceNumber == checkpoint.AtTimestamp && at.Arrival.After(in.Now) {
		errs = append(errs, fmt.Errorf("%v is in the future: it is %v now", at.Arrival.Format(time.RFC3339), in.Now.Format(time.RFC3339)))
	}
	if in.Stream != nil {
		errs = append(errs, fits(&c, *in.Stream))
	}
	if err := errors.Join(errs...); err != nil {
		return Change{}, err
	}
	if in.Row.Pending != nil {
		c.Warnings = append(c.Warnings, fmt.Sprintf("the prepared checkpoint at %v is abandoned: the records after %v up to there may be in two objects, or, if the lease is set beyond them, in none",
			in.Row.Pending.At, in.Row.Checkpoint))
	}
	if begun := in.begunChildren(); in.Row.Finished() && len(begun) > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("the shard has ended, and the shards that follow it have begun (%s): its records come again, and after theirs", strings.Join(begun, ", ")))
	}
	return c, nil
}

// fits checks the row, and where it is to be set, against the stream.
func fits(c *Change, s Stream) error {
	row := c.Before
	sh, ok := s.Shard(row.Key)
	if !ok {
		return fmt.Errorf("stream %s lists no shard %s: it has expired, or is another stream's", s.Name, row.Key)
	}
	id := s.identity(sh, row.Identity)
	if why := row.Identity.Contradicts(id); why != "" {
		return fmt.Errorf("lease %s is of %s: if the whole table is to be that of %s, use leases adopt", row.Key, why, s.Name)
	}
	if at := c.After.Checkpoint; at.IsRecord() && !within(at.ExtendedSequenceNumber, sh) {
		return fmt.Errorf("%v is not within shard %s, which has %s to %s", at, sh.ID, sh.StartingSequenceNumber, cmp.Or(sh.EndingSequenceNumber, "now"))
	}
	c.After.Identity = id
	return nil
}

// begunChildren returns the leases of shards that follow the row's and are, or
// were, being read, or may have been.
func (in SetInput) begunChildren() []string {
	var out []string
	for _, row := range in.Unreadable {
		if slices.Contains(in.Row.Children, row.Key) {
			out = append(out, row.Key)
		}
	}
	for _, l := range in.Leases {
		follows := slices.Contains(in.Row.Children, l.Key) || slices.Contains(l.Parents, in.Row.Key)
		if follows && (l.Owner != "" || !l.Checkpoint.IsSentinel() || l.Finished()) {
			out = append(out, l.Key)
		}
	}
	slices.Sort(out)
	return out
}

// PlanRelease decides what freeing a lease makes of its row.
//
// Errors: why it must not be.
func PlanRelease(row lease.Lease) (Change, error) {
	if err := changeable(row, true); err != nil {
		return Change{}, err
	}
	if row.Owner == "" {
		return Change{Kind: Keeps, Before: row, After: row}, nil
	}
	after := freed(row, row.Checkpoint)
	after.Pending, after.OwnerSwitches = row.Pending, row.OwnerSwitches
	return Change{Kind: Releases, Before: row, After: after}, nil
}

// freed returns row as it is when nobody holds it and it was set to at.
func freed(row lease.Lease, at checkpoint.Position) lease.Lease {
	row.Owner, row.Instance, row.FailoverTime, row.Released = "", "", 0, lease.Plain
	row.Checkpoint, row.Pending, row.OwnerSwitches = at, nil, 0
	row.Counter++
	return row
}

// changeable says why a row must not be changed, whoever holds it.
func changeable(row lease.Lease, abandon bool) error {
	_, err := row.Next()
	errs := []error{err}
	if row.CheckpointOwner != "" {
		errs = append(errs, fmt.Errorf("lease %s is being handed over from %s to %s by KCL 3.x: let them finish", row.Key, row.CheckpointOwner, row.Owner))
	}
	if row.Pending != nil && !abandon {
		errs = append(errs, fmt.Errorf("lease %s has a prepared checkpoint at %v: the records after %v up to there may be delivered already. "+
			"Start a worker: it finishes that first, which this command cannot. Or give --abandon: then these records may be delivered twice",
			row.Key, row.Pending.At, row.Checkpoint))
	}
	return errors.Join(errs...)
}
