package lambdatransform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/transform"
)

// failure is one that is tried again. The messages are ours: Firehose's own in error
// objects are not known for these codes.
func failure(code, message string, err error) *transform.Error {
	return &transform.Error{Code: "Lambda." + code, Message: message, Retry: true, Err: err}
}

// classify gives an error of a request its code.
func classify(ctx context.Context, err error) *transform.Error {
	if errors.Is(err, errTooLarge) {
		return transform.AnswerTooLarge(err)
	}
	if kind := denied(err); kind != access.None {
		err = fmt.Errorf("%s: %w", kind.Remedy("lambda:InvokeFunction"), err)
		if kind == access.NotAllowed {
			return failure("InvokeAccessDenied", "Access was denied. Ensure that the access policy allows access to the Lambda function.", err)
		}
		return failure("InvalidSecurityToken", "The Lambda function could not be invoked with these credentials.", err)
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		if f := coded(e.ErrorCode(), err); f != nil {
			return f
		}
		if !isGeneral(e.ErrorCode()) {
			return transform.InvocationFailure(err) // such as of its keys, or of its file system
		}
	}
	switch status(err) {
	case 0:
		return unanswered(ctx, err)
	case http.StatusRequestEntityTooLarge:
		return requestTooLarge(err)
	case http.StatusTooManyRequests:
		return coded("TooManyRequestsException", err)
	case http.StatusServiceUnavailable:
		return failure("ServiceUnavailable", "The Lambda service was not available.", err)
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return failure("InternalServerError", "The Lambda service had an internal error.", err)
	}
	return transform.InvocationFailure(err)
}

// isGeneral reports whether a code says no more than the status does.
func isGeneral(code string) bool {
	switch code {
	case "", "UnknownError", "InternalFailure", "InternalServerError", "InternalServerException", "ServiceUnavailable", "ServiceUnavailableException":
		return true
	}
	return false
}

// coded is the failure that Lambda's code of an error means, or nil.
func coded(code string, err error) *transform.Error {
	switch code {
	case "TooManyRequestsException", "ThrottlingException", "Throttling", "EC2ThrottledException", "ProvisionedThroughputExceededException":
		return failure("InvokeLimitExceeded", "The Lambda concurrent execution limit is exceeded. Increase the concurrent execution limit.", err)
	case "ResourceNotFoundException":
		return failure("ResourceNotFound", "The specified Lambda function does not exist. Use a different function that does exist.", err)
	case "InvalidSubnetIDException":
		return failure(code, "The specified subnet ID in the Lambda function VPC configuration is invalid. Ensure that the subnet ID is valid.", err)
	case "InvalidSecurityGroupIDException":
		return failure(code, "The specified security group ID in the Lambda function VPC configuration is invalid. Ensure that the security group ID is valid.", err)
	case "SubnetIPAddressLimitReachedException":
		return failure(code, "A subnet of the Lambda function VPC configuration has no available IP addresses.", err)
	case "ENILimitReachedException":
		return failure(code, "The limit for network interfaces in the VPC of the Lambda function has been reached. Increase the network interface limit.", err)
	case "InvalidZipFileException":
		return failure(code, "The zip file of the Lambda function is invalid.", err)
	case "InvalidRequestContentException":
		f := failure("JsonProcessingException", "The request to the Lambda function could not be read as JSON.", err)
		f.Retry = false
		return f
	case "RequestTooLargeException", "RequestEntityTooLargeException":
		return requestTooLarge(err)
	case "ServiceException":
		return failure("InternalServerError", "The Lambda service had an internal error.", err)
	}
	return nil
}

// requestTooLarge is the failure of a request that Lambda does not take for its size:
// parts of it may be small enough.
func requestTooLarge(err error) *transform.Error {
	f := transform.InvocationFailure(err)
	f.Retry, f.TooLarge = false, true
	return f
}

// unanswered is the failure of a request that got no answer.
func unanswered(ctx context.Context, err error) *transform.Error {
	timeout, isNet := errors.AsType[net.Error](err)
	_, isLate := errors.AsType[*deadline.Error](err)
	if isLate || ctx.Err() != nil || isNet && timeout.Timeout() {
		return failure("FunctionRequestTimedOut", "The request to the Lambda function was not answered in time.", err)
	}
	if _, isSent := errors.AsType[*smithyhttp.RequestSendError](err); isSent || isNet || errors.Is(err, io.ErrUnexpectedEOF) {
		return failure("TargetServerFailedToRespond", "The Lambda service did not respond.", err)
	}
	return transform.InvocationFailure(err)
}

// denied tells whether and how access was refused.
func denied(err error) access.Kind {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		if kind := access.Judge(e.ErrorCode()); kind == access.NotAllowed || kind == access.NotAccepted || kind == access.Expired {
			return kind
		}
		if coded(e.ErrorCode(), err) == nil && status(err) == http.StatusForbidden {
			return access.NotAllowed
		}
	}
	if access.Missing(err) {
		return access.NotAccepted // nothing was sent
	}
	return access.None
}

// status is that of the answer, or 0 if there was none.
func status(err error) int {
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}

// bounded is a client that reads no more of an answer than Lambda's may have.
type bounded struct{ deadline.Doer }

// Do implements the SDK's HTTPClient.
func (b bounded) Do(r *http.Request) (*http.Response, error) {
	resp, err := b.Doer.Do(r)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, transform.MaxAnswerBytes}
	}
	return resp, err //nolint:wrapcheck // it is a client
}

// boundedBody fails when it has more than left bytes.
type boundedBody struct {
	io.ReadCloser

	left int
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if n > b.left {
		return b.left, errTooLarge
	}
	b.left -= n
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}
