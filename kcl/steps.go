package kcl

import (
	"context"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
)

// stepLimit is how long one step of a loop may go without a sign of life: an
// answer, a part of one, another try. The requests that a step makes have limits
// of their own, which are shorter; this one is for what they do not cover, such
// as a Source or a Table that keeps none.
const stepLimit = 2 * time.Minute

// Loops of a worker, as LoopStatus names them.
const (
	loopStart = "start"
	loopSync  = "sync"
	loopShard = "shard"
)

// steps knows the steps that are under way. The zero value is ready to use. It
// is safe for concurrent use.
type steps struct{ deadline.Watch }

// do runs f as a step. f's context ends when nothing was heard for stepLimit;
// the error says so then.
func (s *steps) do(ctx context.Context, loop, shardID, doing string, f func(context.Context) error) error {
	ctx, call := deadline.Start(ctx, stepLimit)
	defer call.End()
	end := s.BeginCall(loop, shardID, doing, call)
	defer end()
	return deadline.Explain(ctx, f(ctx))
}
