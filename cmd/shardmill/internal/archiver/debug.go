package archiver

import (
	"context"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
)

// LogRequests returns what has each try of a request logged at the level debug,
// as [aws.Config.APIOptions]: what was asked of whom, how it ended and how long
// that took, and nothing of what it carried. It returns none if log does not log
// at that level.
func LogRequests(log *zap.Logger) []func(*middleware.Stack) error {
	if log == nil || !log.Core().Enabled(zap.DebugLevel) {
		return nil
	}
	look := middleware.DeserializeMiddlewareFunc("logRequests", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		begun := time.Now()
		out, metadata, err := next.HandleDeserialize(ctx, in)
		fields := []zap.Field{
			zap.String("service", awsmiddleware.GetServiceID(ctx)), zap.String("operation", awsmiddleware.GetOperationName(ctx)),
			zap.Duration("duration", time.Since(begun)),
		}
		if answer, ok := out.RawResponse.(*smithyhttp.Response); ok && answer != nil {
			fields = append(fields, zap.Int("status", answer.StatusCode))
		}
		if id, ok := awsmiddleware.GetRequestIDMetadata(metadata); ok {
			fields = append(fields, zap.String("request_id", id))
		}
		log.Debug("request", append(fields, zap.Error(err))...)
		return out, metadata, err
	})
	return []func(*middleware.Stack) error{func(s *middleware.Stack) error { return s.Deserialize.Add(look, middleware.Before) }}
}

// logged returns hooks that also log batches and checkpoints at the level debug.
func logged(h kcl.Hooks, log *zap.Logger) kcl.Hooks {
	if log == nil || !log.Core().Enabled(zap.DebugLevel) {
		return h
	}
	h.Processed = both(func(e kcl.BatchEvent) {
		log.Debug("batch processed", zap.String("shard_id", e.ShardID), zap.Int("records", e.Records), zap.Int64("bytes", e.Bytes),
			zap.Stringer("last", e.Last), zap.Duration("behind_latest", e.BehindLatest), zap.Duration("duration", e.Duration),
			zap.Int("attempt", e.Attempt), zap.Error(e.Err))
	}, h.Processed)
	h.Checkpointed = both(func(e kcl.CheckpointEvent) {
		log.Debug("checkpoint written", zap.String("shard_id", e.ShardID), zap.Stringer("checkpoint", e.Checkpoint))
	}, h.Checkpointed)
	return h
}

// both returns a hook that calls first and then, unless it is nil, then.
func both[E any](first, then func(E)) func(E) {
	return func(e E) {
		first(e)
		if then != nil {
			then(e)
		}
	}
}
