package leasedynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/internal/deadline"
)

// send makes one request, of which every one of this package is. It ends by
// itself: after RequestTimeout if no answer has begun, and then if the answer
// stops coming. With a ctx that is done nothing is sent, and the error is its
// cause.
func send[I, O any](
	ctx context.Context, t *Table, operation func(context.Context, *I, ...func(*dynamodb.Options)) (*O, error), in *I, how ...func(*dynamodb.Options),
) (*O, error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	timed, call := deadline.Start(ctx, t.opts.RequestTimeout)
	defer call.End()
	out, err := operation(timed, in, append(how, watched)...)
	return out, deadline.Explain(timed, err)
}

// watched has the call told of what comes of an answer, whatever client the
// user gave.
func watched(o *dynamodb.Options) { o.HTTPClient = deadline.Client(o.HTTPClient, 0) }

// oneTry turns the SDK's retries off for one request.
func oneTry(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }
