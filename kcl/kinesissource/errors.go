package kinesissource

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/kcl"
)

// describe says what was being done when err came, and gives err its class if
// no retry can help.
func (s *Source) describe(op, shardID string, err error) error {
	var doing string
	switch op {
	case opGetShardIterator:
		doing = fmt.Sprintf("opening shard %s of stream %s", shardID, s.o.StreamName)
	case opGetRecords:
		doing = fmt.Sprintf("reading shard %s of stream %s", shardID, s.o.StreamName)
	default:
		doing = "listing the shards of stream " + s.o.StreamName
	}
	if remedy := accessRemedy(op, err); remedy != "" {
		return fmt.Errorf("%s: %w: %s: %w", doing, kcl.ErrAccessDenied, remedy, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// accessRemedy says what to do about err if the service refused the
// credentials or their permissions, else "".
func accessRemedy(op string, err error) string {
	op = "kinesis:" + op
	if kind := access.Judge(errorCode(err)); kind != access.None {
		return kind.Remedy(op)
	}
	if access.Missing(err) {
		return op + " was not called, as there are no credentials: provide some, and a region"
	}
	return ""
}

// isThrottle reports whether the service refused a call because of a limit.
func isThrottle(err error) bool {
	code := errorCode(err)
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok || code == "KMSThrottlingException" {
		return true
	}
	var answer *smithyhttp.ResponseError
	return errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusTooManyRequests
}

// isRateExceeded reports whether a shard refused a call because its readers take
// more than it gives.
func isRateExceeded(err error) bool {
	_, ok := errors.AsType[*types.ProvisionedThroughputExceededException](err)
	return ok
}

// isARNIgnored reports whether a server that was asked by an ARN says that it
// was not told of a stream.
func isARNIgnored(in *kinesis.ListShardsInput, err error) bool {
	answer, ok := errors.AsType[smithy.APIError](err)
	return ok && in.StreamARN != nil && answer.ErrorCode() == "InvalidArgumentException" &&
		strings.Contains(answer.ErrorMessage(), "NextToken or StreamName should be provided")
}

func isExpiredIterator(err error) bool {
	_, ok := errors.AsType[*types.ExpiredIteratorException](err)
	return ok
}

func isInvalidArgument(err error) bool {
	_, ok := errors.AsType[*types.InvalidArgumentException](err)
	return ok
}

func isResourceNotFound(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}

// errorCode returns the code of the service's error, or "".
func errorCode(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}
