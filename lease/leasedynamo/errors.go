package leasedynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/lease"
)

// classify wraps an error of a request to table in its class, once. An error
// that is not of a known class leaves the outcome of a write unknown: one of a
// request that was given up is such. What the service answered counts more than
// a context that ended meanwhile.
func classify(ctx context.Context, table string, err error) error {
	if remedy, class := classOf(err); class != nil {
		return fmt.Errorf("%w: table %s: %s%w", class, table, remedy, err)
	}
	if cause := done(ctx); cause != nil {
		return fmt.Errorf("table %s: %w", table, cause)
	}
	return fmt.Errorf("table %s: %w", table, err)
}

// classOf returns the class of an error, nil if it has none, and what somebody
// must do about it if it is one of access.
func classOf(err error) (remedy string, class error) {
	if access.Missing(err) {
		return "no request to DynamoDB could be made; are credentials and a region configured? ", lease.ErrAccessDenied
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return "", nil
	}
	operation, ofSDK := errors.AsType[*smithy.OperationError](err)
	if kind := access.Judge(api.ErrorCode()); kind != access.None {
		return kind.Remedy(permission(operation)) + ": ", lease.ErrAccessDenied
	}
	switch api.ErrorCode() {
	case "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "Throttling",
		"TransactionConflictException", "TransactionInProgressException", "ReplicatedWriteConflictException":
		return "", lease.ErrThrottled
	}
	if ofSDK {
		if _, other := access.Within(operation); other {
			return "", nil // it says nothing of a table
		}
	}
	switch api.ErrorCode() {
	case "ResourceNotFoundException":
		return "", lease.ErrTableNotFound
	case "ValidationException":
		return "", lease.ErrInvalidState
	}
	return "", nil
}

// permission returns what a policy calls the right to an operation. A
// transaction has none of its own.
func permission(operation *smithy.OperationError) string {
	switch {
	case operation == nil:
		return "the operation"
	case operation.Operation() == "TransactWriteItems":
		return "dynamodb:PutItem and dynamodb:ConditionCheckItem"
	default:
		return "dynamodb:" + operation.Operation()
	}
}

// done returns the cause for which ctx is done, or nil.
func done(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
