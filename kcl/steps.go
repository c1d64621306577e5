package kcl

import (
	"context"
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

// steps are the steps that are under way. The zero value is ready to use. It is
// safe for concurrent use.
type steps struct {
	mu    sync.Mutex
	under map[*step]struct{}
}

type step struct {
	loop, shardID, doing string
	since                time.Time
	call                 *deadline.Call // nil: it has no limit
}

// begin notes a step, which is made within call if that is not nil. The function
// that it returns notes its end.
func (s *steps) begin(loop, shardID, doing string, call *deadline.Call) (end func()) {
	st := &step{loop, shardID, doing, time.Now(), call}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.under == nil {
		s.under = make(map[*step]struct{})
	}
	s.under[st] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.under, st)
	}
}

// do runs f as a step. f's context ends when nothing was heard for stepLimit;
// the error says so then.
func (s *steps) do(ctx context.Context, loop, shardID, doing string, f func(context.Context) error) error {
	ctx, call := deadline.Start(ctx, stepLimit)
	defer call.End()
	end := s.begin(loop, shardID, doing, call)
	defer end()
	return deadline.Explain(ctx, f(ctx))
}

// status tells of the steps that are under way.
func (s *steps) status() []LoopStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]LoopStatus, 0, len(s.under))
	for st := range s.under {
		l := LoopStatus{Loop: st.loop, ShardID: st.shardID, Doing: st.doing, Silent: time.Since(st.since)}
		if st.call != nil {
			l.Silent, l.Limit = st.call.Silent(), st.call.Limit()
		}
		out = append(out, l)
	}
	return out
}
