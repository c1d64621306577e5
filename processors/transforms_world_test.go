package processors_test

import (
	"context"
	"fmt"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/transform"
)

// transforming is a world's transform, one of whose operations a call is. It says
// something else of a record each time.
type transforming struct {
	w *world
	h *holding
}

func (transforming) ARN() string { return "arn:aws:lambda:us-east-1:123456789012:function:world" }

func (f transforming) Transform(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	var results []transform.Result
	call := f.w.counts["transform"]
	err := f.w.do(ctx, f.h, "transform", func() {
		for _, r := range b.Records {
			results = append(results, transform.Result{ID: r.ID, Status: transform.Ok, Data: fmt.Appendf(nil, "%s~%d", r.Data, call)})
		}
	})
	return results, err
}

// transformed is config with a transform, of batches of some records.
func transformed() processors.Config {
	return with(config(), func(c *processors.Config) { c.Transform = &processors.Transform{Function: transforming{}} }).WithBatchSize(12)
}
