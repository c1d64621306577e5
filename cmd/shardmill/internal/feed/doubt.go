package feed

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/shardmill/shardmill/internal/access"
)

// unanswered counts the tries of a call that left open what they did, also those
// that the SDK repeated, of which the call says nothing.
func unanswered(n *int) func(*kinesis.Options) {
	look := middleware.InitializeMiddlewareFunc("unanswered", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		tries, _ := retry.GetAttemptResults(metadata)
		for _, try := range tries.Results {
			if isUnclear(try.Err) {
				*n++
			}
		}
		return out, metadata, err
	})
	return func(o *kinesis.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error { return s.Initialize.Add(look, middleware.Before) })
	}
}

// isUnclear reports whether records may have been put though err came back.
func isUnclear(err error) bool {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.HTTPStatusCode() != 0 {
		return answer.HTTPStatusCode() >= http.StatusInternalServerError
	}
	if network, ok := errors.AsType[*net.OpError](err); ok && network.Op == "dial" {
		return false // nothing was sent
	}
	return err != nil && !access.Missing(err)
}
