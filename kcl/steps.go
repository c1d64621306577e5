package kcl

import (
	"cmp"
	"context"
	"slices"
	"sync"
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

// steps are the steps that are under way.
type steps struct {
	mu    sync.Mutex
	under map[*step]struct{}
}

type step struct {
	loop, shardID, doing string
	call                 *deadline.Call
}

// do runs f as a step. f's context ends when nothing was heard for stepLimit;
// the error says so then.
func (s *steps) do(ctx context.Context, loop, shardID, doing string, f func(context.Context) error) error {
	ctx, call := deadline.Start(ctx, stepLimit)
	st := &step{loop, shardID, doing, call}
	s.mu.Lock()
	if s.under == nil {
		s.under = make(map[*step]struct{})
	}
	s.under[st] = struct{}{}
	s.mu.Unlock()
	defer func() {
		call.End()
		s.mu.Lock()
		delete(s.under, st)
		s.mu.Unlock()
	}()
	return deadline.Explain(ctx, f(ctx))
}

// status tells of the steps that are under way.
func (s *steps) status() []LoopStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]LoopStatus, 0, len(s.under))
	for st := range s.under {
		out = append(out, LoopStatus{Loop: st.loop, ShardID: st.shardID, Doing: st.doing, Silent: st.call.Silent(), Limit: st.call.Limit()})
	}
	slices.SortFunc(out, func(a, b LoopStatus) int {
		return cmp.Or(cmp.Compare(a.Loop, b.Loop), cmp.Compare(a.ShardID, b.ShardID), cmp.Compare(a.Doing, b.Doing))
	})
	return out
}
