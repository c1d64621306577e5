package leasedynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/lease"
)

// Create implements lease.Registry.
func (t *Table) Create(ctx context.Context, l lease.Lease) error {
	if err := creatable(l); err != nil {
		return err
	}
	e := newExpression()
	_, err := send(ctx, t, t.api.PutItem, &dynamodb.PutItemInput{
		TableName:                &t.opts.TableName,
		Item:                     encode(l.Fresh()),
		ConditionExpression:      aws.String(e.absent(leaseKey)),
		ExpressionAttributeNames: e.names,
	}, oneTry)
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return fmt.Errorf("table %s, lease %s: %w", t.opts.TableName, l.Key, lease.ErrExists)
	}
	if err != nil {
		return t.failed(ctx, err)
	}
	return nil
}

// CreateChild implements lease.Registry.
func (t *Table) CreateChild(ctx context.Context, parent, child lease.Lease) error {
	if err := creatable(child); err != nil {
		return err
	}
	held, free := newExpression(), newExpression()
	_, err := send(ctx, t, t.api.TransactWriteItems, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{ConditionCheck: &types.ConditionCheck{
			TableName:                           &t.opts.TableName,
			Key:                                 item{leaseKey: text(parent.Key)},
			ConditionExpression:                 aws.String(held.unchanged(parent)),
			ExpressionAttributeNames:            held.names,
			ExpressionAttributeValues:           held.placeholders(),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
		{Put: &types.Put{
			TableName:                &t.opts.TableName,
			Item:                     encode(child.Fresh()),
			ConditionExpression:      aws.String(free.absent(leaseKey)),
			ExpressionAttributeNames: free.names,
		}},
	}}, oneTry)
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return t.canceled(canceled, parent.Key)
	}
	if err != nil {
		return t.failed(ctx, err)
	}
	return nil
}

// canceled tells why a transaction of CreateChild wrote nothing. The reasons
// are in the order of its parts: the parent's check and the child's put.
func (t *Table) canceled(err *types.TransactionCanceledException, parent string) error {
	const refused = "ConditionalCheckFailed"
	codes := make([]string, 2)
	for i, reason := range err.CancellationReasons[:min(2, len(err.CancellationReasons))] {
		codes[i] = aws.ToString(reason.Code)
	}
	if codes[0] == refused {
		return lost(parent, err.CancellationReasons[0].Item)
	}
	for _, code := range codes {
		switch code {
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			return fmt.Errorf("%w: table %s: %w", lease.ErrThrottled, t.opts.TableName, err)
		case "ValidationError":
			return fmt.Errorf("%w: table %s: %w", lease.ErrInvalidState, t.opts.TableName, err)
		}
		if access.Judge(code) != access.None {
			return fmt.Errorf("%w: table %s: %w", lease.ErrAccessDenied, t.opts.TableName, err)
		}
	}
	if codes[1] == refused {
		return nil // the child has a row, and the parent is held
	}
	return fmt.Errorf("table %s: %w", t.opts.TableName, err)
}

// Annotate implements lease.Registry.
func (t *Table) Annotate(ctx context.Context, key string, children []string, r lease.HashRange) error {
	if err := checkRange(r); err != nil {
		return err
	}
	e := newExpression()
	_, err := send(ctx, t, t.api.UpdateItem, &dynamodb.UpdateItemInput{
		TableName:                 &t.opts.TableName,
		Key:                       item{leaseKey: text(key)},
		UpdateExpression:          e.update(setChildren(children).and(setRange(r))),
		ConditionExpression:       aws.String(e.exists(leaseKey)),
		ExpressionAttributeNames:  e.names,
		ExpressionAttributeValues: e.placeholders(),
	}, oneTry)
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return fmt.Errorf("table %s, lease %s: %w", t.opts.TableName, key, lease.ErrNotFound)
	}
	if err != nil {
		return t.failed(ctx, err)
	}
	return nil
}

// Delete implements lease.Registry.
func (t *Table) Delete(ctx context.Context, seen lease.Lease) error {
	e := newExpression()
	finished := e.is(checkpointAttr, text(checkpoint.ShardEnd)) + " AND " + e.is(leaseCounter, number(seen.Counter))
	_, err := send(ctx, t, t.api.DeleteItem, &dynamodb.DeleteItemInput{
		TableName:                           &t.opts.TableName,
		Key:                                 item{leaseKey: text(seen.Key)},
		ConditionExpression:                 aws.String(e.absent(leaseKey) + " OR (" + finished + ")"),
		ExpressionAttributeNames:            e.names,
		ExpressionAttributeValues:           e.placeholders(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, oneTry)
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return lost(seen.Key, refused.Item)
	}
	if err != nil {
		return t.failed(ctx, err)
	}
	return nil
}

// creatable returns an error that is ErrInvalidState if l cannot be a row.
func creatable(l lease.Lease) error {
	if l.Key == "" {
		return fmt.Errorf("%w: a lease needs a key", lease.ErrInvalidState)
	}
	if err := l.Checkpoint.Validate(); err != nil {
		return fmt.Errorf("%w: lease %s: %w", lease.ErrInvalidState, l.Key, err)
	}
	return checkRange(l.Range)
}

// checkRange returns an error that is ErrInvalidState if r is neither unknown
// nor a range.
func checkRange(r lease.HashRange) error {
	if r.IsZero() {
		return nil
	}
	if want := rangeProblem(r); want != "" {
		return fmt.Errorf("%w: %s is %q; it must be %s", lease.ErrInvalidState, startingHashKey, r.Start, want)
	}
	return nil
}
