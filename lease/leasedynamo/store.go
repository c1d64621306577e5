package leasedynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// Take implements lease.Store. Its condition is the counter alone, as Java's.
func (t *Table) Take(ctx context.Context, seen lease.Lease, by lease.Claim) (lease.Lease, error) {
	if err := by.Validate(); err != nil {
		return lease.Lease{}, fmt.Errorf("lease %s: %w", seen.Key, err)
	}
	next, err := seen.Next()
	if err != nil {
		return lease.Lease{}, err
	}
	c := setCounter(next).and(setOwner(by.Owner, by.Instance, by.FailoverTime)).and(setIdentity(by.Identity))
	c.set[leaseOwner] = text(by.Owner)
	c.remove = append(c.remove, checkpointOwner, releaseReason)
	if seen.Owner != "" && seen.Owner != by.Owner {
		c = c.and(setSwitches(seen.NextSwitches()))
	}
	return t.update(ctx, write{
		key:     seen.Key,
		allowed: func(e *expression) string { return e.is(leaseCounter, number(seen.Counter)) },
		change:  c,
		stays:   func(lease.Lease) bool { return true },
	})
}

// Renew implements lease.Store.
func (t *Table) Renew(ctx context.Context, held lease.Lease) (lease.Lease, error) {
	return t.updateHeld(ctx, held, change{set: item{}})
}

// Checkpoint implements lease.Store.
func (t *Table) Checkpoint(ctx context.Context, held lease.Lease, at checkpoint.Position) (lease.Lease, error) {
	if err := at.Validate(); err != nil {
		return lease.Lease{}, fmt.Errorf("%w: lease %s: %w", lease.ErrInvalidState, held.Key, err)
	}
	return t.updateHeld(ctx, held, setCheckpoint(at).and(setIdentity(held.Identity)).and(setSwitches(0)).and(removePending()))
}

// Prepare implements lease.Store.
func (t *Table) Prepare(ctx context.Context, held lease.Lease, p checkpoint.Prepared) (lease.Lease, error) {
	if err := p.At.Validate(); err != nil {
		return lease.Lease{}, fmt.Errorf("%w: lease %s: %w", lease.ErrInvalidState, held.Key, err)
	}
	return t.updateHeld(ctx, held, setPending(p))
}

// Release implements lease.Store. In a hand-off it ends the hand-off: the owner
// that the lease was promised to keeps it.
func (t *Table) Release(ctx context.Context, held lease.Lease, why lease.ReleaseReason) (lease.Lease, error) {
	next, err := held.Next()
	if err != nil {
		return lease.Lease{}, err
	}
	c := setCounter(next).and(setReleased(next, why))
	c.remove = append(c.remove, ownerInstance, ownerFailover, leaseOwner)
	stays := func(lease.Lease) bool { return held.Holder() != "" }
	if held.CheckpointOwner != "" {
		c = setCounter(next)
		c.remove = []string{ownerInstance, ownerFailover, checkpointOwner}
		stays = func(row lease.Lease) bool { return row.Owner == held.Owner }
	}
	return t.update(ctx, write{
		key:     held.Key,
		allowed: func(e *expression) string { return e.heldAs(held) },
		change:  c,
		stays:   stays,
	})
}

// updateHeld makes a write that only who holds the lease may make, and that
// leaves it held.
func (t *Table) updateHeld(ctx context.Context, held lease.Lease, c change) (lease.Lease, error) {
	next, err := held.Next()
	if err != nil {
		return lease.Lease{}, err
	}
	return t.update(ctx, write{
		key:     held.Key,
		allowed: func(e *expression) string { return e.heldAs(held) },
		change:  setCounter(next).and(c),
		stays: func(row lease.Lease) bool {
			return held.Holder() != "" && row.Owner == held.Owner && row.Instance == held.Instance && row.CheckpointOwner == held.CheckpointOwner
		},
	})
}

// write is a conditional change of one row that moves the counter.
type write struct {
	key     string
	allowed func(*expression) string // the condition
	change  change
	stays   func(row lease.Lease) bool // of a row that this write left: what it does not set
}

// update makes w, or finds that it happened before.
func (t *Table) update(ctx context.Context, w write) (lease.Lease, error) {
	e := newExpression()
	out, err := send(ctx, t, t.api.UpdateItem, &dynamodb.UpdateItemInput{
		TableName:                           &t.opts.TableName,
		Key:                                 item{leaseKey: text(w.key)},
		UpdateExpression:                    e.update(w.change),
		ConditionExpression:                 aws.String(w.allowed(e)),
		ExpressionAttributeNames:            e.names,
		ExpressionAttributeValues:           e.placeholders(),
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, oneTry)
	var row item
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		if row = refused.Item; !w.happened(row) {
			return lease.Lease{}, lost(w.key, row)
		}
	} else if err != nil {
		return lease.Lease{}, t.failed(ctx, err)
	} else {
		row = out.Attributes
	}
	l, err := decode(row)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("table %s: %w", t.opts.TableName, err)
	}
	return l, nil
}

// happened reports whether row is what w leaves.
func (w write) happened(row item) bool {
	for attr, value := range w.change.set {
		if !equal(row[attr], value) {
			return false
		}
	}
	for _, attr := range w.change.remove {
		if _, ok := row[attr]; ok {
			return false
		}
	}
	l, err := decode(row)
	return err == nil && w.stays(l)
}

// lost returns the error that says what the row is now.
func lost(key string, row item) error {
	if l, err := decode(row); err == nil {
		return &lease.LostError{Key: key, Now: &l}
	}
	return &lease.LostError{Key: key}
}
