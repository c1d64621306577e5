package processors_test

import (
	"context"
	"fmt"
	"strconv"
	"time"

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
	var n int
	_, _ = fmt.Sscanf(string(b.Records[0].Data), "<%d>", &n)
	time.Sleep(time.Duration(n) * time.Nanosecond) // side by side, and always in one order
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	var results []transform.Result
	call := f.w.counts["transform"]
	err := f.w.do(ctx, f.h, "transform", func() {
		for _, r := range b.Records {
			results = append(results, transform.Result{
				ID: r.ID, Status: transform.Ok, Data: fmt.Appendf(nil, "%s~%d", r.Data, call),
				PartitionKeys: map[string]string{"k": strconv.Itoa(len(r.Data) % 3)},
			})
		}
	})
	return results, err
}

// transforming returns cfg with the world's own transform, if it has one.
func (w *world) transforming(cfg processors.Config, h *holding) processors.Config {
	if t := cfg.Transform; t != nil && t.Function == (transforming{}) {
		own := *t
		own.Function = transforming{w, h}
		cfg.Transform = &own
	}
	return cfg
}

// transformed is config with a transform, of batches of some records.
func transformed() processors.Config {
	return with(config(), func(c *processors.Config) { c.Transform = &processors.Transform{Function: transforming{}} }).WithBatchSize(12)
}

// partitioned is transformed, with partitions by what the transform says.
func partitioned() processors.Config {
	return with(transformed(), func(c *processors.Config) {
		c.Prefix, c.ErrorOutputPrefix = "k=!{partitionKeyFromLambda:k}/", "errors/"
		c.DynamicPartitioning = &processors.DynamicPartitioning{}
		c.Hints = processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 60}
	})
}
