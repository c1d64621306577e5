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
// that is not of a known class leaves the outcome of a write unknown. What the
// service answered counts more than a context that ended meanwhile.
func classify(ctx context.Context, table string, err error) error {
	if class := classOf(err); class != nil {
		return fmt.Errorf("%w: table %s: %w", class, table, err)
	}
	if cause := done(ctx); cause != nil {
		return fmt.Errorf("table %s: %w", table, cause)
	}
	return fmt.Errorf("table %s: %w", table, err)
}

func classOf(err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return nil
	}
	switch api.ErrorCode() {
	case "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "Throttling",
		"TransactionConflictException", "TransactionInProgressException", "ReplicatedWriteConflictException":
		return lease.ErrThrottled
	case "ResourceNotFoundException":
		return lease.ErrTableNotFound
	case "ValidationException":
		return lease.ErrInvalidState
	}
	if access.Judge(api.ErrorCode()) != access.None {
		return lease.ErrAccessDenied
	}
	return nil
}

// done returns the cause for which ctx is done, or nil.
func done(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
