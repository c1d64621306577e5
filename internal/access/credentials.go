package access

import (
	"context"
	"errors"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Missing reports whether the SDK never sent a request because it could not
// sign it: there are no credentials, or no region. The SDK has no type for that:
// it is what fails inside an operation without a request, an answer, or a
// complaint about the input.
func Missing(err error) bool {
	operation, ok := errors.AsType[*smithy.OperationError](err)
	if !ok || isContextError(err) {
		return false
	}
	if inner, ok := Within(operation); ok && inner.ServiceID == "ec2imds" {
		return true // the last of the places where the SDK looks
	}
	var (
		api     smithy.APIError
		sent    *smithyhttp.RequestSendError
		answer  *smithyhttp.ResponseError
		input   *smithy.InvalidParamsError
		encoded *smithy.SerializationError
		decoded *smithy.DeserializationError
	)
	return !errors.As(err, &api) && !errors.As(err, &sent) && !errors.As(err, &answer) &&
		!errors.As(err, &input) && !errors.As(err, &encoded) && !errors.As(err, &decoded)
}

// Within returns the operation of another service because of which an operation
// failed: one that was asked for credentials.
func Within(operation *smithy.OperationError) (*smithy.OperationError, bool) {
	inner, ok := errors.AsType[*smithy.OperationError](operation.Err)
	return inner, ok && inner.ServiceID != operation.ServiceID
}

func isContextError(err error) bool {
	var canceled *smithy.CanceledError
	return errors.As(err, &canceled) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
