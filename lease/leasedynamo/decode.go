package leasedynamo

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// isLease reports whether a row is a lease: KCL 3.5 keeps other things in the
// same table, and tells them by entityType. Only leases have a counter or a
// checkpoint; one that lacks either is malformed.
// Source: KCL DynamoDBLeaseRefresher, EntityType.
func isLease(row item) bool {
	if kind, ok := row[entityType].(*types.AttributeValueMemberS); ok {
		return kind.Value == "LEASE"
	}
	_, counter := row[leaseCounter]
	_, at := row[checkpointAttr]
	return counter || at
}

// decode returns the lease that a row is. Attributes that are not known are
// ignored, and so are those of this package's own that are malformed or belong
// to an earlier write.
//
// Errors: UnreadableError, naming key, attribute and value; the lease has its
// key then.
func decode(row item) (lease.Lease, error) {
	r := reader{row: row}
	l := lease.Lease{
		Key:             r.text(leaseKey),
		Owner:           r.text(leaseOwner),
		Counter:         r.number(leaseCounter, required),
		OwnerSwitches:   r.number(ownerSwitches, optional),
		Checkpoint:      checkpoint.Position{ExtendedSequenceNumber: r.place(checkpointAttr, checkpointSub)},
		Parents:         r.set(parentShardID),
		Children:        r.set(childShardIDs),
		Range:           r.hashRange(),
		CheckpointOwner: r.text(checkpointOwner),
		ThroughputKBps:  r.float(throughputKBps),
	}
	l.Pending = r.pending()
	if r.err != nil {
		return lease.Lease{Key: l.Key}, &lease.UnreadableError{Key: l.Key, Err: r.err}
	}
	l.Checkpoint.Arrival = arrival(row, l.Checkpoint.ExtendedSequenceNumber)
	l.Instance = ofOwner(row[ownerInstance], l.Owner)
	l.FailoverTime = failover(ofOwner(row[ownerFailover], l.Owner))
	l.Identity = identity(row[shardIdentity])
	l.Released = released(row[releaseReason], l)
	return l, nil
}

const (
	optional = false
	required = true
)

// reader reads the attributes of a row and keeps the first error.
type reader struct {
	row item
	err error
}

func (r *reader) fail(attr, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("attribute %s is %s; it must be %s", attr, describe(r.row[attr]), want)
	}
}

func (r *reader) text(attr string) string {
	value, ok := r.row[attr]
	if !ok {
		return ""
	}
	s, ok := value.(*types.AttributeValueMemberS)
	if !ok {
		r.fail(attr, "a string")
		return ""
	}
	return s.Value
}

func (r *reader) number(attr string, need bool) int64 {
	value, ok := r.row[attr]
	if !ok && !need {
		return 0
	}
	n, _ := value.(*types.AttributeValueMemberN)
	if n != nil {
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil && i >= 0 {
			return i
		}
	}
	r.fail(attr, "a whole number that is not negative")
	return 0
}

// float reads a number in any form: Java writes exponents.
func (r *reader) float(attr string) float64 {
	value, ok := r.row[attr]
	if !ok {
		return 0
	}
	if n, ok := value.(*types.AttributeValueMemberN); ok {
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
	r.fail(attr, "a number")
	return 0
}

func (r *reader) set(attr string) []string {
	value, ok := r.row[attr]
	if !ok {
		return nil
	}
	ss, ok := value.(*types.AttributeValueMemberSS)
	if !ok {
		r.fail(attr, "a set of strings")
		return nil
	}
	return slices.Sorted(slices.Values(ss.Value))
}

func (r *reader) place(attr, sub string) checkpoint.ExtendedSequenceNumber {
	at := checkpoint.ExtendedSequenceNumber{SequenceNumber: r.text(attr), SubSequenceNumber: r.number(sub, optional)}
	if err := at.Validate(); err != nil {
		r.fail(attr, fmt.Sprintf("decimal digits or a sentinel, with a fitting %s (%v)", sub, err))
	}
	return at
}

// pending reads the prepared checkpoint. Java's creating write stores a number
// as its state; that is no state.
func (r *reader) pending() *checkpoint.Prepared {
	if _, ok := r.row[pendingCheckpoint]; !ok {
		return nil
	}
	p := &checkpoint.Prepared{At: r.place(pendingCheckpoint, pendingSub)}
	switch state := r.row[pendingState].(type) {
	case nil, *types.AttributeValueMemberN:
	case *types.AttributeValueMemberB:
		if len(state.Value) > 0 {
			p.State = slices.Clone(state.Value)
		}
	default:
		r.fail(pendingState, "binary")
	}
	return p
}

// hashRange reads the hash range; half of one is none, as in Java.
func (r *reader) hashRange() lease.HashRange {
	hr := lease.HashRange{Start: r.text(startingHashKey), End: r.text(endingHashKey)}
	if hr.Start == "" || hr.End == "" {
		return lease.HashRange{}
	}
	if want := rangeProblem(hr); want != "" {
		r.fail(startingHashKey, want)
	}
	return hr
}

// rangeProblem says what a hash range must be if it is not so, else "".
func rangeProblem(r lease.HashRange) string {
	switch {
	case !isDecimal(r.Start) || !isDecimal(r.End):
		return fmt.Sprintf("a decimal number, as must %s, which is %q", endingHashKey, r.End)
	case checkpoint.CompareDecimal(r.Start, r.End) >= 0:
		return fmt.Sprintf("less than %s, which is %q", endingHashKey, r.End)
	}
	return ""
}

func isDecimal(s string) bool {
	return checkpoint.ExtendedSequenceNumber{SequenceNumber: s}.IsRecord()
}

// arrival returns the timestamp of the checkpoint, or the zero time if the row
// has none or that of another position.
func arrival(row item, at checkpoint.ExtendedSequenceNumber) time.Time {
	if !equal(row[timestampFor], text(at.Full())) {
		return time.Time{}
	}
	n, ok := row[checkpointTimestamp].(*types.AttributeValueMemberN)
	if !ok {
		return time.Time{}
	}
	millis, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// ofOwner returns what follows the last slash of value if what precedes it is
// the present owner, else "": an earlier owner left it.
func ofOwner(value types.AttributeValue, owner string) string {
	s, ok := value.(*types.AttributeValueMemberS)
	if !ok || owner == "" {
		return ""
	}
	i := strings.LastIndexByte(s.Value, '/')
	if i < 0 || s.Value[:i] != owner {
		return ""
	}
	return s.Value[i+1:]
}

// identity returns what setIdentity wrote, or nothing if it is malformed.
func identity(value types.AttributeValue) lease.Identity {
	s, ok := value.(*types.AttributeValueMemberS)
	if !ok {
		return lease.Identity{}
	}
	parts := strings.SplitN(s.Value, "/", 3)
	if len(parts) < 3 {
		return lease.Identity{}
	}
	return lease.Identity{Stream: parts[0], Start: parts[1], ARN: parts[2]}
}

// released returns why l was released, if value is of the write that left it.
func released(value types.AttributeValue, l lease.Lease) lease.ReleaseReason {
	s, ok := value.(*types.AttributeValueMemberS)
	if !ok || l.Owner != "" {
		return lease.Plain
	}
	counter, why, _ := strings.Cut(s.Value, "/")
	if counter != strconv.FormatInt(l.Counter, 10) {
		return lease.Plain
	}
	return lease.ReleaseReason(why)
}

func failover(millis string) time.Duration {
	n, err := strconv.ParseInt(millis, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/int64(time.Millisecond) {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}
